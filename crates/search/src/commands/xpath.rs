//! `xpath`: extracts values from XML with an XPath expression.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::spath::xml::{self, Element};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::{Codec, Derive, RowFunction};
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "xpath",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Extract values from XML with an XPath expression.",
    syntax: "xpath [outfield=<field>] [field=<field>] [default=<text>] \"<expression>\"",
    arguments: &[
        Argument::option("outfield", Takes::Field)
            .default("xpath")
            .doc("The field that gets the values."),
        Argument::option("field", Takes::Field).default("_raw").doc("The field with the XML."),
        Argument::option("default", Takes::Text)
            .doc("The value if nothing is found. Default: the field is not set."),
        Argument::positional("expression", Takes::Text).doc(
            "Names joined with `/` or `//`; `*`, `@name` and `text()`; and conditions `[1]`, `[last()]`, `[@name]`, `[@name='x']`, `[name]` and `[name='x']`.",
        ),
    ],
    examples: &[
        Example {
            title: "Attributes",
            events: r#"{"doc":"<users><user id=\"7\">ann</user><user id=\"9\">bob</user></users>"}"#,
            search: "| xpath field=doc outfield=id \"//user/@id\" | table id",
            results: r#"{"id":["7","9"]}"#,
        },
        Example {
            title: "An element with a condition",
            events: r#"{"_raw":"<users><user id=\"7\">ann</user><user id=\"9\">bob</user></users>"}"#,
            search: "| xpath \"/users/user[@id='9']\" | xpath outfield=role default=none \"//role\" | table xpath role",
            results: r#"{"xpath":"bob","role":"none"}"#,
        },
    ],
    differs: &[
        "Of XPath, paths with these conditions are supported; functions and other axes are an error.",
        "An element with child elements gives its inner XML.",
        "Prefixes of namespaces are part of the name.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Found>("xpath");

#[derive(Debug)]
struct XPath {
    field: String,
    output: String,
    found: Arc<Found>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut expression: Option<Spanned<String>> = None;
    while arguments.more() {
        if expression.is_some() {
            arguments.finish()?;
        }
        expression = arguments.quoted();
        if expression.is_none() {
            arguments.finish()?;
        }
    }
    let Some(expression) = expression else {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected an expression in quotes")
            .at(arguments.span())
            .help("for example `xpath \"//user/@id\"`"));
    };
    let Some(steps) = steps(&expression.value) else {
        let message = "this XPath expression is not supported";
        return Err(Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message)
            .at(expression.span)
            .help("`spilltrail help xpath` lists what is; `spath` has paths, too"));
    };
    let default = arguments.given("default").map(|default| default.value);
    let found = Found { expression: expression.value, default, steps };
    Ok(Box::new(XPath {
        field: arguments.value("field"),
        output: arguments.value("outfield"),
        found: Arc::new(found),
    }))
}

#[async_trait]
impl Command for XPath {
    fn needs(&self, after: Needs) -> Needs {
        after.and([&self.field])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(self.output.clone());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let output = Field::new(&self.output, Kind::Multi);
        let inputs = vec![self.field.clone()];
        Ok(Derive::on(stage.input(input)?, inputs, [output], self.found.clone()))
    }
}

/// Sets a field to the values that an expression finds.
#[derive(Debug, Deserialize)]
#[serde(try_from = "State")]
struct Found {
    expression: String,
    default: Option<String>,
    steps: Vec<Step>,
}

/// The serialized form of [`Found`].
#[derive(Debug, Serialize, Deserialize)]
struct State {
    expression: String,
    default: Option<String>,
}

impl TryFrom<State> for Found {
    type Error = String;

    fn try_from(State { expression, default }: State) -> Result<Self, String> {
        let steps = steps(&expression).ok_or_else(|| format!("not supported: {expression}"))?;
        Ok(Self { expression, default, steps })
    }
}

impl RowFunction for Found {
    fn name(&self) -> &'static str {
        "xpath"
    }

    fn state(&self) -> String {
        let (expression, default) = (self.expression.clone(), self.default.clone());
        state_of(&State { expression, default })
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let documents = inputs[0].members();
        let found: Vec<Cow<'a, str>> = documents
            .iter()
            .flat_map(|document| values(document, &self.steps))
            .map(Cow::Owned)
            .collect();
        if !found.is_empty() {
            outputs[0] = Value::multi(found);
        } else if let Some(default) = &self.default {
            outputs[0] = Value::text(default.as_str());
        }
    }
}

