//! The values that a group is made by, as one value.
//!
//! The engine keeps each column of a key by itself, in blocks of two megabytes, and takes them apart and
//! together again wherever groups are merged: ten fields would need more than a search may have. As one
//! text of bytes they take what they are long.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BinaryViewBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use spilltrail_event::{Kind, Value};

use crate::rows::arrow::{ColumnBuilder, ColumnReader, data_type};

/// Returns the expression of a key of these values.
#[must_use]
pub(crate) fn group_key(values: Vec<Expr>) -> Expr {
    let signature = Signature::variadic_any(Volatility::Immutable);
    ScalarUDF::new_from_impl(GroupKey { signature }).call(values)
}

/// Returns the expression of the value that has the number `part` in a key.
#[must_use]
pub(crate) fn group_value(key: Expr, part: usize, kind: Kind) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::new_from_impl(GroupValue { signature, part, kind }).call(vec![key])
}

/// Before a number in a key; what is before a text is its length.
const NUMBER: u32 = u32::MAX;
/// In place of a value that is absent.
const ABSENT: u32 = u32::MAX - 1;

fn append(key: &mut Vec<u8>, value: &Value<'_>) -> Result<()> {
    match value {
        Value::Null => key.extend_from_slice(&ABSENT.to_le_bytes()),
        Value::Number(number) => {
            // What is printed the same is one key: both zeros, and whatever is no number.
            let number = if number.is_nan() { f64::NAN } else { number + 0.0 };
            key.extend_from_slice(&NUMBER.to_le_bytes());
            key.extend_from_slice(&number.to_le_bytes());
        }
        other => {
            let text = other.to_text().unwrap_or_default();
            let length = u32::try_from(text.len()).ok().filter(|length| *length < ABSENT);
            let length = length.ok_or_else(|| {
                internal_datafusion_err!("a value to group by is longer than four gigabytes")
            })?;
            key.extend_from_slice(&length.to_le_bytes());
            key.extend_from_slice(text.as_bytes());
        }
    }
    Ok(())
}

/// Returns the value at the start of a key, and what is behind it.
fn split(key: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (tag, rest) = key.split_first_chunk()?;
    Some(match u32::from_le_bytes(*tag) {
        ABSENT => (Value::Null, rest),
        NUMBER => {
            let (number, rest) = rest.split_first_chunk()?;
            (Value::Number(f64::from_le_bytes(*number)), rest)
        }
        length => {
            let (text, rest) = rest.split_at_checked(length as usize)?;
            (Value::text(std::str::from_utf8(text).ok()?), rest)
        }
    })
}

fn value(mut key: &[u8], part: usize) -> Result<Value<'_>> {
    let damaged = || internal_datafusion_err!("a key of groups is damaged");
    for _ in 0..part {
        key = split(key).ok_or_else(damaged)?.1;
    }
    split(key).map(|(value, _)| value).ok_or_else(damaged)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct GroupKey {
    signature: Signature,
}

impl ScalarUDFImpl for GroupKey {
    fn name(&self) -> &'static str {
        "spl_group_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter().map(|column| column.to_array(args.number_rows));
        let readers = columns.map(|column| ColumnReader::new(&column?));
        let readers = readers.collect::<Result<Vec<_>>>()?;
        let mut keys = BinaryViewBuilder::with_capacity(args.number_rows);
        let mut key = Vec::new();
        for row in 0..args.number_rows {
            key.clear();
            readers.iter().try_for_each(|reader| append(&mut key, &reader.value(row)))?;
            keys.append_value(&key);
        }
        Ok(ColumnarValue::Array(Arc::new(keys.finish()) as ArrayRef))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct GroupValue {
    signature: Signature,
    part: usize,
    kind: Kind,
}

impl ScalarUDFImpl for GroupValue {
    fn name(&self) -> &'static str {
        "spl_group_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(data_type(self.kind))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let column = args.args.first().map(|column| column.to_array(args.number_rows));
        let column =
            column.ok_or_else(|| internal_datafusion_err!("spl_group_value takes a key"))??;
        let keys = column
            .as_binary_view_opt()
            .ok_or_else(|| internal_datafusion_err!("a key of groups is bytes"))?;
        let mut values = ColumnBuilder::new(self.kind);
        for key in keys {
            values.push(key.map_or(Ok(Value::Null), |key| value(key, self.part))?);
        }
        Ok(ColumnarValue::Array(values.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_a_key_comes_out() {
        let values = [
            Value::text(""),
            Value::Number(-1.5),
            Value::Null,
            Value::text("1.5"),
            Value::text("\u{ff}\0é"),
            Value::Number(f64::INFINITY),
        ];
        let mut key = Vec::new();
        values.iter().for_each(|value| append(&mut key, value).unwrap());
        for (part, want) in values.iter().enumerate() {
            assert_eq!(value(&key, part).unwrap(), *want);
        }
        assert!(value(&key, values.len()).is_err() && value(&key[..9], 1).is_err());
    }

    #[test]
    fn what_is_printed_the_same_has_one_key() {
        let key = |value: Value<'_>| {
            let mut key = Vec::new();
            append(&mut key, &value).unwrap();
            key
        };
        assert_eq!(key(Value::Number(0.0)), key(Value::Number(-0.0)));
        assert_eq!(key(Value::Number(f64::NAN)), key(Value::Number(-f64::NAN)));
        assert_ne!(key(Value::text("a")), key(Value::text("a ")));
    }
}
