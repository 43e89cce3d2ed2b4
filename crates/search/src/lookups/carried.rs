//! Tables that are part of a plan.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::context::LookupTable;

/// A table that travels with a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Arc<LookupTable>", into = "Arc<LookupTable>")]
pub(crate) struct CarriedTable {
    table: Arc<LookupTable>,
    /// [`LookupTable::fingerprint`], by which tables are compared.
    fingerprint: u64,
}

impl CarriedTable {
    /// Returns a short text that is the same for tables that are the same.
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
