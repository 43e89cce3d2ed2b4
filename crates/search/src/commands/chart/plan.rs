//! Plans charts: groups by row and series, the choice of series, and the pivot.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::Expr;
use indexmap::IndexSet;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_event::{Field, Kind, TimeBounds, Value, fields, parse_number};

use super::super::bin::{self, Width};
use super::super::stats::{Key, groups, sparklines};
use super::super::{Stage, subsearch};
use super::options::{Bins, Chart, FieldOf, ResultOf, Source, Split};
use super::pivot::{Cell, MAX_BINS, Pivot, Range, too_many};
use super::series::{Choice, Chosen, FieldBins, SeriesOf, kind_of_series};
use crate::context::SearchContext;
use crate::operators::{Derive, KeptRows, gather};
use crate::planning::aggregate::{self, Grouping, Preparation};
use crate::planning::eval;
use crate::planning::eval_udf;
use crate::planning::order;
use crate::planning::plan::{Plan, column, null_text};
use crate::planning::reserved;
use crate::rows::bins::{self, LowerBounds, NumberBins, TimeBins, Within};
use crate::rows::convert::to_kind;
use crate::rows::mapped::mapped;
use crate::stats::{Feed, PlannedAggregate};

/// The column with the value that a group's row has.
pub(in super::super) const ROW: &str = "\u{1}row";
/// The column with the series of a group.
pub(in super::super) const SERIES: &str = "\u{1}series";
/// The column with the number of events of a group.
const EVENTS: &str = "\u{1}events";

/// The most columns that the values of a field may become.
pub(in super::super) const MAX_COLUMNS: usize = 10_000;

/// A result as a column of the groups.
struct Column {
    name: String,
    kind: Kind,
    is_count: bool,
    rate: Option<f64>,
}

/// Plans a chart.
pub(super) async fn chart(
    chart: &Chart,
    input: Plan,
    stage: &Stage<'_>,
) -> Result<Plan, Diagnostic> {
    let refused = |error| stage.refused(error);
    let Preparation { plan, aggregates } = prepared(chart, input, stage).await?;
    let columns = result_columns(chart, &aggregates);
    let Some(row) = &chart.row else {
        let plan = grouped(chart, Preparation { plan, aggregates }, &[], stage)?;
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        return plan.select(&names).map_err(refused);
    };
    let mut plan = needed(chart, plan, &aggregates).map_err(refused)?;
    let kept = if reads_rows(chart, row, stage) {
        Some(subsearch::collect(plan.clone(), stage.context, None).await.map_err(refused)?)
    } else {
        None
    };
    let range = chart.time.map(|_| stage.context.range);
    let row_bins = field_bins(row, range, kept.as_ref(), stage)?;
    let split_bins = match &chart.split {
        Some(split) => field_bins(&split.field, range, kept.as_ref(), stage)?,
        None => None,
    };
    if let Some(kept) = kept {
        plan = kept.into_plan().map_err(refused)?;
    }
    for field in [Some(row), chart.split.as_ref().map(|split| &split.field)].into_iter().flatten() {
        plan = within(plan, field).map_err(refused)?;
    }
    plan = with_row(plan, row, row_bins.as_ref(), chart.time.is_some()).map_err(refused)?;
    let pivot = Pivot {
        row: ROW.to_owned(),
        series: SERIES.to_owned(),
        field: row.field.value.clone(),
        range: rows_range(chart, row_bins.as_ref(), stage)?,
        bins: row_bins,
        cells: Vec::new(),
    };
    let plan = match &chart.split {
        Some(split) => {
            let series = SeriesOf { bins: split_bins, null: split.null.clone(), others: None };
            let parts = Parts { chart, split, aggregates, columns, series, plan };
            parts.pivoted(pivot, stage).await?
        }
        None => {
            let by = [key(ROW, &row.field.value)];
            let plan = grouped(chart, Preparation { plan, aggregates }, &by, stage)?;
            let cells = columns.into_iter().map(|column| cell(&column, &column.name, None));
            finish(plan, Pivot { cells: cells.collect(), ..pivot }).map_err(refused)?
        }
    };
    Ok(plan)
}

fn key(column: &str, field: &str) -> Key {
    Key { column: column.to_owned(), field: field.to_owned(), output: column.to_owned() }
}

