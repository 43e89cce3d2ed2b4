//! Rows that a pass has kept, in memory and on disk, taken apart and whole.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use datafusion::catalog::TableProvider;
use datafusion::physical_plan::ExecutionPlan;
use spilltrail_event::{Field, Kind, Predicate, ScanRequest};
use spilltrail_search::events::shared::whole_events;
use spilltrail_search::run;
use spilltrail_source::{Logs, ReadOptions, ScanOptions};

/// Returns plans that read rows of passes over the samples, with their names.
pub(super) async fn plans() -> Result<Vec<(String, Arc<dyn ExecutionPlan>)>> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/AWSLogs");
    let names = [samples.display().to_string()];
    let fields = ["eventName", "sourceIPAddress", "_raw"].map(|name| Field::new(name, Kind::Text));
    let request = |fields: &[Field]| ScanRequest {
        predicate: Predicate::Exists("errorCode".to_owned()),
        fields: fields.to_vec(),
    };
    let session = run::session(64 << 20)?;
    let mut plans = Vec::new();
    for memory in [0, 64 << 20] {
        let logs = Arc::new(Logs::open(&names, Box::new(std::io::empty()), ReadOptions::default()));
        let requests = vec![request(&fields), request(&whole_events())];
        let scanned = Arc::new(logs.scan(requests, ScanOptions { threads: 2, memory })?);
        let tables: [(&str, Arc<dyn TableProvider>); 2] = [
            ("fields", scanned.table(0, &fields)?),
            ("whole events", scanned.table_of_whole(1, &fields)?),
        ];
        for (what, table) in tables {
            let columns = vec![1, 0];
            let plan = table.scan(&session.state(), Some(&columns), &[], None).await?;
            plans.push((format!("{what}, {memory} bytes in memory"), plan));
        }
    }
    Ok(plans)
}
