//! Reads tables of stored events: rows with the text of an event and what it has besides.
//!
//! The columns of fields by which searches pick events are read first, and of the texts only those that
//! some search may match.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BinaryViewArray, RecordBatch, TimestampMicrosecondArray};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use spilltrail_event::{Predicate, ValueRange, fields, stored};

use super::leads::Verdicts;
use super::need::Need;
use super::prune::Group;
use super::{Parquet, group_rows, guard, in_group, plain, reader_of};
use crate::given::GivenFields;
use crate::needles::Needles;
use crate::origin::OwnOrigin;
use crate::record::Format;
use crate::report::{Damage, DamageKind};

const MICROS: f64 = 1e6;
/// Times are stored rounded, and so conditions on them are given this much room, in seconds.
const ROUNDING: f64 = 1e-3;

/// An event of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredEvent<'r> {
    pub(crate) text: &'r str,
    pub(crate) format: Format,
    pub(crate) origin: OwnOrigin<'r>,
    /// The time in the column of times, in microseconds since the epoch.
    pub(crate) time: Option<i64>,
    /// The fields that were given beside the text.
    pub(crate) fields: Option<&'r Arc<GivenFields>>,
    /// The offset of its row group.
    pub(crate) offset: u64,
}

/// Events that no search can match, and whose texts were not read.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Passed {
    pub(crate) events: u64,
    /// The number of those without a time.
    pub(crate) untimed: u64,
    /// The first and the last time, in epoch seconds.
    pub(crate) times: Option<(f64, f64)>,
}

/// What comes next of a table.
#[derive(Debug)]
pub(crate) enum StoredStep<'r> {
    Event(StoredEvent<'r>),
    Passed(Passed),
    Damage(Damage),
}

/// Receives what comes of a table; breaks if it needs no more.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(StoredStep<'_>) -> ControlFlow<()>;

/// The leaves of the columns that are read.
struct Columns {
    text: usize,
    format: usize,
    time: usize,
    source: Option<usize>,
    host: Option<usize>,
    sourcetype: Option<usize>,
    fields: Option<usize>,
}

/// The conditions of the searches, with the columns of the fields that they compare.
struct Filter<'n> {
    conditions: &'n [Predicate],
    /// The names and leaves.
    leads: Vec<(&'static str, usize)>,
    horizon: f64,
}

/// What leaves events out by their texts.
struct ByText {
    needles: Option<Needles>,
    horizon: f64,
}

/// A table of stored events.
pub(crate) struct Stored<'a> {
    file: &'a Parquet,
    columns: Columns,
}

impl Parquet {
    /// Returns the table of stored events that the file is; `None` if it is another one.
    pub(crate) fn stored(&self) -> Option<Stored<'_>> {
        let leaf = |name: &str| self.schema.leaf_of_column(name);
        stored::OF_ALL.iter().all(|name| leaf(name).is_some()).then_some(())?;
        let columns = Columns {
            text: leaf(stored::RAW).filter(|leaf| self.schema.is_text(*leaf))?,
            format: leaf(stored::FORMAT).filter(|leaf| self.schema.is_text(*leaf))?,
            time: leaf(stored::TIME).filter(|leaf| self.schema.is_micros(*leaf))?,
            source: leaf(stored::SOURCE).filter(|leaf| self.schema.is_text(*leaf)),
            host: leaf(stored::HOST).filter(|leaf| self.schema.is_text(*leaf)),
            sourcetype: leaf(stored::SOURCETYPE).filter(|leaf| self.schema.is_text(*leaf)),
            fields: leaf(stored::FIELDS).filter(|leaf| self.schema.is_text(*leaf)),
        };
        Some(Stored { file: self, columns })
    }
}

/// The events of a row group whose texts are read.
#[derive(Default)]
struct Chosen {
    /// The ranges of their rows; `None` for all.
    rows: Option<Vec<Range<usize>>>,
    passed: Passed,
}

