//! Holds the matching rows of a search, with their own copies of texts or with shared texts.

use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{
    Array, ArrayRef, LargeStringArray, ListArray, RecordBatch, RecordBatchOptions, StringViewArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;

/// Up to this many rows get copies of their texts.
///
/// The copy is cheap; sharing would keep the texts of thousands of other rows in memory.
const FEW: usize = 512;

/// Matching rows of one search.
#[derive(Debug, Clone)]
pub enum Rows {
    /// Rows with their own copies of their texts.
    Plain(RecordBatch),
    /// Rows whose texts are shared with the rows of other searches.
    Coded(CodedRows),
}

/// Rows that hold text numbers instead of texts.
#[derive(Debug, Clone)]
pub struct CodedRows {
    /// The rows, with the schema that [`coded_schema`] returns for their own schema.
    pub codes: RecordBatch,
    /// The texts; a text's number is its index.
    pub texts: Arc<LargeStringArray>,
}

impl Rows {
    /// Returns the rows of a batch of text numbers, with copied texts if the rows are few.
    ///
    /// # Errors
    /// Fails if a column does not fit its decoded type.
    pub(crate) fn new(
        codes: RecordBatch,
        texts: &Arc<LargeStringArray>,
    ) -> Result<Self, ArrowError> {
        if codes.num_rows() > FEW {
            return Ok(Self::Coded(CodedRows { codes, texts: texts.clone() }));
        }
        let mut absent = None;
        let columns = codes.columns().iter().map(|column| match column.data_type() {
            DataType::UInt32 if column.null_count() == column.len() => {
                Ok(absent_texts(column.len(), &mut absent))
            }
            _ => copied(column, texts),
        });
        batch(&codes, columns.collect::<Result<_, _>>()?).map(Self::Plain)
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Plain(batch) => batch.num_rows(),
            Self::Coded(rows) => rows.codes.num_rows(),
        }
    }

    /// Returns the memory of the rows in bytes, without shared texts.
    #[must_use]
    pub fn memory(&self) -> usize {
        match self {
            Self::Plain(batch) => batch.get_array_memory_size(),
            Self::Coded(rows) => rows.codes.get_array_memory_size(),
        }
    }

    /// Returns the shared texts, or `None` if the rows have their own.
    #[must_use]
    pub fn shared(&self) -> Option<&Arc<LargeStringArray>> {
        match self {
            Self::Plain(_) => None,
            Self::Coded(rows) => Some(&rows.texts),
        }
    }

    /// Returns the rows with texts instead of numbers.
    ///
    /// # Errors
    /// Fails as [`CodedRows::batch`] does.
    pub fn into_batch(self) -> Result<RecordBatch, ArrowError> {
        match self {
            Self::Plain(batch) => Ok(batch),
            Self::Coded(rows) => rows.batch(),
        }
    }
}

impl CodedRows {
    /// Returns the rows with texts instead of numbers, without copying the texts.
    ///
    /// # Errors
    /// Fails if a number is not the index of a text.
    pub fn batch(&self) -> Result<RecordBatch, ArrowError> {
        let texts = StringViewArray::from(&*self.texts);
        let mut absent = None;
        let columns = self.codes.columns().iter().map(|column| match column.data_type() {
            DataType::UInt32 if column.null_count() == column.len() => {
                Ok(absent_texts(column.len(), &mut absent))
            }
            _ => decoded(column, &texts),
        });
        batch(&self.codes, columns.collect::<Result<_, _>>()?)
    }
}

/// Returns the column of texts without any value, which the columns of a batch share: there may be
/// thousands of them.
fn absent_texts(rows: usize, absent: &mut Option<ArrayRef>) -> ArrayRef {
    let make = || Arc::new(StringViewArray::new_null(rows)) as ArrayRef;
    absent.get_or_insert_with(make).clone()
}

/// Returns the type of a column of text numbers for a type of column with texts.
fn coded_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View => DataType::UInt32,
        DataType::List(item) => {
            DataType::List(Arc::new(Field::new(item.name(), coded_type(item.data_type()), true)))
        }
        other => other.clone(),
    }
}

/// Returns a schema in which text numbers replace texts.
#[must_use]
pub fn coded_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    let coded = fields.map(|field| Field::new(field.name(), coded_type(field.data_type()), true));
    Arc::new(Schema::new(coded.collect::<Vec<_>>()))
}

/// Returns a batch with these columns and the field names of `codes`.
fn batch(codes: &RecordBatch, columns: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    let schema = codes.schema();
    let fields = schema.fields().iter().zip(&columns);
    let fields =
        fields.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(codes.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

/// Returns a column with texts instead of numbers; the texts stay in their shared buffer.
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

/// Returns a column with texts instead of numbers, copied to a new buffer.
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

/// Returns the texts with these numbers, in a buffer of exactly their size.
fn copied_texts(numbers: &ArrayRef, texts: &LargeStringArray) -> StringViewArray {
    let numbers = numbers.as_primitive::<UInt32Type>();
    let found = || numbers.iter().map(|number| number.map(|number| texts.value(number as usize)));
    let size: usize = found().flatten().map(str::len).sum();
    let mut builder = StringViewBuilder::with_capacity(numbers.len())
        .with_fixed_block_size(u32::try_from(size.max(1)).unwrap_or(u32::MAX));
    found().for_each(|text| builder.append_option(text));
    builder.finish()
}
