//! `rex`: extracts fields with a regular expression, or edits a field as `sed` does.

mod extract;
mod sed;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_eval::regex::Regex;
use spilltrail_event::fields::RAW;
use spilltrail_event::{Field, Kind};
use spilltrail_spl::Arguments;

use self::extract::Extract;
use self::sed::Script;
use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options};
use crate::operators::Derive;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "rex",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Extracts fields with the named groups of a regular expression, or edits a field as `sed` does.",
    syntax: "rex [field=<field>] \"<regular expression>\" [max_match=<int>] [offset_field=<field>] | rex [field=<field>] mode=sed \"<sed expression>\"",
    arguments: &[
        ("field", "The field that is read. Default `_raw`."),
        (
            "max_match",
            "How often the expression is applied; 0 is without limit. Default 1. More than one match gives multivalues.",
        ),
        (
            "offset_field",
            "A field for the places of the groups: `name=first-last`, counted from 0, joined by `&`.",
        ),
        (
            "mode",
            "`sed`: the text is `s/regular expression/replacement/flags` or `y/characters/others/`.",
        ),
    ],
    examples: &[
        Example {
            title: "Two fields out of a third",
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
            title: "Replacing",
            events: r#"{"key":"AKIAIOSFODNN7EXAMPLE"}"#,
            search: r#"| rex field=key mode=sed "s/^(.{4}).*/\1…/""#,
            results: r#"{"key":"AKIA…"}"#,
        },
    ],
    differs: &[
        "Each value of a multivalue is tried, and `max_match` counts for each.",
        "A group that matches the empty text gives an empty value.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

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
    let mut field = RAW.to_owned();
    let mut pattern: Option<Spanned<String>> = None;
    let mut max_matches = 1;
    let mut offset_field = None;
    let mut is_sed = false;
    while !arguments.is_empty() {
        if let Some((name, value)) = arguments.any_option() {
            match name.value.to_ascii_lowercase().as_str() {
                "field" => field = value.value,
                "max_match" => max_matches = options::count(&value)?,
                "offset_field" => offset_field = Some(value.value),
                "mode" if value.value.eq_ignore_ascii_case("sed") => is_sed = true,
                "mode" => {
                    let message = format!("expected `sed`, found `{}`", value.value);
                    return Err(Diagnostic::error(Code::BAD_OPTION, message).at(value.span));
                }
                _ => return Err(options::unknown("rex", &name)),
            }
        } else if let (None, Some(text)) = (&pattern, arguments.quoted()) {
            pattern = Some(text);
        } else {
            arguments.finish()?;
        }
    }
    let Some(pattern) = pattern else {
        return Err(Diagnostic::error(Code::SYNTAX, "expected a regular expression in quotes")
            .at(arguments.span())
            .help("for example `rex field=user \"(?<domain>[^@]+)$\"`"));
    };
    let action = if is_sed {
        Action::Edit(Arc::new(Script::parse(&pattern)?))
    } else {
        Action::Extract(Arc::new(extraction(&pattern, max_matches, offset_field)?))
    };
    Ok(Box::new(Rex { field, action }))
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
        // A row that does not match keeps the values of the groups' fields, so they stay needed.
        after.and([&self.field])
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
