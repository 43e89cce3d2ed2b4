//! Finds out why a search has no results: which fields, sourcetypes and other values it names that
//! the logs do not have.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use spilltrail_diagnostic::{Code, Diagnostic, similar};
use spilltrail_event::{
    CaseRule, Demand, Field, Pattern, Predicate, TimeBounds, Value, fields, parse_number,
};
use spilltrail_knowledge::is_class;
use spilltrail_search::analysis::analyze;
use spilltrail_search::context::{Purpose, SearchContext};
use spilltrail_search::planning::index::is_splunks_own;
use spilltrail_search::{error, rows, run};
use spilltrail_spl::MacroSet;

use crate::error::{AppError, blocking};
use crate::names::{NAMED, similar_value, unequal};
use crate::search::Search;

/// The largest logs that are read again to find out what events have, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Fields that say where an event is from; for these, the values that are there are counted.
const ORIGINS: [&str; 3] = [fields::SOURCETYPE, fields::HOST, fields::SOURCE];

/// Something that a search names and the logs do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// No event has the field.
    Field {
        /// The name in the search.
        name: String,
        /// The most similar name of a field that events have.
        similar: Option<String>,
    },
    /// Events have the field, and none has the value.
    Value {
        /// The field: `index`, `sourcetype`, `host` or `source`.
        field: String,
        /// The value or pattern in the search.
        value: String,
        /// The values that events have and their numbers of events, most frequent first.
        known: Vec<(String, u64)>,
    },
    /// No event has the field, so that none meets a comparison by `!=`.
    Unequal {
        /// The field.
        field: String,
        /// The value in the search.
        value: String,
    },
    /// No event has the name, and some have one that is written nearly the same.
    Name {
        /// The field: `eventName` or `eventSource`.
        field: String,
        /// The name in the search.
        value: String,
        /// The name that events have.
        similar: String,
    },
    /// The index holds what Splunk itself writes, so that no event of a file is in it.
    SplunksOwn {
        /// The index or pattern in the search.
        index: String,
    },
}

impl Search {
    /// Returns what the search names and the logs, or the rows of a command, do not have. All events
    /// are read again for this; large logs, and logs that are not on disk, are not read again, and
    /// only what is known without is returned.
    ///
    /// # Errors
    /// Fails if reading is canceled.
    pub async fn missing(&self) -> Result<Vec<Missing>, AppError> {
        let mut missing = self.missing_indexes();
        let compared = |field: &&&str| self.values(field).next().is_some();
        if !self.can_be_read_again() {
            return Ok(missing);
        }
        let counted = ORIGINS.iter().chain(&NAMED);
        let origins: Vec<&str> = counted.filter(compared).copied().collect();
        let counts = self.reading.until_cancelled(count(&self.context, &origins)).await?;
        for (field, known) in origins.into_iter().zip(counts) {
            if NAMED.contains(&field) {
                let names: Vec<String> = known.into_iter().map(|(name, _)| name).collect();
                missing.extend(self.values(field).filter_map(|value| {
                    let (field, value) = (field.to_owned(), value.to_owned());
                    let similar = similar_value(&value, &names)?.clone();
                    Some(Missing::Name { field, value, similar })
                }));
                continue;
            }
            missing.extend(self.values(field).filter_map(|value| absent(field, value, &known)));
        }
        missing.extend(self.missing_fields().await?);
        Ok(missing)
    }

    /// Returns warnings about parts of the search that are most likely mistakes. `found_nothing` says
    /// that the search has no results. Nothing is read for this.
    #[must_use]
    pub fn doubts(&self, found_nothing: bool) -> Vec<Diagnostic> {
        let doubts = self.analysis.doubts().into_iter();
        doubts
            .filter(|doubt| {
                // Whoever reads the results sees an empty column, and not why.
                let is_lost = doubt.diagnostic.code == Code::LOST_FIELD;
                is_lost || doubt.weight.is_told(found_nothing)
            })
            .map(|doubt| doubt.diagnostic)
            .collect()
    }

    /// Returns warnings about names such as `a.b` in eval expressions, where events have the field
    /// `a.b`: the dot joins two other fields. All events are read again for this, as by
    /// [`Search::missing`], if there is such a name.
    ///
    /// # Errors
    /// Fails if reading is canceled.
    pub async fn dotted_fields(&self) -> Result<Vec<Diagnostic>, AppError> {
        if self.analysis.facts.dotted.is_empty() || !self.can_be_read_again() {
            return Ok(Vec::new());
        }
        let found = self.fields().await?;
        let is_field = |name: &str| found.iter().any(|field| field.name == name);
        Ok(self.analysis.dotted_fields(&is_field, &self.context.observations.messages()))
    }

