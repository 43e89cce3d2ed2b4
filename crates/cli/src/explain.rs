//! Says why a search found nothing, as far as the logs and the search tell.

use jiff::tz::TimeZone;
use spilltrail_app::{AppError, Missing, Search, Untouched};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::TimeBounds;

use crate::report::{self, instant};

/// What a search found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Whether there was no row.
    pub(crate) is_empty: bool,
    /// Whether there was no row, or no row has a value in one of the columns.
    pub(crate) misses_values: bool,
}

/// Who is told what there is to say of a search.
pub(crate) trait Listener {
    /// Takes doubts about the search.
    fn diagnostics(&mut self, diagnostics: &[Diagnostic]);

    /// Takes something that is good to know.
    fn note(&mut self, text: &str);
}

/// Tells on standard error.
pub(crate) struct Printed<'s> {
    /// What the search is called.
    pub(crate) origin: &'s str,
    /// Its text.
    pub(crate) text: &'s str,
}

impl Listener for Printed<'_> {
    fn diagnostics(&mut self, diagnostics: &[Diagnostic]) {
        report::diagnostics(diagnostics, self.origin, self.text);
    }

    fn note(&mut self, text: &str) {
        report::line(format_args!("note: {text}"));
    }
}

/// Says why there are no rows, or no values in a column. Times are those of the zone.
pub(crate) async fn explain(
    search: &Search,
    found: Found,
    zone: &TimeZone,
    listener: &mut (dyn Listener + Send),
) -> Result<(), AppError> {
    let Some(read) = search.read() else {
        listener.diagnostics(&search.doubts(found.is_empty));
        return Ok(());
    };
    let untouched = search.untouched();
    if read.events == 0 && untouched.is_none() {
        return Ok(());
    }
    if read.events > 0 {
        if let Some(met) = report::met_indexes(&search.met_indexes()) {
            listener.note(&met);
        }
        listener.diagnostics(&search.dotted_fields().await?);
    }
    let found_nothing = found.is_empty || search.matched() == Some(0) || untouched.is_some();
    listener.diagnostics(&search.doubts(found_nothing));
    if !found_nothing && !found.misses_values {
        return Ok(());
    }
    if found_nothing {
        let what = if found.is_empty { "no rows" } else { "no events" };
        let why = match untouched {
            Some(Untouched::Paths) if search.reads_lake() => {
                "nothing in the lake is of the index and the time looked for".to_owned()
            }
            Some(Untouched::Paths) => {
                "no file is of the time, account or region looked for".to_owned()
            }
            Some(Untouched::Condition) => {
                "no file was read, because a condition of the search holds for no row".to_owned()
            }
            None => events_read(search, read.events, read.oldest.zip(read.newest), zone),
        };
        listener.note(&format!("{what}; {why}"));
        range(search, read.newest, zone, listener);
    }
    for missing in search.missing().await? {
        listener.note(&what_is_missing(&missing));
    }
    Ok(())
}

/// Says how many events were read, from when, and how many of them matched.
fn events_read(search: &Search, events: u64, range: Option<(f64, f64)>, zone: &TimeZone) -> String {
    let range = range
        .map(|(oldest, newest)| {
            format!(" from {} to {}", instant(oldest, zone), instant(newest, zone))
        })
        .unwrap_or_default();
    let matched = search
        .matched()
        // Searches such as those of `union` can each match the same event.
        .filter(|matched| *matched <= events)
        .map(|matched| format!(", {} of them matched", report::separated(matched)))
        .unwrap_or_default();
    let noun = if events == 1 { "event was" } else { "events were" };
    format!("{} {noun} read{range}{matched}", report::separated(events))
}

/// Says which range of time was searched, and what relative times count from.
fn range(
    search: &Search,
    newest: Option<f64>,
    zone: &TimeZone,
    listener: &mut (dyn Listener + Send),
) {
    let own = search.own_range();
    let range = search.range();
    if !own.is_empty() {
        listener.note(&format!("the search sets its own range: {}", own.join(" ")));
    } else if range != TimeBounds::default() {
        let time = |time| instant(time, zone);
        let bound = |bound: Option<f64>| bound.map_or_else(|| "any time".to_owned(), time);
        listener.note(&format!(
            "searched from {} to {}",
            bound(range.earliest),
            bound(range.latest)
        ));
    }
    let Some(present) = search.present() else { return };
    let advice = match newest {
        Some(newest) => {
            format!(
                "`--now \"{}\"` counts them from the newest event",
                instant(newest.floor() + 1.0, &TimeZone::UTC)
            )
        }
        None => "`--now TIME` counts them from another".to_owned(),
    };
    listener.note(&format!(
        "relative times count from the time of this run, {}; {advice}",
        instant(present, zone)
    ));
}

/// The most values that are named where a search names one that is not there.
const MOST_VALUES: usize = 3;

/// Says what a search names and the logs do not have, and what they have instead.
fn what_is_missing(missing: &Missing) -> String {
    match missing {
        Missing::Field { name, .. } if name == "index" => {
            "no event has the field `index`; `--index NAME` sets one".to_owned()
        }
        Missing::Field { name, similar } => {
            let similar = similar
                .as_ref()
                .map(|name| format!("; did you mean `{name}`?"))
                .unwrap_or_default();
            format!("no event has the field `{name}`{similar}")
        }
        Missing::Unequal { field, value } => format!(
            "`!=` matches only events that have `{field}`; `NOT {field}=\"{value}\"` matches those \
             without it, too"
        ),
        Missing::Name { field, value, similar } => {
            format!("no event has the {field} `{value}`; did you mean `{similar}`?")
        }
        Missing::Value { field, value, known } if known.is_empty() => {
            format!("no event has the {field} `{value}`, nor any other")
        }
        Missing::Value { field, value, known } => {
            let named = known.iter().take(MOST_VALUES).map(|(value, events)| {
                format!("`{value}` ({})", report::counted(*events, "event"))
            });
            let named: Vec<String> = named.collect();
            let more = match known.len().saturating_sub(MOST_VALUES) {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            format!(
                "no event has the {field} `{value}`; these logs have {}{more}",
                named.join(", ")
            )
        }
        Missing::SplunksOwn { index } => format!(
            "no event is in `index={index}`: Splunk writes this index itself, and files of logs do \
             not belong to it"
        ),
    }
}
