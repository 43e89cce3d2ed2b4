//! Runs the examples that the commands' documentation shows.

use std::sync::{Arc, Mutex};

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json};
use spilltrail_event::{TimeBounds, Value};
use spilltrail_spl::MacroSet;

use super::{COMMANDS, Example};
use crate::context::{LookupStore, LookupTable, Observations, SearchContext, lock};
use crate::memory::{MemoryEvents, Row};
use crate::run;

#[derive(Debug, Default)]
struct Tables(Mutex<IndexMap<String, Arc<LookupTable>>>);

impl LookupStore for Tables {
    fn read(&self, name: &str) -> Result<Option<Arc<LookupTable>>, String> {
        Ok(lock(&self.0).get(name).cloned())
    }

    fn write(&self, name: &str, table: LookupTable) -> Result<(), String> {
        lock(&self.0).insert(name.to_owned(), Arc::new(table));
        Ok(())
    }
}

fn context(events: Vec<Row>) -> SearchContext {
    SearchContext {
        session: run::session(64 << 20).unwrap(),
        events: Arc::new(MemoryEvents::new(events)),
        lookups: Arc::new(Tables::default()),
        geo: None,
        macros: Arc::new(MacroSet::builtin()),
        now: 1_700_000_000.0,
        zone: TimeZone::UTC,
        range: TimeBounds::default(),
        observations: Arc::new(Observations::default()),
    }
}

fn objects(lines: &str) -> Vec<Map<String, Json>> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn value(json: &Json) -> Value<'static> {
    let text = |json: &Json| match json {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    match json {
        Json::Null => Value::Null,
        Json::Number(number) => Value::Number(number.as_f64().unwrap()),
        Json::Array(members) => Value::multi(members.iter().map(|m| text(m).into()).collect()),
        other => Value::text(text(other)),
    }
}

fn row(object: &Map<String, Json>) -> Row {
    object.iter().map(|(name, json)| (name.clone(), value(json))).collect()
}

async fn run_example(example: &Example) -> Result<Vec<Row>, String> {
    let context = context(objects(example.events).iter().map(row).collect());
    let prepared = run::prepare(example.search, None, &context)
        .await
        .map_err(|errors| format!("{errors:#?}"))?;
    let rows = prepared.collect(&context).await.map_err(|error| format!("{error:#?}"))?;
    Ok(rows.iter().collect())
}

/// Two rows are the same if they have the same fields, in any order, with values that print the same.
fn is_same(one: &Row, other: &Row) -> bool {
    let printed = |row: &Row| {
        let mut fields: Vec<(String, Vec<String>)> = row
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| {
                (name.clone(), value.members().iter().map(ToString::to_string).collect())
            })
            .collect();
        fields.sort();
        fields
    };
    printed(one) == printed(other)
}

#[tokio::test]
async fn examples_give_what_they_say() {
    let mut failures = Vec::new();
    for entry in COMMANDS {
        for example in entry.doc.examples {
            let expected: Vec<Row> = objects(example.results).iter().map(row).collect();
            let failure = match run_example(example).await {
                Ok(rows) => {
                    let agrees = rows.len() == expected.len()
                        && rows.iter().zip(&expected).all(|(one, other)| is_same(one, other));
                    (!agrees).then(|| format!("got {rows:#?}"))
                }
                Err(error) => Some(error),
            };
            if let Some(failure) = failure {
                failures.push(format!("{}: {}\n{failure}", entry.doc.name, example.search));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn commands_are_sorted_and_documented() {
    assert!(COMMANDS.is_sorted_by(|one, other| one.doc.name < other.doc.name));
    for entry in COMMANDS {
        assert!(!entry.doc.examples.is_empty(), "{}", entry.doc.name);
        assert!(entry.doc.summary.ends_with('.'), "{}", entry.doc.name);
    }
}
