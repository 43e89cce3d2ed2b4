//! Macros from content files, from the command line and from a configuration file.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::IgnoredAny;
use spilltrail_diagnostic::{Code, Diagnostic, Few, similar};
use spilltrail_spl::{MacroDefinition, MacroSet};

use crate::keys;
use crate::yaml::{self, Flag, Text, Texts};

#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a macro")]
struct RawMacro {
    name: Option<Text>,
    definition: Option<Text>,
    #[serde(default)]
    arguments: Texts,
    iseval: Option<Flag>,
    validation: Option<Text>,
    #[serde(alias = "error_message")]
    errormsg: Option<Text>,
}

/// Reads a macro file, and adds warnings about it. An empty definition is valid and expands to
/// nothing.
pub(crate) fn read(
    text: &str,
    origin: &str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<MacroDefinition, Diagnostic> {
    let raw: RawMacro = keys::read(text, keys::MACRO, warnings)?;
    let definition = build(raw, origin, text)?;
    warnings.extend(unknown_arguments(&definition, text));
    Ok(definition)
}

/// Returns a warning for each `$name$` in the text of a macro with arguments that is none of them: it
/// stays in the search as it is.
fn unknown_arguments(definition: &MacroDefinition, text: &str) -> Vec<Diagnostic> {
    // The fields of rows that `map` fills in are written in the same way.
    if definition.arguments.is_empty() || runs_map(&definition.definition) {
        return Vec::new();
    }
    let is_argument = |name: &str| definition.arguments.iter().any(|argument| argument == name);
    let tokens: BTreeSet<&str> =
        tokens(&definition.definition).filter(|name| !is_argument(name)).collect();
    let warning = |name: &str| {
        let message = format!("`${name}$` is no argument of the macro `{}`", definition.title());
        let help = match similar(name, definition.arguments.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `${meant}$`?"),
            None => format!("its arguments are `{}`", definition.arguments.join("`, `")),
        };
        let warning = Diagnostic::warning(Code::MACRO_ARGUMENT, message).help(help);
        match yaml::value_span(text, "definition", &format!("${name}$")) {
            Some(span) => warning.at(span),
            None => warning,
        }
    };
    let mut few = Few::new("names that are no arguments");
    tokens.into_iter().for_each(|name| few.add(|| warning(name)));
    few.into_vec()
}

/// Returns true if the command `map` is in a text: the word at its start, behind a pipe or behind the
/// bracket of a subsearch.
fn runs_map(text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '=');
    text.split(['|', '[']).any(|part| {
        part.trim_start().strip_prefix("map").is_some_and(|rest| !rest.starts_with(is_word))
    })
}

/// Returns the names between dollar signs.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('$')?;
            let end = after.find(|c: char| !is_name(c)).unwrap_or(after.len());
            let (name, behind) = after.split_at(end);
            rest = after;
            if let (false, Some(behind)) = (name.is_empty(), behind.strip_prefix('$')) {
                rest = behind;
                return Some(name);
            }
        }
    })
}

fn build(raw: RawMacro, origin: &str, text: &str) -> Result<MacroDefinition, Diagnostic> {
    let Some(written) = raw.name.map(|name| name.0).filter(|name| !name.is_empty()) else {
        return Err(yaml::missing_key(text, "name", "name the macro, such as `name: m(1)`"));
    };
    let Some(definition) = raw.definition else {
        return Err(yaml::missing_key(text, "definition", "write what the macro stands for"));
    };
    let arguments = raw.arguments.0.iter().flat_map(|list| list.split(','));
    let arguments: Vec<String> = arguments.map(|name| name.trim().to_owned()).collect();
    let (name, arity) = split_name(&written);
    if let Some(arity) = arity
        && arity != arguments.len()
    {
        let message = format!("macro `{written}` names {} arguments", arguments.len());
        let diagnostic = Diagnostic::error(Code::YAML, message)
            .help(format!("list {arity} names under `arguments`, or drop `({arity})`"));
        return Err(match yaml::key_span(text, "name") {
            Some(span) => diagnostic.at(span),
            None => diagnostic,
        });
    }
    let filled = |text: Option<Text>| text.map(|text| text.0).filter(|text| !text.is_empty());
    Ok(MacroDefinition {
        name: name.to_owned(),
        arguments,
        definition: definition.0,
        is_eval: raw.iseval.is_some_and(|flag| flag.0),
        validation: filled(raw.validation),
        error_message: filled(raw.errormsg),
        origin: origin.to_owned(),
    })
}

