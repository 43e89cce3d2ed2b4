//! The operator: it holds all rows, scores them, and adds the scores or sums them up.

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use spilltrail_event::{Field, Kind, Value};

use super::histogram::{self, Scores, Threshold};
use super::zscore::{self, FieldScores};
use crate::expression::arrow::to_array;
use crate::operators::{Operator, Running, gather};

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Anomalies.
    Filter,
    /// All rows.
    Annotate,
    /// What the scores are like.
    Summary,
}

/// How anomalies are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Method {
    Histogram(Threshold),
    /// With the probability below which a value is anomalous.
    ZScore(f64),
}

/// Finds improbable rows.
#[derive(Debug, Clone)]
pub(super) struct Anomalies {
    /// The fields looked at.
    pub(super) fields: Vec<String>,
    /// Whether they were listed; of those that were not, a field without any value does not count.
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

/// Returns the columns that `method=zscore` adds for a field: as a category, as a number.
pub(super) fn score_columns(field: &str) -> [String; 2] {
    [format!("Anomaly_Score_Cat({field})"), format!("Anomaly_Score_Num({field})")]
}

fn fields(columns: &[(&str, Kind)]) -> Vec<Field> {
    columns.iter().map(|(name, kind)| Field::new(*name, *kind)).collect()
}

impl Operator for Anomalies {
    fn name(&self) -> &'static str {
        "anomalies"
    }

    fn state(&self) -> String {
        format!("{self:?}")
    }

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

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef) -> Result<Box<dyn Running>> {
        let operator = self.clone();
        Ok(gather::Gather::start(move |batches| match operator.method {
            Method::Histogram(threshold) => operator.histogram(threshold, batches, &output),
            Method::ZScore(threshold) => operator.zscore(threshold, batches, &output),
        }))
    }
}

impl Anomalies {
    fn histogram(
        &self,
        threshold: Threshold,
        batches: &[RecordBatch],
        output: &SchemaRef,
    ) -> Result<Vec<RecordBatch>> {
        let mut names = Vec::new();
        let mut frequencies = Vec::new();
        for field in &self.fields {
            let readers = gather::readers(batches, field)?;
            let mut values: Vec<Value<'_>> = gather::values(&readers).collect();
            values.resize(gather::row_count(batches), Value::Null);
            if self.is_listed || values.iter().any(|value| !value.is_null()) {
                names.push(field.as_str());
                frequencies.push(histogram::frequencies(&values));
            }
        }
        let scores = histogram::score(&frequencies, threshold);
        if self.action == Action::Summary {
            let columns = summary(scores.as_ref()).map(|value| to_array(Kind::Number, [value]));
            return Ok(vec![RecordBatch::try_new(output.clone(), columns.into())?]);
        }
        let count = gather::row_count(batches);
        let is_anomaly: Vec<bool> = match &scores {
            Some(scores) => scores.rows.iter().map(|row| scores.is_anomaly(row)).collect(),
            None => vec![false; count],
        };
        let columns = match &scores {
            Some(scores) => annotations(scores, &is_anomaly, &names),
            None => HISTOGRAM_COLUMNS.map(|(_, kind)| to_array(kind, vec![Value::Null; count])),
        };
        let columns = HISTOGRAM_COLUMNS.iter().map(|(name, _)| (*name).to_owned()).zip(columns);
        self.given(batches, output, &columns.collect::<Vec<_>>(), &is_anomaly)
    }

    fn zscore(
        &self,
        threshold: f64,
        batches: &[RecordBatch],
        output: &SchemaRef,
    ) -> Result<Vec<RecordBatch>> {
        let mut is_anomaly = vec![false; gather::row_count(batches)];
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        let mut summaries = Vec::new();
        for field in &self.fields {
            let readers = gather::readers(batches, field)?;
            let mut values: Vec<Value<'_>> = gather::values(&readers).collect();
            values.resize(is_anomaly.len(), Value::Null);
            let found = zscore::score(&values, threshold);
            if self.action == Action::Summary {
                if self.is_listed || found.count > 0 {
                    summaries.push(field_summary(field, &found));
                }
                continue;
            }
            for (row, (rare, far)) in is_anomaly.iter_mut().zip(&found.scores) {
                *row |= rare.is_some() || far.is_some();
            }
            let number = |score: Option<f64>| score.map_or(Value::Null, Value::Number);
            let rare = found.scores.iter().map(|(rare, _)| number(*rare));
            let far = found.scores.iter().map(|(_, far)| number(*far));
            let [rare_name, far_name] = score_columns(field);
            columns.push((rare_name, to_array(Kind::Number, rare)));
            columns.push((far_name, to_array(Kind::Number, far)));
        }
        if self.action == Action::Summary {
            let column = |index: usize| {
                let values = summaries.iter().map(|row: &[Value<'static>; 12]| row[index].clone());
                to_array(ZSCORE_SUMMARY[index].1, values)
            };
            let columns = (0..ZSCORE_SUMMARY.len()).map(column).collect();
            return Ok(vec![RecordBatch::try_new(output.clone(), columns)?]);
        }
        self.given(batches, output, &columns, &is_anomaly)
    }

    /// Returns the rows asked for, with their new columns.
    fn given(
        &self,
        batches: &[RecordBatch],
        output: &SchemaRef,
        columns: &[(String, ArrayRef)],
        is_anomaly: &[bool],
    ) -> Result<Vec<RecordBatch>> {
        let batches = gather::batches_with(batches, output, columns)?;
        match self.action {
            Action::Filter => gather::filtered(&batches, is_anomaly),
            Action::Annotate | Action::Summary => Ok(batches),
        }
    }
}

/// Returns the added columns. The cause is shown of anomalies only, so that `probable_cause=*` finds
/// them.
fn annotations(scores: &Scores, is_anomaly: &[bool], names: &[&str]) -> [ArrayRef; 4] {
    let rows = || scores.rows.iter().zip(is_anomaly);
    let of_anomaly = |is_anomaly: &bool, value: Value<'static>| {
        if *is_anomaly { value } else { Value::Null }
    };
    let cause =
        |cause: usize| names.get(cause).map_or(Value::Null, |n| Value::text((*n).to_owned()));
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
    let logarithms = || scores.rows.iter().map(|row| row.log_probability);
    [
        scores.anomalies() as f64,
        scores.threshold,
        logarithms().fold(f64::NEG_INFINITY, f64::max),
        logarithms().fold(f64::INFINITY, f64::min),
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