/// Plans the aggregates' arguments.
async fn prepared(
    chart: &Chart,
    input: Plan,
    stage: &Stage<'_>,
) -> Result<Preparation, Diagnostic> {
    let names = chart.by();
    // Results that become columns by the series' names can be named as the fields are.
    let is_wild = chart.aggregates.iter().any(aggregate::is_wild);
    let by: &[String] = if chart.split.is_none() || is_wild { &names } else { &[] };
    sparklines::prepared(input, &chart.aggregates, by, Grouping::default(), stage).await
}

/// Returns the results in the order in which they are written.
fn result_columns(chart: &Chart, aggregates: &[PlannedAggregate]) -> Vec<Column> {
    let place = |name: &str| {
        let named = |result: &ResultOf| result.name == name;
        let wild = |result: &ResultOf| match result.source {
            Source::Aggregate(at) | Source::Rate(at, _) => {
                aggregate::is_wild(&chart.aggregates[at])
            }
            Source::Expression(_) => false,
        };
        let found = chart.results.iter().position(named);
        found.or_else(|| chart.results.iter().position(wild)).unwrap_or(usize::MAX)
    };
    let mut columns: Vec<(usize, Column)> = Vec::new();
    for planned in aggregates.iter().filter(|planned| !planned.output.starts_with('\u{1}')) {
        let at = place(&planned.output);
        let rate = chart.results.get(at).and_then(|result| match result.source {
            Source::Rate(_, seconds) => Some(seconds),
            _ => None,
        });
        let is_count = matches!(planned.function.as_str(), "count" | "dc" | "estdc");
        let (name, kind) = (planned.output.clone(), planned.kind);
        columns.push((at, Column { name, kind, is_count, rate }));
    }
    for (at, result) in chart.results.iter().enumerate() {
        if let Source::Expression(_) = result.source {
            let name = result.name.clone();
            columns.push((at, Column { name, kind: Kind::Text, is_count: false, rate: None }));
        }
    }
    columns.sort_by_key(|(at, _)| *at);
    columns.into_iter().map(|(_, column)| column).collect()
}

/// Reduces the plan to the columns that the chart reads.
fn needed(chart: &Chart, plan: Plan, aggregates: &[PlannedAggregate]) -> EngineResult<Plan> {
    let mut names: IndexSet<String> = chart.by().into_iter().collect();
    names.extend(aggregates.iter().filter_map(|aggregate| aggregate.input.clone()));
    if aggregates.iter().any(|aggregate| aggregate.feed() == Feed::MembersWithTime) {
        names.insert(fields::TIME.to_owned());
    }
    let source = |name: &String| match plan.kind(name) {
        Some(kind) => (name.clone(), column(name), kind),
        None => (name.clone(), null_text(), Kind::Text),
    };
    let columns = names.iter().map(source).collect();
    plan.project(columns)
}

/// Returns true if the rows must be read before the chart can be planned.
fn reads_rows(chart: &Chart, row: &FieldOf, stage: &Stage<'_>) -> bool {
    let known = chart.time.is_some() && known_range(stage.context.range).is_some();
    chart.split.is_some() || (row.has_chosen_bins() && !known)
}

/// Returns the bounds of the time range if both are known.
fn known_range(range: TimeBounds) -> Option<(f64, f64)> {
    bounds(range.earliest?, range.latest?)
}

/// Returns the first and the last instant of a range whose end is excluded.
fn bounds(earliest: f64, latest: f64) -> Option<(f64, f64)> {
    // A range from 0 is that of all events.
    (earliest > 0.0 && latest > earliest).then_some((earliest, latest - 1e-6))
}

