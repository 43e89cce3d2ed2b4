//! Removing what is old.

use rusqlite::Transaction;
use spilltrail_schedule::Moment;

use crate::allow;
use crate::deliveries;
use crate::error::StoreError;
use crate::findings;
use crate::outbox::IS_DELIVERED;
use crate::store::Store;

impl Store {
    /// Removes what is of nominal times before a moment, and returns how many runs there were. The
    /// newest row of a finding is kept as long as somebody may have to look at it: if it is a notable, is
    /// neither withdrawn nor hidden, and is not closed, or if an analyst has changed it and not closed it.
    /// What analysts have made of a finding goes with its last row. Deliveries that wait are kept with
    /// what they deliver, and overrides of schedules are.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn remove_before(&mut self, moment: Moment) -> Result<usize, StoreError> {
        let transaction = self.begin()?;
        remove_findings(&transaction, moment)?;
        deliveries::remove_before(&transaction, moment)?;
        let told = format!("DELETE FROM outbox WHERE nominal < ?1 AND {IS_DELIVERED}");
        transaction.execute(&told, [moment.0])?;
        allow::remove_before(&transaction, moment)?;
        let removed = transaction.execute("DELETE FROM runs WHERE nominal < ?1", [moment.0])?;
        transaction.commit()?;
        Ok(removed)
    }
}

fn remove_findings(transaction: &Transaction<'_>, moment: Moment) -> Result<(), StoreError> {
    // A head can be older than other rows of its id, if these are withdrawn or hidden.
    transaction.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS lost (id TEXT PRIMARY KEY); DELETE FROM temp.lost",
    )?;
    let open = "SELECT findings.number FROM findings LEFT JOIN triage ON triage.id = findings.id
                WHERE findings.nominal < ?1 AND findings.is_head = 1
                  AND ifnull(triage.status,
                             iif(findings.is_notable AND findings.state <> 'withdrawn'
                                 AND findings.suppressed_by IS NULL, 1, 5)) <> 5";
    let lost = format!(
        "INSERT INTO temp.lost SELECT DISTINCT id FROM findings
         WHERE nominal < ?1 AND is_head = 1 AND number NOT IN ({open})"
    );
    transaction.execute(&lost, [moment.0])?;
    let remove = format!("DELETE FROM findings WHERE nominal < ?1 AND number NOT IN ({open})");
    transaction.execute(&remove, [moment.0])?;
    // What is told is what a run found that is there.
    let untold = "UPDATE findings SET told = NULL WHERE nominal < ?1 AND told IS NOT NULL";
    transaction.execute(untold, [moment.0])?;
    let mut statement = transaction.prepare("SELECT id FROM temp.lost ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        findings::set_head(transaction, &row.get::<_, String>(0)?)?;
    }
    for table in ["triage", "history"] {
        let sql = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM temp.lost)
             AND NOT EXISTS (SELECT 1 FROM findings WHERE findings.id = {table}.id)"
        );
        transaction.execute(&sql, [])?;
    }
    Ok(())
}