impl Stored<'_> {
    /// Passes on all events, in their order, apart from those that do not satisfy what is needed of
    /// CloudTrail's: these are only counted. Of these, each one after `horizon`, in epoch seconds, is
    /// counted alone.
    pub(crate) fn each(&self, need: &Need, horizon: f64, visit: Visit<'_>) -> ControlFlow<()> {
        let filter = self.filter(need, horizon);
        let needles = need.needles().filter(|_| need.format.name() == stored::WITH_LEADS);
        let by_text = ByText { needles, horizon };
        for (index, group) in self.file.metadata.row_groups().iter().enumerate() {
            self.group(index, group, filter.as_ref(), &by_text, visit)?;
        }
        ControlFlow::Continue(())
    }

    fn filter<'n>(&self, need: &'n Need, horizon: f64) -> Option<Filter<'n>> {
        let conditions = need.conditions.as_deref()?;
        if need.format.name() != stored::WITH_LEADS {
            return None;
        }
        let is_compared = |name: &str| {
            conditions.iter().any(|condition| condition.fields().into_iter().any(|f| f == name))
        };
        // A search that any event may satisfy leaves nothing to choose.
        let is_open = |condition: &Predicate| {
            let is_known = |field: &&str| *field == fields::TIME || stored::LEADS.contains(field);
            condition.may_match(&|_| None, None) && !condition.fields().iter().any(is_known)
        };
        if conditions.iter().any(is_open) {
            return None;
        }
        let leads =
            stored::LEADS.into_iter().filter(|name| is_compared(name) && need.is_member(name));
        let leaf = |name: &'static str| {
            let leaf = self.file.schema.leaf_of_column(name)?;
            self.file.schema.is_text(leaf).then_some((name, leaf))
        };
        Some(Filter { conditions, leads: leads.filter_map(leaf).collect(), horizon })
    }

    fn group(
        &self,
        index: usize,
        group: &RowGroupMetaData,
        filter: Option<&Filter<'_>>,
        by_text: &ByText,
        visit: Visit<'_>,
    ) -> ControlFlow<()> {
        let offset = group.columns().first().map_or(0, |column| column.data_page_offset());
        let offset = u64::try_from(offset).unwrap_or(0);
        let fields = self.columns.fields.filter(|leaf| self.has_values(group, *leaf));
        let chosen = match filter {
            Some(filter) if self.is_ruled_out(group, filter, fields.is_some()) => {
                return visit(StoredStep::Passed(self.all_of(group)));
            }
            // If the columns that are compared are damaged, the texts tell.
            Some(filter) => self.choose(group, filter, fields, visit).unwrap_or_default(),
            None => Chosen::default(),
        };
        if chosen.passed.events > 0 {
            visit(StoredStep::Passed(chosen.passed))?;
        }
        if chosen.rows.as_ref().is_some_and(Vec::is_empty) {
            return ControlFlow::Continue(());
        }
        let Columns { text, format, time, source, host, sourcetype, .. } = self.columns;
        let leaves = [Some(text), Some(format), Some(time), source, host, sourcetype, fields];
        let leaves: Vec<usize> = leaves.into_iter().flatten().collect();
        let mut flow = ControlFlow::Continue(());
        let mut left = group_rows(group).saturating_sub(chosen.passed.events);
        let read = self.read(group, &leaves, chosen.rows, &mut |batch, places| {
            left = left.saturating_sub(batch.num_rows() as u64);
            flow = events(batch, places, self, by_text, (index, offset), visit);
            flow
        });
        flow?;
        match read {
            Ok(()) => ControlFlow::Continue(()),
            Err(reason) => {
                let events = if left == 1 { "1 event is" } else { &format!("{left} events are") };
                let message = format!("it is damaged: {reason}; {events} not read");
                let kind = DamageKind::CorruptCompression;
                visit(StoredStep::Damage(in_group(index, offset, kind, &message)))
            }
        }
    }

    /// Returns false if a column of a row group is known to have only nulls.
    fn has_values(&self, group: &RowGroupMetaData, leaf: usize) -> bool {
        let described = Group { metadata: &self.file.metadata, group, schema: &self.file.schema };
        described.range_of(leaf) != Some(ValueRange::Absent)
    }

    /// Returns true if no event of a row group can satisfy any of the conditions.
    fn is_ruled_out(&self, group: &RowGroupMetaData, filter: &Filter<'_>, has_given: bool) -> bool {
        let described = Group { metadata: &self.file.metadata, group, schema: &self.file.schema };
        let is_only = |leaf: usize, text: &str, may_be_absent: bool| match described.range_of(leaf)
        {
            Some(ValueRange::Between(least, most)) => {
                let has_nulls = group.columns().get(leaf).and_then(|column| column.statistics());
                let has_nulls =
                    has_nulls.and_then(|statistics| statistics.null_count_opt()) != Some(0);
                least == text.as_bytes() && most == least && (may_be_absent || !has_nulls)
            }
            Some(ValueRange::Absent) => may_be_absent,
            None => false,
        };
        let has_leads = is_only(self.columns.format, stored::WITH_LEADS, false)
            && self.columns.sourcetype.is_none_or(|leaf| is_only(leaf, OWN_SOURCETYPE, true));
        if !has_leads {
            return false;
        }
        let range = |field: &str| {
            let (_, leaf) = filter.leads.iter().find(|(name, _)| *name == field)?;
            described.range_of(*leaf)
        };
        let times =
            described.micros_of(self.columns.time).map(|(first, last)| widened(first, last));
        if times.is_none_or(|(_, last)| last > filter.horizon) && filter.horizon.is_finite() {
            return false;
        }
        // What is given takes the place of what the text has.
        let range = |field: &str| if has_given { None } else { range(field) };
        !filter.conditions.iter().any(|condition| condition.may_match(&range, times))
    }

    /// Returns what is known of all events of a row group.
    fn all_of(&self, group: &RowGroupMetaData) -> Passed {
        let described = Group { metadata: &self.file.metadata, group, schema: &self.file.schema };
        let column = group.columns().get(self.columns.time);
        let untimed = column.and_then(|column| column.statistics()?.null_count_opt());
        let times = described.micros_of(self.columns.time);
        let seconds = |(first, last): (i64, i64)| (first as f64 / MICROS, last as f64 / MICROS);
        Passed {
            events: group_rows(group),
            untimed: untimed.unwrap_or(0).min(group_rows(group)),
            times: times.map(seconds),
        }
    }

    /// Reads the columns that the conditions compare, and chooses the events that may satisfy one. An event
    /// with given fields may always, because these may be called like what a column has of the text.
    fn choose(
        &self,
        group: &RowGroupMetaData,
        filter: &Filter<'_>,
        fields: Option<usize>,
        visit: Visit<'_>,
    ) -> Result<Chosen, String> {
        let mut rows: Vec<Range<usize>> = Vec::new();
        let (mut passed, mut next) = (Passed::default(), 0);
        let names = filter.leads.iter().map(|(name, _)| *name);
        let mut verdicts = Verdicts::new(filter.conditions, names);
        let Columns { format, time, sourcetype, .. } = self.columns;
        let mut leaves: Vec<usize> = filter.leads.iter().map(|(_, leaf)| *leaf).collect();
        leaves.extend([Some(format), Some(time), sourcetype, fields].into_iter().flatten());
        self.read(group, &leaves, None, &mut |batch, places| {
            let texts = |leaf: usize| texts_of(batch, places, leaf);
            let (formats, kinds) = (texts(format), sourcetype.and_then(texts));
            let (all_times, given) = (times_of(batch, places, time), fields.and_then(texts));
            let leads: Vec<Option<&BinaryViewArray>> =
                filter.leads.iter().map(|(_, leaf)| texts(*leaf)).collect();
            for row in 0..batch.num_rows() {
                let time = time_at(all_times, row);
                let times = time.map(|time| widened(time, time));
                let is_given = given.is_some_and(|given| given.is_valid(row));
                let has_leads = has_leads(formats, kinds, row);
                let may_match = if is_given {
                    filter.conditions.iter().any(|one| one.may_match(&|_| None, times))
                } else {
                    verdicts.may_match(&leads, row, times)
                };
                if !has_leads || may_match {
                    match rows.last_mut() {
                        Some(range) if range.end == next => range.end += 1,
                        _ => rows.push(next..next + 1),
                    }
                } else {
                    passed.pass(time, filter.horizon, visit)?;
                }
                next += 1;
            }
            ControlFlow::Continue(())
        })?;
        let is_all = rows.len() == 1 && rows[0] == (0..next);
        Ok(Chosen { rows: (!is_all).then_some(rows), passed })
    }

    /// Reads columns of a row group, or of some of its rows. `take` receives the batches with the
    /// leaves of their columns.
    fn read(
        &self,
        group: &RowGroupMetaData,
        leaves: &[usize],
        rows: Option<Vec<Range<usize>>>,
        take: &mut dyn FnMut(&RecordBatch, &[usize]) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let mut leaves = leaves.to_vec();
        leaves.sort_unstable();
        leaves.dedup();
        let expected = rows.as_ref().map(|rows| rows.iter().map(ExactSizeIterator::len).sum());
        let mut left = expected.unwrap_or_else(|| group_rows(group) as usize);
        let opened = guard::caught(|| {
            let levels = self.file.schema.levels_of(&leaves)?;
            reader_of(self.file, group, &leaves, &levels, rows.map(selection))
        });
        let (mut reader, held) = match opened {
            Some(Ok(opened)) => opened,
            Some(Err(error)) => return Err(reason_of(&error)),
            None => return Err(IMPOSSIBLE.to_owned()),
        };
        loop {
            held.begin_batch();
            match guard::caught(|| reader.next()) {
                Some(Some(Ok(batch))) => {
                    left = left.saturating_sub(batch.num_rows());
                    if take(&batch, &leaves).is_break() {
                        return Ok(());
                    }
                }
                Some(Some(Err(error))) => return Err(plain(&error.to_string())),
                Some(None) if left > 0 => return Err("its columns end early".to_owned()),
                Some(None) => return Ok(()),
                None => return Err(IMPOSSIBLE.to_owned()),
            }
        }
    }
}