/// Returns the bins of a field's values. A width that is chosen follows from the time range, if it
/// is about times, or from the values.
pub(in super::super) fn field_bins(
    field: &FieldOf,
    range: Option<TimeBounds>,
    rows: Option<&KeptRows>,
    stage: &Stage<'_>,
) -> Result<Option<FieldBins>, Diagnostic> {
    let Some(bins) = &field.bins else { return Ok(None) };
    let name = &field.field.value;
    let zone = stage.context.zone.clone();
    let align = bin::aligned(bins.align.as_ref(), stage.context)?;
    Ok(Some(match &bins.width {
        Width::Time { span, weekday } => {
            FieldBins::Time(TimeBins { align, weekday: *weekday, ..TimeBins::new(*span, zone) })
        }
        Width::Number(bins) => FieldBins::Number(LowerBounds(*bins)),
        Width::Range { count, minimum, .. } => {
            let of_values = match rows {
                Some(rows) => values_range(rows, name, bins).map_err(|e| stage.refused(e))?,
                None => None,
            };
            let (low, high) = of_values.unwrap_or_default();
            let (low, high) = (bins.start.unwrap_or(low), bins.end.unwrap_or(high));
            if name != fields::TIME {
                let width = bins::number_step(low, high, *count, *minimum);
                return Ok(Some(FieldBins::Number(LowerBounds(NumberBins::Linear { width }))));
            }
            let range = range.unwrap_or_default();
            let earliest = range.earliest.filter(|time| *time > 0.0).unwrap_or(low);
            let latest = range.latest.map_or(high, |latest| latest - 1e-6);
            let span = bins::time_step(earliest, latest.max(earliest), *count, *minimum);
            FieldBins::Time(TimeBins { align, ..TimeBins::new(span, zone) })
        }
    }))
}

/// Returns the smallest and the largest number of a column.
fn values_range(rows: &KeptRows, name: &str, bins: &Bins) -> EngineResult<Option<(f64, f64)>> {
    let mut range: Option<(f64, f64)> = None;
    let within = Within { start: bins.start, end: bins.end };
    for batch in rows.batches()? {
        let batch = batch?;
        let Some(reader) = gather::reader(&batch, name)? else { continue };
        for row in 0..batch.num_rows() {
            let value = reader.value(row);
            let numbers = match value.as_number() {
                Some(number) => vec![number],
                None => value.members().iter().filter_map(|text| parse_number(text)).collect(),
            };
            let is_within = |number: &f64| number.is_finite() && within.has(*number);
            for number in numbers.into_iter().filter(is_within) {
                let (low, high) = range.unwrap_or((number, number));
                range = Some((low.min(number), high.max(number)));
            }
        }
    }
    Ok(range)
}

/// Keeps the rows whose value is within `start` and `end`, and those without the field. Of several
/// values, those within are kept.
pub(in super::super) fn within(plan: Plan, field: &FieldOf) -> EngineResult<Plan> {
    let Some(&Bins { start, end, .. }) = field.bins.as_ref() else { return Ok(plan) };
    if !field.has_ends() {
        return Ok(plan);
    }
    let name = &field.field.value;
    let Some(kind) = plan.kind(name) else { return Ok(plan) };
    let inside = || mapped(Within { start, end }, column(name));
    let plan = plan.filter(column(name).is_null().or(inside().is_not_null()))?;
    if kind == Kind::Multi {
        return plan.with_columns(vec![(name.clone(), inside(), kind)]);
    }
    Ok(plan)
}

/// Adds the column with the value of the row.
fn with_row(
    plan: Plan,
    row: &FieldOf,
    bins: Option<&FieldBins>,
    is_time: bool,
) -> EngineResult<Plan> {
    let name = &row.field.value;
    let kind = plan.kind(name).unwrap_or(Kind::Text);
    let (value, kind) = if is_time {
        (to_kind(column(name), kind, Kind::Number), Kind::Number)
    } else {
        (column(name), kind)
    };
    let value: Expr = match bins {
        Some(FieldBins::Time(bins)) => mapped(bins.clone(), value),
        Some(FieldBins::Number(bins)) => mapped(*bins, value),
        None => value,
    };
    plan.with_columns(vec![(ROW.to_owned(), value, kind)])
}

