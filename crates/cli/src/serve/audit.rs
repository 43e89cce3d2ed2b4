//! Tells the index `_audit` of refused requests, and of changes that people made.

use serde_json::json;
use spilltrail_app::{AUDIT, Journal};
use spilltrail_server::{Audit, Change, Refusal};

/// Writes into the lake of the server.
#[derive(Debug)]
pub(super) struct JournalAudit(pub(super) Journal);

impl Audit for JournalAudit {
    fn refused(&self, refusal: Refusal) {
        let Refusal { part, address, reason, token, untold } = refusal;
        let event = json!({
            "action": "refused",
            "part": format!("{part:?}").to_lowercase(),
            "reason": format!("{reason:?}"),
            "src_ip": address.map(|address| address.to_string()),
            "token": token,
            "more": untold,
        });
        self.0.write(AUDIT, "spilltrail:audit", event);
    }

    fn changed(&self, change: Change) {
        let Change { who, address, request, operation, path } = change;
        let event = json!({
            "action": "changed",
            "user": who,
            "src_ip": address.map(|address| address.to_string()),
            "request_id": request,
            "operation": operation,
            "path": path,
        });
        self.0.write(AUDIT, "spilltrail:audit", event);
    }
}