/// The sourcetype of the events of [`stored::WITH_LEADS`] that have no other one.
const OWN_SOURCETYPE: &str = "aws:cloudtrail";
const IMPOSSIBLE: &str = "what its pages say is impossible";

fn reason_of(error: &ParquetError) -> String {
    plain(&error.to_string())
}

fn selection(rows: Vec<Range<usize>>) -> RowSelection {
    let mut selectors = Vec::with_capacity(rows.len() * 2);
    let mut at = 0;
    for range in rows {
        if range.start > at {
            selectors.push(RowSelector::skip(range.start - at));
        }
        selectors.push(RowSelector::select(range.len()));
        at = range.end;
    }
    selectors.into()
}

/// Returns the column of a leaf among those that were read.
fn place(places: &[usize], leaf: usize) -> Option<usize> {
    places.binary_search(&leaf).ok()
}

fn texts_of<'b>(
    batch: &'b RecordBatch,
    places: &[usize],
    leaf: usize,
) -> Option<&'b BinaryViewArray> {
    batch.column(place(places, leaf)?).as_binary_view_opt()
}

fn times_of<'b>(
    batch: &'b RecordBatch,
    places: &[usize],
    leaf: usize,
) -> Option<&'b TimestampMicrosecondArray> {
    batch.column(place(places, leaf)?).as_primitive_opt()
}

