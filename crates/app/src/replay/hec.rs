//! Sends events to the HTTP event collector of a Splunk, in batches.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, StatusCode, Url};
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

/// How often a batch is sent again to a server that is busy, with twice the pause each time.
const RETRIES: u32 = 5;

/// The pause before a batch is sent again.
const PAUSE: Duration = Duration::from_millis(500);

/// The most bytes of a reply that are read.
const MAX_REPLY: usize = 4096;

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
            .danger_accept_invalid_certs(options.is_insecure)
            .build()
            .map_err(|error| AppError::Engine(error.to_string()))?;
        Ok(Self { client, url, token: options.token.clone(), batch: String::new() })
    }

    async fn send(&mut self) -> Result<(), SinkError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let mut pause = PAUSE;
        for _ in 0..RETRIES {
            match self.post(batch.clone()).await? {
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                _ => return Ok(()),
            }
        }
        Err(self.failed("it is busy, and did not take a batch after several tries").into())
    }

    /// Sends a batch, and returns the status if it was taken or may be sent again.
    async fn post(&self, batch: String) -> Result<StatusCode, SinkError> {
        let request = self
            .client
            .post(self.url.clone())
            .header("Authorization", format!("Splunk {}", self.token))
            .header("Content-Type", "application/json")
            .body(batch);
        let reply = request.send().await.map_err(|error| self.failed(&cause(&error)))?;
        let status = reply.status();
        let is_busy =
            matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        if status.is_success() || is_busy {
            return Ok(status);
        }
        let text = reply.text().await.unwrap_or_default();
        let text: String = text.chars().take(MAX_REPLY).collect();
        Err(self.failed(&explained(status, &text)).into())
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

/// Returns what a reply says, with what to do about it.
fn explained(status: StatusCode, text: &str) -> String {
    let Ok(Reply { text, code }) = serde_json::from_str(text) else {
        return format!("it replied {status}");
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
