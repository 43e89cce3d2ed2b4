//! `spath`: extracts values from JSON and XML.

mod json;
pub(super) mod xml;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_eval::functions::path::{self, Step};
use spilltrail_event::fields::{RAW, part_of_raw};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::extraction::{demanded, may_be_set};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::commands::subsearch;
use crate::operators::{Codec, Derive, RowFunction};
use crate::planning::plan::{Needs, Plan};
use crate::planning::reserved;
use crate::rows::arrow::ColumnReader;
use crate::rows::state::state_of;

/// Characters of a document that are read if no path is given (limits.conf `[spath]
/// extraction_cutoff`).
const CUTOFF: usize = 5000;

static DOC: CommandDoc = CommandDoc {
    name: "spath",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Extract values from JSON or XML: those at a path, or all values.",
    syntax: "spath [input=<field>] [output=<field>] [path=<path>|<path>]",
    arguments: &[
        Argument::option("input", Takes::Field).default("_raw").doc("The field that holds the document."),
        Argument::option("output", Takes::Field)
            .doc("The field to write the values to. Default: a field named like the path."),
        Argument::option("path", Takes::Text).doc(
            "Keys joined with dots. `{}` is every element of an array, `{0}` the first. In XML, `{1}` is the first element and `{@name}` an attribute. Without a path, every value becomes a field.",
        ),
        Argument::positional("path", Takes::Text).doc("The path; short for `path=`."),
    ],
    examples: &[
        Example {
            title: "The elements of an array",
            events: r#"{"policy":"{\"Statement\":[{\"Action\":\"s3:*\"},{\"Action\":\"ec2:Run\"}]}"}"#,
            search: "| spath input=policy output=action path=Statement{}.Action | table action",
            results: r#"{"action":["s3:*","ec2:Run"]}"#,
        },
        Example {
            title: "Everything",
            events: r#"{"doc":"{\"a\":1,\"b\":{\"c\":[\"x\",\"y\"]}}"}"#,
            search: "| spath input=doc | fields - doc",
            results: r#"{"a":"1","b.c{}":["x","y"]}"#,
        },
        Example {
            title: "XML",
            events: r#"{"doc":"<user id=\"7\"><name>ann</name></user>"}"#,
            search: "| spath input=doc path=user{@id} output=id | spath input=doc path=user.name output=name | fields - doc",
            results: r#"{"id":"7","name":"ann"}"#,
        },
    ],
    differs: &[
        "Objects and arrays at a path are returned as compact JSON.",
        "`{}` after a key whose value is not an array is that value.",
        "If nothing is found at the path, an existing field keeps its value. Without a path, values from the document replace existing fields of the same name.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODECS: [Codec; 2] =
    [Codec::derive::<AtPath>("spath"), Codec::derive::<DemandedFields>("spath_fields")];

#[derive(Debug)]
struct Spath {
    input: String,
    target: Option<Target>,
    /// The field that has only the part of `_raw` at the path, if the source can provide it.
    part: Option<String>,
}

/// A path, and the field that gets the values at the path.
#[derive(Debug)]
struct Target {
    path: Arc<AtPath>,
    output: String,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut path = None;
    while arguments.more() {
        if path.is_some() || arguments.given_at("path").is_some() {
            arguments.finish()?;
        }
        path = Some(arguments.field()?.value);
    }
    if path.is_some() {
        arguments.without_effect("path", "the path is given without a name too");
    }
    let path = path.or_else(|| arguments.given("path").map(|path| path.value));
    let target = match (path, arguments.given::<String>("output")) {
        (None, None) => None,
        (None, Some(output)) => {
            return Err(Diagnostic::error(Code::BAD_OPTION, "`output` needs a path")
                .at(output.span)
                .help("for example `spath output=user path=userIdentity.arn`"));
        }
        (Some(path), output) => Some(Target {
            output: output.map_or_else(|| path.clone(), |output| output.value),
            path: Arc::new(AtPath::from(path)),
        }),
    };
    Ok(Box::new(Spath { input: arguments.value("input"), target, part: None }))
}

#[async_trait]
impl Command for Spath {
    fn follows_source(&mut self) -> bool {
        let Some(target) = &self.target else { return false };
        let keys: Option<Vec<&str>> =
            target.path.steps.iter().map(|step| step.plain_key()).collect();
        let is_kept = target.output != RAW && self.input == RAW;
        self.part = keys.filter(|_| is_kept).map(|keys| part_of_raw(&keys));
        self.part.is_some()
    }

    fn needs(&self, after: Needs) -> Needs {
        let input = self.input(&after).to_owned();
        after.and([input])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        // Without a path, the values decide the names.
        let (mut names, target) = (before?, self.target.as_ref()?);
        names.push(target.output.clone());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let plan = stage.input(input)?;
        let inputs = vec![self.input(stage.after).to_owned()];
        if let Some(target) = &self.target {
            let output = Field::new(&target.output, Kind::Multi);
            return Ok(Derive::on(plan, inputs, [output], target.path.clone()));
        }
        if stage.after.fields.is_open() {
            return self.everything(plan, stage).await;
        }
        let names = demanded(stage);
        let outputs: Vec<Field> = names.iter().map(|name| Field::new(name, Kind::Multi)).collect();
        Ok(Derive::on(plan, inputs, outputs, Arc::new(DemandedFields { names })))
    }
}

impl Spath {
    /// Returns the field to read. If later commands need all fields, `_raw` is read in any case, so
    /// reading a part of it saves nothing.
    fn input(&self, after: &Needs) -> &str {
        match &self.part {
            Some(part) if !after.fields.is_open() => part,
            _ => &self.input,
        }
    }

    /// Plans `spath` without a path where all fields of the documents are wanted.
    ///
    /// Runs the plan so far, because the names of the new fields are known only from the documents.
    /// The rows are kept, but the values are not: they are extracted again when the rows are read.
    async fn everything(&self, plan: Plan, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let rows = subsearch::collect(plan, stage.context, None).await.map_err(refused)?;
        let mut kinds: IndexMap<String, Kind> = IndexMap::new();
        for batch in rows.batches().map_err(refused)? {
            let batch = batch.map_err(refused)?;
            let Some(column) = batch.column_by_name(&self.input) else { continue };
            let column = ColumnReader::new(column).map_err(refused)?;
            for row in 0..batch.num_rows() {
                for (name, values) in every_value(&column.value(row)) {
                    let kind = if values.len() > 1 { Kind::Multi } else { Kind::Text };
                    kinds.entry(name).and_modify(|known| *known = known.or(kind)).or_insert(kind);
                }
            }
        }
        kinds.retain(|name, _| may_be_set(name));
        let outputs = kinds.into_iter().map(|(name, kind)| Field::new(name, kind));
        let mut outputs: Vec<Field> = outputs.collect();
        reserved::leave_out(&mut outputs, |field| &field.name, stage.context);
        let names = outputs.iter().map(|field| field.name.clone()).collect();
        let plan = rows.into_plan().map_err(refused)?;
        Ok(Derive::on(plan, vec![self.input.clone()], outputs, Arc::new(DemandedFields { names })))
    }
}

/// Returns all values of the documents by path, in the order in which the paths first occur.
fn every_value(documents: &Value<'_>) -> IndexMap<String, Vec<String>> {
    let mut values: IndexMap<String, Vec<String>> = IndexMap::new();
    for document in documents.members() {
        for (name, value) in leaves(&document) {
            values.entry(name).or_default().push(value);
        }
    }
    values
}

/// Returns the scalar values in the first [`CUTOFF`] characters of a document, with their paths.
/// An invalid document has none.
fn leaves(document: &str) -> Vec<(String, String)> {
    let cut = document.char_indices().nth(CUTOFF).map(|(at, _)| at);
    let text = document.get(..cut.unwrap_or(document.len())).unwrap_or_default();
    match text.trim_start().chars().next() {
        Some('{' | '[') => json::leaves(text, cut.is_some()),
        Some('<') => xml::leaves(text, cut.is_some()),
        _ => Vec::new(),
    }
}

/// Sets a field to the values at a path.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
struct AtPath {
    path: String,
    steps: Vec<Step>,
}

impl From<String> for AtPath {
    fn from(path: String) -> Self {
        Self { steps: path::parse(&path), path }
    }
}

impl AtPath {
    fn values(&self, document: &str) -> Vec<String> {
        match document.trim_start().chars().next() {
            Some('{' | '[') => json::at_path(document, &self.steps),
            Some('<') => xml::at_path(document, &self.steps),
            _ => Vec::new(),
        }
    }
}

impl RowFunction for AtPath {
    fn name(&self) -> &'static str {
        "spath"
    }

    fn state(&self) -> String {
        state_of(&self.path)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let documents = inputs[0].members();
        let found: Vec<Cow<'a, str>> =
            documents.iter().flat_map(|text| self.values(text)).map(Cow::Owned).collect();
        if !found.is_empty() {
            outputs[0] = Value::multi(found);
        }
    }
}

/// Sets those of the needed fields that the document has values for.
#[derive(Debug, Serialize, Deserialize)]
struct DemandedFields {
    names: Vec<String>,
}

impl RowFunction for DemandedFields {
    fn name(&self) -> &'static str {
        "spath_fields"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let mut values = every_value(&inputs[0]);
        for (name, output) in self.names.iter().zip(outputs) {
            if let Some(members) = values.swap_remove(name) {
                *output = Value::multi(members.into_iter().map(Cow::Owned).collect());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_characters_count_without_a_path() {
        let document = format!(r#"{{"a":"é","pad":"{}","z":1}}"#, "é".repeat(CUTOFF));
        assert_eq!(leaves(&document), [("a".to_owned(), "é".to_owned())]);
        let at = AtPath { path: "z".to_owned(), steps: path::parse("z") };
        assert_eq!(at.values(&document), ["1"]);
    }

    #[test]
    fn text_that_is_no_document_has_no_values() {
        for text in ["", "a", "{\"a\":1", "<a>", "<a></b>", "5"] {
            assert_eq!(leaves(text), [], "{text}");
            assert!(
                AtPath { path: String::new(), steps: path::parse("a") }.values(text).is_empty()
            );
        }
    }
}