fn time_at(times: Option<&TimestampMicrosecondArray>, row: usize) -> Option<i64> {
    times.filter(|times| times.is_valid(row)).map(|times| times.value(row))
}

pub(super) fn value(texts: &BinaryViewArray, row: usize) -> Option<&[u8]> {
    texts.is_valid(row).then(|| texts.value(row))
}

fn text_at(texts: Option<&BinaryViewArray>, row: usize) -> Option<&str> {
    simdutf8::basic::from_utf8(value(texts?, row)?).ok()
}

/// Returns true if two rows have the same text because it is stored once for both. False says nothing.
fn is_shared(texts: Option<&BinaryViewArray>, row: usize, other: usize) -> bool {
    texts.is_none_or(|texts| {
        texts.is_valid(row) == texts.is_valid(other) && texts.views()[row] == texts.views()[other]
    })
}

/// Returns true if a row has the values of the columns of leads, if its event has them.
fn has_leads(
    formats: Option<&BinaryViewArray>,
    sourcetypes: Option<&BinaryViewArray>,
    row: usize,
) -> bool {
    let is_own = |kinds| value(kinds, row).is_none_or(|kind| kind == OWN_SOURCETYPE.as_bytes());
    formats.is_some_and(|formats| value(formats, row) == Some(stored::WITH_LEADS.as_bytes()))
        && sourcetypes.is_none_or(is_own)
}

