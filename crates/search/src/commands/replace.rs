//! `replace`: replaces whole values of fields.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Kind, Value, parse_number, wildcard_capture};
use spilltrail_spl::Arguments;

use super::{
    Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, rename, table,
};
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::mapped::{Mapped, ValueFunction, mapped};
use crate::rows::state::FunctionCodec;

static DOC: CommandDoc = CommandDoc {
    name: "replace",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Replace whole values. A `*` matches any text, which the new value can repeat.",
    syntax: "replace <old> WITH <new> [, <old> WITH <new>] … [IN <field> …]",
    arguments: &[
        Argument::positional("old", Takes::Text)
            .doc("The whole value, case-sensitive; `*` matches any text."),
        Argument::keyword("WITH", Takes::Text)
            .doc("The new value. Each `*` in it repeats what the `*` of the old value matched, in order."),
        Argument::keyword("IN", Takes::Fields)
            .doc("The fields to change. Default: all fields whose names do not begin with `_`."),
    ],
    examples: &[
        Example {
            title: "Names for codes",
            events: "{\"code\":\"0\",\"n\":\"0\"}\n{\"code\":\"1\",\"n\":\"5\"}",
            search: "| replace 0 WITH ok, 1 WITH denied IN code",
            results: "{\"code\":\"ok\",\"n\":\"0\"}\n{\"code\":\"denied\",\"n\":\"5\"}",
        },
        Example {
            title: "Keep a part of the value",
            events: r#"{"source":"ec2.amazonaws.com"}"#,
            search: "| replace *.amazonaws.com WITH * IN source",
            results: r#"{"source":"ec2"}"#,
        },
    ],
    differs: &["If several pairs match a value, the first one replaces it."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const FUNCTION: FunctionCodec = FunctionCodec::of::<Mapped<Pairs>>("replace");

#[derive(Debug)]
struct Replace {
    pairs: Pairs,
    fields: Vec<String>,
}

/// Pairs of old and new values, which may have wildcards; the first matching pair applies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl ValueFunction for Pairs {
    fn name(&self) -> &'static str {
        "spl_replace"
    }

    fn kind(&self, input: Kind) -> Kind {
        let is_number = |(_, new): &(String, String)| parse_number(new).is_some();
        if self.0.iter().all(is_number) { input } else { input.or(Kind::Text) }
    }

    fn apply(&self, value: &Value<'_>) -> Value<'static> {
        let text = value.to_text().unwrap_or_default();
        let replaced = self.0.iter().find_map(|(old, new)| {
            wildcard_capture(old, &text).map(|parts| rename::fill(new, parts))
        });
        replaced.map_or_else(|| value.clone().into_owned(), Value::text)
    }
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut replace = Replace { pairs: Pairs(Vec::new()), fields: Vec::new() };
    while !arguments.is_empty() {
        if !replace.pairs.0.is_empty() && arguments.keyword("in").is_some() {
            replace.fields = arguments.fields()?.into_iter().map(|field| field.value).collect();
            arguments.finish()?;
            break;
        }
        let old = arguments.word();
        let with = old.as_ref().and_then(|_| arguments.keyword("with"));
        let (Some(old), Some(_), Some(new)) = (old, with, arguments.word()) else {
            return Err(expected_pair(arguments));
        };
        let stars = |text: &str| text.matches('*').count();
        if stars(&new.value) > 0 && stars(&new.value) != stars(&old.value) {
            let message = format!("`{}` and `{}` must have equally many `*`", old.value, new.value);
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(new.span)
                .help("the new value may also have none"));
        }
        replace.pairs.0.push((old.value, new.value));
        arguments.symbol(",");
    }
    if replace.pairs.0.is_empty() {
        return Err(expected_pair(arguments));
    }
    Ok(Box::new(replace))
}

fn expected_pair(arguments: &Arguments<'_>) -> Diagnostic {
    Diagnostic::error(Code::MISSING_ARGUMENT, "expected `<old> WITH <new>`")
        .at(arguments.span())
        .help("for example `replace 0 WITH ok IN code`")
}

#[async_trait]
impl Command for Replace {
    fn needs(&self, after: Needs) -> Needs {
        after.and(&self.fields)
    }

    fn listed(&self) -> Vec<&str> {
        self.fields.iter().map(String::as_str).collect()
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let names = if self.fields.is_empty() {
            input.covered("*")
        } else {
            table::spread(&input, &self.fields)
        };
        let columns = names
            .into_iter()
            .filter_map(|name| {
                let kind = self.pairs.kind(input.kind(&name)?);
                let replaced = mapped(self.pairs.clone(), column(&name));
                Some((name, replaced, kind))
            })
            .collect();
        input.with_columns(columns).map_err(|error| stage.refused(error))
    }
}