/// Splits `m(2)` into the name and the number of arguments.
fn split_name(written: &str) -> (&str, Option<usize>) {
    let parts = written.strip_suffix(')').and_then(|rest| rest.split_once('('));
    match parts.and_then(|(name, count)| Some((name.trim(), count.trim().parse().ok()?))) {
        Some((name, count)) => (name, Some(count)),
        None => (written, None),
    }
}

/// Parses `name=definition`, `name(a,b)=definition` or `name(2)=definition`.
///
/// If only the number of arguments is given, their names are those of the same macro in `known`, or
/// else `1`, `2` and so on (`$1$`).
pub(crate) fn parse_override(
    text: &str,
    origin: &str,
    known: &MacroSet,
) -> Result<MacroDefinition, Diagnostic> {
    let example = "write `--macro 'cloudtrail=index=aws sourcetype=aws:cloudtrail'`";
    let Some((written, definition)) = text.split_once('=') else {
        let message = format!("expected `name=definition`, found `{text}`");
        return Err(Diagnostic::error(Code::MACRO_ARGUMENT, message).help(example));
    };
    let written = written.trim().trim_matches('`');
    let (name, list) = match written.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
        Some((name, list)) => (name.trim(), list.trim()),
        None => (written, ""),
    };
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if name.is_empty() || !name.chars().all(plain) {
        let message = format!("`{written}` is not a macro's name");
        return Err(Diagnostic::error(Code::MACRO_ARGUMENT, message).help(example));
    }
    // Splunk allows far fewer; this limit only prevents a typing error from filling memory.
    let arguments = match list.parse::<usize>() {
        Ok(arity) if arity <= 100 => known.get(name, arity).map_or_else(
            || (1..=arity).map(|number| number.to_string()).collect(),
            |known| known.arguments.clone(),
        ),
        _ if list.is_empty() => Vec::new(),
        _ => list.split(',').map(|argument| argument.trim().to_owned()).collect(),
    };
    Ok(MacroDefinition {
        name: name.to_owned(),
        arguments,
        definition: definition.trim().to_owned(),
        is_eval: false,
        validation: None,
        error_message: None,
        origin: origin.to_owned(),
    })
}

