//! Checks that a formatted search means the same, and that formatting it again changes nothing.

use serde_json::Value;
use spilltrail_spl::{
    Arguments, Command, MacroDefinition, MacroSet, Pipeline, expand_macros, format, parse,
};

/// Pieces of searches, of which random sequences are made.
const PIECES: &[&str] = &[
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "|",
    " | ",
    "[",
    "]",
    " [ search ",
    " [| inputlookup x | fields a ",
    "(",
    ")",
    "\"a  b\"",
    "\"a | [b\\\" \n c\"",
    "'a  b'",
    "'a[0]  x'",
    "'",
    "`m`",
    "`m(\"a  |\",  b)`",
    "```note```",
    "\n```a  note\n of two lines```\n",
    "\\",
    "\\\"",
    "\\|",
    ",",
    ", ",
    "=",
    " == ",
    ".",
    "-",
    "*",
    "é",
    "日本",
    "a",
    "b.c",
    "x1",
    "5",
    " AND ",
    " OR ",
    " NOT ",
    " by ",
    " AS ",
    " IN (",
    "eval(",
    "count",
    "sum(x) as y, ",
    "rex field=a ",
    "(?<n>\\w+  x)",
    "regex ",
    "search",
    "eval a=",
    "where ",
    "stats ",
    "tstats count from datamodel=X where a=b by c",
    "case(a=1,  \"a rather long text\", b=2, \"another text, longer than the first one\", true(), c) ",
    "<<FIELD>>",
];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }

    fn text(&mut self, pieces: usize) -> String {
        (0..self.below(pieces)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }
}

fn macros() -> MacroSet {
    let mut macros = MacroSet::new();
    for arguments in [vec![], vec!["x".to_owned(), "y".to_owned()]] {
        macros.insert(MacroDefinition {
            name: "m".to_owned(),
            definition: "mm".to_owned(),
            arguments,
            is_eval: false,
            validation: None,
            error_message: None,
            origin: "test".to_owned(),
        });
    }
    macros
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

/// Returns a tree as JSON, without its spans.
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

/// Returns the tree of a command's arguments by the grammar that reads them.
fn arguments(command: &Command) -> Vec<Value> {
    type Grammar = fn(&mut Arguments<'_>) -> Option<Value>;
    let grammars: &[Grammar] = match command.name.value.as_str() {
        "search" => &[|a| a.search().ok().map(shape)],
        "where" => &[|a| a.eval().ok().map(shape)],
        "eval" => &[|a| a.assignments().ok().map(shape)],
        "stats" | "eventstats" | "streamstats" | "chart" | "timechart" | "tstats" => &[|a| {
            while a.any_option().is_some() {}
            a.stats().ok().map(shape)
        }],
        _ => &[|a| a.fields().ok().map(shape)],
    };
    let read = |grammar: &Grammar| {
        let mut arguments = Arguments::new(command);
        let tree = grammar(&mut arguments).unwrap_or_default();
        if arguments.finish().is_ok() { tree } else { Value::Null }
    };
    grammars.iter().map(read).collect()
}

fn tree(text: &str, macros: &MacroSet) -> (Pipeline, Value) {
    let (expansion, _) = expand_macros(text, macros);
    let (pipeline, _) = parse(&expansion.text);
    let tree = shape(&pipeline);
    (pipeline, tree)
}

/// Checks a search; returns whether it could be formatted.
fn check(text: &str, macros: &MacroSet) -> bool {
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
    let ((before, shape), (after, formatted_shape)) =
        (tree(text, macros), tree(&formatted, macros));
    assert_eq!(formatted_shape, shape, "{text:?} became {formatted:?}");
    for (before, after) in before.commands.iter().zip(&after.commands) {
        assert_eq!(arguments(after), arguments(before), "{text:?} became {formatted:?}");
    }
    true
}

#[test]
fn a_formatted_search_is_the_same_search() {
    let mut random = Random(0xf0f0_1234_5678_9abc);
    let macros = macros();
    let formatted = (0..20_000).filter(|_| check(&random.text(24), &macros)).count();
    assert!(formatted > 1_000, "{formatted} of 20,000 searches could be formatted");
}

/// Checks all searches of a checkout of Splunk's content, if there is one.
#[test]
fn a_published_search_is_the_same_search() {
    let Ok(folder) = std::env::var("SPILLTRAIL_TEST_CONTENT") else { return };
    let mut macros = MacroSet::builtin();
    let mut searches = Vec::new();
    for entry in walkdir::WalkDir::new(folder) {
        let path = entry.expect("a folder that can be read").into_path();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yml");
        let text = if is_yaml { std::fs::read_to_string(&path).ok() } else { None };
        let Some(text) = text else { continue };
        let Ok(Value::Object(file)) = serde_yaml_ng::from_str(&text) else { continue };
        let member = |name: &str| file.get(name).and_then(Value::as_str).map(str::to_owned);
        if let (Some(name), Some(definition)) = (member("name"), member("definition")) {
            let arguments = file.get("arguments").and_then(Value::as_array);
            let arguments = arguments.into_iter().flatten();
            macros.insert(MacroDefinition {
                name,
                definition,
                arguments: arguments.filter_map(Value::as_str).map(str::to_owned).collect(),
                is_eval: false,
                validation: None,
                error_message: None,
                origin: "test".to_owned(),
            });
        }
        searches.extend(member("search"));
    }
    let formatted = searches.iter().filter(|search| check(search, &macros)).count();
    assert_eq!(formatted, searches.len());
}
