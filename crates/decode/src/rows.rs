//! Rows that a search took, with texts of their own or with those that they share.

use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{
    Array, ArrayRef, LargeStringArray, ListArray, RecordBatch, RecordBatchOptions, StringViewArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;

/// Up to here rows get texts of their own: not to keep those of thousands of others, or to have to find
/// them again, is worth the copy.
const FEW: usize = 512;

/// Rows of one search.
#[derive(Debug, Clone)]
pub enum Rows {
    /// With texts of their own.
    Plain(RecordBatch),
    /// With texts that they share with the rows of other searches.
    Coded(CodedRows),
}

/// Rows that have numbers in place of texts.
#[derive(Debug, Clone)]
pub struct CodedRows {
    /// The rows, of the schema that [`coded_schema`] gives in place of their own.
    pub codes: RecordBatch,
    /// The texts, in the order of their numbers.
    pub texts: Arc<LargeStringArray>,
}

impl Rows {
    /// Returns the rows of a batch of numbers.
    ///
    /// # Errors
    /// Fails if the numbers are not those of the texts.
    pub(crate) fn new(
        codes: RecordBatch,
        texts: &Arc<LargeStringArray>,
    ) -> Result<Self, ArrowError> {
        if codes.num_rows() > FEW {
            return Ok(Self::Coded(CodedRows { codes, texts: texts.clone() }));
        }
        let columns = codes.columns().iter().map(|column| copied(column, texts));
        batch(&codes, columns.collect::<Result<_, _>>()?).map(Self::Plain)
    }

    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Plain(batch) => batch.num_rows(),
            Self::Coded(rows) => rows.codes.num_rows(),
        }
    }

    /// Returns the memory that they take, without texts that they share.
    #[must_use]
    pub fn memory(&self) -> usize {
        match self {
            Self::Plain(batch) => batch.get_array_memory_size(),
            Self::Coded(rows) => rows.codes.get_array_memory_size(),
        }
    }

    /// Returns the texts that they share.
    #[must_use]
    pub fn shared(&self) -> Option<&Arc<LargeStringArray>> {
        match self {
            Self::Plain(_) => None,
            Self::Coded(rows) => Some(&rows.texts),
        }
    }

    /// Returns the rows with their texts.
    ///
    /// # Errors
    /// As [`CodedRows::batch`].
    pub fn into_batch(self) -> Result<RecordBatch, ArrowError> {
        match self {
            Self::Plain(batch) => Ok(batch),
            Self::Coded(rows) => rows.batch(),
        }
    }
}

impl CodedRows {
    /// Returns the rows with their texts, which are not copied.
    ///
    /// # Errors
    /// Fails if the numbers are not those of the texts.
    pub fn batch(&self) -> Result<RecordBatch, ArrowError> {
        let texts = StringViewArray::from(&*self.texts);
        let columns = self.codes.columns().iter().map(|column| decoded(column, &texts));
        batch(&self.codes, columns.collect::<Result<_, _>>()?)
    }
}

/// Returns the type of numbers in place of the texts of a type.
fn coded_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View => DataType::UInt32,
        DataType::List(item) => {
            DataType::List(Arc::new(Field::new(item.name(), coded_type(item.data_type()), true)))
        }
        other => other.clone(),
    }
}

/// Returns the schema of numbers in place of texts.
#[must_use]
pub fn coded_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    let coded = fields.map(|field| Field::new(field.name(), coded_type(field.data_type()), true));
    Arc::new(Schema::new(coded.collect::<Vec<_>>()))
}

/// Returns the batch that has these columns in place of those of numbers.
fn batch(codes: &RecordBatch, columns: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    let schema = codes.schema();
    let fields = schema.fields().iter().zip(&columns);
    let fields =
        fields.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(codes.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

/// Returns a column with its texts in place of their numbers; they stay where they are.
fn decoded(column: &ArrayRef, texts: &StringViewArray) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::UInt32 => take(texts, column, None),
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            let values = take(texts, list.values(), None)?;
            let item = Arc::new(Field::new("item", DataType::Utf8View, true));
            let nulls = list.nulls().cloned();
            Ok(Arc::new(ListArray::try_new(item, list.offsets().clone(), values, nulls)?))
        }
        _ => Ok(column.clone()),
    }
}

/// Returns a column with its texts in place of their numbers, in memory of its own.
fn copied(column: &ArrayRef, texts: &LargeStringArray) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::UInt32 => Ok(Arc::new(copied_texts(column, texts))),
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            let values = Arc::new(copied_texts(list.values(), texts));
            let item = Arc::new(Field::new("item", DataType::Utf8View, true));
            let nulls = list.nulls().cloned();
            Ok(Arc::new(ListArray::try_new(item, list.offsets().clone(), values, nulls)?))
        }
        _ => Ok(column.clone()),
    }
}

/// Returns the texts with these numbers, in a buffer of just their size.
fn copied_texts(numbers: &ArrayRef, texts: &LargeStringArray) -> StringViewArray {
    let numbers = numbers.as_primitive::<UInt32Type>();
    let found = || numbers.iter().map(|number| number.map(|number| texts.value(number as usize)));
    let size: usize = found().flatten().map(str::len).sum();
    let mut builder = StringViewBuilder::with_capacity(numbers.len())
        .with_fixed_block_size(u32::try_from(size.max(1)).unwrap_or(u32::MAX));
    found().for_each(|text| builder.append_option(text));
    builder.finish()
}
