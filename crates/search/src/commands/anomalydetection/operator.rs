//! The operator of `anomalydetection`: holds all rows, scores them, and returns the rows with their
//! scores or a summary.

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind, Value};

use super::histogram::{self, Frequencies, Score, Scores, Threshold};
use super::values::Values;
use super::zscore::{self, FieldScores, ZScore};
use crate::operators::gather::{self, Gathering, Given, HeldRows};
use crate::rows::arrow::to_array;

/// Selects the rows that the operator returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Action {
    /// Returns the anomalies with their scores.
    Filter,
    /// Returns all rows with their scores.
    Annotate,
    /// Returns statistics of the scores.
    Summary,
}

/// Selects how anomalies are found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Method {
    /// Scores whole rows by the frequencies of their values.
    Histogram(Threshold),
    /// Scores each value separately.
    ZScore(ZScore),
}

/// Finds improbable rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Anomalies {
    /// The fields to score.
    pub(super) fields: Vec<String>,
    /// Whether the user listed the fields. Unless listed, a field that no row has is not scored.
    pub(super) is_listed: bool,
    pub(super) method: Method,
    pub(super) action: Action,
}

/// The columns that `method=histogram` adds.
pub(super) const HISTOGRAM_COLUMNS: [(&str, Kind); 4] = [
    ("log_event_prob", Kind::Number),
    ("probable_cause", Kind::Text),
    ("probable_cause_freq", Kind::Number),
    ("max_freq", Kind::Number),
];

/// The columns of `method=histogram action=summary`.
const HISTOGRAM_SUMMARY: [&str; 6] =
    ["num_anomalies", "thresh", "max_logprob", "min_logprob", "1st_quartile", "3rd_quartile"];

/// The columns of `method=zscore action=summary`.
const ZSCORE_SUMMARY: [(&str, Kind); 12] = [
    ("fieldname", Kind::Text),
    ("count", Kind::Number),
    ("distinct_count", Kind::Number),
    ("mean", Kind::Number),
    ("catAnoFreq%", Kind::Number),
    ("catNormFreq%", Kind::Number),
    ("numAnoFreq%", Kind::Number),
    ("stdev", Kind::Number),
    ("supportFreq%", Kind::Number),
    ("useCat", Kind::Text),
    ("useNum", Kind::Text),
    ("isNum", Kind::Text),
];

/// Returns the columns that `method=zscore` adds for a field: the score of its value as a category,
/// and as a number.
pub(super) fn score_columns(field: &str) -> [String; 2] {
    [format!("Anomaly_Score_Cat({field})"), format!("Anomaly_Score_Num({field})")]
}

fn fields(columns: &[(&str, Kind)]) -> Vec<Field> {
    columns.iter().map(|(name, kind)| Field::new(*name, *kind)).collect()
}

impl Gathering for Anomalies {
    const NAME: &'static str = "anomalies";

    fn output(&self, input: &[Field]) -> Vec<Field> {
        match (self.method, self.action) {
            (Method::Histogram(_), Action::Summary) => {
                HISTOGRAM_SUMMARY.iter().map(|name| Field::new(*name, Kind::Number)).collect()
            }
            (Method::ZScore(_), Action::Summary) => fields(&ZSCORE_SUMMARY),
            (Method::Histogram(_), _) => gather::fields_with(input, &fields(&HISTOGRAM_COLUMNS)),
            (Method::ZScore(_), _) => {
                let names = self.fields.iter().flat_map(|field| score_columns(field));
                let added: Vec<Field> = names.map(|name| Field::new(name, Kind::Number)).collect();
                gather::fields_with(input, &added)
            }
        }
    }

    fn given(self, rows: HeldRows, output: SchemaRef) -> Result<Given> {
        match self.method {
            Method::Histogram(threshold) => self.histogram(threshold, rows, output),
            Method::ZScore(rules) => self.zscore(rules, rows, output),
        }
    }
}

