//! Tells the index `_audit` of refused requests, and of changes that people made. Senders that are refused are
//! told to whoever watches the server, too: their events are missing.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use spilltrail_app::{AUDIT, Journal, ServeEvent, ServeSink};
use spilltrail_server::{Audit, Change, Part, Refusal, RefusalReason};

/// How often it is told that an address is refused for a reason.
const EVERY: Duration = Duration::from_mins(10);

/// The most addresses and reasons that are told apart in that time; others are in the index alone.
const MOST: usize = 100;

/// Writes into the lake of the server, and tells of senders.
pub(super) struct JournalAudit {
    journal: Journal,
    sink: Arc<dyn ServeSink>,
    news: News,
}

/// When it was told last that an address is refused for a reason.
#[derive(Debug, Default)]
struct News(Mutex<HashMap<(Option<IpAddr>, RefusalReason), Instant>>);

impl fmt::Debug for JournalAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalAudit").field("journal", &self.journal).finish_non_exhaustive()
    }
}

impl JournalAudit {
    pub(super) fn new(journal: Journal, sink: Arc<dyn ServeSink>) -> Self {
        Self { journal, sink, news: News::default() }
    }
}

impl News {
    /// Returns true if a refusal is to be told at `now`.
    fn are(&self, refusal: &Refusal, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.saturating_duration_since(*at) < EVERY);
        let key = (refusal.address, refusal.reason);
        told.len() < MOST && told.insert(key, now).is_none()
    }
}

impl Audit for JournalAudit {
    fn refused(&self, refusal: Refusal) {
        if refusal.part == Part::Collector && self.news.are(&refusal, Instant::now()) {
            let from = refusal.address.map(|address| format!(" from {address}"));
            let what = format!(
                "requests{} are refused: {}; `index=_audit` has each time",
                from.unwrap_or_default(),
                why(refusal.reason)
            );
            self.sink.event(ServeEvent::Warning { part: "collector", what: &what });
        }
        let Refusal { part, address, reason, token, untold } = refusal;
        let event = json!({
            "action": "refused",
            "part": format!("{part:?}").to_lowercase(),
            "reason": format!("{reason:?}"),
            "src_ip": address.map(|address| address.to_string()),
            "token": token,
            "more": untold,
        });
        self.journal.write(AUDIT, "spilltrail:audit", event);
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
        self.journal.write(AUDIT, "spilltrail:audit", event);
    }
}

fn why(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::Missing => "they have no token",
        RefusalReason::Malformed => "their header of the token is not understood",
        RefusalReason::Unknown => "nobody knows their token",
        RefusalReason::Disabled => "their token is disabled",
        RefusalReason::InQuery => "their token is in the query, and may not be there",
        RefusalReason::TooManyTries => "too many of their tokens were wrong",
        RefusalReason::WrongHost => "they are for another host",
        RefusalReason::WrongOrigin => "a page of another server sends them",
        RefusalReason::Invalid => {
            "what is sent cannot be taken, as a body of another form or an event of more than 8 MiB"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_that_are_refused_are_told_now_and_then() {
        let refused = |last: u8, reason| Refusal {
            part: Part::Collector,
            address: Some([10, 0, 0, last].into()),
            reason,
            token: None,
            untold: 0,
        };
        let (news, now) = (News::default(), Instant::now());
        for (last, reason, expected) in [
            (1, RefusalReason::Unknown, true),
            (1, RefusalReason::Unknown, false),
            (2, RefusalReason::Unknown, true),
            (1, RefusalReason::Missing, true),
        ] {
            assert_eq!(news.are(&refused(last, reason), now), expected, "{last} {reason:?}");
        }
        let later = now + EVERY;
        assert!(news.are(&refused(1, RefusalReason::Unknown), later));
        let many =
            (0..=255).filter(|last| news.are(&refused(*last, RefusalReason::Missing), later));
        assert_eq!(many.count(), MOST - 1);
    }
}
