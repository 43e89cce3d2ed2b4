//! The indexes `risk` and `notable` of a data folder: what its server found, as events.
//!
//! They are made from the store of findings when they are read. So they are as the findings are now: what
//! overlapping runs find alike is there once, what was withdrawn when late events arrived is not there, and a
//! notable has the status that somebody gave it. A table for each day lets searches over a range of time read few of them.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spilltrail_detect::{Finding, STASH, notable_event, risk_events};
use spilltrail_event::fields;
use spilltrail_lake::{EventRow, RowsBuilder, file_of};
use spilltrail_schedule::Moment;
use spilltrail_search::analysis::OF_RISK;
use spilltrail_search::rows::{Row, json};
use spilltrail_source::{KeptTable, StoredFacts, StoredPlace, StoredTable};
use spilltrail_store::{Counted, StoreError, StoreReader};

use crate::serve::DataFolder;

/// The index of notable events.
const OF_NOTABLES: &str = "notable";

/// The seconds of a day.
const DAY: i64 = 86_400;

const MICROS: i64 = 1_000_000;

/// The format of rows whose lists are multivalue fields.
const ROWS: &str = "json";

/// Returns the tables of findings of a data folder; none if no server has worked there.
///
/// # Errors
/// Fails if the store cannot be read.
pub(super) fn tables(folder: &Path) -> Result<Vec<StoredTable>, StoreError> {
    let store = DataFolder::new(folder).store();
    if !store.is_file() {
        return Ok(Vec::new());
    }
    let mut tables = Vec::new();
    for (day, findings) in StoreReader::open(&store)?.counted_days()? {
        for index in [OF_RISK, OF_NOTABLES] {
            let of_day = OfDay { store: store.clone(), index, day };
            tables.push(StoredTable {
                name: format!("{} with the findings of {day}", store.display()).into(),
                place: StoredPlace::Kept(Arc::new(of_day)),
                size: 0,
                facts: StoredFacts {
                    index: index.into(),
                    // At least; it is not known before they are read.
                    events: findings,
                    times: Some((day.0 as f64, day.plus(DAY).0 as f64)),
                    has_rows: true,
                },
            });
        }
    }
    Ok(tables)
}

/// The findings of an index that are told on a day.
#[derive(Debug)]
struct OfDay {
    store: PathBuf,
    index: &'static str,
    day: Moment,
}

impl KeptTable for OfDay {
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let failed = |error: &dyn std::error::Error| io::Error::other(error.to_string());
        let reader = StoreReader::open(&self.store).map_err(|error| failed(&error))?;
        let mut rows = RowsBuilder::new();
        let add = |one: Counted| -> Result<(), Box<dyn Error + Send + Sync>> {
            for event in self.events(&reader, &one)? {
                let text = json::object(&event).to_string();
                let time = one.told.0.saturating_mul(MICROS);
                rows.push(&EventRow {
                    index: self.index,
                    time: Some(time),
                    received: time,
                    source: Some(&one.finding.finding.name),
                    sourcetype: Some(STASH),
                    host: None,
                    fields: None,
                    format: ROWS,
                    leads: Default::default(),
                    raw: text.as_str().into(),
                })?;
            }
            Ok(())
        };
        reader.counted_each(self.day, self.day.plus(DAY), add).map_err(io::Error::other)?;
        file_of(&rows.finish()).map_err(|error| failed(&error))
    }
}

impl OfDay {
    fn events(&self, reader: &StoreReader, one: &Counted) -> Result<Vec<Row>, StoreError> {
        let record = &one.finding.finding;
        let finding: Finding = serde_json::from_str(&record.body)
            .map_err(|error| StoreError::Damaged { what: "finding", reason: error.to_string() })?;
        let told = one.told.0 as f64;
        let mut events = if self.index == OF_RISK {
            risk_events(&finding, told)
        } else {
            let Some(mut event) = notable_event(&finding) else { return Ok(Vec::new()) };
            if let Some(details) = reader.finding(&record.id)? {
                let listed = &details.listed;
                let triage = &listed.triage;
                for (name, value) in [
                    ("priority", listed.priority.name()),
                    ("urgency", listed.urgency.name()),
                    ("status", &*triage.status.number().to_string()),
                    ("status_label", triage.status.label()),
                    ("owner", triage.owner.as_deref().unwrap_or("unassigned")),
                    ("disposition_label", triage.disposition.label()),
                ] {
                    event.insert(name.to_owned(), spilltrail_event::Value::text(value.to_owned()));
                }
            }
            vec![event]
        };
        let info = one
            .interval
            .map(|interval| [("info_min_time", interval.from), ("info_max_time", interval.to)]);
        let info = info.into_iter().flatten().chain([("info_search_time", one.told)]);
        for event in &mut events {
            for (name, moment) in info.clone() {
                event.insert(name.to_owned(), spilltrail_event::Value::Number(moment.0 as f64));
            }
            // The time of the events that it is about is a field of its own.
            if let Some(time) = finding.time {
                event.insert("orig_time".to_owned(), spilltrail_event::Value::Number(time));
            }
            event.insert(fields::TIME.to_owned(), spilltrail_event::Value::Number(told));
            // Where it is kept says these.
            for name in [fields::INDEX, fields::SOURCETYPE, fields::SOURCE] {
                event.shift_remove(name);
            }
        }
        Ok(events)
    }
}
