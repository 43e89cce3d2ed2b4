//! Conversion between Arrow columns and SPL values: a borrowing reader and a column builder.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, Int64Array, ListArray,
    ListBuilder, StringArray, StringViewArray, StringViewBuilder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use spilltrail_eval::limits;
use spilltrail_event::{Kind, Value};

/// Bytes counted for a value besides its text: a string view, or a number with its overhead.
const CELL: usize = 16;

/// Returns the Arrow type of a column of the given kind.
#[must_use]
pub fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Number => DataType::Float64,
        Kind::Text => DataType::Utf8View,
        Kind::Multi => DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true))),
    }
}

/// Returns the SPL kind of a column of the given Arrow type.
#[must_use]
pub fn kind_of(data_type: &DataType) -> Kind {
    match data_type {
        DataType::List(_) => Kind::Multi,
        numeric if numeric.is_numeric() => Kind::Number,
        _ => Kind::Text,
    }
}

/// Returns the Arrow schema of the given fields; every field is nullable.
pub fn schema_of<'a>(fields: impl IntoIterator<Item = (&'a str, Kind)>) -> SchemaRef {
    let fields: Vec<Field> =
        fields.into_iter().map(|(name, kind)| Field::new(name, data_type(kind), true)).collect();
    Arc::new(Schema::new(fields))
}

/// Reads a column's values row by row without copying text.
#[derive(Debug)]
pub struct ColumnReader {
    column: Column,
}

#[derive(Debug)]
enum Column {
    Null,
    Text(StringViewArray),
    PlainText(StringArray),
    Number(Float64Array),
    Integer(Int64Array),
    Bool(BooleanArray),
    List(ListArray, Box<Column>),
}

impl ColumnReader {
    /// Creates a reader of `array`.
    ///
    /// # Errors
    ///
    /// Fails if Arrow can cast the array's type neither to a number nor to text.
    pub fn new(array: &ArrayRef) -> Result<Self, DataFusionError> {
        Ok(Self { column: Column::new(array)? })
    }

    /// Returns the value at `row`, or null if the row is past the end or its list is empty.
    #[must_use]
    pub fn value(&self, row: usize) -> Value<'_> {
        self.column.value(row)
    }
}

impl Column {
    fn new(array: &ArrayRef) -> Result<Self, DataFusionError> {
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Utf8View => Self::Text(array.as_string_view().clone()),
            DataType::Utf8 => Self::PlainText(array.as_string::<i32>().clone()),
            DataType::Float64 => Self::Number(array.as_primitive::<Float64Type>().clone()),
            DataType::Int64 => Self::Integer(array.as_primitive::<Int64Type>().clone()),
            DataType::Boolean => Self::Bool(array.as_boolean().clone()),
            DataType::List(_) => {
                let list = array.as_list::<i32>().clone();
                let items = Self::new(list.values())?;
                Self::List(list, Box::new(items))
            }
            numeric if numeric.is_numeric() => {
                let array = cast(array, &DataType::Float64)?;
                Self::Number(array.as_primitive::<Float64Type>().clone())
            }
            _ => Self::Text(cast(array, &DataType::Utf8View)?.as_string_view().clone()),
        })
    }

    fn value(&self, row: usize) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Text(array) => if_valid(array, row, |row| Value::text(array.value(row))),
            Self::PlainText(array) => if_valid(array, row, |row| Value::text(array.value(row))),
            Self::Number(array) => if_valid(array, row, |row| Value::Number(array.value(row))),
            // SPL has only doubles, so it too cannot tell neighboring integers beyond 2^53 apart.
            Self::Integer(array) => {
                if_valid(array, row, |row| Value::Number(array.value(row) as f64))
            }
            Self::Bool(array) => if_valid(array, row, |row| Value::Bool(array.value(row))),
            Self::List(array, items) => if_valid(array, row, |row| {
                let offsets = array.value_offsets();
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                Value::multi(range.filter_map(|index| items.member(index)).collect())
            }),
        }
    }

    fn member(&self, index: usize) -> Option<Cow<'_, str>> {
        match self.value(index) {
            Value::Null => None,
            Value::Text(text) => Some(text),
            other => other.to_text().map(|text| Cow::Owned(text.into_owned())),
        }
    }
}

