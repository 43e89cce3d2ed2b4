//! Tests of the registry of commands: they check names, files and documentation, and run all
//! examples.

use std::collections::BTreeSet;
use std::path::Path;

use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Value, format_number};

use super::{COMMANDS, Example, command};
use crate::rows::Row;
use crate::run;
use crate::testing::{context, rows};

/// Returns a row as JSON in the form of an example's results: numbers are distinct from texts, and
/// columns are sorted by name.
fn printed(row: &Row) -> serde_json::Map<String, serde_json::Value> {
    let mut names: Vec<&String> = row.keys().collect();
    names.sort();
    let json = |value: &Value<'_>| match value {
        Value::Number(number) => serde_json::Number::from_f64(*number)
            .map_or_else(|| format_number(*number).into(), serde_json::Value::Number),
        Value::Multi(members) => members.iter().map(|member| member.as_ref()).collect(),
        other => other.to_text().map_or(serde_json::Value::Null, |text| text.as_ref().into()),
    };
    names.into_iter().map(|name| (name.clone(), json(&row[name]))).collect()
}

/// Parses the expected rows, with all numbers as doubles and columns sorted by name.
fn wanted(lines: &str) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let double = |json: serde_json::Value| match json.as_f64() {
        Some(number) => serde_json::Number::from_f64(number).map_or(json, Into::into),
        None => json,
    };
    let row = |line: &str| {
        let row: std::collections::BTreeMap<String, serde_json::Value> =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        row.into_iter().map(|(name, json)| (name, double(json))).collect()
    };
    lines.lines().filter(|line| !line.trim().is_empty()).map(row).collect()
}

/// Runs an example; returns a text about the difference if its rows are not the stated ones.
async fn difference(example: &Example) -> Option<String> {
    let context = context(rows(example.events), 64 << 20);
    let found: Result<Vec<Row>, Vec<Diagnostic>> = async {
        let prepared = run::prepare(example.search, None, &context).await?;
        let rows = prepared.collect(&context).await.map_err(|diagnostic| vec![diagnostic])?;
        Ok(rows.iter().collect())
    }
    .await;
    let found = match found {
        Ok(rows) => rows.iter().map(printed).collect::<Vec<_>>(),
        Err(diagnostics) => return Some(format!("fails: {diagnostics:?}")),
    };
    let wanted = wanted(example.results);
    let text = |rows: &[serde_json::Map<String, serde_json::Value>]| {
        let lines: Vec<String> =
            rows.iter().map(|row| serde_json::Value::from(row.clone()).to_string()).collect();
        lines.join("\n")
    };
    let (found, wanted) = (text(&found), text(&wanted));
    (found != wanted).then(|| format!("gives\n{found}\ninstead of\n{wanted}"))
}

