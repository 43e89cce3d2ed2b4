//! The operator of `predict`: reads the series, predicts each, and appends the points that follow.

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_eval::limits;
use spilltrail_event::{Field, Kind, Value, fields};

use super::model::{
    LONGEST_PERIOD, Model, Predicted, combined, period_of, period_work, predict, width,
};
use crate::error::to_engine;
use crate::operators::gather::{self, Gathering, Given, HeldRows};
use crate::rows::arrow::{kind_of, to_array};

/// The most points of a series: fitting passes over them many times.
const MOST_POINTS: usize = 100_000;

/// The most work for all series together, as [`Model::work`] and [`period_work`] count it: some
/// seconds.
const MOST_WORK: usize = 4_000_000_000;

/// The numbers of a series, and the models that predict it.
type Modeled = (Vec<Option<f64>>, Vec<Model>);

/// The model to predict with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Level,
    Trend,
    Pattern,
    /// A trend and a pattern, predicted apart and combined.
    Combined,
}

/// A field and the names of what is predicted of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Series {
    pub(super) field: String,
    pub(super) output: String,
    pub(super) upper: String,
    pub(super) lower: String,
}

impl Series {
    /// Returns the names of the columns that are added.
    pub(super) fn outputs(&self) -> [&String; 3] {
        [&self.output, &self.upper, &self.lower]
    }
}

/// Adds predictions to rows, and rows with predictions after the last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Predictions {
    pub(super) series: Vec<Series>,
    pub(super) algorithm: Algorithm,
    pub(super) period: Option<usize>,
    pub(super) ahead: usize,
    pub(super) held_back: usize,
    #[serde(with = "spilltrail_event::exact")]
    pub(super) upper: f64,
    #[serde(with = "spilltrail_event::exact")]
    pub(super) lower: f64,
}

impl Gathering for Predictions {
    const NAME: &'static str = "predict";

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let names = self.series.iter().flat_map(Series::outputs);
        let added: Vec<Field> = names.map(|name| Field::new(name, Kind::Number)).collect();
        gather::fields_with(input, &added)
    }

    fn given(self, mut rows: HeldRows, output: SchemaRef) -> Result<Given> {
        let count = rows.count();
        if count == 0 || self.series.is_empty() {
            let batches = rows.give()?;
            return Ok(Box::new(
                batches.map(move |batch| gather::batch_with(&batch?, &output, &[])),
            ));
        }
        if count > MOST_POINTS {
            return Err(self.too_many(count));
        }
        let used = count.saturating_sub(self.held_back);
        let points = size_of::<Predicted>() + size_of::<Option<f64>>();
        rows.learn((count + self.ahead) * points * self.series.len())?;
        let mut all = Vec::with_capacity(self.series.len());
        for series in &self.series {
            let mut numbers = numbers(&series.field, &mut rows)?;
            numbers.truncate(used);
            all.push(numbers);
        }
        let Some(all) = self.within(MOST_WORK, all) else {
            return Err(self.too_many(count));
        };
        let predicted = all.iter().map(|(numbers, models)| self.predicted(numbers, models));
        let predicted = predicted.collect::<Result<Vec<_>>>()?;
        // The predictions end `ahead` points after the last used one, held back ones included.
        let has_some = predicted.iter().any(|points| !points.is_empty());
        let end = if has_some { used + self.ahead } else { used };
        let times = self.times(&mut rows)?;
        let future = self.future(&predicted, count..end.max(count), &times, &output)?;
        let mut offset = 0;
        let present = rows.give()?.map(move |batch| {
            let batch = batch?;
            let places = offset..offset + batch.num_rows();
            offset = places.end;
            gather::batch_with(&batch, &output, &self.columns(&predicted, places, end))
        });
        Ok(Box::new(present.chain(future.map(Ok))))
    }
}

impl Predictions {
    /// Returns the error for more points than can be predicted.
    fn too_many(&self, points: usize) -> DataFusionError {
        let series = self.series.len();
        let of = if series == 1 { String::new() } else { format!("{series} series of ") };
        let (with, period) = match self.period {
            Some(_) => (" with this period", "a shorter `period`, "),
            None if self.seeks_period() => (" without a period", "a short `period`, "),
            None => ("", ""),
        };
        let message = format!("`predict` cannot fit {of}{points} points{with}");
        let help = format!("use a longer `span` in `timechart`, {period}or fewer fields");
        to_engine(Diagnostic::error(Code::LIMIT, message).help(help))
    }

    /// Returns the times of the points after the last row: they go on in its last step.
    fn times(&self, rows: &mut HeldRows) -> Result<Vec<f64>> {
        let times = numbers(fields::TIME, rows)?;
        let mut last = times.iter().rev();
        let (Some(Some(last)), before) = (last.next(), last.next().copied().flatten()) else {
            return Ok(Vec::new());
        };
        let step = before.map_or(1.0, |before| last - before);
        Ok((1..=self.ahead)
            .scan(*last, |time, _| {
                *time += step;
                Some(*time)
            })
            .collect())
    }

    /// Returns all series with their models, or `None` if they are more than this much work.
    ///
    /// That is known before the first period is looked for, and then before the first series is
    /// predicted, so that too much is refused at once.
    fn within(&self, most_work: usize, all: Vec<Vec<Option<f64>>>) -> Option<Vec<Modeled>> {
        let mut work = 0_usize;
        if self.seeks_period() {
            let known = all.iter().filter(|numbers| numbers.iter().any(Option::is_some));
            let of_periods = known.map(|numbers| period_work(numbers.len()));
            work = of_periods.fold(work, usize::saturating_add);
        }
        if work > most_work {
            return None;
        }
        let mut series = Vec::with_capacity(all.len());
        for numbers in all {
            let models = self.models(&numbers);
            let of_models = models.iter().map(|model| model.work(numbers.len() + self.ahead));
            work = of_models.fold(work, usize::saturating_add);
            if work > most_work {
                return None;
            }
            series.push((numbers, models));
        }
        Some(series)
    }

