//! Checks that a formatted search means the same, and that formatting it again changes nothing.

mod common;
#[path = "common/same.rs"]
mod same;

use common::Random;
use same::check;
use serde_json::Value;
use spilltrail_spl::{MacroDefinition, MacroSet};

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
    "'a \"b\"  c'",
    "TERM(a  b)",
    "=CASE(a  b)",
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
    "| regex t=foo  bar",
    "!=",
    "| from lookup:a  ",
    "append [",
    "search",
    "eval a=",
    "where ",
    "stats ",
    "tstats count from datamodel=X where a=b by c",
    "case(a=1,  \"a rather long text\", b=2, \"another text, longer than the first one\", true(), c) ",
    "<<FIELD>>",
];

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

#[test]
fn a_formatted_search_is_the_same_search() {
    let mut random = Random(0xf0f0_1234_5678_9abc);
    let macros = macros();
    let formatted =
        (0..20_000).filter(|_| check(&common::text(&mut random, PIECES, 24), &macros)).count();
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

#[test]
fn deep_searches_are_formatted_or_refused() {
    for (open, close) in
        [("[ a | ", "]"), ("[", "]"), ("(", ")"), ("f(a, ", ")"), ("NOT (b ", ")"), ("(", "")]
    {
        for command in ["| append ", "", "| where ", "| stats ", "| regex a="] {
            for depth in [20, 49, 100, 10_000] {
                let text = format!("{command}{}x{}", open.repeat(depth), close.repeat(depth));
                check(&text, &MacroSet::builtin());
            }
        }
    }
}
