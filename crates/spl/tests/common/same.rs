//! Compares a search with its formatted text. The fuzz target of the formatter uses this file, too.

use serde_json::{Value, json};
use spilltrail_diagnostic::Severity;
use spilltrail_spl::{Arguments, Command, MacroSet, Pipeline, expand_macros, format, parse};

/// Checks that a formatted search means the same, and that formatting it again changes nothing.
/// Returns whether the text could be formatted.
pub(crate) fn check(text: &str, macros: &MacroSet) -> bool {
    let formatted = match format(text) {
        Ok(formatted) => formatted,
        Err(diagnostics) => {
            for label in diagnostics.iter().flat_map(|diagnostic| &diagnostic.labels) {
                assert!(text.get(label.span.start..label.span.end).is_some(), "{text:?} {label:?}");
            }
            assert!(!diagnostics.is_empty(), "{text:?}");
            return false;
        }
    };
    assert_eq!(format(&formatted).as_deref(), Ok(formatted.as_str()), "{text:?}");
    let black = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(black(&formatted), black(text), "{text:?}");
    assert_eq!(tree(&formatted, macros), tree(text, macros), "{text:?} became {formatted:?}");
    true
}

/// Returns the tree of a search; null if its macros cannot be expanded, so that it means nothing.
fn tree(text: &str, macros: &MacroSet) -> Value {
    let (expansion, messages) = expand_macros(text, macros);
    if messages.iter().any(|message| message.severity == Severity::Error) {
        return Value::Null;
    }
    let (pipeline, _) = parse(&expansion.text);
    commands(&pipeline)
}

/// Returns the commands of a pipeline, and the trees of their arguments.
fn commands(pipeline: &Pipeline) -> Value {
    let trees: Value = pipeline.commands.iter().map(arguments).collect();
    json!([shape(pipeline), trees])
}

/// Returns the tree of a command's arguments by the grammar that reads them.
fn arguments(command: &Command) -> Value {
    type Grammar = fn(&mut Arguments<'_>) -> Option<Value>;
    let grammar: Grammar = match command.name.value.to_ascii_lowercase().as_str() {
        "search" => |a| a.search().ok().map(shape),
        "where" => |a| a.eval().ok().map(shape),
        "eval" => |a| a.assignments().ok().map(shape),
        "stats" | "eventstats" | "streamstats" | "chart" | "timechart" | "tstats" => |a| {
            while a.any_option().is_some() {}
            a.stats().ok().map(shape)
        },
        "regex" => |a| {
            let field = a.one_field().ok().map(shape);
            let is_not = a.symbol("!=").is_some();
            if !is_not && a.symbol("=").is_none() {
                return None;
            }
            let pattern = a.quoted().map_or_else(|| a.rest().value.into(), shape);
            Some(json!([field, is_not, pattern]))
        },
        "rex" => |a| {
            let next = || a.any_option().map(shape).or_else(|| a.quoted().map(shape));
            Some(std::iter::from_fn(next).collect())
        },
        "from" => |a| Some(a.rest().value.into()),
        "append" | "appendpipe" | "join" | "foreach" | "map" | "union" => |a| {
            let mut searches = Vec::new();
            loop {
                match a.bracketed() {
                    Some(Ok(inner)) => searches.push(commands(&parse(inner.value).0)),
                    Some(Err(_)) => return None,
                    None if a.word().is_some()
                        || ["(", ")", ","].iter().any(|one| a.symbol(one).is_some()) => {}
                    None => return Some(searches.into()),
                }
            }
        },
        _ => |a| a.fields().ok().map(shape),
    };
    let mut arguments = Arguments::new(command);
    let tree = grammar(&mut arguments).unwrap_or_default();
    if arguments.finish().is_ok() { tree } else { Value::Null }
}

/// Returns a tree as JSON, without its spans. Blanks in the arguments of commands are as
/// [`plain`] has them.
fn shape(tree: impl serde::Serialize) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.shift_remove("span");
                members.values_mut().for_each(strip);
                if let Some(Value::String(text)) =
                    members.get_mut("arguments").and_then(|a| a.get_mut("value"))
                {
                    *text = plain(text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(tree).expect("a tree is JSON");
    strip(&mut value);
    value
}

/// Returns the text with blanks outside of quotes as one blank each, and none beside brackets of
/// subsearches and pipes in them.
fn plain(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        if c == '"' {
            let mut escaped = false;
            let inner = rest[1..].char_indices().find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            length = inner.map_or(rest.len(), |(at, _)| at + 2);
        } else if c == '\\' && rest[1..].starts_with(['"', '|', '\\']) {
            length = 2;
        }
        if c.is_whitespace() {
            if !plain.ends_with([' ', '[', '|']) {
                plain.push(' ');
            }
        } else {
            if "]|".contains(c) && plain.ends_with(' ') {
                plain.pop();
            }
            plain.push_str(&rest[..length]);
        }
        rest = &rest[length..];
    }
    plain
}
