//! Every example in the documentation of a command gives the rows that it says.

use std::fmt::Write;

use serde_json::Value as Json;
use spilltrail_search::commands::{COMMANDS, Example};

use crate::rows;

#[test]
fn examples_give_the_rows_they_say() {
    let mut failures = String::new();
    for entry in COMMANDS {
        assert!(!entry.doc.examples.is_empty(), "`{}` has no example", entry.doc.name);
        for example in entry.doc.examples {
            if let Err(failure) = check(example) {
                let _ = writeln!(failures, "{}: {}\n{failure}", entry.doc.name, example.title);
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn commands_are_sorted_and_named_once() {
    let mut names: Vec<&str> = COMMANDS.iter().map(|entry| entry.doc.name).collect();
    assert!(names.is_sorted());
    names.extend(COMMANDS.iter().flat_map(|entry| entry.doc.aliases));
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

fn check(example: &Example) -> Result<(), String> {
    let expected: Vec<Json> = example
        .results
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}")))
        .collect::<Result<_, _>>()?;
    let found =
        rows::search(example.events, example.search).map_err(|error| format!("{error:#}"))?;
    let expected: Vec<Json> = expected.iter().map(rows::printed).collect();
    let found: Vec<Json> = found.iter().map(rows::printed).collect();
    if expected == found {
        return Ok(());
    }
    Err(format!("search:   {}\nexpected: {expected:?}\nfound:    {found:?}", example.search))
}