/// A step of a path.
#[derive(Debug, PartialEq)]
struct Step {
    /// Whether the step begins at all descendants, as after `//`.
    is_anywhere: bool,
    test: Test,
    conditions: Vec<Condition>,
}

#[derive(Debug, PartialEq)]
enum Test {
    /// Child elements of this name, or of any name.
    Element(Option<String>),
    /// The attribute of this name, or all attributes.
    Attribute(Option<String>),
    /// The texts of the element itself, outside of its child elements.
    Text,
}

#[derive(Debug, PartialEq)]
enum Condition {
    Place(usize),
    Last,
    Attribute(String, Option<String>),
    Child(String, Option<String>),
}

/// Parses an expression; returns `None` if it is not supported.
fn steps(expression: &str) -> Option<Vec<Step>> {
    let mut rest = expression.trim();
    let mut steps = Vec::new();
    if !rest.starts_with('/') {
        // A relative path begins at the outermost element.
        steps.push(Step { is_anywhere: false, test: Test::Element(None), conditions: Vec::new() });
    }
    let mut is_first = true;
    while !rest.is_empty() {
        let is_anywhere = rest.starts_with("//");
        rest = match rest.strip_prefix("//").or_else(|| rest.strip_prefix('/')) {
            Some(rest) => rest,
            None if is_first => rest,
            None => return None,
        };
        is_first = false;
        let end = rest.find(['/', '[']).unwrap_or(rest.len());
        let test = test(rest[..end].trim())?;
        rest = &rest[end..];
        let mut conditions = Vec::new();
        while let Some(inside) = rest.strip_prefix('[') {
            let end = closing(inside)?;
            conditions.push(condition(inside[..end].trim())?);
            rest = &inside[end + 1..];
        }
        let is_element = matches!(test, Test::Element(_));
        if !is_element && (!rest.is_empty() || !conditions.is_empty()) {
            return None;
        }
        steps.push(Step { is_anywhere, test, conditions });
    }
    (!steps.is_empty() && !is_first).then_some(steps)
}

/// Returns the offset of the bracket that ends a condition.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (None, ']') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        None
    })
}

fn test(text: &str) -> Option<Test> {
    Some(match text {
        "*" => Test::Element(None),
        "@*" => Test::Attribute(None),
        "text()" => Test::Text,
        _ => match text.strip_prefix('@') {
            Some(attribute) => Test::Attribute(Some(name(attribute)?)),
            None => Test::Element(Some(name(text)?)),
        },
    })
}

/// Returns the text if it is a name.
fn name(text: &str) -> Option<String> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let is_name = text.chars().all(is_name) && !text.contains("::");
    let begins_well = text.starts_with(|c: char| c.is_alphabetic() || c == '_');
    (is_name && begins_well).then(|| text.to_owned())
}

fn condition(text: &str) -> Option<Condition> {
    if let Ok(place) = text.parse::<usize>() {
        return (place > 0).then_some(Condition::Place(place));
    }
    if text == "last()" {
        return Some(Condition::Last);
    }
    let (left, right) = match text.split_once('=') {
        Some((left, right)) => {
            let right = right.trim();
            let quote = right.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            (left.trim(), Some(right.strip_prefix(quote)?.strip_suffix(quote)?.to_owned()))
        }
        None => (text, None),
    };
    match left.strip_prefix('@') {
        Some(attribute) => Some(Condition::Attribute(name(attribute)?, right)),
        None => Some(Condition::Child(name(left)?, right)),
    }
}

/// Returns the values that the steps find in a document, in its order.
fn values(document: &str, steps: &[Step]) -> Vec<String> {
    let (elements, true) = xml::read(document) else { return Vec::new() };
    let mut found: Vec<usize> = vec![0];
    for step in steps {
        if step.is_anywhere {
            found = descendants(&elements, &found);
        }
        match &step.test {
            Test::Attribute(wanted) => {
                let attributes = found.iter().flat_map(|element| &elements[*element].attributes);
                let is_wanted = |(name, _): &&(String, String)| {
                    wanted.as_ref().is_none_or(|wanted| wanted == name)
                };
                return attributes.filter(is_wanted).map(|(_, value)| value.clone()).collect();
            }
            Test::Text => {
                let found = found.iter().filter(|element| **element != 0);
                let found = found.map(|element| &elements[*element]);
                let mut texts: Vec<(usize, String)> = found
                    .flat_map(|element| xml::own_texts(document, &elements, element))
                    .collect();
                texts.sort_by_key(|(start, _)| *start);
                return texts.into_iter().map(|(_, text)| text).collect();
            }
            Test::Element(wanted) => {
                let next: BTreeSet<usize> = found
                    .iter()
                    .flat_map(|parent| {
                        children(document, &elements, *parent, wanted.as_deref(), step)
                    })
                    .collect();
                found = next.into_iter().collect();
            }
        }
    }
    found.iter().map(|element| xml::content(document, &elements[*element])).collect()
}

