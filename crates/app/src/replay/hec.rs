//! Sends events to the HTTP event collector of a Splunk, in batches.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Map, json};

use super::{ReplaySink, ReplayedEvent};
use crate::error::AppError;
use crate::hunt::sink::SinkError;

/// The path of the collector, if the address has none.
const PATH: &str = "/services/collector/event";

/// Bytes of a batch after which it is sent.
const BATCH_BYTES: usize = 1 << 20;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The pauses after which a batch is sent again to a server that is busy.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// The most bytes of a reply that are read.
const MAX_REPLY: usize = 4096;

/// The most characters of an address that are shown.
const MAX_LOCATION: usize = 200;

/// Where events are sent.
#[derive(Debug, Clone)]
pub struct HecOptions {
    /// The address, such as `https://splunk:8088`; with a path if it is not the usual one.
    pub url: String,
    /// The token.
    pub token: String,
    /// Whether the certificate of the server is not checked.
    pub is_insecure: bool,
}

/// Sends events to a collector.
#[derive(Debug)]
pub struct HecSink {
    client: Client,
    url: Url,
    token: String,
    batch: String,
    pauses: [Duration; PAUSES.len()],
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// The collector took it.
    Taken,
    /// The collector is busy, so that it may be sent again.
    Busy,
}

/// What the collector replies.
#[derive(Debug, Deserialize)]
struct Reply {
    text: String,
    code: i64,
}

impl HecSink {
    /// Prepares to send; nothing is sent yet.
    ///
    /// # Errors
    /// Fails if the address is none of a web server.
    pub fn new(options: &HecOptions) -> Result<Self, AppError> {
        let wrong = |reason: String| AppError::Collector { url: options.url.clone(), reason };
        let mut url = Url::parse(&options.url).map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("expected an address such as `https://splunk:8088`".to_owned()));
        }
        if url.path() == "/" {
            url.set_path(PATH);
        }
        let client = Client::builder()
            .timeout(TIMEOUT)
            // A redirected request is sent without its events, and what it leads to replies that all
            // is well.
            .redirect(Policy::none())
            .danger_accept_invalid_certs(options.is_insecure)
            .build()
            .map_err(|error| AppError::Engine(error.to_string()))?;
        let (token, batch) = (options.token.clone(), String::new());
        Ok(Self { client, url, token, batch, pauses: PAUSES })
    }

    async fn send(&mut self) -> Result<(), SinkError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        for pause in self.pauses {
            if self.post(batch.clone()).await? == Sent::Taken {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
        }
        match self.post(batch).await? {
            Sent::Taken => Ok(()),
            Sent::Busy => {
                Err(self.failed("it is busy, and did not take a batch after several tries").into())
            }
        }
    }

    /// Sends a batch. Only a reply that says so counts as taken: a web server that is no collector
    /// replies to anything.
    async fn post(&self, batch: String) -> Result<Sent, SinkError> {
        let request = self
            .client
            .post(self.url.clone())
            .header("Authorization", format!("Splunk {}", self.token))
            .header("Content-Type", "application/json")
            .body(batch);
        let reply = request.send().await.map_err(|error| self.failed(&cause(&error)))?;
        let status = reply.status();
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            return Ok(Sent::Busy);
        }
        let location = reply.headers().get(LOCATION).and_then(|name| name.to_str().ok());
        let location = location.map(|name| name.chars().take(MAX_LOCATION).collect::<String>());
        let text = beginning(reply).await;
        let said = serde_json::from_str::<Reply>(&text).ok();
        if status.is_success() && said.as_ref().is_some_and(|reply| reply.code == 0) {
            return Ok(Sent::Taken);
        }
        Err(self.failed(&explained(status, location.as_deref(), said)).into())
    }

    fn failed(&self, reason: &str) -> AppError {
        AppError::Collector { url: self.url.to_string(), reason: reason.to_owned() }
    }
}

/// Returns the innermost cause of an error, which says what happened.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Returns the beginning of the text of a reply; what cannot be read is left out.
async fn beginning(mut reply: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_REPLY
        && let Ok(Some(chunk)) = reply.chunk().await
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_REPLY - bytes.len())]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns what a reply says, with what to do about it.
fn explained(status: StatusCode, location: Option<&str>, said: Option<Reply>) -> String {
    if let Some(location) = location.filter(|_| status.is_redirection()) {
        return format!("it replied {status}: it redirects to {location}; name that with `--hec`");
    }
    let Some(Reply { text, code }) = said else {
        let doubt = if status.is_success() { ", and not that it took the events" } else { "" };
        return format!(
            "it replied {status}{doubt}; `--hec` takes the address of a collector, such as \
             https://splunk:8088"
        );
    };
    let help = match code {
        1..=4 => "; SPILLTRAIL_HEC_TOKEN has the token",
        7 => "; the token does not allow this index, which `--index` sets",
        10 | 11 => "; switch the acknowledgment of the token off",
        _ => "",
    };
    format!("it replied {status}: {text} (code {code}){help}")
}

#[async_trait]
impl ReplaySink for HecSink {
    async fn event(&mut self, event: ReplayedEvent) -> Result<(), SinkError> {
        let mut object = Map::new();
        if let Some(time) = event.time {
            object.insert("time".to_owned(), json!(time));
        }
        let labels = event.labels;
        for (name, label) in [
            ("host", labels.host),
            ("source", labels.source),
            ("sourcetype", labels.sourcetype),
            ("index", labels.index),
        ] {
            if let Some(label) = label {
                object.insert(name.to_owned(), json!(&*label));
            }
        }
        // As text, so that it stays as it is written.
        object.insert("event".to_owned(), json!(event.text));
        self.batch.push_str(&serde_json::Value::Object(object).to_string());
        self.batch.push('\n');
        if self.batch.len() >= BATCH_BYTES { self.send().await } else { Ok(()) }
    }

    async fn finish(&mut self) -> Result<(), SinkError> {
        self.send().await
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Answers every request with these bytes; returns the address and the number of requests.
    fn server(reply: Vec<u8>) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                counted.fetch_add(1, Ordering::SeqCst);
                // Who has read enough closes the connection.
                let _ = stream.write_all(&reply);
                open.push(stream);
            }
        });
        (url, count)
    }

    async fn send_to(url: String) -> String {
        let options = HecOptions { url, token: "x".to_owned(), is_insecure: false };
        let mut sink = HecSink::new(&options).unwrap();
        sink.pauses = [Duration::from_millis(1); PAUSES.len()];
        let labels = spilltrail_source::Labels::default();
        sink.event(ReplayedEvent { text: "a".to_owned(), time: None, labels }).await.unwrap();
        sink.finish().await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_busy_collector_is_asked_once_after_each_pause() {
        let busy = b"HTTP/1.1 503 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec();
        let (url, count) = server(busy);
        let error = send_to(url).await;
        assert!(error.contains("it is busy"), "{error}");
        assert_eq!(count.load(Ordering::SeqCst), PAUSES.len() + 1);
    }

    #[tokio::test]
    async fn only_the_beginning_of_a_reply_is_read() {
        let head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 999999999999\r\n\r\n".to_vec();
        // The rest never comes, so that reading on would end only by the timeout.
        let (url, _) = server([head, vec![b'x'; 2 * MAX_REPLY]].concat());
        let started = std::time::Instant::now();
        let error = send_to(url).await;
        assert!(error.contains("it replied 404 Not Found"), "{error}");
        assert!(started.elapsed() < TIMEOUT, "{:?}", started.elapsed());
    }
}