    /// Returns the comparisons of leading searches with a log index, such as `index=aws`, that hold
    /// for every event because files have no index.
    #[must_use]
    pub fn met_indexes(&self) -> Vec<String> {
        match (&self.index, &self.reading.logs) {
            (None, Some(logs)) if logs.indexes().is_none() => {
                self.analysis.facts.log_indexes.iter().cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the values with which leading searches compare a field.
    fn values<'s>(&'s self, field: &str) -> impl Iterator<Item = &'s str> + use<'s> {
        let values = self.analysis.facts.origins.get(field);
        values.into_iter().flatten().map(String::as_str)
    }

    fn missing_indexes(&self) -> Vec<Missing> {
        let stored = self.reading.logs.as_ref().and_then(|logs| logs.indexes());
        let stored: Option<Vec<(String, u64)>> =
            stored.map(|indexes| indexes.into_iter().collect());
        let missing = self.values(fields::INDEX).filter_map(|value| match &self.index {
            _ if stored.is_some() => absent(fields::INDEX, value, stored.as_deref()?),
            // The number of events is that of all that were read, because all are in the index.
            Some(index) => {
                let events = self.read().map_or(0, |read| read.events);
                absent(fields::INDEX, value, &[(index.clone(), events)])
            }
            None => is_splunks_own(value).then(|| Missing::SplunksOwn { index: value.to_owned() }),
        });
        missing.collect()
    }

    async fn missing_fields(&self) -> Result<Vec<Missing>, AppError> {
        let found = self.fields().await?;
        let known = |name: &str| found.iter().any(|field| field.name == name);
        // A value of these that nothing defines is told when a search is planned.
        let is_defined = |name: &str| is_class(name) && self.reading.logs.is_some();
        let is_explained = |name: &str| is_defined(name) || self.is_log_index(name);
        let candidates = || found.iter().map(|field| field.name.as_str());
        let named: BTreeSet<&String> =
            self.analysis.facts.fields.union(&self.analysis.demand.names).collect();
        // Internal fields, such as `_indextime`, are asked for without being in any event.
        let absent = named
            .into_iter()
            .filter(|name| !name.starts_with('_') && !known(name) && !is_explained(name))
            // What a command makes is in no event, and no reason to find nothing.
            .filter(|name| !self.analysis.is_made_first(name));
        let mut missing: Vec<Missing> = absent
            .map(|name| Missing::Field {
                name: name.clone(),
                similar: similar(name, candidates()).map(str::to_owned),
            })
            .collect();
        let unequal = unequal(&self.analysis).into_iter().filter(|(field, _)| !known(field));
        missing.extend(unequal.map(|(field, value)| Missing::Unequal { field, value }));
        Ok(missing)
    }

    /// Returns true if the field is `index` and only leading searches read it, for which every file
    /// is in the index.
    fn is_log_index(&self, name: &str) -> bool {
        name == fields::INDEX && !self.analysis.demand.names.contains(name)
    }

    /// Returns the fields of all events. The events are read for this once, however often it is
    /// called.
    pub(crate) async fn fields(&self) -> Result<&[Field], AppError> {
        self.fields.get_or_try_init(|| self.look_for_fields()).await.map(Vec::as_slice)
    }

    async fn look_for_fields(&self) -> Result<Vec<Field>, AppError> {
        let Some(logs) = self.reading.logs.clone() else { return Ok(Vec::new()) };
        let look = async move {
            let found = blocking(move || logs.discover(&Predicate::All, &Demand::all())).await?;
            found.map_err(|error| AppError::Reading(error.diagnostic()))
        };
        self.reading.until_cancelled(look).await
    }

    /// Returns true if the logs are small and on disk.
    pub(crate) fn can_be_read_again(&self) -> bool {
        let bytes = self.reading.logs.as_ref().and_then(|logs| logs.bytes_on_disk());
        bytes.is_some_and(|bytes| bytes <= MOST_BYTES)
    }
}

fn absent(field: &str, value: &str, known: &[(String, u64)]) -> Option<Missing> {
    let pattern = Pattern::new(value, CaseRule::Ignore);
    let is_there = known.iter().any(|(known, _)| pattern.matches(known));
    (!is_there).then(|| Missing::Value {
        field: field.to_owned(),
        value: value.to_owned(),
        known: known.to_vec(),
    })
}

/// Counts the events by the values of each of these fields, most frequent first. The events are read
/// once.
pub(crate) async fn count(
    context: &SearchContext,
    fields: &[&str],
) -> Result<Vec<Vec<(String, u64)>>, AppError> {
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let mut context = context.nested(Purpose::Used);
    context.range = TimeBounds::default();
    let text = format!("search * | stats count by {}", fields.join(", "));
    let analysis = analyze(&text, &MacroSet::default());
    let failed = |diagnostics| AppError::Search { diagnostics };
    let prepared = run::plan(&analysis, None, &context).await.map_err(failed)?;
    let mut stream = prepared.stream(&context).await.map_err(|error| failed(vec![error]))?;
    let mut counts: Vec<BTreeMap<String, u64>> = vec![BTreeMap::new(); fields.len()];
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|failure| failed(vec![error::from_engine(&failure)]))?;
        for row in rows::batch_rows(&batch) {
            let text = |name: &str| row.get(name).and_then(Value::to_text);
            let Some(count) = text("count").and_then(|count| parse_number(&count)) else {
                continue;
            };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "counts are whole numbers"
            )]
            let count = count as u64;
            for (field, counts) in fields.iter().zip(&mut counts) {
                if let Some(value) = text(field) {
                    *counts.entry(value.into_owned()).or_default() += count;
                }
            }
        }
    }
    Ok(counts.into_iter().map(most_frequent_first).collect())
}

fn most_frequent_first(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    counts
}