/// Returns the elements and all elements inside them, in the order of the document.
fn descendants(elements: &[Element], of: &[usize]) -> Vec<usize> {
    let mut all = BTreeSet::new();
    let mut waiting = of.to_vec();
    while let Some(element) = waiting.pop() {
        if all.insert(element) {
            waiting.extend(&elements[element].children);
        }
    }
    all.into_iter().collect()
}

/// Returns the child elements that a step selects.
fn children(
    document: &str,
    elements: &[Element],
    parent: usize,
    wanted: Option<&str>,
    step: &Step,
) -> Vec<usize> {
    let mut found: Vec<usize> = elements[parent]
        .children
        .iter()
        .copied()
        .filter(|child| wanted.is_none_or(|wanted| elements[*child].name == wanted))
        .collect();
    for condition in &step.conditions {
        let holds = |element: &usize| {
            let element = &elements[*element];
            match condition {
                Condition::Place(_) | Condition::Last => true,
                Condition::Attribute(name, value) => element
                    .attributes
                    .iter()
                    .any(|(own, is)| own == name && value.as_ref().is_none_or(|value| value == is)),
                Condition::Child(name, value) => element.children.iter().any(|child| {
                    let child = &elements[*child];
                    child.name == *name
                        && value
                            .as_ref()
                            .is_none_or(|value| *value == xml::content(document, child))
                }),
            }
        };
        found.retain(holds);
        match condition {
            Condition::Place(place) => found = found.get(place - 1).copied().into_iter().collect(),
            Condition::Last => found = found.last().copied().into_iter().collect(),
            Condition::Attribute(..) | Condition::Child(..) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str =
        "<a x='1'><b x='2'>one</b><b><c>two</c><c y='3'>three</c></b><d:e>&lt;</d:e></a>";

    #[test]
    fn paths_find_values() {
        for (expression, expected) in [
            ("/a/b", "one|<c>two</c><c y='3'>three</c>"),
            ("/a/b[1]", "one"),
            ("/a/b[2]/c[last()]", "three"),
            ("//c", "two|three"),
            ("//c[1]", "two"),
            ("//b//c", "two|three"),
            ("b/c", "two|three"),
            ("/a/*[@x]", "one"),
            ("//*[@x='2']", "one"),
            ("//@x", "1|2"),
            ("/a/@*", "1"),
            ("/a/b/text()", "one"),
            ("/a/b[c='three']/c[@y=\"3\"]", "three"),
            ("/a/b[c][1]/c", "two|three"),
            ("/a/d:e", "<"),
            ("/b", ""),
            ("/a/b[5]", ""),
        ] {
            let steps = steps(expression).unwrap_or_else(|| panic!("{expression}"));
            assert_eq!(values(DOCUMENT, &steps).join("|"), expected, "{expression}");
        }
        let mixed = "<a>hello<b>x<c/>y</b> <!-- z --> w&amp;<d/></a>";
        for (expression, expected) in [
            ("//a/text()", "hello|w&"),
            ("//b/text()", "x|y"),
            ("//text()", "hello|x|y|w&"),
            ("//c/text()", ""),
        ] {
            let steps = steps(expression).unwrap();
            assert_eq!(values(mixed, &steps).join("|"), expected, "{expression}");
        }
        assert!(values("<a>", &steps("//a").unwrap()).is_empty());
    }

    #[test]
    fn other_expressions_are_not_supported() {
        for expression in [
            "",
            "/",
            "count(//a)",
            "//a[position()<2]",
            "/a/child::b",
            "/a/@x/b",
            "/a[",
            "/a[0]",
            "/a b",
        ] {
            assert_eq!(steps(expression), None, "{expression}");
        }
    }
}
