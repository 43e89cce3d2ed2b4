//! `tojson`: writes the fields of each row as a JSON object.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_eval::functions::digits;
use spilltrail_event::{Field, Kind, Value, fields, parse_number, significant_digits};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, table};
use crate::lineage::Lineage;
use crate::operators::{Codec, Derive, RowFunction};
use crate::planning::plan::{Needs, Plan};
use crate::rows::json;
use crate::rows::state::state_of;

/// The names of the types, which are also the names of the functions.
const TYPES: &[&str] = &["auto", "bool", "json", "none", "num", "str"];

static DOC: CommandDoc = CommandDoc {
    name: "tojson",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Write the fields of each row as a JSON object.",
    syntax: "tojson [auto|bool|json|none|num|str(<field> …)] … [default_type=auto|bool|json|none|num|str] [fill_null=<bool>] [include_internal=<bool>] [output_field=<field>]",
    arguments: &[
        Argument::call("auto", Takes::Fields)
            .doc("Numbers, Booleans and JSON as such, and anything else as text."),
        Argument::call("bool", Takes::Fields)
            .doc("Booleans: true are `true`, `t`, `yes`, `y`, `1` and other numbers but 0."),
        Argument::call("json", Takes::Fields).doc("The JSON that the field holds."),
        Argument::call("none", Takes::Fields)
            .doc("Results of calculations as numbers, and anything else as text."),
        Argument::call("num", Takes::Fields).doc("Numbers."),
        Argument::call("str", Takes::Fields).doc("Texts."),
        Argument::option("default_type", Takes::OneOf(TYPES))
            .default("none")
            .doc("The type of fields that are named without a function, and of all fields if none is named."),
        Argument::option("fill_null", Takes::Bool)
            .default("false")
            .doc("Whether a missing field, or one that has not its type, is written as `null`."),
        Argument::option("include_internal", Takes::Bool)
            .default("false")
            .doc("Whether fields whose name begins with `_` are written."),
        Argument::option("output_field", Takes::Field)
            .default("_raw")
            .doc("The field that gets the object."),
    ],
    examples: &[
        Example {
            title: "All fields",
            events: r#"{"user":"ann","roles":["a","b"],"n":"5"}"#,
            search: "| tojson default_type=auto output_field=doc | table doc",
            results: r#"{"doc":"{\"user\":\"ann\",\"roles\":[\"a\",\"b\"],\"n\":5}"}"#,
        },
        Example {
            title: "Some fields, each with its type",
            events: r#"{"on":"yes","id":"7","doc":"{\"k\":1}","other":"x"}"#,
            search: "| tojson bool(on) str(id) json(doc) num(gone) fill_null=true output_field=out | table out",
            results: r#"{"out":"{\"on\":true,\"id\":\"7\",\"doc\":{\"k\":1},\"gone\":null}"}"#,
        },
    ],
    differs: &["The members are in the order of the fields."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Object>("tojson");

/// The JSON type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Type {
    Auto,
    Bool,
    Json,
    None,
    Num,
    Str,
}

impl Type {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "bool" => Self::Bool,
            "json" => Self::Json,
            "none" => Self::None,
            "num" => Self::Num,
            "str" => Self::Str,
            _ => return None,
        })
    }
}