#[tokio::test]
async fn examples_give_what_they_state() {
    let mut failures = Vec::new();
    for entry in COMMANDS {
        for example in entry.doc.examples {
            if let Some(difference) = difference(example).await {
                let (name, search) = (entry.doc.name, example.search);
                failures.push(format!("{name}: `{search}` {difference}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[tokio::test]
async fn examples_of_statistics_give_what_they_state() {
    for function in crate::stats::FUNCTIONS {
        assert!(!function.examples.is_empty(), "{} needs an example", function.name);
        for (events, call, result) in function.examples {
            assert!(call.starts_with(function.name), "{}: `{call}`", function.name);
            let search = format!("| stats {call} as result").leak();
            let results = format!("{{\"result\":{result}}}").leak();
            let difference = difference(&Example { title: "", events, search, results }).await;
            assert_eq!(difference, None, "{search}");
        }
    }
}

#[tokio::test]
async fn a_wrong_example_is_found() {
    let example = |results| Example {
        title: "",
        events: "{\"n\":\"1\"}\n{\"n\":\"2\"}",
        search: "| eval m=n*2 | fields m",
        results,
    };
    assert_eq!(difference(&example("{\"m\":2}\n{\"m\":4}")).await, None);
    for wrong in ["{\"m\":4}\n{\"m\":2}", "{\"m\":2}", "{\"m\":\"2\"}\n{\"m\":4}", "{}\n{}"] {
        assert!(difference(&example(wrong)).await.is_some(), "{wrong}");
    }
}

#[tokio::test]
async fn an_order_lasts_until_the_next_sort() {
    let events = "{\"_time\":5,\"n\":\"1\",\"u\":\"a\"}
{\"_time\":9,\"n\":\"2\",\"u\":\"a\"}
{\"_time\":7,\"n\":\"3\",\"u\":\"b\"}";
    for (search, results) in [
        // Events arrive newest first, even if a later command sorts them: `n` is 2, 3, 1.
        ("* | stats first(n) as f", r#"{"f":"2"}"#),
        ("* | stats list(n) as l", r#"{"l":["2","3","1"]}"#),
        ("* | dedup u | sort n | fields - u _time", "{\"n\":\"2\"}\n{\"n\":\"3\"}"),
        (
            "* | streamstats count as c | sort n | head 1 | fields c n | fields - _time",
            r#"{"n":"1","c":3}"#,
        ),
        ("* | tail 1 | fields - _time", r#"{"n":"1","u":"a"}"#),
        ("* | sort n | reverse | table n | streamstats count as c | head 1", r#"{"n":"3","c":1}"#),
        ("* | sort - n | table u | streamstats count as c | sort u | head 1", r#"{"u":"a","c":2}"#),
        ("* | sort - n | sort u | head 1 | fields n | fields - _time", r#"{"n":"2"}"#),
    ] {
        let found = difference(&Example { title: "", events, search, results }).await;
        assert_eq!(found, None, "{search}");
    }
}

#[test]
fn names_are_sorted_and_unique() {
    assert!(COMMANDS.is_sorted_by(|a, b| a.doc.name < b.doc.name));
    let mut names = BTreeSet::new();
    for entry in COMMANDS {
        for name in std::iter::once(&entry.doc.name).chain(entry.doc.aliases) {
            assert!(names.insert(*name), "`{name}` is there twice");
            assert_eq!(*name, name.to_lowercase());
            assert_eq!(command(name).map(|found| found.doc.name), Some(entry.doc.name));
        }
    }
}

/// Returns true if a summary is one line that begins with an imperative and ends with a period.
fn is_imperative(summary: &str) -> bool {
    let verb = summary.split(' ').next().unwrap_or_default();
    summary.ends_with('.') && !summary.contains('\n') && !verb.ends_with('s')
}

#[test]
fn statistics_are_documented() {
    for function in crate::stats::FUNCTIONS {
        assert!(is_imperative(function.summary), "{}: {}", function.name, function.summary);
    }
}

#[test]
fn commands_are_documented() {
    for entry in COMMANDS {
        let doc = entry.doc;
        assert!(is_imperative(doc.summary), "{}: {}", doc.name, doc.summary);
        assert!(doc.syntax.starts_with(doc.name), "{}", doc.name);
        assert!(doc.examples.len() >= 2, "{} needs two examples", doc.name);
        for sentence in doc.differs {
            assert!(sentence.ends_with('.'), "{}: {sentence}", doc.name);
        }
    }
}

#[test]
fn every_file_is_registered() {
    /// Files in the folder that do not define a command.
    const HELPERS: [&str; 17] = [
        "mod",
        "catalog",
        "classes",
        "dataset",
        "declared",
        "extraction",
        "for_later",
        "lacking",
        "named",
        "over_events",
        "passing",
        "pipeline",
        "registry",
        "running",
        "seconds",
        "splunk",
        "subsearch",
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the folder of the commands")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_source = path.is_dir() || path.extension().is_some_and(|end| end == "rs");
            let name = path.file_stem()?.to_str()?.to_owned();
            (is_source && !HELPERS.contains(&name.as_str())).then_some(name)
        })
        .collect();
    let names: BTreeSet<String> = COMMANDS.iter().map(|entry| entry.doc.name.to_owned()).collect();
    assert_eq!(files, names);
}
