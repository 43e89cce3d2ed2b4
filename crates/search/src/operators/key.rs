//! Encodes the values of several fields as one key; keys are equal exactly if all values are.

use datafusion::arrow::array::RecordBatch;
use datafusion::common::Result;
use spilltrail_event::Value;

use super::expand::check_combinations;
use super::gather;
use crate::rows::arrow::ColumnReader;

/// Bytes per key in a hash table, besides the key's own bytes: its slot, a share of the table's
/// empty slots, and the rounding of the key's allocation.
pub(crate) const HELD: usize = 96;

/// Returns the key of a row's values, or `None` if one of them is absent.
///
/// A column that does not exist has no value in any row. Multivalues are equal if their whole lists
/// are.
pub(crate) fn whole(columns: &[Option<ColumnReader>], row: usize) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for column in columns {
        let value = column.as_ref()?.value(row);
        if value.is_null() {
            return None;
        }
        let members = value.members();
        extend(&mut key, &members.len().to_le_bytes());
        members.iter().for_each(|member| extend(&mut key, member.as_bytes()));
    }
    Some(key)
}

/// Returns the key of a row's values. An absent value equals another one, and no other value.
pub(crate) fn with_absent<'a>(values: impl Iterator<Item = Value<'a>>) -> Vec<u8> {
    let mut key = Vec::new();
    for value in values {
        let members = value.members();
        extend(&mut key, &members.len().to_le_bytes());
        members.iter().for_each(|member| extend(&mut key, member.as_bytes()));
    }
    key
}

/// Returns readers of the key columns; `None` for a column that does not exist.
pub(crate) fn readers(batch: &RecordBatch, names: &[String]) -> Result<Vec<Option<ColumnReader>>> {
    let schema = batch.schema();
    let indices = gather::indices(&schema);
    let index = |name: &String| indices.get(name.as_str()).copied();
    let reader = |name| index(name).map(|at| ColumnReader::new(batch.column(at))).transpose();
    names.iter().map(reader).collect()
}

/// Returns the keys of the groups that a row belongs to: one for each combination of members, and
/// no key if a value is absent.
///
/// # Errors
/// Fails if the members of several fields have too many combinations.
pub(crate) fn groups(columns: &[Option<ColumnReader>], row: usize) -> Result<Vec<Vec<u8>>> {
    let values: Vec<Value<'_>> = columns
        .iter()
        .map(|column| column.as_ref().map_or(Value::Null, |column| column.value(row)))
        .collect();
    if values.iter().filter(|value| matches!(value, Value::Multi(_))).count() > 1 {
        check_combinations(values.iter().map(|value| value.members().len()))?;
    }
    let mut keys = vec![Vec::new()];
    for value in &values {
        let members = value.members();
        if let [only] = members.as_slice() {
            keys.iter_mut().for_each(|key| extend(key, only.as_bytes()));
            continue;
        }
        keys = keys
            .iter()
            .flat_map(|key| {
                members.iter().map(|member| {
                    let mut longer = key.clone();
                    extend(&mut longer, member.as_bytes());
                    longer
                })
            })
            .collect();
    }
    Ok(keys)
}

fn extend(key: &mut Vec<u8>, part: &[u8]) {
    key.extend_from_slice(&part.len().to_le_bytes());
    key.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use spilltrail_event::Kind;

    use super::*;
    use crate::rows::arrow::to_array;

    fn column(values: Vec<Value<'static>>) -> Option<ColumnReader> {
        ColumnReader::new(&to_array(Kind::Multi, values)).ok()
    }

    fn multi(members: &[&'static str]) -> Value<'static> {
        Value::multi(members.iter().map(|member| Cow::Borrowed(*member)).collect())
    }

    #[test]
    fn keys_are_equal_where_values_are() {
        let columns = [
            column(vec![multi(&["a", "b"]), multi(&["ab"]), multi(&["a", "b"]), Value::Null]),
            column(vec![multi(&["c"]), multi(&["c"]), multi(&["c"]), multi(&["c"])]),
        ];
        assert_eq!(whole(&columns, 0), whole(&columns, 2));
        assert_ne!(whole(&columns, 0), whole(&columns, 1));
        assert_eq!(whole(&columns, 3), None);
        assert_eq!(groups(&columns, 0).unwrap().len(), 2);
        assert_eq!(groups(&columns, 1).unwrap().len(), 1);
        assert!(groups(&columns, 3).unwrap().is_empty());
        assert!(groups(&[None], 0).unwrap().is_empty());
        assert_eq!(groups(&[], 0).unwrap(), [Vec::<u8>::new()]);
    }
}