/// Returns which rows are added and removed.
///
/// # Errors
/// Fails if the time range has more bins than may be filled, before the first row is made.
fn rows_range(
    chart: &Chart,
    bins: Option<&FieldBins>,
    stage: &Stage<'_>,
) -> Result<Range, Diagnostic> {
    let mut range = Range { is_filled: chart.is_filled, ..Range::default() };
    let Some(time) = chart.time else { return Ok(range) };
    let TimeBounds { earliest, latest } = stage.context.range;
    // A range from 0 is that of all events, so it begins with the first event.
    let earliest = earliest.filter(|earliest| *earliest > 0.0);
    if time.is_fixed
        && let Some(FieldBins::Time(bins)) = bins
    {
        range.from = earliest.map(|earliest| bins.floor(earliest));
        range.until = latest;
        if range.is_filled
            && let Some((from, until)) = range.from.zip(range.until)
            && (until - from) / bins::seconds(bins.span) > MAX_BINS as f64
        {
            return Err(too_many().at(stage.span));
        }
    }
    if !time.keeps_partial {
        (range.not_before, range.not_after) = (earliest, latest);
    }
    Ok(range)
}

/// Plans the groups with their results and, if there are series, the number of their events.
fn grouped(
    chart: &Chart,
    mut preparation: Preparation,
    by: &[Key],
    stage: &Stage<'_>,
) -> Result<Plan, Diagnostic> {
    preparation.aggregates.push(PlannedAggregate::count(EVENTS));
    let mut plan = groups(preparation, by, chart.whole, stage)?;
    let mut computed = Vec::new();
    for result in &chart.results {
        if let Source::Expression(expr) = &result.source {
            let compiled = eval::expression(expr, &plan, stage.context)?;
            let kind = compiled.storable()?;
            computed.push((result.name.clone(), eval_udf::into_expr(compiled), kind));
        }
    }
    if !computed.is_empty() {
        plan = plan.with_columns(computed).map_err(|error| stage.refused(error))?;
        plan.transformed = true;
    }
    Ok(plan)
}

fn cell(column: &Column, name: &str, series: Option<&str>) -> Cell {
    Cell {
        name: name.to_owned(),
        series: series.map(str::to_owned),
        column: column.name.clone(),
        kind: column.kind,
        is_count: column.is_count,
        rate: column.rate,
    }
}

/// Sorts the groups by their row and makes rows of them.
fn finish(plan: Plan, mut pivot: Pivot) -> EngineResult<Plan> {
    // The kind of an expression is known only now.
    for cell in &mut pivot.cells {
        cell.kind = plan.kind(&cell.column).unwrap_or(cell.kind);
    }
    // Texts such as `1` and `1.0` are equal numbers, but two rows.
    let text = [column(ROW).sort(true, false)];
    let mut plan = order::by_fields_and(plan, &[ROW.to_owned()], text)?.operator(Arc::new(pivot));
    plan.transformed = true;
    Ok(plan)
}

/// The parts of a chart whose columns are the values of a field.
struct Parts<'a> {
    chart: &'a Chart,
    split: &'a Split,
    aggregates: Vec<PlannedAggregate>,
    columns: Vec<Column>,
    series: SeriesOf,
    plan: Plan,
}