#[derive(Debug)]
struct ToJson {
    /// The names and patterns of fields, each with its type.
    typed: Vec<(String, Type)>,
    default: Type,
    /// Whether only the fields in `typed` are written, because fields are named.
    only_typed: bool,
    fills: bool,
    with_internal: bool,
    output: String,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut typed = Vec::new();
    let mut only_typed = false;
    while arguments.more() {
        if arguments.symbol(",").is_some() {
            continue;
        }
        let mut ahead = arguments.clone();
        let function = ahead.word().filter(|_| ahead.symbol("(").is_some());
        let Some(function) = function else {
            // Fields without a function have the default type.
            for field in arguments.fields()? {
                only_typed = true;
                typed.push((field.value, None));
            }
            continue;
        };
        let Some(kind) = Type::named(&function.value.to_ascii_lowercase()) else {
            let message = format!("`tojson` has no function `{}`", function.value);
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(function.span)
                .help(format!("the functions are `{}`", TYPES.join("`, `"))));
        };
        let names = ahead.fields()?;
        if ahead.symbol(")").is_none() {
            let message = format!("expected `)` after the fields of `{}`", function.value);
            let end = ahead.position();
            return Err(Diagnostic::error(Code::EXPECTED, message).at(Span::new(end, end)));
        }
        *arguments = ahead;
        only_typed = true;
        typed.extend(names.into_iter().map(|name| (name.value, Some(kind))));
    }
    let default = Type::named(arguments.value("default_type")).unwrap_or(Type::None);
    let typed = typed.into_iter().map(|(name, kind)| (name, kind.unwrap_or(default))).collect();
    Ok(Box::new(ToJson {
        typed,
        default,
        only_typed,
        fills: arguments.value("fill_null"),
        with_internal: arguments.value("include_internal"),
        output: arguments.value("output_field"),
    }))
}

impl ToJson {
    /// Returns the patterns of the fields that are written besides those that are named.
    fn others(&self) -> &'static [&'static str] {
        match (self.only_typed, self.with_internal) {
            (true, _) => &[],
            (false, false) => &["*"],
            (false, true) => &["*", "_*"],
        }
    }

    /// Returns the fields to write, each with its type.
    fn fields(&self, plan: &Plan) -> IndexMap<String, Type> {
        let mut fields: IndexMap<String, Type> = IndexMap::new();
        let patterns: Vec<String> = self.others().iter().map(|name| (*name).to_owned()).collect();
        let others = table::spread(plan, &patterns).into_iter();
        // Names of the program's own columns have characters that no field has.
        let is_field = |name: &String| {
            !name.contains(|c: char| c.is_control() || c == '(' && name.starts_with('_'))
        };
        fields.extend(others.filter(is_field).map(|name| (name, self.default)));
        if !self.only_typed {
            fields.shift_remove(&self.output);
        }
        // The first function that names a field gives it its type.
        for (name, kind) in &self.typed {
            for name in table::spread(plan, std::slice::from_ref(name)) {
                fields.entry(name).or_insert(*kind);
            }
        }
        fields
    }
}

#[async_trait]
impl Command for ToJson {
    fn needs(&self, after: Needs) -> Needs {
        let typed = self.typed.iter().map(|(name, _)| name);
        after.without([&self.output]).and(typed).and(self.others())
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(self.output.clone());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let members: Vec<(String, Type)> = self.fields(&input).into_iter().collect();
        let inputs = members.iter().map(|(name, _)| name.clone()).collect();
        let output = Field::new(&self.output, Kind::Text);
        let function = Object { members, fills: self.fills };
        Ok(Derive::on(input, inputs, [output], Arc::new(function)))
    }

