//! The operator of `associate`: counts values, and the values that occur together with frequent ones.

use std::collections::HashMap;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind, Value};

use crate::operators::gather::{self, Gather, Given, HeldRows};
use crate::operators::{Operator, Running};
use crate::rows::arrow::ColumnBuilder;
use crate::rows::state::state_of;

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

impl Operator for Associations {
    fn name(&self) -> &'static str {
        "associate"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        OUTPUTS.map(|(name, kind)| Field::new(name, kind)).to_vec()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let operator = self.clone();
        Ok(Gather::start(self.name(), input, context, move |rows| operator.given(rows, &output)))
    }
}

impl Associations {
    fn given(self, mut rows: HeldRows, output: &SchemaRef) -> Result<Given> {
        let (all, _) = self.counted(&mut rows, |_| true)?;
        let total = rows.count();
        let mut found = Vec::new();
        for (place, key) in self.fields.iter().enumerate() {
            let mut frequent: Vec<(&String, usize)> = all[place]
                .iter()
                .map(|(value, count)| (value, *count))
                .filter(|(_, count)| *count >= self.count && part(*count, total) >= self.part)
                .collect();
            frequent.sort_unstable();
            for (value, count) in frequent {
                let (among, bytes) = self.counted(&mut rows, |row: &[Option<String>]| {
                    row[place].as_deref() == Some(value.as_str())
                })?;
                for (other, target) in self.fields.iter().enumerate().filter(|(at, _)| *at != place)
                {
                    let (entropy, conditional) = (entropy(&all[other]), entropy(&among[other]));
                    let Some(top) = top(&all[other], &among[other]) else { continue };
                    if entropy - conditional >= self.improvement {
                        let support = part(count, total);
                        let (key, value, target) = (key.clone(), value.clone(), target.clone());
                        found.push(Found {
                            key,
                            value,
                            target,
                            top,
                            entropy,
                            conditional,
                            support,
                        });
                    }
                }
                rows.forget(bytes);
            }
        }
        found.sort_by(|one, other| {
            let improvement = |found: &Found| found.entropy - found.conditional;
            improvement(other)
                .total_cmp(&improvement(one))
                .then_with(|| one.key.cmp(&other.key))
                .then_with(|| one.value.cmp(&other.value))
                .then_with(|| one.target.cmp(&other.target))
        });
        let batch = batch(&found, output)?;
        Ok(Box::new(std::iter::once(Ok(batch))))
    }

    /// Returns how often each value of each field occurs in the rows that `is_wanted` accepts, and the
    /// memory that was reserved for it.
    fn counted(
        &self,
        rows: &mut HeldRows,
        is_wanted: impl Fn(&[Option<String>]) -> bool,
    ) -> Result<(Vec<Counts>, usize)> {
        let mut counts: Vec<Counts> = self.fields.iter().map(|_| Counts::new()).collect();
        let mut bytes = 0;
        for batch in rows.replay()? {
            let batch = batch?;
            let readers = self
                .fields
                .iter()
                .map(|name| gather::reader(&batch, name))
                .collect::<Result<Vec<_>>>()?;
            let mut added = 0;
            for row in 0..batch.num_rows() {
                let values: Vec<Option<String>> = readers
                    .iter()
                    .map(|reader| {
                        let value = reader.as_ref()?.value(row);
                        value.to_text().map(|text| text.into_owned())
                    })
                    .collect();
                if !is_wanted(&values) {
                    continue;
                }
                for (counts, value) in counts.iter_mut().zip(values) {
                    let Some(value) = value else { continue };
                    *counts.entry(value).or_insert_with_key(|value| {
                        added += value.len() + COUNTED;
                        0
                    }) += 1;
                }
            }
            rows.learn(added)?;
            bytes += added;
        }
        Ok((counts, bytes))
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