impl Parts<'_> {
    async fn pivoted(self, pivot: Pivot, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let all = self.groups(self.series.clone(), &pivot.field, stage)?;
        let all = subsearch::collect(all, stage.context, None).await.map_err(refused)?;
        let choice = Choice {
            series: SERIES,
            events: EVENTS,
            cells: self.columns.first().map_or(EVENTS, |column| &column.name),
            by_cells: self.columns.len() == 1,
            null: self.split.null.as_deref(),
            limit: self.split.limit,
            clause: self.split.clause.as_ref(),
        };
        let chosen = choice.of(&all, stage.context).map_err(refused)?;
        let cells = self.cells(&chosen, &pivot.field, stage)?;
        let other = self.split.other.as_ref().filter(|_| chosen.has_others);
        let plan = match other {
            // The statistics of the others together do not follow from those of each, so the
            // events are grouped again.
            Some(other) => {
                let mut kept: BTreeSet<String> = chosen.kept.iter().cloned().collect();
                kept.extend(self.split.null.clone());
                let others = Some((kept, other.clone()));
                self.groups(SeriesOf { others, ..self.series.clone() }, &pivot.field, stage)?
            }
            None => all.into_plan().map_err(refused)?,
        };
        finish(plan, Pivot { cells, ..pivot }).map_err(refused)
    }

    /// Plans the groups by row and series.
    fn groups(&self, series: SeriesOf, row: &str, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let field = &self.split.field.field.value;
        let kind = kind_of_series(self.plan.kind(field));
        let output = Field::new(SERIES, kind);
        let plan = Derive::on(self.plan.clone(), vec![field.clone()], [output], Arc::new(series));
        let preparation = Preparation { plan, aggregates: self.aggregates.clone() };
        grouped(self.chart, preparation, &[key(ROW, row), key(SERIES, field)], stage)
    }

    /// Returns the columns: for each result, one for each series.
    fn cells(
        &self,
        chosen: &Chosen,
        row: &str,
        stage: &Stage<'_>,
    ) -> Result<Vec<Cell>, Diagnostic> {
        let mut series: IndexSet<&str> = chosen.kept.iter().map(String::as_str).collect();
        let null = self.split.null.as_deref().filter(|_| chosen.has_null);
        let other = self.split.other.as_deref().filter(|_| chosen.has_others);
        // A value with the name of one of these series belongs to it.
        for last in null.into_iter().chain(other) {
            series.shift_remove(last);
            series.insert(last);
        }
        let count = series.len() * self.columns.len();
        if count > MAX_COLUMNS {
            return Err(too_wide(&self.split.field.field, count));
        }
        let mut names: HashSet<String> = HashSet::from([row.to_owned()]);
        let mut cells = Vec::with_capacity(count);
        for column in &self.columns {
            for value in &series {
                let name = self.name(column, value, row, stage.context);
                let name = free_name(name, self.format(), &mut names, stage.span)?;
                cells.push(cell(column, &name, Some(value)));
            }
        }
        Ok(cells)
    }

    /// Returns the name of a column.
    fn name(&self, column: &Column, series: &str, row: &str, context: &SearchContext) -> String {
        let label = match &self.series.bins {
            Some(bins) => bins.label(&Value::text(series)),
            None => Value::text(series),
        };
        let label = label.to_text().unwrap_or_default().into_owned();
        column_name(self.format(), &column.name, &label, row, context)
    }

    /// Returns the format of the columns' names; without one, they are the values.
    fn format(&self) -> Option<&str> {
        (self.columns.len() > 1).then_some(self.chart.format.as_str())
    }
}

/// Returns the name of the column of a statistic and a value of the split field. Without a format,
/// it is the value. Adds a warning if the value has reserved characters.
pub(in super::super) fn column_name(
    format: Option<&str>,
    statistic: &str,
    value: &str,
    row: &str,
    context: &SearchContext,
) -> String {
    let name = match format {
        None => value.to_owned(),
        Some(format) => {
            // The names are inserted at once, so that a value with `$AGG$` in it stays as it is.
            let parts: Vec<String> =
                format.split("$AGG$").map(|part| part.replace("$VAL$", value)).collect();
            parts.join(statistic)
        }
    };
    // A value can have any characters, and names of fields not those of commands' own columns.
    let name = reserved::replaced(name, context);
    // Fields that begin with `_` are internal.
    if name.starts_with('_') {
        format!("VALUE{name}")
    } else if name.is_empty() || name == row {
        format!("VALUE_{name}")
    } else {
        name
    }
}

/// Returns the error for more columns than there may be.
pub(in super::super) fn too_wide(field: &Spanned<String>, count: usize) -> Diagnostic {
    let message = format!("the values of `{}` become {count} columns", field.value);
    let help = format!("there are at most {MAX_COLUMNS}; keep fewer values");
    Diagnostic::error(Code::LIMIT, message).at(field.span).help(help)
}

/// Returns the name of a column, with `VALUE_` before it as often as it takes to differ from the
/// others: values such as `_a` and `VALUE_a` would have the same.
///
/// # Errors
/// Fails if the format does not tell columns apart.
pub(in super::super) fn free_name(
    mut name: String,
    format: Option<&str>,
    names: &mut HashSet<String>,
    place: Span,
) -> Result<String, Diagnostic> {
    let is_vague = |format: &str| !format.contains("$VAL$") || !format.contains("$AGG$");
    while !names.insert(name.clone()) {
        if format.is_some_and(is_vague) {
            let message = format!("two columns are named `{name}`");
            let help = "a `format` needs `$VAL$`, and `$AGG$` for several statistics";
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(place).help(help));
        }
        name.insert_str(0, "VALUE_");
    }
    Ok(name)
}