impl Anomalies {
    /// Returns the values of each field to score, with the index of the field in the list.
    fn values(&self, rows: &mut HeldRows) -> Result<Vec<(usize, Values)>> {
        let mut columns: Vec<Values> = self.fields.iter().map(|_| Values::default()).collect();
        let mut known = 0;
        for batch in rows.replay()? {
            let batch = batch?;
            for (field, values) in self.fields.iter().zip(&mut columns) {
                let reader = gather::reader(&batch, field)?;
                for row in 0..batch.num_rows() {
                    values.push(&reader.as_ref().map_or(Value::Null, |reader| reader.value(row)));
                }
            }
            // Account for the memory of the values after each batch.
            let size = columns.iter().map(Values::size).sum();
            rows.learn(size - known)?;
            known = size;
        }
        let counts = |values: &Values| self.is_listed || !values.are_absent();
        Ok(columns.into_iter().enumerate().filter(|(_, values)| counts(values)).collect())
    }

    fn histogram(
        self,
        threshold: Threshold,
        mut rows: HeldRows,
        output: SchemaRef,
    ) -> Result<Given> {
        let values = self.values(&mut rows)?;
        // Scoring sorts one logarithm for each row, so reserve that memory too.
        rows.learn(rows.count() * size_of::<f64>())?;
        let names: Vec<String> =
            values.iter().map(|(place, _)| self.fields[*place].clone()).collect();
        let fields: Vec<Frequencies> =
            values.into_iter().map(|(_, values)| Frequencies::of(values)).collect();
        let scores = histogram::score(&fields, threshold);
        if self.action == Action::Summary {
            let columns = summary(scores.as_ref()).map(|value| to_array(Kind::Number, [value]));
            return Ok(once(RecordBatch::try_new(output, columns.into())?));
        }
        let mut offset = 0;
        Ok(Box::new(rows.give()?.map(move |batch| {
            let batch = batch?;
            let rows = offset..offset + batch.num_rows();
            offset = rows.end;
            // There are no scores if no field is scored. No row is an anomaly then.
            let Some(scores) = scores else {
                let columns = HISTOGRAM_COLUMNS
                    .map(|(_, kind)| to_array(kind, vec![Value::Null; batch.num_rows()]));
                return self.shown(&batch, &output, named(columns), &vec![false; rows.len()]);
            };
            let found: Vec<Score> = rows.map(|row| histogram::of_row(&fields, row)).collect();
            let is_anomaly: Vec<bool> = found.iter().map(|row| scores.is_anomaly(row)).collect();
            let columns = annotations(&found, &is_anomaly, &names);
            self.shown(&batch, &output, named(columns), &is_anomaly)
        })))
    }

