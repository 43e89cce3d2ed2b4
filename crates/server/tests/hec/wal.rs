//! The collector over the log of arriving events: what it acknowledges is in the file, once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use spilltrail_lake::{Wal, WalOptions, WalReader};
use spilltrail_server::hec::{Inbox, InboxError, WalInbox};
use tokio::io::AsyncWriteExt;

use crate::client::{NOW, Server, answer, gzip, head, options};

/// Returns how often each text is in the log.
fn counts(path: &Path) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for stored in WalReader::open(path).unwrap().after(0, u64::MAX).unwrap() {
        assert_eq!(stored.received, NOW);
        let take = |event: spilltrail_lake::Event<'_>| {
            *counts.entry(String::from_utf8(event.raw.to_vec()).unwrap()).or_insert(0) += 1;
        };
        stored.batch.events().unwrap().each(take).unwrap();
    }
    counts
}

fn open(path: &Path, options: WalOptions) -> Arc<WalInbox> {
    Arc::new(WalInbox::new(Arc::new(Wal::open(path, options).unwrap())))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let server = Server::start(open(&path, WalOptions::default()), options()).await;
    let body = r#"{"event":"one"}{"event":{"a":2},"index":"aws","host":"h"}"#;
    assert_eq!(server.post("good", "/services/collector", body).await.status, 200);
    assert_eq!(counts(&path).keys().collect::<Vec<_>>(), ["one", r#"{"a":2}"#]);
    let stored = WalReader::open(&path).unwrap().after(0, u64::MAX).unwrap();
    let origins = stored.iter().map(|stored| stored.batch.origin.index.as_str());
    assert_eq!(origins.collect::<Vec<_>>(), ["main", "aws"]);
    let answer = server.post("ack", "/services/collector/raw", "three").await;
    assert_eq!(answer.body, r#"{"text":"Success","code":0,"ackId":0}"#);
    // It comes soon; until then nothing is claimed.
    let ask = async || server.post("ack", "/services/collector/ack", r#"{"acks":[0]}"#).await.body;
    while ask().await != r#"{"acks":{"0":true}}"# {}
    assert_eq!(counts(&path).get("three"), Some(&1));
    server.stop().await;
}

/// Clients that go away in the middle of a request, at any byte, leave nothing of it; what is
/// acknowledged to others at the same time is there once.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_go_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let server = Server::start(open(&path, WalOptions::default()), options()).await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut acknowledged = Vec::new();
    for round in 0..200 {
        let events: String = (0..20).map(|n| format!(r#"{{"event":"{round}-{n}"}}"#)).collect();
        let is_gzip = random.bool();
        let body = if is_gzip { gzip(&events) } else { events.into_bytes() };
        let encoding = if is_gzip { "gzip" } else { "identity" };
        let headers = [("Authorization", "Splunk good"), ("Content-Encoding", encoding)];
        let head = head("POST", "/services/collector", &headers);
        let mut request = format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        let head_bytes = request.len();
        request.extend_from_slice(&body);
        let mut stream = server.connect().await;
        if random.bool() {
            stream.write_all(&request).await.unwrap();
            assert_eq!(answer(&mut stream).await.unwrap().status, 200);
            acknowledged.push(round);
        } else {
            let end = random.usize(head_bytes..request.len());
            stream.write_all(&request[..end]).await.unwrap();
            drop(stream);
        }
    }
    server.stop().await;
    let expected: BTreeMap<String, u64> = acknowledged
        .iter()
        .flat_map(|round| (0..20).map(move |n| (format!("{round}-{n}"), 1)))
        .collect();
    assert_eq!(counts(&path), expected);
    assert!((50..150).contains(&acknowledged.len()));
}

/// A full disk: nothing is acknowledged that is not stored, what was before stays, and health tells it.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let small = WalOptions { most_pages: Some(40), ..WalOptions::default() };
    let inbox = open(&path, small);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    inbox.set_tell(Box::new(move |outcome| {
        tell.lock().unwrap().push(outcome.map_err(Clone::clone));
    }));
    let server = Server::start(inbox.clone(), options()).await;
    let mut random = fastrand::Rng::with_seed(1);
    let mut stored = BTreeMap::new();
    let refused = loop {
        let text: String = (0..20_000).map(|_| random.alphanumeric()).collect();
        let answer = server.post("good", "/services/collector/raw", &text).await;
        if answer.status != 200 {
            break answer;
        }
        stored.insert(text, 1);
        assert!(stored.len() < 100, "the disk is not full");
    };
    let full = r#"{"text":"HEC is unhealthy, queues are full","code":18}"#;
    assert_eq!(refused.parts(), (503, full));
    assert_eq!(server.ask("GET", "/services/collector/health", &[], "").await.parts(), (503, full));
    assert_eq!(counts(&path), stored);
    // So is who would wait for an acknowledgement in vain.
    let text: String = (0..20_000).map(|_| random.alphanumeric()).collect();
    assert_eq!(server.post("ack", "/services/collector/raw", &text).await.parts(), (503, full));
    assert_eq!(server.post("good", "/services/collector/raw", &text).await.status, 503);
    assert!(!stored.is_empty() && inbox.trouble() == Some(InboxError::Full));
    // Once, however many were refused.
    assert_eq!(*told.lock().unwrap(), [Err(InboxError::Full)]);
    assert_eq!(counts(&path), stored);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    // One commit at a time, however small.
    let options_of_log = WalOptions { most_waiting: 0, ..WalOptions::default() };
    let server = Server::start(open(&path, options_of_log), options()).await;
    let sent = (0..64).map(async |number| {
        let answer = server.post("good", "/services/collector/raw", number.to_string()).await;
        (number.to_string(), answer)
    });
    let mut stored = BTreeMap::new();
    for (text, answer) in futures::future::join_all(sent).await {
        match answer.status {
            200 => drop(stored.insert(text, 1)),
            _ => assert_eq!(answer.parts(), (503, r#"{"text":"Server is busy","code":9}"#)),
        }
    }
    assert!(!stored.is_empty());
    assert_eq!(counts(&path), stored);
    server.stop().await;
}
