//! `metasearch`: finds events by what is known of them without reading their fields.

use std::borrow::Cow;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::fields::{INDEX, SOURCE, TIME};
use spilltrail_knowledge::is_class;
use spilltrail_spl::{Arguments, SearchExpr, is_time_bound};

use super::{
    Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes, search,
    subsearch,
};
use crate::planning::plan::{Needs, Plan};
use crate::planning::predicate::Position;

/// The fields of the result.
const OUTPUTS: [&str; 6] = [TIME, "host", INDEX, SOURCE, "sourcetype", "splunk_server"];

static DOC: CommandDoc = CommandDoc {
    name: "metasearch",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Find events, and return only where and when they are from.",
    syntax: "metasearch [<search expression>]",
    arguments: &[Argument::positional("expression", Takes::Search).doc(
        "Terms, and comparisons of `host`, `index`, `source`, `sourcetype`, `splunk_server`, `eventtype`, `tag` and `tag::` with a field. Default: all events.",
    )],
    examples: &[
        Example {
            title: "Where a word is",
            events: r#"{"_time":20,"host":"web1","_raw":"login denied"}
{"_time":10,"host":"web2","_raw":"login"}"#,
            search: "| metasearch denied | table _time host",
            results: r#"{"_time":20,"host":"web1"}"#,
        },
        Example {
            title: "Events of one sourcetype, by host",
            events: r#"{"_time":30,"host":"a","sourcetype":"aws:cloudtrail","user":"ann"}
{"_time":20,"host":"a","sourcetype":"aws:cloudtrail","user":"bob"}
{"_time":10,"host":"b","sourcetype":"other"}"#,
            search: "| metasearch sourcetype=aws* | stats count by host",
            results: r#"{"host":"a","count":2}"#,
        },
    ],
    differs: &[
        "Comparisons of fields other than `_time`, `host`, `index`, `source`, `sourcetype`, `splunk_server`, `eventtype`, `tag` and `tag::` with a field are refused.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct MetaSearch {
    expression: SearchExpr,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let expression = if arguments.is_empty() { SearchExpr::All } else { arguments.search()? };
    arguments.finish()?;
    let mut refused: Vec<Spanned<String>> = Vec::new();
    expression.walk(&mut |part| {
        let field = match part {
            SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. } => field,
            SearchExpr::Subsearch { value_of: Some(compared), .. } => &compared.field,
            _ => return,
        };
        let name = field.value.as_str();
        if !OUTPUTS.contains(&name) && !is_class(name) && !is_time_bound(name) {
            refused.push(field.clone());
        }
    });
    for field in refused {
        let message = format!("`metasearch` knows no field `{}` of events", field.value);
        let error = Diagnostic::error(Code::BAD_ARGUMENT, message).at(field.span);
        arguments.report(error.help("compare it with `search` instead"));
    }
    Ok(Box::new(MetaSearch { expression }))
}

#[async_trait]
impl Command for MetaSearch {
    fn parts(&self) -> Parts<'_> {
        Parts { searches: vec![&self.expression], ..Parts::default() }
    }

    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    fn picks(&self) -> Option<Cow<'_, SearchExpr>> {
        Some(Cow::Borrowed(&self.expression))
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(OUTPUTS.map(str::to_owned).to_vec())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        let predicate =
            subsearch::predicate(&self.expression, Position::Leading, stage.context).await?;
        let wanted: Vec<String> = OUTPUTS
            .iter()
            .filter(|name| stage.after.fields.wants(name))
            .map(|name| (*name).to_owned())
            .collect();
        let needs = Needs { order: stage.after.order, ..Needs::only(&wanted) };
        let reading = Stage { context: stage.context, after: &needs, span: stage.span };
        let plan = search::find(predicate, &reading).await?;
        plan.select(&wanted).map_err(|error| stage.refused(error))
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn only_what_is_known_of_events() {
        let rows = r#"{"_time":1,"host":"a","index":"x","source":"s","user":"ann","_raw":"one two"}
{"_time":2,"host":"b","index":"y","user":"bob","_raw":"two"}"#;
        for (search, expected) in [
            (
                "| metasearch",
                vec![
                    "_time | host | index | source | sourcetype | splunk_server",
                    "2 b y - - -",
                    "1 a x s - -",
                ],
            ),
            ("| metasearch one OR index=y | table host", vec!["host", "b", "a"]),
            ("| metasearch NOT host=a | stats count", vec!["count", "1"]),
            ("| metasearch host IN (a, c) | table user", vec!["user", "-"]),
            ("| metasearch NOT eventtype=nosuch tag!=web | stats count", vec!["count", "0"]),
            (
                "| metasearch earliest=[| makeresults | eval t=2 | return $t] | table host",
                vec!["host", "b"],
            ),
            (
                "| metasearch [| makeresults | eval host=\"b\" | table host] | table host",
                vec!["host", "b"],
            ),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        for (search, code) in [
            ("| metasearch user=ann", Code::BAD_ARGUMENT),
            ("| metasearch user=[| makeresults | return $a]", Code::BAD_ARGUMENT),
            ("* | metasearch host=a", Code::NOT_GENERATING),
        ] {
            assert_eq!(table(search, rows).await, Err(vec![code]), "{search}");
        }
    }
}
