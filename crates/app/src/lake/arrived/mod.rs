//! Makes rows of events that have arrived: the fields by which searches pick events get columns.

mod found;
#[cfg(test)]
mod tests;

use std::fmt;

use spilltrail_decode::{Arrived, Damage, Leads, SOURCETYPES};
use spilltrail_event::stored;
use spilltrail_lake::{
    Arrival, BatchError, EventRow, Origin, Rows as MovingRows, RowsBuilder, StoredBatch,
};
use spilltrail_schedule::{Minutes, Moment};

use found::{Found, FoundRow};

/// The microseconds of a second.
const MICROS: i64 = 1_000_000;

/// The format of a text that is an event itself.
const TEXT: &str = "other";

/// The format of an object that is an event, whatever lists it has.
const OBJECT: &str = "json";

/// The sourcetype of such a text, unless its sender names another one.
pub(crate) const TEXT_SOURCETYPE: &str = "httpevent";

/// The most arrivals that one move tells of; batches beyond share the last one of their index.
const MOST_ARRIVALS: usize = 256;

/// Makes the rows of batches that move to the table, and tells when their events happened.
#[derive(Default)]
pub(crate) struct MovedRows {
    arrivals: Vec<(u64, String, Minutes)>,
    partly: Option<Partly>,
}

/// Texts that were sent, and cannot be read, or only in part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partly {
    texts: u64,
    /// Where the first of them belongs, and what is wrong with it.
    first: String,
}

impl fmt::Display for Partly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { texts, first } = self;
        let (texts_have, are) = if *texts == 1 {
            ("text that was sent has", "is")
        } else {
            ("texts that were sent have", "are")
        };
        write!(
            f,
            "{texts} {texts_have} records that cannot be read, and {are} kept as a whole beside the others; no \
             detection finds such records: {first}"
        )
    }
}

impl MovedRows {
    /// Returns what could be read only in part since the last call.
    pub(crate) fn take_partly(&mut self) -> Option<Partly> {
        self.partly.take()
    }
}

/// What is seen of events that become rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Seen<'a> {
    /// The time of one, in microseconds since the epoch.
    Time(i64),
    /// A text has a record that cannot be read.
    Damage(&'a Damage),
}

impl MovingRows for MovedRows {
    fn add(&mut self, batch: &StoredBatch, rows: &mut RowsBuilder) -> Result<(), BatchError> {
        let (number, index) = (batch.number, &batch.batch.origin.index);
        let is_full = self.arrivals.len() >= MOST_ARRIVALS;
        let shared = self.arrivals.iter().rposition(|(_, of, _)| of == index);
        let place = match shared.filter(|_| is_full) {
            Some(place) => place,
            None => {
                self.arrivals.push((number, index.clone(), Minutes::default()));
                self.arrivals.len() - 1
            }
        };
        let (last, _, minutes) = &mut self.arrivals[place];
        *last = number;
        let partly = &mut self.partly;
        rows_of(batch, rows, &mut |seen| match seen {
            Seen::Time(time) => minutes.add(Moment(time.div_euclid(MICROS))),
            Seen::Damage(damage) => {
                let first = || {
                    let source = batch.batch.origin.source.as_deref().unwrap_or("unknown");
                    format!("the first is of source {source} in index {index}, at {damage}")
                };
                partly.get_or_insert_with(|| Partly { texts: 0, first: first() }).texts += 1;
            }
        })
    }

    fn arrivals(&mut self) -> Vec<Arrival> {
        let arrivals = std::mem::take(&mut self.arrivals);
        let arrival = |(number, index, minutes): (u64, String, Minutes)| {
            let spans = minutes.into_spans().into_iter();
            let spans: Vec<_> = spans.map(|span| (span.from.0, span.to.0)).collect();
            (!spans.is_empty()).then_some(Arrival { number, index, spans })
        };
        arrivals.into_iter().filter_map(arrival).collect()
    }
}

