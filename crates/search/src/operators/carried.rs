//! Rows that are part of an operator's state: the results of a subsearch that ran while the search
//! was planned.

use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use foldhash::fast::FixedState;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use spilltrail_event::{Field, Value};

use super::{KeptRows, gather};
use crate::rows::arrow::{schema_of, to_array};
use crate::rows::ipc::{of_hexadecimal, of_ipc, to_hexadecimal, to_ipc};
use crate::rows::{Rows, readers};

/// Rows that a plan contains.
#[derive(Debug, Clone)]
pub(crate) struct CarriedRows {
    rows: Arc<KeptRows>,
    /// A hash of the rows; equal rows have equal hashes.
    fingerprint: u64,
}

impl CarriedRows {
    /// Returns the rows as part of a plan.
    ///
    /// # Errors
    /// Fails if a column's type is not one of SPL's, or if rows on disk cannot be read.
    pub(crate) fn new(rows: KeptRows) -> Result<Self> {
        let fingerprint = fingerprint(&rows)?;
        Ok(Self { rows: Arc::new(rows), fingerprint })
    }

    /// Returns a short text that is equal for equal rows.
    #[must_use]
    pub(crate) fn identity(&self) -> String {
        format!("{} rows {:016x}", self.rows.len(), self.fingerprint)
    }
}

impl Deref for CarriedRows {
    type Target = KeptRows;

    fn deref(&self) -> &KeptRows {
        &self.rows
    }
}

fn fingerprint(rows: &KeptRows) -> Result<u64> {
    let mut hasher = FixedState::default().build_hasher();
    rows.fields.hash(&mut hasher);
    for batch in rows.batches()? {
        let batch = batch?;
        let readers = readers(batch.columns())?;
        for row in 0..batch.num_rows() {
            readers.iter().for_each(|reader| hash(&reader.value(row), &mut hasher));
        }
    }
    Ok(hasher.finish())
}

fn hash(value: &Value<'_>, hasher: &mut impl Hasher) {
    match value {
        Value::Number(number) => (0_u8, number.to_bits()).hash(hasher),
        Value::Multi(members) => (1_u8, members).hash(hasher),
        other => (2_u8, other.to_text()).hash(hasher),
    }
}

/// The JSON form of the rows.
#[derive(Serialize, Deserialize)]
struct Written {
    fields: Vec<Field>,
    transformed: bool,
    /// The batches as a stream of Arrow IPC, in hexadecimal digits.
    batches: String,
}

impl CarriedRows {
    fn written(&self) -> Result<Written> {
        let fields = self.rows.fields.clone();
        let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let batches = self.rows.batches()?.map(|batch| {
            let batch = batch?;
            let readers = readers(batch.columns())?;
            // Columns are rebuilt, so that equal rows are written as equal bytes. The names are
            // taken from `fields`: `join` with aliases renames the fields, but not the batches'
            // columns.
            let columns = fields.iter().zip(&readers).map(|(field, reader)| {
                to_array(field.kind, (0..batch.num_rows()).map(|row| reader.value(row)))
            });
            gather::of_columns(&schema, columns.collect(), batch.num_rows())
        });
        let batches = batches.collect::<Result<Vec<_>>>()?;
        let batches = to_hexadecimal(&to_ipc(schema, &batches)?);
        Ok(Written { fields, transformed: self.rows.transformed, batches })
    }
}

impl Serialize for CarriedRows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written().map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CarriedRows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { fields, transformed, batches } = Written::deserialize(deserializer)?;
        let bytes = of_hexadecimal(&batches)
            .ok_or_else(|| de::Error::custom("rows that are not hexadecimal digits"))?;
        let batches = of_ipc(&bytes).map_err(de::Error::custom)?;
        let rows = Rows::new(fields, batches, transformed);
        // The search's environment is not known here. The default one has no memory limit, which is
        // acceptable because the rows are in memory already.
        let rows = KeptRows::of(rows, &RuntimeEnv::default()).map_err(de::Error::custom)?;
        Self::new(rows).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::rows::state::{of_state, state_of};

    fn carried(values: [Value<'static>; 2]) -> CarriedRows {
        let records = values.map(|value| IndexMap::from([("a".to_owned(), value)]));
        let rows = Rows::from_records(&records);
        CarriedRows::new(KeptRows::of(rows, &RuntimeEnv::default()).unwrap()).unwrap()
    }

    #[test]
    fn rows_travel_and_are_compared_by_their_content() {
        let rows = carried([Value::text("1"), Value::text("2")]);
        let read: CarriedRows = of_state(&state_of(&rows)).unwrap();
        assert_eq!(read.identity(), rows.identity());
        for other in [
            [Value::text("2"), Value::text("1")],
            [Value::text("1"), Value::Null],
            [Value::Number(1.0), Value::Number(2.0)],
        ] {
            assert_ne!(carried(other.clone()).identity(), rows.identity(), "{other:?}");
        }
    }
}
