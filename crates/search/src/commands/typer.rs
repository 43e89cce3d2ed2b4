//! `typer`: adds the event types of rows.

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::planning::classes::{self, EVENT_TYPE};
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "typer",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Add the field `eventtype` with the event types whose searches match the row.",
    syntax: "typer [maxlen=<int>]",
    arguments: &[Argument::option("maxlen", Takes::Count)
        .default("10000")
        .between(1, 1_000_000_000)
        .doc("How many characters of the text of an event, `_raw`, are looked at. Fields count in full.")],
    examples: &[
        Example {
            title: "Event types of CloudTrail events",
            events: r#"{"sourcetype":"aws:cloudtrail","eventSource":"iam.amazonaws.com","eventName":"CreateUser"}
{"sourcetype":"aws:cloudtrail","eventSource":"s3.amazonaws.com","eventName":"GetObject"}"#,
            search: "| typer | table eventName eventtype",
            results: r#"{"eventName":"CreateUser","eventtype":["aws_cloudtrail","aws_cloudtrail_change","aws_cloudtrail_iam_change_acctmgmt"]}
{"eventName":"GetObject","eventtype":"aws_cloudtrail"}"#,
        },
        Example {
            title: "Rows keep the event types that they have, and a changed field counts",
            events: r#"{"sourcetype":"aws:cloudtrail","errorCode":"AccessDenied","eventtype":"seen"}"#,
            search: "| eval errorCode=null() | typer | table eventtype",
            results: r#"{"eventtype":["aws_cloudtrail","seen"]}"#,
        },
    ],
    differs: &[
        "The event types are those of the content, and of the add-on for CloudTrail. They are sorted.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Typer {
    longest: usize,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    Ok(Box::new(Typer { longest: arguments.value("maxlen") }))
}

#[async_trait]
impl Command for Typer {
    fn needs(&self, after: Needs) -> Needs {
        // The searches of the event types are not known yet, and may read any field.
        after.without([EVENT_TYPE]).and_all()
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(EVENT_TYPE.to_owned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        classes::typed(input, self.longest, stage.context).map_err(|error| stage.refused(error))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use spilltrail_diagnostic::Code;
    use spilltrail_knowledge::{EventType, Knowledge};
    use spilltrail_spl::parse_search;

    use crate::context::SearchContext;
    use crate::testing::{context, rows, table, table_of};

    /// Returns a context with event types of these names and searches.
    fn with_types(types: &[(&str, &str)], lines: &str) -> SearchContext {
        let mut knowledge = Knowledge::default();
        for (name, search) in types {
            let search = parse_search(search).unwrap();
            let tags = vec!["t".to_owned()];
            knowledge.add_event_type(EventType { name: (*name).to_owned(), search, tags });
        }
        SearchContext { knowledge: Arc::new(knowledge), ..context(rows(lines), 64 << 20) }
    }

    #[tokio::test]
    async fn types_are_those_whose_searches_match() {
        let types = [
            ("late", "a=1 needle"),
            ("nested", "eventtype=late"),
            ("other", "NOT b=*"),
            ("", "a=1"),
        ];
        let lines = r#"{"_time":3,"_raw":"äöü needle","a":"1"}
{"_time":2,"_raw":"needle","a":"2","b":"x"}
{"_time":1,"_raw":"x","a":["1","2"],"b":"y","eventtype":"own"}"#;
        let context = with_types(&types, lines);
        for (search, expected) in [
            ("* | typer", ["late nested other", "-", "own"]),
            ("| typer", ["late nested other", "-", "own"]),
            // The word ends behind the tenth character.
            ("* | typer maxlen=9", ["other", "-", "own"]),
            ("* | typer maxlen=10", ["late nested other", "-", "own"]),
            ("* | eval a=\"12\" | typer maxlen=1", ["other", "-", "own"]),
            ("* | eval a=3 | typer", ["other", "-", "own"]),
        ] {
            let search = format!("{search} | table eventtype");
            let mut lines: Vec<String> = expected.map(str::to_owned).into();
            lines.insert(0, "eventtype".to_owned());
            assert_eq!(table_of(&search, &context).await, Ok(lines), "{search}");
        }
        // Rows without a field that a search compares can still be of a type that asks for nothing.
        let rows_of_nothing = ["eventtype", "other"].map(str::to_owned).to_vec();
        let search = "| makeresults | fields nosuch | typer | table eventtype";
        assert_eq!(table_of(search, &context).await, Ok(rows_of_nothing));
        let none = with_types(&[], lines);
        let expected = ["eventtype", "-", "-", "own"].map(str::to_owned).to_vec();
        assert_eq!(table_of("* | typer | table eventtype", &none).await, Ok(expected));
    }

    #[tokio::test]
    async fn mistakes() {
        for (search, code) in [
            ("| typer maxlen=0", Code::BAD_OPTION),
            ("| typer maxlen=x", Code::BAD_OPTION),
            ("| typer a", Code::TRAILING_TEXT),
        ] {
            assert_eq!(table(search, "{\"a\":\"1\"}").await, Err(vec![code]), "{search}");
        }
    }
}