/// Returns the value at `row`, or null if the row is past the end or its entry is null.
fn if_valid<'a, A: Array>(
    array: &A,
    row: usize,
    value: impl FnOnce(usize) -> Value<'a>,
) -> Value<'a> {
    if row < array.len() && array.is_valid(row) { value(row) } else { Value::Null }
}

/// Builds a column of one kind from SPL values.
#[derive(Debug)]
pub struct ColumnBuilder {
    builder: Builder,
    bytes: usize,
}

#[derive(Debug)]
enum Builder {
    Number(Float64Builder),
    Text(StringViewBuilder),
    Multi(ListBuilder<StringViewBuilder>),
}

impl ColumnBuilder {
    /// Creates an empty builder for a column of the given kind.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        let builder = match kind {
            Kind::Number => Builder::Number(Float64Builder::new()),
            Kind::Text => Builder::Text(StringViewBuilder::new()),
            Kind::Multi => Builder::Multi(ListBuilder::new(StringViewBuilder::new())),
        };
        Self { builder, bytes: 0 }
    }

    /// Returns the approximate size of the appended values in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a value, converted to the column's kind.
    ///
    /// A number column stores null for a value that does not read as a number. A text column stores
    /// the value's printed form.
    pub fn push(&mut self, value: Value<'_>) {
        self.bytes += CELL + limits::size(&value);
        match &mut self.builder {
            Builder::Number(builder) => builder.append_option(value.as_number()),
            Builder::Text(builder) => builder.append_option(value.to_text()),
            Builder::Multi(builder) => {
                let members = value.into_members();
                for member in &members {
                    builder.values().append_value(member);
                }
                builder.append(!members.is_empty());
            }
        }
    }

    /// Returns the finished column.
    #[must_use]
    pub fn finish(self) -> ArrayRef {
        match self.builder {
            Builder::Number(mut builder) => Arc::new(builder.finish()),
            Builder::Text(mut builder) => Arc::new(builder.finish()),
            Builder::Multi(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// Returns a column of the given kind that contains `values`.
pub fn to_array<'a>(kind: Kind, values: impl IntoIterator<Item = Value<'a>>) -> ArrayRef {
    let mut builder = ColumnBuilder::new(kind);
    for value in values {
        builder.push(value);
    }
    builder.finish()
}

/// Returns owned copies of the column's values.
#[cfg(test)]
pub(crate) fn from_array(array: &ArrayRef) -> Result<Vec<Value<'static>>, DataFusionError> {
    let reader = ColumnReader::new(array)?;
    Ok((0..array.len()).map(|row| reader.value(row).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn multi(members: &[&'static str]) -> Value<'static> {
        Value::Multi(members.iter().map(|member| Cow::Borrowed(*member)).collect())
    }

    #[test]
    fn what_goes_in_comes_out() {
        let values = [Value::text("a longer text than fits inline"), Value::Null, Value::text("")];
        assert_eq!(from_array(&to_array(Kind::Text, values.clone())).unwrap(), values);
        let values = [Value::Number(1.5), Value::Null];
        assert_eq!(from_array(&to_array(Kind::Number, values.clone())).unwrap(), values);
        let values = [multi(&["a", "b"]), Value::Null, Value::text("c")];
        assert_eq!(from_array(&to_array(Kind::Multi, values.clone())).unwrap(), values);
    }

    #[test]
    fn values_take_the_columns_kind() {
        let numbers = to_array(Kind::Number, [Value::text("2.50"), Value::text("x")]);
        assert_eq!(from_array(&numbers).unwrap(), [Value::Number(2.5), Value::Null]);
        let texts = to_array(Kind::Text, [Value::Number(3.0), multi(&["a", "b"])]);
        assert_eq!(from_array(&texts).unwrap(), [Value::text("3"), Value::text("a b")]);
    }

    #[test]
    fn other_arrow_types_are_read() {
        let integers: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None]));
        assert_eq!(from_array(&integers).unwrap(), [Value::Number(7.0), Value::Null]);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        assert_eq!(from_array(&texts).unwrap(), [Value::text("a")]);
        let numbers = cast(&integers, &DataType::Int32).unwrap();
        assert_eq!(from_array(&numbers).unwrap(), [Value::Number(7.0), Value::Null]);
    }
}
