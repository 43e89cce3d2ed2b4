//! Encodes values as bytes whose order is SPL's sort order.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BinaryBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use serde::{Deserialize, Serialize};
use spilltrail_event::Value;

use crate::rows::arrow::ColumnReader;
use crate::rows::state::one_argument;

/// How the values of a field are compared for sorting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum SortAs {
    /// Numbers by value, before text; text by bytes.
    Auto,
    /// As [`SortAs::Auto`], with IP addresses by value between numbers and other text.
    Detected,
    /// Numbers by value; other values count as null.
    Number,
    /// IP addresses by value, IPv4 before IPv6 before other text.
    Address,
    /// Text by bytes.
    Text,
}

/// Returns an expression for the sort key of `value`; null stays null.
#[must_use]
pub(crate) fn sort_key(value: Expr, sort_as: SortAs) -> Expr {
    ScalarUDF::new_from_impl(SortKey { signature: one_argument(), sort_as }).call(vec![value])
}

/// Returns the sort key of one value, or `None` for null.
#[must_use]
pub(crate) fn key_bytes(value: &Value<'_>, sort_as: SortAs) -> Option<Vec<u8>> {
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    match sort_as {
        SortAs::Auto => AutoKey::of(value).map(|key| key.to_vec()),
        SortAs::Detected => AutoKey::of(value).map(|key| match &key {
            AutoKey::Text(text) => match address(text) {
                Some(IpAddr::V4(address)) => tagged(1, &address.octets()),
                Some(IpAddr::V6(address)) => tagged(2, &address.octets()),
                None => tagged(3, text.as_bytes()),
            },
            AutoKey::Number(_) => key.to_vec(),
        }),
        SortAs::Number => value.as_number().map(|number| number_key(number).to_vec()),
        SortAs::Address => value.to_text().map(|text| match text.parse() {
            Ok(IpAddr::V4(address)) => tagged(0, &address.octets()),
            Ok(IpAddr::V6(address)) => tagged(1, &address.octets()),
            Err(_) => tagged(2, text.as_bytes()),
        }),
        SortAs::Text => value.to_text().map(|text| tagged(0, text.as_bytes())),
    }
}

/// Returns the IP address that a text is. Most texts are recognized as none by their first character.
fn address(text: &str) -> Option<IpAddr> {
    let may_begin = |c: char| c.is_ascii_hexdigit() || c == ':';
    text.starts_with(may_begin).then(|| text.parse().ok()).flatten()
}

/// A value's sort key for [`SortAs::Auto`], which can be compared without encoding it as bytes. The
/// order of the variants is significant: numbers sort before text.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AutoKey<'a> {
    Number([u8; 9]),
    Text(Cow<'a, str>),
}

/// First byte of a text's key. A number's key starts with 0, so that numbers sort first.
const TEXT: u8 = 1;

impl<'a> AutoKey<'a> {
    /// Returns the key of a value, or `None` for null.
    pub(crate) fn of(value: &'a Value<'_>) -> Option<Self> {
        match value.as_number() {
            Some(number) => Some(Self::Number(number_key(number))),
            None => value.to_text().map(Self::Text),
        }
    }

    /// Returns the key with an owned copy of its text.
    pub(crate) fn into_owned(self) -> AutoKey<'static> {
        match self {
            Self::Number(key) => AutoKey::Number(key),
            Self::Text(text) => AutoKey::Text(Cow::Owned(text.into_owned())),
        }
    }

    /// Returns the key encoded as bytes.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Number(key) => key.to_vec(),
            Self::Text(text) => [&[TEXT], text.as_bytes()].concat(),
        }
    }
}

fn number_key(number: f64) -> [u8; 9] {
    let mut key = [0; 9];
    key[1..].copy_from_slice(&number_bytes(number));
    key
}

/// Encodes a double so that the order of the bytes is numeric order.
fn number_bytes(number: f64) -> [u8; 8] {
    // Adding 0.0 turns -0.0 into 0.0, so that both zeros have the same key.
    let bits = (number + 0.0).to_bits();
    // Positive numbers get the sign bit, so that they sort after negative ones. Negative numbers
    // have all bits inverted, because their bit patterns grow as the number becomes smaller.
    let flipped = if bits >> 63 == 1 { !bits } else { bits | (1 << 63) };
    flipped.to_be_bytes()
}

#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct SortKey {
    #[serde(skip, default = "one_argument")]
    signature: Signature,
    sort_as: SortAs,
}

impl ScalarUDFImpl for SortKey {
    fn name(&self) -> &'static str {
        "spl_sort_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter().map(|column| column.to_array(args.number_rows));
        let arrays = columns.collect::<Result<Vec<_>>>()?;
        let reader = ColumnReader::new(&arrays[0])?;
        let mut keys = BinaryBuilder::new();
        for row in 0..arrays[0].len() {
            keys.append_option(key_bytes(&reader.value(row), self.sort_as));
        }
        Ok(ColumnarValue::Array(Arc::new(keys.finish()) as ArrayRef))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_values_do() {
        let ordered = ["-10", "-1", "0", "2", "10", "10.5", "A", "a", "b1"];
        let keys: Vec<_> =
            ordered.iter().map(|text| key_bytes(&Value::text(*text), SortAs::Auto)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        let values = ordered.map(Value::text);
        assert!(values.is_sorted_by(|a, b| AutoKey::of(a) < AutoKey::of(b)));
        let addresses = ["9.0.0.1", "10.0.0.1", "2001:db8::1", "host"];
        let keys: Vec<_> =
            addresses.iter().map(|text| key_bytes(&Value::text(*text), SortAs::Address)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
    }
}