/// Reads a file of overrides: a map from names to definitions, a macro in the form that content
/// uses, or a list of such macros.
pub(crate) fn read_overrides(
    text: &str,
    origin: &str,
    known: &MacroSet,
) -> Result<Vec<MacroDefinition>, Diagnostic> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected `name: definition` pairs, or macros with `name` and `definition`"
    )]
    enum Overrides {
        Many(Vec<RawMacro>),
        Pairs(indexmap::IndexMap<String, IgnoredAny>),
    }
    let overrides: Option<Overrides> = yaml::read(text)?;
    match overrides {
        None => Ok(Vec::new()),
        Some(Overrides::Many(many)) => {
            many.into_iter().map(|raw| build(raw, origin, text)).collect()
        }
        Some(Overrides::Pairs(keys)) if keys.contains_key("definition") => {
            Ok(vec![build(yaml::read(text)?, origin, text)?])
        }
        Some(Overrides::Pairs(_)) => {
            let pairs: yaml::Pairs = yaml::read(text)?;
            let pairs = pairs.0.iter().map(|(name, definition)| format!("{name}={}", definition.0));
            pairs.map(|pair| parse_override(&pair, origin, known)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_macro_is_known_by_name_and_arguments() {
        let cases = [
            ("name: a\ndefinition: x\n", "a", 0),
            ("name: a(1)\narguments: [f]\ndefinition: x $f$\n", "a", 1),
            ("name: a\narguments: f, g\ndefinition: x\n", "a", 2),
            ("name: a\ndefinition: ''\n", "a", 0),
        ];
        for (text, name, arity) in cases {
            let definition = read(text, "m.yml", &mut Vec::new()).unwrap();
            assert_eq!((&*definition.name, definition.arguments.len()), (name, arity), "{text}");
        }
        let eval = read(
            "name: a\ndefinition: '\"x\"'\niseval: 1\nerrormsg: no\n",
            "m.yml",
            &mut Vec::new(),
        )
        .unwrap();
        assert!(eval.is_eval);
        assert_eq!(eval.error_message.as_deref(), Some("no"));
    }

    #[test]
    fn names_that_are_no_arguments() {
        for (text, expected) in [
            (
                "name: m(2)\narguments: [a, c]\ndefinition: x=$a$ y=$b$\n",
                "`$b$` is no argument of the macro `m(2)`",
            ),
            (
                "name: m(1)\narguments: [fields]\ndefinition: x=$field$ $field$\n",
                "`$field$` is no argument of the macro `m(1)`",
            ),
            ("name: m(2)\narguments: [a, c]\ndefinition: x=$a$$c$ \"^a$|^b$\" cost=5$\n", ""),
            ("name: m\ndefinition: x=$b$\n", ""),
            ("name: m(1)\narguments: [a]\ndefinition: map search=\"x=$b$ y=$a$\"\n", ""),
            ("name: m(1)\narguments: [a]\ndefinition: x=$a$ |map [search $b$]\n", ""),
            (
                "name: m(1)\narguments: [a]\ndefinition: rangemap field=$b$ low=0-1 | fields map\n",
                "`$b$` is no argument of the macro `m(1)`",
            ),
            (
                "name: m(1)\narguments: [a]\ndefinition: map=$b$\n",
                "`$b$` is no argument of the macro `m(1)`",
            ),
        ] {
            let mut warnings = Vec::new();
            read(text, "m.yml", &mut warnings).unwrap();
            let shown: Vec<&str> = warnings.iter().map(|told| told.message.as_str()).collect();
            assert_eq!(shown.join(", "), expected, "{text}");
        }
    }

    #[test]
    fn many_names_that_are_no_arguments_are_counted() {
        let names: String = (0..8000).map(|n| format!("$n{n}$ ")).collect();
        let text = format!("name: m(1)\narguments: [a]\ndefinition: {names}\n");
        let mut warnings = Vec::new();
        read(&text, "m.yml", &mut warnings).unwrap();
        assert_eq!(warnings.len(), Few::MOST + 1);
        assert_eq!(warnings[Few::MOST].message, "7980 more names that are no arguments");
    }

    #[test]
    fn a_macro_file_in_error_says_why() {
        assert!(
            read("definition: x\n", "m", &mut Vec::new()).unwrap_err().message.contains("`name`")
        );
        assert!(
            read("name: x\n", "m", &mut Vec::new()).unwrap_err().message.contains("`definition`")
        );
        assert!(
            read("name: x(2)\ndefinition: y\n", "m", &mut Vec::new())
                .unwrap_err()
                .message
                .contains("x(2)")
        );
    }

    #[test]
    fn overrides_from_the_command_line() {
        let mut known = MacroSet::new();
        known.insert(
            read("name: c(1)\narguments: [field]\ndefinition: x\n", "m", &mut Vec::new()).unwrap(),
        );
        let parse = |text: &str| parse_override(text, "--macro", &known);
        let plain = parse("cloudtrail=index=aws").unwrap();
        assert_eq!((&*plain.name, &*plain.definition), ("cloudtrail", "index=aws"));
        assert_eq!(parse("c(1)=eval y=$field$").unwrap().arguments, ["field"]);
        assert_eq!(parse("d(2)=$1$ $2$").unwrap().arguments, ["1", "2"]);
        assert_eq!(parse("d(a, b)=$a$").unwrap().arguments, ["a", "b"]);
        assert!(parse("nothing").is_err());
        assert!(parse("a b=c").is_err());
    }

    #[test]
    fn overrides_from_a_file() {
        let known = MacroSet::new();
        let read = |text: &str| {
            let macros = read_overrides(text, "macros.yml", &known)?;
            Ok::<_, Diagnostic>(macros.into_iter().map(|m| m.name).collect::<Vec<_>>())
        };
        assert_eq!(read("a: x=1\nb: y=2\n").unwrap(), ["a", "b"]);
        assert_eq!(
            read("- {name: a, definition: x}\n- {name: b, definition: y}\n").unwrap(),
            ["a", "b"]
        );
        assert_eq!(read("name: a\ndefinition: x\n").unwrap(), ["a"]);
        assert!(read("").unwrap().is_empty());
        assert!(read("3").is_err());
        let twice = read("a: x\nb: y\na: z\n").unwrap_err();
        let place = twice.span().unwrap();
        assert_eq!((twice.message.as_str(), place.start), ("the key `a` is there twice", 10));
    }
}