/// Returns the sourcetype that a sender gave. One that is recognized has its own case, by which its fields are
/// known: searches find it in any.
fn sourcetype_of(origin: &Origin) -> Option<&str> {
    let given = origin.sourcetype.as_deref()?;
    let known = SOURCETYPES.iter().find(|name| name.eq_ignore_ascii_case(given));
    Some(known.copied().unwrap_or(given))
}

/// Adds the rows of the events of a batch, and tells what is seen of them. Texts that nobody has looked at
/// yet are read as log files are, so that one may give several rows, or none and be an event itself. If a
/// part of one cannot be read, the text is an event beside those that can.
///
/// # Errors
/// Fails if the batch is damaged.
pub(crate) fn rows_of(
    batch: &StoredBatch,
    rows: &mut RowsBuilder,
    see: &mut dyn FnMut(Seen<'_>),
) -> Result<(), BatchError> {
    let StoredBatch { received, batch, .. } = batch;
    let of_batch = &batch.origin;
    // What arrives without any time is from now. What comes from files is from whenever it says.
    let arrival = of_batch.format.is_empty().then_some(*received);
    let events = batch.events()?;
    let found = Found::of(&events, of_batch)?;
    let arrived = |number: usize| found.arrived.get(number).copied().unwrap_or(Arrived::Events);
    let mut found_rows = found.rows().peekable();
    let (mut number, mut pushed) = (0_usize, Ok(()));
    events.each(|event| {
        let of_event = EventRow {
            index: &of_batch.index,
            time: event.time.or(arrival),
            received: *received,
            source: of_batch.source.as_deref(),
            sourcetype: sourcetype_of(of_batch),
            host: of_batch.host.as_deref(),
            fields: event.fields,
            format: if of_batch.format.is_empty() { TEXT } else { &of_batch.format },
            leads: Default::default(),
            raw: event.raw.into(),
        };
        if let Some(Some((text, Leads { time, values }))) = found.quick.get(number) {
            let time = time.or(event.time).or(arrival);
            time.into_iter().for_each(|time| see(Seen::Time(time)));
            let leads = values.each_ref().map(|value| value.as_deref());
            let raw = (*text).into();
            let row = EventRow { time, format: stored::WITH_LEADS, leads, raw, ..of_event };
            pushed = pushed.clone().and_then(|()| rows.push(&row));
            number += 1;
            return;
        }
        let (mut is_text, mut is_whole) = (true, false);
        while let Some(row) = found_rows.next_if(|row| row.number == number) {
            match arrived(number) {
                Arrived::Text => continue,
                // It was read as a list of events, and is one.
                Arrived::Object if row.text.as_bytes() != event.raw.trim_ascii() => continue,
                Arrived::Object | Arrived::Events => {}
            }
            is_text = false;
            // What is damaged within an event, such as a value that is packed, is in its text.
            is_whole |= row.text.as_bytes() == event.raw.trim_ascii();
            let FoundRow { text, format, leads, .. } = row;
            // Nobody knows better than CloudTrail when its events happened; others have the time that
            // their sender gives. Readers of rows go by this.
            let time = match format {
                stored::WITH_LEADS => row.time.or(event.time),
                _ => event.time.or(row.time),
            };
            let time = time.or(arrival);
            let row = EventRow { time, format, leads, raw: text.into(), ..of_event };
            time.into_iter().for_each(|time| see(Seen::Time(time)));
            pushed = pushed.clone().and_then(|()| rows.push(&row));
        }
        let damage = found.damaged.get(&number).filter(|_| !is_whole);
        if let Some(damage) = damage {
            see(Seen::Damage(damage));
        }
        if is_text || damage.is_some() {
            of_event.time.into_iter().for_each(|time| see(Seen::Time(time)));
            let row = match arrived(number) {
                Arrived::Object => EventRow { format: OBJECT, ..of_event },
                Arrived::Text => EventRow {
                    sourcetype: of_event.sourcetype.or(Some(TEXT_SOURCETYPE)),
                    ..of_event
                },
                Arrived::Events => of_event,
            };
            pushed = pushed.clone().and_then(|()| rows.push(&row));
        }
        number += 1;
    })?;
    pushed
}
