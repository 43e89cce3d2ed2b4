//! Lookup tables inside a plan.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::context::LookupTable;

/// A lookup table that is sent with a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Arc<LookupTable>", into = "Arc<LookupTable>")]
pub(crate) struct CarriedTable {
    table: Arc<LookupTable>,
    /// The table's [`LookupTable::fingerprint`], used to compare tables.
    fingerprint: u64,
}

impl CarriedTable {
    /// Returns a short text that is equal for equal tables.
    pub(crate) fn identity(&self) -> String {
        format!("{} rows {:016x}", self.table.rows.len(), self.fingerprint)
    }

    /// Returns the table.
    pub(crate) fn table(&self) -> &Arc<LookupTable> {
        &self.table
    }
}

impl From<Arc<LookupTable>> for CarriedTable {
    fn from(table: Arc<LookupTable>) -> Self {
        let fingerprint = table.fingerprint();
        Self { table, fingerprint }
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
        self.fingerprint == other.fingerprint
    }
}

impl Eq for CarriedTable {}

impl Hash for CarriedTable {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.fingerprint.hash(hasher);
    }
}
