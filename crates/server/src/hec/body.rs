//! The body of a request: read in parts, inflated in parts, with limits on its size and on its time.

use std::io::Write;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, EXPECT};
use flate2::write::MultiGzDecoder;
use futures::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::reply::{Code, Reply};

/// What is read of a body that nobody wants, so that the client sees the answer: closing a connection with
/// unread bytes can lose it.
const DRAINED: u64 = 1 << 20;

/// How what is packed with gzip begins.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// For how long that is read.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

/// The limits of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyOptions {
    /// The most bytes of a body as it is sent.
    pub max_bytes: u64,
    /// The most bytes of a body after it is inflated.
    pub max_inflated: u64,
    /// For how long the next bytes of a body are waited for.
    pub patience: Duration,
    /// The least bytes a second of a body, over all of it, after `patience`.
    pub min_rate: u64,
}

impl Default for BodyOptions {
    /// `max_bytes` is Splunk's `max_content_length`.
    fn default() -> Self {
        Self {
            max_bytes: 838_860_800,
            max_inflated: 2 << 30,
            patience: Duration::from_secs(30),
            min_rate: 4 << 10,
        }
    }
}

/// Reads a body.
pub(crate) struct BodyReader {
    stream: BodyDataStream,
    options: BodyOptions,
    gunzip: Option<MultiGzDecoder<Vec<u8>>>,
    /// What came and is not inflated yet.
    compressed: Bytes,
    received: u64,
    inflated: u64,
    started: Instant,
    /// True if nothing more is to come.
    is_ended: bool,
    /// True if the client sends the body only if it is asked to.
    is_expected: bool,
    /// True if nothing says how the body is packed, or that it is not.
    is_untold: bool,
}

impl BodyReader {
    /// Begins to read. Returns an answer, too, if the body is compressed in a way that is not supported, or
    /// says that it is too large; it should not be read then.
    pub(crate) fn new(
        headers: &HeaderMap,
        body: Body,
        options: BodyOptions,
    ) -> (Self, Option<Reply>) {
        let encoding = encoding(headers);
        let refused = match encoding {
            None => Some(Reply::ENCODING),
            Some(_) if body.size_hint().lower() > options.max_bytes => Some(Reply::TOO_LARGE),
            Some(_) => None,
        };
        let is_gzip = encoding == Some(Encoding::Gzip);
        let reader = Self {
            stream: body.into_data_stream(),
            options,
            gunzip: is_gzip.then(|| MultiGzDecoder::new(Vec::new())),
            compressed: Bytes::new(),
            received: 0,
            inflated: 0,
            started: Instant::now(),
            is_ended: false,
            is_expected: headers.contains_key(EXPECT),
            is_untold: !headers.contains_key(CONTENT_ENCODING),
        };
        (reader, refused)
    }

    /// Returns the next bytes, some ten thousand at most if they are inflated; `None` at the end.
    ///
    /// # Errors
    /// Fails if there are too many bytes, if they come too slowly, if they cannot be inflated, or if the
    /// body is cut off.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Reply> {
        loop {
            if let Some(inflated) = self.inflate()? {
                return Ok(Some(inflated));
            }
            if self.is_ended {
                return Ok(None);
            }
            let Some(chunk) = self.receive().await? else {
                if let Some(rest) = self.inflate_rest()? {
                    return Ok(Some(rest));
                }
                return Ok(None);
            };
            // A file of a bucket that is sent as it is, without a word that it is packed. No event begins so.
            let is_first = self.received == chunk.len() as u64;
            if self.is_untold && is_first && chunk.starts_with(GZIP) {
                self.gunzip = Some(MultiGzDecoder::new(Vec::new()));
            }
            if self.gunzip.is_none() {
                return Ok(Some(chunk));
            }
            self.compressed = chunk;
        }
    }

    /// Reads what is left of the body, if that is little, so that the client reads the answer.
    pub(crate) async fn drain(&mut self) {
        let is_awaited = self.is_expected && self.received == 0;
        if self.is_ended || is_awaited || self.stream.size_hint().lower() > DRAINED {
            return;
        }
        let until = Instant::now() + DRAIN_PATIENCE;
        let mut left = DRAINED;
        while let Ok(Some(Ok(chunk))) = timeout_at(until, self.stream.next()).await {
            match left.checked_sub(chunk.len() as u64) {
                Some(less) => left = less,
                None => return,
            }
        }
    }

    /// Receives what the client sends next.
    async fn receive(&mut self) -> Result<Option<Bytes>, Reply> {
        let BodyOptions { max_bytes, patience, min_rate, .. } = self.options;
        let earned = Duration::from_secs(self.received / min_rate.max(1));
        let all = patience.saturating_add(earned).saturating_sub(self.started.elapsed());
        match timeout(patience.min(all), self.stream.next()).await {
            Err(_) => {
                self.is_ended = true;
                Err(Reply::TOO_SLOW)
            }
            // The client went away, or the chunks are malformed.
            Ok(Some(Err(_))) => {
                self.is_ended = true;
                Err(Code::InvalidDataFormat.into())
            }
            Ok(None) => {
                self.is_ended = true;
                Ok(None)
            }
            Ok(Some(Ok(chunk))) => {
                self.received += chunk.len() as u64;
                if self.received > max_bytes {
                    return Err(Reply::TOO_LARGE);
                }
                Ok(Some(chunk))
            }
        }
    }

    /// Inflates a part of what came; returns `None` if more has to come first.
    fn inflate(&mut self) -> Result<Option<Bytes>, Reply> {
        let Some(gunzip) = &mut self.gunzip else { return Ok(None) };
        while !self.compressed.is_empty() {
            // One call inflates as much as fits its buffer, however much would come of the rest.
            let taken = gunzip.write(&self.compressed).map_err(|_| Code::InvalidDataFormat)?;
            if taken == 0 && gunzip.get_ref().is_empty() {
                return Err(Code::InvalidDataFormat.into());
            }
            let _ = self.compressed.split_to(taken);
            if !gunzip.get_ref().is_empty() {
                let inflated = std::mem::take(gunzip.get_mut());
                return self.counted(inflated).map(Some);
            }
        }
        Ok(None)
    }

    /// Ends inflating; fails if the last member is not complete.
    fn inflate_rest(&mut self) -> Result<Option<Bytes>, Reply> {
        // No bytes at all are an empty body, not a damaged one.
        let Some(gunzip) = self.gunzip.as_mut().filter(|_| self.received > 0) else {
            return Ok(None);
        };
        gunzip.try_finish().map_err(|_| Code::InvalidDataFormat)?;
        let inflated = std::mem::take(gunzip.get_mut());
        if inflated.is_empty() { Ok(None) } else { self.counted(inflated).map(Some) }
    }

    fn counted(&mut self, inflated: Vec<u8>) -> Result<Bytes, Reply> {
        self.inflated += inflated.len() as u64;
        if self.inflated > self.options.max_inflated {
            return Err(Reply::TOO_LARGE);
        }
        Ok(Bytes::from(inflated))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
}

/// Returns how a body is compressed; `None` for a way that is not supported.
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Some(Encoding::Identity) };
    if values.next().is_some() {
        return None;
    }
    match value.to_str().ok()?.trim_ascii().to_ascii_lowercase().as_str() {
        "" | "identity" => Some(Encoding::Identity),
        "gzip" | "x-gzip" => Some(Encoding::Gzip),
        _ => None,
    }
}
