//! A search context over rows in memory, which this crate's tests share, and the tests that run
//! whole searches.

mod bounds;
mod cases;
mod deep;
mod foreach;
mod matrix;
mod memory;
mod mistakes;
mod optimized;
mod wide;

use std::sync::{Arc, Mutex};

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{TimeBounds, Value, fields};
use spilltrail_knowledge::Knowledge;
use spilltrail_spl::MacroSet;

use crate::context::{Cancel, LookupStore, LookupTable, SearchContext};
use crate::events::memory::MemoryEvents;
use crate::rows::Row;
use crate::run;

/// The clock of all tests: 2023-11-14 22:13:20 UTC.
const NOW: f64 = 1_700_000_000.0;

/// Lookups in memory.
#[derive(Debug, Default)]
struct Lookups(Mutex<IndexMap<String, Arc<LookupTable>>>);

impl LookupStore for Lookups {
    fn read(&self, name: &str) -> Result<Option<Arc<LookupTable>>, String> {
        Ok(self.0.lock().map_err(|error| error.to_string())?.get(name).cloned())
    }

    fn write(&self, name: &str, table: LookupTable) -> Result<(), String> {
        self.0.lock().map_err(|error| error.to_string())?.insert(name.to_owned(), Arc::new(table));
        Ok(())
    }
}

/// Returns Splunk's own macros, and the searches that the documentation of `savedsearch` runs.
fn macros() -> MacroSet {
    let mut macros = MacroSet::builtin();
    macros.insert_search("Denied calls", "errorCode=AccessDenied");
    macros.insert_search("Calls of a user", "user=$name$");
    macros
}

/// Returns the context of a search over these rows with a memory limit of `memory` bytes.
pub(crate) fn context(rows: Vec<Row>, memory: usize) -> SearchContext {
    SearchContext {
        session: run::session(memory).expect("a session"),
        events: Arc::new(MemoryEvents::new(rows)),
        lookups: Arc::new(Lookups::default()),
        tables: None,
        geo: None,
        macros: Arc::new(macros()),
        knowledge: Knowledge::builtin(),
        now: NOW,
        zone: TimeZone::UTC,
        cancel: Cancel::default(),
        range: TimeBounds::default(),
        observations: Arc::default(),
    }
}

/// Reads rows from lines with one JSON object each.
///
/// Numbers become text, as in events; only `_time` stays a number.
pub(crate) fn rows(lines: &str) -> Vec<Row> {
    let row = |line: &str| {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let cell = |(name, json): (&String, &serde_json::Value)| {
            let value = match json.as_f64() {
                Some(number) if name == fields::TIME => Value::Number(number),
                _ => value(json),
            };
            (name.clone(), value)
        };
        object.iter().map(cell).collect()
    };
    lines.lines().filter(|line| !line.trim().is_empty()).map(row).collect()
}

/// Runs a search over the rows of [`rows`]; returns the names of its columns and its rows, with `-`
/// for a missing value, or the codes of its problems.
pub(crate) async fn table(search: &str, events: &str) -> Result<Vec<String>, Vec<Code>> {
    table_of(search, &context(rows(events), 64 << 20)).await
}

/// As [`table`], in another context.
pub(crate) async fn table_of(
    search: &str,
    context: &SearchContext,
) -> Result<Vec<String>, Vec<Code>> {
    let codes = |found: Vec<Diagnostic>| -> Vec<Code> {
        found.into_iter().map(|diagnostic| diagnostic.code).collect()
    };
    let prepared = run::prepare(search, None, context).await.map_err(codes)?;
    let found = prepared.collect(context).await.map_err(|found| codes(vec![found]))?;
    let names: Vec<&str> = found.fields.iter().map(|field| field.name.as_str()).collect();
    let line = |row: Row| {
        let cell = |name: &&str| {
            let value = row.get(*name).and_then(Value::to_text);
            value.map_or_else(|| "-".to_owned(), |text| text.into_owned())
        };
        names.iter().map(cell).collect::<Vec<_>>().join(" ")
    };
    let mut lines = vec![names.join(" | ")];
    lines.extend(found.iter().map(line));
    Ok(lines)
}

fn value(json: &serde_json::Value) -> Value<'static> {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::String(text) => Value::text(text.clone()),
        serde_json::Value::Array(items) => {
            Value::multi(items.iter().flat_map(|item| value(item).into_members()).collect())
        }
        other => Value::text(other.to_string()),
    }
}