    fn zscore(self, rules: ZScore, mut rows: HeldRows, output: SchemaRef) -> Result<Given> {
        let values = self.values(&mut rows)?;
        let scored: Vec<(usize, Values, FieldScores)> = values
            .into_iter()
            .map(|(place, values)| {
                let scores = zscore::score(&values, rules);
                (place, values, scores)
            })
            .collect();
        if self.action == Action::Summary {
            let summaries: Vec<[Value<'static>; 12]> = scored
                .iter()
                .map(|(place, _, scores)| field_summary(&self.fields[*place], scores))
                .collect();
            let column = |index: usize| {
                let values = summaries.iter().map(|row| row[index].clone());
                to_array(ZSCORE_SUMMARY[index].1, values)
            };
            let columns = (0..ZSCORE_SUMMARY.len()).map(column).collect();
            return Ok(once(RecordBatch::try_new(output, columns)?));
        }
        let mut offset = 0;
        Ok(Box::new(rows.give()?.map(move |batch| {
            let batch = batch?;
            let rows = offset..offset + batch.num_rows();
            offset = rows.end;
            let mut is_anomaly = vec![false; rows.len()];
            let mut columns: Vec<(String, ArrayRef)> = Vec::new();
            let number = |score: Option<f64>| score.map_or(Value::Null, Value::Number);
            for (place, field) in self.fields.iter().enumerate() {
                // A field that was not scored still gets its columns, with null values.
                let known = scored.iter().find(|(other, ..)| *other == place);
                let score = |row: usize| {
                    known.map_or((None, None), |(_, values, found)| found.scores[values.place(row)])
                };
                let found: Vec<_> = rows.clone().map(score).collect();
                for (row, (rare, far)) in is_anomaly.iter_mut().zip(&found) {
                    *row |= rare.is_some() || far.is_some();
                }
                let [rare_name, far_name] = score_columns(field);
                let rare = found.iter().map(|(rare, _)| number(*rare));
                let far = found.iter().map(|(_, far)| number(*far));
                columns.push((rare_name, to_array(Kind::Number, rare)));
                columns.push((far_name, to_array(Kind::Number, far)));
            }
            self.shown(&batch, &output, columns, &is_anomaly)
        })))
    }

    /// Returns the rows that the action selects, with their new columns.
    fn shown(
        &self,
        batch: &RecordBatch,
        output: &SchemaRef,
        columns: Vec<(String, ArrayRef)>,
        is_anomaly: &[bool],
    ) -> Result<RecordBatch> {
        let batch = gather::batch_with(batch, output, &columns)?;
        match self.action {
            Action::Filter => {
                Ok(filter_record_batch(&batch, &BooleanArray::from(is_anomaly.to_vec()))?)
            }
            Action::Annotate | Action::Summary => Ok(batch),
        }
    }
}

fn once(batch: RecordBatch) -> Given {
    Box::new(std::iter::once(Ok(batch)))
}

fn named(columns: [ArrayRef; 4]) -> Vec<(String, ArrayRef)> {
    HISTOGRAM_COLUMNS.iter().map(|(name, _)| (*name).to_owned()).zip(columns).collect()
}

/// Returns the added columns. Only anomalies get a cause, so that `probable_cause=*` finds them.
fn annotations(scores: &[Score], is_anomaly: &[bool], names: &[String]) -> [ArrayRef; 4] {
    let rows = || scores.iter().zip(is_anomaly);
    let of_anomaly = |is_anomaly: &bool, value: Value<'static>| {
        if *is_anomaly { value } else { Value::Null }
    };
    let cause =
        |cause: usize| names.get(cause).map_or(Value::Null, |name| Value::text(name.clone()));
    [
        to_array(Kind::Number, rows().map(|(row, _)| Value::Number(row.log_probability))),
        to_array(Kind::Text, rows().map(|(row, is)| of_anomaly(is, cause(row.cause)))),
        to_array(
            Kind::Number,
            rows().map(|(row, is)| of_anomaly(is, Value::Number(row.cause_frequency))),
        ),
        to_array(Kind::Number, rows().map(|(row, _)| Value::Number(row.max_frequency))),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "row numbers stay below 2^53")]
fn summary(scores: Option<&Scores>) -> [Value<'static>; 6] {
    let Some(scores) = scores else {
        let mut none = [const { Value::Null }; 6];
        none[0] = Value::Number(0.0);
        return none;
    };
    [
        scores.anomalies as f64,
        scores.threshold,
        scores.greatest,
        scores.least,
        scores.first_quartile,
        scores.third_quartile,
    ]
    .map(Value::Number)
}

#[expect(clippy::cast_precision_loss, reason = "row numbers stay below 2^53")]
fn field_summary(field: &str, found: &FieldScores) -> [Value<'static>; 12] {
    let yes = |is: bool| Value::text(if is { "YES" } else { "NO" });
    let percent = |part: f64| Value::Number(part * 100.0);
    let moment = |pick: fn((f64, f64)) -> f64| {
        found.moments.map_or(Value::Null, |moments| Value::Number(pick(moments)))
    };
    [
        Value::text(field.to_owned()),
        Value::Number(found.count as f64),
        Value::Number(found.distinct as f64),
        moment(|(mean, _)| mean),
        percent(found.anomalous.0),
        percent(1.0 - found.anomalous.0),
        if found.moments.is_some() { percent(found.anomalous.1) } else { Value::Null },
        moment(|(_, deviation)| deviation),
        percent(found.support),
        yes(found.uses.0),
        yes(found.uses.1),
        yes(found.moments.is_some()),
    ]
}
