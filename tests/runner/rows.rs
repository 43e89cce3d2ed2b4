//! Searches over rows written in a test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use indexmap::IndexMap;
use serde_json::Value as Json;
use spilltrail_diagnostic::{Color, Diagnostic, render};
use spilltrail_event::{TimeBounds, Value, fields, format_number, parse_number};
use spilltrail_search::context::{LookupStore, LookupTable, SearchContext};
use spilltrail_search::memory::{MemoryEvents, Row};
use spilltrail_search::run;
use spilltrail_spl::MacroSet;

/// The instant that every test search takes for now: 2026-03-17T12:00:00Z.
const NOW: f64 = 1_773_748_800.0;

/// Memory of a test search.
const MEMORY: usize = 64 << 20;

/// Runs a search over rows given as one JSON object a line, and returns its rows as JSON objects.
pub(crate) fn search(events: &str, search: &str) -> Result<Vec<Json>> {
    let context = SearchContext {
        session: run::session(MEMORY)?,
        events: Arc::new(MemoryEvents::new(parse(events)?)),
        lookups: Arc::new(MemoryLookups::default()),
        geo: None,
        macros: Arc::new(MacroSet::default()),
        now: NOW,
        zone: jiff::tz::TimeZone::UTC,
        range: TimeBounds::default(),
        observations: Arc::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    runtime.block_on(async {
        let prepared = match run::prepare(search, None, &context).await {
            Ok(prepared) => prepared,
            Err(diagnostics) => bail!(rendered(&diagnostics, search)),
        };
        match prepared.collect(&context).await {
            Ok(rows) => Ok(rows.iter().map(|row| object(&row)).collect()),
            Err(diagnostic) => bail!(rendered(&[prepared.relocate(diagnostic)], search)),
        }
    })
}

fn rendered(diagnostics: &[Diagnostic], text: &str) -> String {
    let rendered: Vec<String> = diagnostics
        .iter()
        .map(|diagnostic| render(diagnostic, "search", text, Color::Never))
        .collect();
    rendered.join("\n")
}

fn parse(lines: &str) -> Result<Vec<Row>> {
    let lines = lines.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let row: IndexMap<String, Json> =
                serde_json::from_str(line).with_context(|| line.to_owned())?;
            Ok(row.into_iter().map(|(name, json)| field(name, json)).collect())
        })
        .collect()
}

fn field(name: String, json: Json) -> (String, Value<'static>) {
    let value = value(json);
    let time = (name == fields::TIME).then(|| value.as_number()).flatten();
    (name, time.map_or(value, Value::Number))
}

fn value(json: Json) -> Value<'static> {
    match json {
        Json::Null => Value::Null,
        Json::String(text) => Value::text(text),
        Json::Array(items) => {
            Value::multi(items.into_iter().flat_map(|item| value(item).into_members()).collect())
        }
        scalar => Value::text(scalar.to_string()),
    }
}

/// A row as the program prints it: a number stays one where JSON can say it.
fn object(row: &Row) -> Json {
    row.iter().map(|(name, value)| (name.clone(), json(value))).collect()
}

fn json(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Number(number) => {
            let text = format_number(*number);
            serde_json::from_str(&text).unwrap_or(Json::String(text))
        }
        Value::Multi(members) => members.iter().map(|member| Json::from(member.as_ref())).collect(),
        other => other.to_text().map_or(Json::Null, |text| Json::from(text.as_ref())),
    }
}

/// Returns JSON with every number as text, to compare what is printed.
pub(crate) fn printed(json: &Json) -> Json {
    match json {
        Json::Number(number) => {
            let text = number.to_string();
            Json::from(parse_number(&text).map_or(text, format_number))
        }
        Json::Array(items) => items.iter().map(printed).collect(),
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), printed(value))).collect()
        }
        other => other.clone(),
    }
}

/// Lookups that begin empty and live as long as the search.
#[derive(Debug, Default)]
struct MemoryLookups(Mutex<HashMap<String, Arc<LookupTable>>>);

impl LookupStore for MemoryLookups {
    fn read(&self, name: &str) -> Result<Option<Arc<LookupTable>>, String> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    fn write(&self, name: &str, table: LookupTable) -> Result<(), String> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert(name.to_owned(), Arc::new(table));
        Ok(())
    }
}