/// Passes on the events of a batch, apart from those that no search can match by their texts: these are only
/// counted.
fn events(
    batch: &RecordBatch,
    places: &[usize],
    table: &Stored<'_>,
    by_text: &ByText,
    (index, offset): (usize, u64),
    visit: Visit<'_>,
) -> ControlFlow<()> {
    let texts = |leaf: usize| texts_of(batch, places, leaf);
    let Columns { text, format, time, source, host, sourcetype, fields } = table.columns;
    let (raw, times) = (texts(text), times_of(batch, places, time));
    let said = [Some(format), source, host, sourcetype].map(|leaf| leaf.and_then(texts));
    // What the row before says of its origin, and its format.
    let mut last = (None, OwnOrigin::default());
    let (fields, mut known) = (fields.and_then(texts), None);
    let (mut passed, mut is_usual) = (Passed::default(), false);
    for row in 0..batch.num_rows() {
        if row == 0 || !said.iter().all(|texts| is_shared(*texts, row, row - 1)) {
            let [format, source, host, sourcetype] = said.map(|texts| text_at(texts, row));
            let own = OwnOrigin { source, host, sourcetype, ..OwnOrigin::default() };
            last = (format.and_then(Format::named), own);
            is_usual = has_leads(said[0], said[3], row);
        }
        let (Some(text), (Some(format), origin)) = (text_at(raw, row), last) else {
            let message = "an event has no text, or a format that this version does not know";
            let damage = in_group(index, offset, DamageKind::UnreadableCell, message);
            visit(StoredStep::Damage(damage))?;
            continue;
        };
        let (time, fields) = (time_at(times, row), text_at(fields, row));
        // A value that was given beside the text may be what is looked for.
        let is_ruled_out = is_usual
            && fields.is_none()
            && by_text.needles.as_ref().is_some_and(|needles| !needles.may_match(text));
        if is_ruled_out {
            passed.pass(time, by_text.horizon, visit)?;
            continue;
        }
        // Senders often give the same fields with all of their events.
        known = known.filter(|known: &Arc<GivenFields>| Some(known.text()) == fields);
        known = known.or_else(|| Some(Arc::new(GivenFields::read(fields?)?)));
        if fields.is_some() && known.is_none() {
            let message = "the fields beside an event are damaged; it is read without them";
            let damage = in_group(index, offset, DamageKind::UnreadableCell, message);
            visit(StoredStep::Damage(damage))?;
        }
        let fields = known.as_ref();
        visit(StoredStep::Event(StoredEvent { text, format, origin, time, fields, offset }))?;
    }
    if passed.events > 0 {
        visit(StoredStep::Passed(passed))?;
    }
    ControlFlow::Continue(())
}

impl Passed {
    /// Counts an event, alone if it is after the horizon.
    fn pass(&mut self, time: Option<i64>, horizon: f64, visit: Visit<'_>) -> ControlFlow<()> {
        if time.is_none_or(|time| time as f64 / MICROS <= horizon) {
            self.add(time);
            return ControlFlow::Continue(());
        }
        let mut alone = Self::default();
        alone.add(time);
        visit(StoredStep::Passed(alone))
    }

    fn add(&mut self, time: Option<i64>) {
        self.events += 1;
        let Some(time) = time.map(|time| time as f64 / MICROS) else {
            self.untimed += 1;
            return;
        };
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
    }
}

/// Returns times in epoch seconds, with room for rounding.
fn widened(first: i64, last: i64) -> (f64, f64) {
    (first as f64 / MICROS - ROUNDING, last as f64 / MICROS + ROUNDING)
}
