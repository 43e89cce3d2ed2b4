//! The operator of `associate`: counts values, and the values that occur together with frequent ones.

use std::borrow::Cow;
use std::collections::HashMap;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use serde::{Deserialize, Serialize};
use spilltrail_eval::cancel::is_canceled;
use spilltrail_eval::limits;
use spilltrail_event::{Field, Kind, Value};

use crate::error::to_engine;
use crate::operators::gather::{self, Gathering, Given, HeldRows};
use crate::rows::arrow::{ColumnBuilder, ColumnReader};

/// The columns of the result.
pub(super) const OUTPUTS: [(&str, Kind); 9] = [
    ("Reference_Key", Kind::Text),
    ("Reference_Value", Kind::Text),
    ("Target_Key", Kind::Text),
    ("Top_Conditional_Value", Kind::Text),
    ("Unconditional_Entropy", Kind::Number),
    ("Conditional_Entropy", Kind::Number),
    ("Entropy_Improvement", Kind::Number),
    ("Description", Kind::Text),
    ("Support", Kind::Text),
];

/// Bytes of a counted value besides its text.
const COUNTED: usize = 64;

/// Bytes of a row of the result besides its texts.
const FOUND: usize = 256;

/// Compares the entropy of each field with that among the rows that have a frequent value of another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Associations {
    pub(super) fields: Vec<String>,
    pub(super) count: usize,
    #[serde(with = "spilltrail_event::exact")]
    pub(super) part: f64,
    #[serde(with = "spilltrail_event::exact")]
    pub(super) improvement: f64,
}

/// How often each value occurs.
type Counts = HashMap<String, usize>;

/// What was found about a reference and a target.
struct Found {
    key: String,
    value: String,
    target: String,
    top: String,
    entropy: f64,
    conditional: f64,
    support: f64,
}

impl Gathering for Associations {
    const NAME: &'static str = "associate";

    fn output(&self, _: &[Field]) -> Vec<Field> {
        OUTPUTS.map(|(name, kind)| Field::new(name, kind)).to_vec()
    }

    fn given(self, mut rows: HeldRows, output: SchemaRef) -> Result<Given> {
        let all = self.counted(&mut rows)?;
        let total = rows.count();
        let mut found = Vec::new();
        for (place, key) in self.fields.iter().enumerate() {
            let mut frequent: Vec<(&str, usize)> = all[place]
                .iter()
                .map(|(value, count)| (value.as_str(), *count))
                .filter(|(_, count)| *count >= self.count && part(*count, total) >= self.part)
                .collect();
            if frequent.is_empty() {
                continue;
            }
            frequent.sort_unstable();
            let (among, bytes) = self.counted_among(&mut rows, place, &frequent)?;
            for ((value, count), among) in frequent.into_iter().zip(&among) {
                for (other, target) in self.fields.iter().enumerate().filter(|(at, _)| *at != place)
                {
                    let (entropy, conditional) = (entropy(&all[other]), entropy(&among[other]));
                    if entropy - conditional < self.improvement {
                        continue;
                    }
                    let Some(top) = top(&all[other], &among[other]) else { continue };
                    rows.learn(FOUND + key.len() + value.len() + target.len() + top.len())?;
                    found.push(Found {
                        key: key.clone(),
                        value: value.to_owned(),
                        target: target.clone(),
                        top,
                        entropy,
                        conditional,
                        support: part(count, total),
                    });
                }
            }
            rows.forget(bytes);
        }
        found.sort_by(|one, other| {
            let improvement = |found: &Found| found.entropy - found.conditional;
            improvement(other)
                .total_cmp(&improvement(one))
                .then_with(|| one.key.cmp(&other.key))
                .then_with(|| one.value.cmp(&other.value))
                .then_with(|| one.target.cmp(&other.target))
        });
        let batch = batch(&found, &output)?;
        Ok(Box::new(std::iter::once(Ok(batch))))
    }
}

impl Associations {
    /// Returns how often each value of each field occurs.
    fn counted(&self, rows: &mut HeldRows) -> Result<Vec<Counts>> {
        let mut counts = self.no_counts();
        for batch in rows.replay()? {
            let readers = self.readers(&batch?)?;
            let mut added = 0;
            for row in 0..readers.rows {
                readers.count(row, None, &mut counts, &mut added);
            }
            rows.learn(added)?;
        }
        Ok(counts)
    }