    /// Returns true if the period of each series follows from its numbers.
    fn seeks_period(&self) -> bool {
        let has_pattern = matches!(self.algorithm, Algorithm::Pattern | Algorithm::Combined);
        has_pattern && self.period.is_none()
    }

    /// Returns the models of a series, whose predictions are combined; none for a series without
    /// numbers.
    fn models(&self, numbers: &[Option<f64>]) -> Vec<Model> {
        if numbers.iter().all(Option::is_none) {
            return Vec::new();
        }
        let with = |has_trend, period| Model { has_trend, period };
        let period = || {
            let period = self.period.or_else(|| period_of(numbers));
            period.filter(|period| {
                (2..=LONGEST_PERIOD).contains(period) && period * 2 <= numbers.len()
            })
        };
        match self.algorithm {
            Algorithm::Level => vec![with(false, None)],
            Algorithm::Trend => vec![with(true, None)],
            Algorithm::Pattern => vec![with(false, period())],
            Algorithm::Combined => {
                let pattern = period().map(|period| with(false, Some(period)));
                std::iter::once(with(true, None)).chain(pattern).collect()
            }
        }
    }

    /// Returns the prediction of each used point and of those after them; nothing without models.
    fn predicted(&self, numbers: &[Option<f64>], models: &[Model]) -> Result<Vec<Predicted>> {
        let mut together: Option<Vec<Predicted>> = None;
        for model in models {
            let Some(found) = predict(numbers, self.ahead, *model) else {
                return Err(to_engine(limits::canceled()));
            };
            together = Some(match together {
                None => found,
                Some(known) => {
                    known.into_iter().zip(found).map(|(one, other)| combined(one, other)).collect()
                }
            });
        }
        Ok(together.unwrap_or_default())
    }

    /// Returns the added columns of the rows at `places`; those from `end` on have no prediction.
    fn columns(
        &self,
        predicted: &[Vec<Predicted>],
        places: std::ops::Range<usize>,
        end: usize,
    ) -> Vec<(String, ArrayRef)> {
        let (upper, lower) = (width(self.upper / 100.0), width(self.lower / 100.0));
        let mut columns = Vec::new();
        for (series, predicted) in self.series.iter().zip(predicted) {
            let mut add = |name: &String, value: &dyn Fn(&Predicted) -> f64| {
                let values = places.clone().map(|place| match predicted.get(place) {
                    Some(point) if place < end => Value::Number(value(point)),
                    _ => Value::Null,
                });
                columns.push((name.clone(), to_array(Kind::Number, values)));
            };
            add(&series.output, &|point| point.mean);
            add(&series.upper, &|point| point.mean + upper * point.deviation);
            add(&series.lower, &|point| point.mean - lower * point.deviation);
        }
        columns
    }

    /// Returns the rows after the last one, or `None` if there are none.
    fn future(
        &self,
        predicted: &[Vec<Predicted>],
        places: std::ops::Range<usize>,
        times: &[f64],
        output: &SchemaRef,
    ) -> Result<Option<RecordBatch>> {
        if places.is_empty() {
            return Ok(None);
        }
        let count = places.len();
        let made = self.columns(predicted, places.clone(), places.end);
        let columns = output.fields().iter().map(|field| {
            if let Some((_, column)) = made.iter().find(|(name, _)| name == field.name()) {
                return column.clone();
            }
            let time = |index: usize| match times.get(index) {
                Some(time) if field.name() == fields::TIME => Value::Number(*time),
                _ => Value::Null,
            };
            to_array(kind_of(field.data_type()), (0..count).map(time))
        });
        let columns = columns.collect();
        gather::of_columns(output, columns, count).map(Some)
    }
}

/// Returns the numbers of a field, in order.
fn numbers(field: &str, rows: &mut HeldRows) -> Result<Vec<Option<f64>>> {
    let mut numbers = Vec::with_capacity(rows.count());
    for batch in rows.replay()? {
        let batch = batch?;
        let reader = gather::reader(&batch, field)?;
        numbers.extend((0..batch.num_rows()).map(|row| {
            let number = reader.as_ref()?.value(row).as_number();
            number.filter(|number| number.is_finite())
        }));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_for_periods_is_work() {
        let predictions = |algorithm, period| Predictions {
            series: Vec::new(),
            algorithm,
            period,
            ahead: 5,
            held_back: 0,
            upper: 95.0,
            lower: 95.0,
        };
        // Numbers that are all equal have no period, so that their models are little work.
        let series = |count| vec![vec![Some(1.0); 4_000]; count];
        let most = 2 * period_work(4_000);
        for (algorithm, period, count, is_refused) in [
            (Algorithm::Combined, None, 1, false),
            (Algorithm::Combined, None, 3, true),
            (Algorithm::Pattern, None, 3, true),
            (Algorithm::Trend, None, 3, false),
            (Algorithm::Level, Some(7), 3, false),
        ] {
            let found = predictions(algorithm, period).within(most, series(count));
            assert_eq!(found.is_none(), is_refused, "{algorithm:?} {count}");
        }
        let unknown = vec![vec![None; 4_000]; 3];
        assert!(predictions(Algorithm::Combined, None).within(most, unknown).is_some());
    }
}
