//! Tests of expressions and searches against the expected values in `eval.txt` and `searches.txt`.
//!
//! The expected values follow from Splunk's documentation or were counted by hand; none was copied
//! from this program's output.

use spilltrail_event::{Value, parse_number};

use super::{context, rows};
use crate::rows::Row;
use crate::run;

const MEMORY: usize = 64 << 20;

/// Runs a search over rows given as JSON lines, and returns its rows or its first error message.
async fn rows_of(search: &str, lines: &str) -> Result<Vec<Row>, String> {
    let context = context(rows(lines), MEMORY);
    let failed = |diagnostics: Vec<spilltrail_diagnostic::Diagnostic>| {
        diagnostics.first().map(|diagnostic| diagnostic.message.clone()).unwrap_or_default()
    };
    let prepared = run::prepare(search, None, &context).await.map_err(failed)?;
    let rows = prepared.collect(&context).await.map_err(|failure| failure.message)?;
    Ok(rows.iter().collect())
}

/// Returns true if a value equals the expected one.
///
/// Numbers are compared by value, those with a zero at the end of their decimals as text, and a list
/// with one member equals the member.
fn is_wanted(got: &Value<'_>, wanted: &serde_json::Value) -> bool {
    let has_zeros = |text: &str| text.contains('.') && text.ends_with('0');
    let same = |got: &str, wanted: &str| match (parse_number(got), parse_number(wanted)) {
        (Some(got), Some(number)) if !has_zeros(wanted) => got.total_cmp(&number).is_eq(),
        _ => got == wanted,
    };
    let wanted: Vec<String> = match wanted {
        serde_json::Value::Null => Vec::new(),
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(members) => {
            members.iter().filter_map(|member| member.as_str().map(str::to_owned)).collect()
        }
        other => vec![other.to_string()],
    };
    let got = got.members();
    got.len() == wanted.len() && got.iter().zip(&wanted).all(|(got, wanted)| same(got, wanted))
}

#[tokio::test]
async fn expressions() {
    let mut row = "{}";
    let mut failures = Vec::new();
    for line in include_str!("eval.txt").lines() {
        if let Some(given) = line.strip_prefix('@') {
            row = given;
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (expression, wanted) = line.rsplit_once(" => ").unwrap_or_else(|| panic!("{line}"));
        let got = rows_of(&format!("| eval r={expression} | table r"), row).await;
        let wanted: serde_json::Value =
            serde_json::from_str(wanted).unwrap_or_else(|error| panic!("{line}: {error}"));
        let is_as_wanted = match &got {
            Ok(rows) => is_wanted(rows[0].get("r").unwrap_or(&Value::Null), &wanted),
            Err(_) => wanted == "ERR",
        };
        if !is_as_wanted {
            failures.push(format!("{line}\n    gives {got:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs the cases of `searches.txt`.
///
/// A case has one line with `@` and a row for each input row, a line with `>` and the search, and
/// one line for each expected row with all its fields except `_time` and `_raw`.
#[tokio::test]
async fn searches() {
    let mut input = String::new();
    let mut failures = Vec::new();
    let mut cases: Vec<(String, String, Vec<&str>)> = Vec::new();
    let mut is_new = true;
    for line in include_str!("searches.txt").lines() {
        if let Some(row) = line.strip_prefix('@') {
            if is_new {
                input.clear();
            }
            is_new = false;
            input.push_str(row);
            input.push('\n');
        } else if let Some(search) = line.strip_prefix("> ") {
            is_new = true;
            cases.push((input.clone(), search.to_owned(), Vec::new()));
        } else if line.starts_with('{') {
            cases.last_mut().unwrap_or_else(|| panic!("{line}")).2.push(line);
        }
    }
    assert!(cases.len() > 50, "only {} cases were read", cases.len());
    for (input, search, wanted) in cases {
        let got = rows_of(&search, &input).await;
        let is_as_wanted = got.as_ref().is_ok_and(|rows| {
            rows.len() == wanted.len()
                && rows.iter().zip(&wanted).all(|(row, wanted)| is_wanted_row(row, wanted))
        });
        if !is_as_wanted {
            failures.push(format!("{search}\n    gives {got:?}\n    not {wanted:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn is_wanted_row(row: &Row, wanted: &str) -> bool {
    let wanted: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(wanted).unwrap_or_else(|error| panic!("{wanted}: {error}"));
    let shown = |name: &&String| !matches!(name.as_str(), "_time" | "_raw");
    let names = row.keys().filter(shown).count();
    names == wanted.keys().filter(shown).count()
        && wanted.iter().all(|(name, value)| row.get(name).is_some_and(|got| is_wanted(got, value)))
}
