//! Lookup tables inside a plan.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::context::LookupTable;

/// A lookup table that is sent with a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Arc<LookupTable>", into = "Arc<LookupTable>")]
pub(crate) struct CarriedTable {
    table: Arc<LookupTable>,
    /// The table's [`LookupTable::fingerprint`], computed when it is first needed, because it reads
    /// the whole table.
    fingerprint: OnceLock<u64>,
}

impl CarriedTable {
    /// Returns a short text that is equal for equal tables.
    pub(crate) fn identity(&self) -> String {
        format!("{} rows {:016x}", self.table.rows.len(), self.fingerprint())
    }

    /// Returns the table.
    pub(crate) fn table(&self) -> &Arc<LookupTable> {
        &self.table
    }

    fn fingerprint(&self) -> u64 {
        *self.fingerprint.get_or_init(|| self.table.fingerprint())
    }
}

impl From<Arc<LookupTable>> for CarriedTable {
    fn from(table: Arc<LookupTable>) -> Self {
        Self { table, fingerprint: OnceLock::new() }
    }
}

impl From<CarriedTable> for Arc<LookupTable> {
    fn from(carried: CarriedTable) -> Self {
        carried.table
    }
}

impl Deref for CarriedTable {
    type Target = LookupTable;

    fn deref(&self) -> &LookupTable {
        &self.table
    }
}

impl PartialEq for CarriedTable {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table) || self.fingerprint() == other.fingerprint()
    }
}

impl Eq for CarriedTable {}

impl Hash for CarriedTable {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // Equal tables have equal columns, and hashing the cells takes long.
        (&self.table.columns, self.table.rows.len()).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(cell: &str, case_sensitive: bool) -> CarriedTable {
        CarriedTable::from(Arc::new(LookupTable {
            columns: vec!["a".to_owned()],
            rows: vec![vec![cell.to_owned()]].into(),
            case_sensitive,
            ..LookupTable::default()
        }))
    }

    #[test]
    fn tables_are_compared_by_their_content() {
        let table = carried("x", true);
        assert_eq!(table, carried("x", true));
        assert_eq!(table.identity(), carried("x", true).identity());
        for other in [carried("y", true), carried("x", false)] {
            assert_ne!(table, other);
            assert_ne!(table.identity(), other.identity());
        }
    }
}
