//! Events in, Arrow batches of the wanted fields out.

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use spilltrail_event::{Predicate, ScanRequest};

use crate::cloudtrail::{Profile, Rule, derived_field};
use crate::columns::{Column, finish_columns, schema_of};
use crate::event_view::{
    BUILTINS, Builtin, EventTime, EventView, FieldSet, FieldSource, Origin, arrays, quick_time,
};
use crate::needles::Needles;
use crate::paths::Slots;
use crate::split::{Format, RawRecord};

/// Rows of a full batch.
pub const BATCH_ROWS: usize = 8192;
/// Text of a full batch, in bytes.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

const FORMATS: [Format; 4] = [Format::CloudTrail, Format::Lake, Format::Json, Format::Other];

/// What an event came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extracted {
    /// Whether the predicate took it.
    pub matched: bool,
    /// Its time, epoch seconds.
    pub time: Option<f64>,
}

/// How events of one format are tested and taken apart.
#[derive(Debug)]
struct FormatPlan {
    /// Rules out most events before they are taken apart.
    needles: Option<Needles>,
    tested: FieldSet,
    wanted: FieldSet,
    outputs: Vec<FieldSource>,
}

/// How a sourcetype that the user named is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourcetype {
    pub(crate) name: String,
    pub(crate) format: Format,
}

impl Sourcetype {
    pub(crate) fn named(name: &str) -> Self {
        let format = match name {
            "aws:cloudtrail" => Format::CloudTrail,
            "aws:cloudtrail:lake" => Format::Lake,
            "json" => Format::Json,
            _ => Format::Other,
        };
        Self { name: name.to_owned(), format }
    }
}

/// Returns the sourcetype of events of this format.
pub(crate) fn sourcetype_of(format: Format) -> &'static str {
    match format {
        Format::CloudTrail => "aws:cloudtrail",
        Format::Lake => "aws:cloudtrail:lake",
        Format::Json | Format::Other => "json",
    }
}

/// Tests events and collects the wanted fields of those that match.
#[derive(Debug)]
pub struct Extractor {
    predicate: Predicate,
    plans: Vec<FormatPlan>,
    sourcetype: Option<Sourcetype>,
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    text: usize,
    slots: Slots,
}

impl Extractor {
    /// Compiles a request. A `sourcetype` that the user named is used in place of the recognised one:
    /// `aws:cloudtrail` and `json` are read as such, any other as JSON with `{}` names.
    #[must_use]
    pub fn new(request: &ScanRequest, profile: Profile, sourcetype: Option<&str>) -> Self {
        let plan = |format| FormatPlan::new(request, format, profile);
        Self {
            predicate: request.predicate.clone(),
            plans: FORMATS.into_iter().map(plan).collect(),
            sourcetype: sourcetype.map(Sourcetype::named),
            schema: schema_of(&request.fields),
            columns: request.fields.iter().map(|field| Column::new(field.kind)).collect(),
            rows: 0,
            text: 0,
            slots: Slots::default(),
        }
    }

    /// Returns the schema of the batches: the request's fields, in its order.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Tests an event and keeps its wanted fields if it matches.
    pub fn push(&mut self, event: &RawRecord<'_>, origin: &Origin) -> Extracted {
        let record = event.text;
        let (format, sourcetype) = match &self.sourcetype {
            Some(named) => (named.format, named.name.as_str()),
            None => (event.format, sourcetype_of(event.format)),
        };
        let plan = &self.plans[format as usize];
        if plan.needles.as_ref().is_some_and(|needles| !needles.may_match(record)) {
            return Extracted { matched: false, time: quick_time(record, format) };
        }
        plan.tested.paths.pick(record, arrays(format), &mut self.slots);
        let time = EventTime::of(record, &plan.tested, &self.slots);
        let view =
            EventView { record, sourcetype, origin, set: &plan.tested, slots: &self.slots, time };
        let matched = self.predicate.matches(&view);
        if matched {
            plan.wanted.paths.pick(record, arrays(format), &mut self.slots);
            let view = EventView {
                record,
                sourcetype,
                origin,
                set: &plan.wanted,
                slots: &self.slots,
                time,
            };
            for (column, source) in self.columns.iter_mut().zip(&plan.outputs) {
                let is_time = matches!(source, FieldSource::Builtin(Builtin::Time));
                if !(is_time && column.append_number(time.epoch)) {
                    self.text += column.append(&view.values(*source));
                }
            }
            self.rows += 1;
        }
        Extracted { matched, time: time.epoch }
    }

    /// Returns how many rows wait to be taken.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns true if the batch is large enough to be taken.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.text >= BATCH_BYTES
    }

    /// Returns the rows so far, and begins the next batch.
    ///
    /// # Errors
    /// Never for columns of the request's own kinds; Arrow's error type is kept.
    pub fn finish_batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        self.text = 0;
        finish_columns(&self.schema, &mut self.columns, rows)
    }
}

impl FormatPlan {
    fn new(request: &ScanRequest, format: Format, profile: Profile) -> Self {
        let is_member = |name: &str| {
            let is_builtin = BUILTINS.iter().any(|(builtin, _)| *builtin == name);
            let derived = (format == Format::CloudTrail).then(|| derived_field(name, profile));
            match derived.flatten() {
                Some(field) => matches!(field.rule, Rule::Alias(_)),
                None => !is_builtin,
            }
        };
        let mut tested = FieldSet::new(format, profile);
        for name in request.predicate.fields() {
            tested.add(name);
        }
        let mut wanted = FieldSet::new(format, profile);
        let outputs = request.fields.iter().map(|field| wanted.add(&field.name)).collect();
        Self { needles: Needles::of(&request.predicate, &is_member), tested, wanted, outputs }
    }
}

// Extractors are moved between threads.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Extractor>();
};