    /// Returns, for each frequent value of the field at `place`, how often each value of the other
    /// fields occurs together with it, and the memory that was reserved for it. Reads the rows once.
    fn counted_among(
        &self,
        rows: &mut HeldRows,
        place: usize,
        frequent: &[(&str, usize)],
    ) -> Result<(Vec<Vec<Counts>>, usize)> {
        let mut bytes = frequent.len() * self.fields.len() * size_of::<Counts>();
        rows.learn(bytes)?;
        let places: HashMap<&str, usize> =
            frequent.iter().enumerate().map(|(at, (value, _))| (*value, at)).collect();
        let mut counts: Vec<Vec<Counts>> = frequent.iter().map(|_| self.no_counts()).collect();
        for batch in rows.replay()? {
            let readers = self.readers(&batch?)?;
            let mut added = 0;
            for row in 0..readers.rows {
                let Some(value) = readers.text(place, row) else { continue };
                let Some(at) = places.get(value.as_ref()) else { continue };
                readers.count(row, Some(place), &mut counts[*at], &mut added);
            }
            rows.learn(added)?;
            bytes += added;
        }
        Ok((counts, bytes))
    }

    fn no_counts(&self) -> Vec<Counts> {
        self.fields.iter().map(|_| Counts::new()).collect()
    }

    /// Returns the readers of the fields.
    ///
    /// # Errors
    /// Fails if the search is canceled.
    fn readers(&self, batch: &RecordBatch) -> Result<Readers> {
        if is_canceled() {
            return Err(to_engine(limits::canceled()));
        }
        let columns = self.fields.iter().map(|name| gather::reader(batch, name));
        Ok(Readers { columns: columns.collect::<Result<_>>()?, rows: batch.num_rows() })
    }
}

/// Reads the fields of a batch.
struct Readers {
    columns: Vec<Option<ColumnReader>>,
    rows: usize,
}

impl Readers {
    fn text(&self, place: usize, row: usize) -> Option<Cow<'_, str>> {
        match self.columns[place].as_ref()?.value(row) {
            Value::Text(text) => Some(text),
            value => value.to_text().map(|text| Cow::Owned(text.into_owned())),
        }
    }

    /// Counts the values of a row, except for that of the field at `without`. Adds the memory of new
    /// values to `added`.
    fn count(&self, row: usize, without: Option<usize>, counts: &mut [Counts], added: &mut usize) {
        for (place, counts) in counts.iter_mut().enumerate() {
            if Some(place) == without {
                continue;
            }
            let Some(value) = self.text(place, row) else { continue };
            match counts.get_mut(value.as_ref()) {
                Some(count) => *count += 1,
                None => {
                    *added += value.len() + COUNTED;
                    counts.insert(value.into_owned(), 1);
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rows are fewer than 2^53")]
fn part(count: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { count as f64 / all as f64 }
}

/// Returns the entropy of counted values in bits.
fn entropy(counts: &Counts) -> f64 {
    let all: usize = counts.values().sum();
    // The order of the sum is fixed, so that equal counts have exactly the same entropy.
    let mut sorted: Vec<usize> = counts.values().copied().collect();
    sorted.sort_unstable();
    let entropy: f64 = sorted
        .into_iter()
        .map(|count| part(count, all))
        .map(|probability| -probability * probability.log2())
        .sum();
    // Not -0.
    entropy + 0.0
}

/// Returns the most frequent value among the counts `among`, with how frequent it is in all rows and
/// there.
fn top(all: &Counts, among: &Counts) -> Option<String> {
    let (value, count) =
        among.iter().max_by(|one, other| one.1.cmp(other.1).then_with(|| other.0.cmp(one.0)))?;
    let before = part(all.get(value).copied().unwrap_or(0), all.values().sum());
    let after = part(*count, among.values().sum());
    Some(format!("{value} ({:.2}% -> {:.2}%)", before * 100.0, after * 100.0))
}

fn batch(found: &[Found], output: &SchemaRef) -> Result<RecordBatch> {
    let mut columns = OUTPUTS.map(|(_, kind)| ColumnBuilder::new(kind));
    for Found { key, value, target, top, entropy, conditional, support } in found {
        let description = format!(
            "when `{key}` is `{value}`, the entropy of `{target}` decreases from {entropy:.3} to {conditional:.3}"
        );
        let row = [
            Value::text(key.as_str()),
            Value::text(value.as_str()),
            Value::text(target.as_str()),
            Value::text(top.as_str()),
            Value::Number(*entropy),
            Value::Number(*conditional),
            Value::Number(entropy - conditional),
            Value::text(description),
            Value::text(format!("{:.2}%", support * 100.0)),
        ];
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let columns = columns.into_iter().map(ColumnBuilder::finish).collect();
    gather::of_columns(output, columns, found.len())
}
