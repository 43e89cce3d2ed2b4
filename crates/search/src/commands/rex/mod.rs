//! `rex`: extracts fields with a regular expression, or edits a field as `sed` does.

mod extract;
mod sed;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_eval::regex::Regex;
use spilltrail_event::{Field, Kind};
use spilltrail_spl::Arguments;

use self::extract::Extract;
use self::sed::Script;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::{Codec, Derive};
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "rex",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Extract fields with the named groups of a regular expression, or edit a field like `sed`.",
    syntax: "rex [field=<field>] \"<regular expression>\" [max_match=<int>] [offset_field=<field>] | rex [field=<field>] mode=sed \"<sed expression>\"",
    arguments: &[
        Argument::option("field", Takes::Field).default("_raw").doc("The field to read."),
        Argument::positional("regular expression", Takes::Regex)
            .doc("The expression; each named group becomes a field."),
        Argument::option("max_match", Takes::Count).default("1").doc(
            "The largest number of matches; 0 means all. Several matches make multivalue fields.",
        ),
        Argument::option("offset_field", Takes::Field).doc(
            "A field for the positions of the groups: `name=first-last`, counted from 0, joined with `&`.",
        ),
        Argument::option("mode", Takes::OneOf(&["sed"])).doc(
            "`sed`: the text is `s/regular expression/replacement/flags` or `y/characters/replacements/`.",
        ),
    ],
    examples: &[
        Example {
            title: "Extract two fields from a third",
            events: r#"{"arn":"arn:aws:iam::111122223333:user/ann"}"#,
            search: r#"| rex field=arn "iam::(?<account>\d+):user/(?<user>.+)" | table account user"#,
            results: r#"{"account":"111122223333","user":"ann"}"#,
        },
        Example {
            title: "Every match",
            events: r#"{"text":"a1 b22 c3"}"#,
            search: r#"| rex field=text max_match=0 "(?<number>\d+)" | table number"#,
            results: r#"{"number":["1","22","3"]}"#,
        },
        Example {
            title: "Replace a part",
            events: r#"{"key":"AKIAIOSFODNN7EXAMPLE"}"#,
            search: r#"| rex field=key mode=sed "s/^(.{4}).*/\1…/""#,
            results: r#"{"key":"AKIA…"}"#,
        },
    ],
    differs: &[
        "The expression is applied to each value of a multivalue field, and `max_match` counts for each value.",
        "A group that matches the empty text makes an empty value.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODECS: [Codec; 2] =
    [Codec::derive::<Extract>("rex"), Codec::derive::<Script>("sed")];

#[derive(Debug)]
struct Rex {
    field: String,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Extract(Arc<Extract>),
    Edit(Arc<Script>),
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut pattern: Option<Spanned<String>> = None;
    while arguments.more() {
        if pattern.is_some() {
            arguments.finish()?;
        }
        pattern = arguments.quoted();
        if pattern.is_none() {
            arguments.finish()?;
        }
    }
    let Some(pattern) = pattern else {
        return Err(Diagnostic::error(
            Code::MISSING_ARGUMENT,
            "expected a regular expression in quotes",
        )
        .at(arguments.span())
        .help("for example `rex field=user \"(?<domain>[^@]+)$\"`"));
    };
    let action = if arguments.given_at("mode").is_some() {
        for name in ["max_match", "offset_field"] {
            arguments.without_effect(name, "`mode=sed` extracts nothing");
        }
        Action::Edit(Arc::new(Script::parse(&pattern)?))
    } else {
        let offset_field = arguments.given("offset_field").map(|field| field.value);
        let extract = extraction(&pattern, arguments.value("max_match"), offset_field)?;
        Action::Extract(Arc::new(extract))
    };
    Ok(Box::new(Rex { field: arguments.value("field"), action }))
}

fn extraction(
    pattern: &Spanned<String>,
    max_matches: usize,
    offset_field: Option<String>,
) -> Result<Extract, Diagnostic> {
    let regex = Regex::compile(&pattern.value, pattern.span)?;
    let extract = Extract::new(pattern.value.clone(), regex, max_matches, offset_field);
    if extract.fields().is_empty() {
        return Err(Diagnostic::error(Code::BAD_REGEX, "the regular expression extracts nothing")
            .at(pattern.span)
            .help("name a group: `(?<field>…)`"));
    }
    Ok(extract)
}

#[async_trait]
impl Command for Rex {
    fn needs(&self, after: Needs) -> Needs {
        // A row that does not match keeps its values of the extracted fields, so they stay needed.
        after.and([&self.field])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        if let Action::Extract(extract) = &self.action {
            let extracted = extract.fields().iter().cloned();
            names.extend(extracted.filter(|name| !names.contains(name)).collect::<Vec<_>>());
        }
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let kind = input.kind(&self.field).unwrap_or(Kind::Text).or(Kind::Text);
        let inputs = vec![self.field.clone()];
        Ok(match &self.action {
            Action::Edit(_) if input.kind(&self.field).is_none() => input,
            Action::Edit(script) => {
                let output = Field::new(&self.field, kind);
                Derive::on(input, inputs, [output], script.clone())
            }
            Action::Extract(extract) => {
                let kind = if extract.is_multiple() { Kind::Multi } else { kind };
                let outputs = extract.fields().iter().map(|name| Field::new(name, kind));
                let outputs: Vec<Field> = outputs.collect();
                Derive::on(input, inputs, outputs, extract.clone())
            }
        })
    }
}
