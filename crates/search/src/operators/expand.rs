//! Expands each row into one row for each member of a multivalue.

use std::collections::HashSet;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind};

use super::{Operator, Running};
use crate::error::to_engine;
use crate::rows::cut::{BATCH_BYTES, BATCH_ROWS, VIEW};
use crate::rows::state::state_of;

/// Selects the rows that a value is expanded into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whole {
    /// One row for each member; no row for an absent value.
    Members,
    /// One row for each distinct member; no row for an absent value.
    DistinctMembers,
    /// One row for each member; an absent value keeps its row.
    MembersOrAbsent,
}

/// Returns one row for each member of `column`, which becomes single-valued.
#[derive(Debug, Serialize, Deserialize)]
pub struct Expand {
    /// The multivalue column.
    pub column: String,
    /// The rows for absent values and for repeated members.
    pub whole: Whole,
    /// The maximum number of members used of one value; 0 means all.
    pub limit: usize,
    /// The multivalue columns that this and later operators expand. If two or more are listed, a
    /// row whose members have too many combinations is an error.
    pub product: Vec<String>,
}

impl Operator for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input
            .iter()
            .map(|field| {
                let kind = if field.name == self.column { Kind::Text } else { field.kind };
                Field::new(&field.name, kind)
            })
            .collect()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let index = input.index_of(&self.column)?;
        let product = self.product.iter().filter_map(|name| input.index_of(name).ok()).collect();
        let (whole, limit) = (self.whole, self.limit);
        Ok(Box::new(Expanding { output, index, whole, limit, product, rest: None }))
    }
}

/// A batch that is being expanded.
struct Rest {
    batch: RecordBatch,
    /// The index of the row being expanded.
    row: usize,
    /// The indices of the row's selected members among the members of all rows, and how many of
    /// them have been returned.
    members: Vec<u32>,
    given: usize,
}

struct Expanding {
    output: SchemaRef,
    index: usize,
    whole: Whole,
    limit: usize,
    /// The indices of the multivalue columns that this and later operators expand.
    product: Vec<usize>,
    rest: Option<Rest>,
}

impl Expanding {
    /// Returns the indices of a row's selected members among the members of all rows.
    fn members(&self, lists: &ListArray, row: usize) -> Vec<u32> {
        if lists.is_null(row) {
            return Vec::new();
        }
        let offsets = lists.value_offsets();
        let texts = lists.values().as_string_view();
        let range = offsets[row] as usize..offsets[row + 1] as usize;
        let mut places: Vec<usize> = range.filter(|place| texts.is_valid(*place)).collect();
        if self.whole == Whole::DistinctMembers {
            let mut seen = HashSet::new();
            places.retain(|place| seen.insert(texts.value(*place)));
        }
        if self.limit > 0 {
            places.truncate(self.limit);
        }
        // List offsets are nonnegative `i32`, so they fit into `u32`.
        places.into_iter().map(|place| place as u32).collect()
    }

    /// Fails if the row's members have too many combinations.
    fn check(&self, batch: &RecordBatch, row: usize) -> Result<()> {
        if self.product.len() < 2 {
            return Ok(());
        }
        let members = |index: &usize| batch.column(*index).as_list::<i32>().value_length(row);
        let combinations = self.product.iter().map(|index| members(index).max(1) as usize);
        check_combinations(combinations)
    }
}

/// The maximum number of groups that one row may count in.
const MAX_COMBINATIONS: usize = 100_000;

/// Fails if fields with these numbers of members have too many combinations for one row.
pub(super) fn check_combinations(members: impl Iterator<Item = usize>) -> Result<()> {
    let combinations = members.fold(1_usize, usize::saturating_mul);
    if combinations <= MAX_COMBINATIONS {
        return Ok(());
    }
    Err(to_engine(
        Diagnostic::error(
            Code::TOO_LARGE,
            format!(
                "the multivalue BY fields of one event have {combinations} combinations; an event \
                 counts in at most {MAX_COMBINATIONS} groups"
            ),
        )
        .help("group by fewer multivalue fields, or join the values of some with `nomv`"),
    ))
}

/// Returns the approximate size in bytes of a copy of each row, without its texts, which copies
/// share. The column `without` is not counted.
fn sizes(batch: &RecordBatch, without: usize) -> Vec<usize> {
    let mut sizes = vec![batch.num_columns() * VIEW; batch.num_rows()];
    for (_, column) in batch.columns().iter().enumerate().filter(|(index, _)| *index != without) {
        if let Some(lists) = column.as_list_opt::<i32>() {
            for (row, size) in sizes.iter_mut().enumerate() {
                *size += lists.value_length(row) as usize * VIEW;
            }
        }
    }
    sizes
}

impl Running for Expanding {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.rest = Some(Rest { batch, row: 0, members: Vec::new(), given: 0 });
        self.more()
    }

    fn more(&mut self) -> Result<Option<RecordBatch>> {
        let Some(mut rest) = self.rest.take() else { return Ok(None) };
        let lists = rest.batch.column(self.index).as_list::<i32>().clone();
        let sizes = sizes(&rest.batch, self.index);
        let mut rows: Vec<u32> = Vec::with_capacity(BATCH_ROWS);
        let mut values: Vec<Option<u32>> = Vec::with_capacity(BATCH_ROWS);
        let mut bytes = 0;
        while rest.row < rest.batch.num_rows() && rows.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            if rest.given == 0 {
                self.check(&rest.batch, rest.row)?;
                rest.members = self.members(&lists, rest.row);
            }
            let number = u32::try_from(rest.row).unwrap_or(u32::MAX);
            if rest.members.is_empty() && self.whole == Whole::MembersOrAbsent {
                rows.push(number);
                values.push(None);
            }
            // At least one member fits, so that a row larger than a batch is expanded, too.
            let room = (BATCH_ROWS - rows.len().min(BATCH_ROWS))
                .min((BATCH_BYTES - bytes) / sizes[rest.row] + 1);
            let members = &rest.members[rest.given..];
            let members = &members[..members.len().min(room)];
            rows.extend(members.iter().map(|_| number));
            values.extend(members.iter().map(|member| Some(*member)));
            bytes += members.len() * sizes[rest.row];
            rest.given += members.len();
            if rest.given == rest.members.len() {
                (rest.row, rest.given) = (rest.row + 1, 0);
            }
        }
        let (rows, values) = (UInt32Array::from(rows), UInt32Array::from(values));
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(rest.batch.num_columns());
        for (index, column) in rest.batch.columns().iter().enumerate() {
            columns.push(if index == self.index {
                take(lists.values(), &values, None)?
            } else {
                take(column, &rows, None)?
            });
        }
        if rest.row < rest.batch.num_rows() {
            self.rest = Some(rest);
        }
        Ok(Some(RecordBatch::try_new(self.output.clone(), columns)?))
    }
}