    fn trace(&self, lineage: &mut Lineage) {
        if self.output != fields::RAW {
            lineage.measure([self.output.clone()]);
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Object {
    members: Vec<(String, Type)>,
    fills: bool,
}

impl RowFunction for Object {
    fn name(&self) -> &'static str {
        "tojson"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let mut object = serde_json::Map::new();
        for ((name, kind), value) in self.members.iter().zip(inputs) {
            match typed(value, *kind) {
                Some(json) => object.insert(name.clone(), json),
                None if self.fills => object.insert(name.clone(), Json::Null),
                None => None,
            };
        }
        outputs[0] = Value::Text(Cow::Owned(digits::written(&Json::Object(object))));
    }
}

/// Returns a value as JSON of this type, or `None` if it is absent or has not the type.
fn typed(value: &Value<'_>, kind: Type) -> Option<Json> {
    match value {
        Value::Null => None,
        Value::Multi(members) => {
            let elements = members.iter().filter_map(|member| of_text(member, kind));
            Some(Json::Array(elements.collect()))
        }
        Value::Number(number) if matches!(kind, Type::None | Type::Auto | Type::Num) => {
            Some(json::number(*number))
        }
        other => of_text(&other.to_text()?, kind),
    }
}

fn of_text(text: &str, kind: Type) -> Option<Json> {
    match kind {
        Type::Str | Type::None => Some(digits::text(text)),
        Type::Num => number(text),
        Type::Bool => boolean(text),
        Type::Json => digits::parsed(text),
        Type::Auto => {
            let is_word = matches!(text, "true" | "false" | "null");
            let is_nested = text.starts_with(['{', '[']);
            let json = (is_word || is_nested).then(|| digits::parsed(text)).flatten();
            Some(json.or_else(|| number(text)).unwrap_or_else(|| digits::text(text)))
        }
    }
}

/// The digits of a number that a double holds.
const DIGITS: usize = 15;

/// Returns the number that a text is. One with more digits than a double holds, or too large for
/// one, is written as the text is, if that is JSON.
fn number(text: &str) -> Option<Json> {
    let number = parse_number(text)?;
    let text = text.trim();
    if (significant_digits(text) > DIGITS || !number.is_finite())
        && let Some(written) = digits::parsed(text)
    {
        return Some(written);
    }
    match serde_json::from_str::<Json>(text) {
        Ok(Json::Number(written)) => Some(Json::Number(written)),
        _ => match json::number(number) {
            Json::Number(number) => Some(Json::Number(number)),
            _ => None,
        },
    }
}

fn boolean(text: &str) -> Option<Json> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" => Some(Json::Bool(true)),
        "false" | "f" | "no" | "n" => Some(Json::Bool(false)),
        other => parse_number(other).map(|number| Json::Bool(number != 0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_type() {
        for (text, kind, expected) in [
            ("5", Type::Auto, Some("5")),
            ("1.50", Type::Auto, Some("1.5")),
            ("true", Type::Auto, Some("true")),
            ("[1, 2]", Type::Auto, Some("[1,2]")),
            ("[1,", Type::Auto, Some("\"[1,\"")),
            ("123456789012345678901", Type::Auto, Some("123456789012345678901")),
            ("-0.12345678901234567890", Type::Num, Some("-0.12345678901234567890")),
            ("0012345678901234567890", Type::Num, None),
            // JSON's grammar has neither zeros in front nor a point without a digit before it.
            ("000000000000000001", Type::Num, Some("1")),
            ("000000000000000001", Type::Auto, Some("1")),
            ("0.0000000000000000010", Type::Num, Some("1e-18")),
            (".1234567890123456789", Type::Num, Some("0.12345678901234568")),
            ("-.1234567890123456789", Type::Auto, Some("-0.12345678901234568")),
            ("-1e400", Type::Num, Some("-1e400")),
            ("+1e400", Type::Num, None),
            ("001.5e000000000000001", Type::Num, Some("15")),
            ("{\"a\":[1e400]}", Type::Json, Some("{\"a\":[1e400]}")),
            ("x", Type::Num, None),
            ("007", Type::Num, Some("7")),
            ("0", Type::Bool, Some("false")),
            ("T", Type::Bool, Some("true")),
            ("x", Type::Bool, None),
            ("{\"a\":1}", Type::Json, Some("{\"a\":1}")),
            ("x", Type::Json, None),
            ("5", Type::None, Some("\"5\"")),
            ("5", Type::Str, Some("\"5\"")),
        ] {
            let found = of_text(text, kind).map(|json| digits::written(&json));
            assert_eq!(found.as_deref(), expected, "{text} {kind:?}");
        }
        assert_eq!(typed(&Value::Number(2.0), Type::None), Some(Json::from(2)));
        assert_eq!(typed(&Value::Number(2.0), Type::Str), Some(Json::from("2")));
    }
}
