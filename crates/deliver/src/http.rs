//! One POST to a service, and what its answer means.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use url::Url;

use crate::error::{DeliveryError, Reason};
use crate::redact::redact;
use crate::secret::Secret;
use crate::{Clients, Receipt, address, text};

/// The most bytes that are read of an answer.
const MOST_ANSWER: usize = 4 << 10;

/// The most bytes of an answer that an error repeats.
const MOST_QUOTED: usize = 300;

/// How long the rest of an answer may take after its status.
const REST: Duration = Duration::from_secs(5);

/// One request with a body of JSON.
#[derive(Debug)]
pub(crate) struct Post<'a> {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// What no error may repeat, even if the service does.
    pub(crate) secrets: &'a [Secret],
}

/// Sends a request once.
///
/// # Errors
/// Everything but a status of success is an error. 408, 425, 429, 5xx and failures of the network can
/// pass; other statuses are permanent, also redirects.
pub(crate) async fn post(
    post: Post<'_>,
    now: Timestamp,
    clients: &Clients,
) -> Result<Receipt, DeliveryError> {
    let peer = address::peer(&post.url);
    let bytes = post.body.len();
    let mut headers = post.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let request = clients.http.post(post.url).headers(headers).body(post.body);
    let sent = clients
        .within(async { request.send().await.map_err(|error| failed(error, &peer, post.secrets)) });
    let mut response = sent.await?;
    let status = response.status().as_u16();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| wait(value, now));
    // What was accepted is delivered, whatever becomes of the rest of the answer.
    let answer = read(&mut response).await;
    let answer = || text::fit(&redact(&answer, post.secrets), MOST_QUOTED, text::LINE);
    match judge(status) {
        Verdict::Delivered => Ok(Receipt { detail: format!("`{peer}` answered {status}"), bytes }),
        Verdict::Retry => {
            let answer = answer();
            Err(DeliveryError::Retry { reason: Reason::Status { peer, status, answer }, after })
        }
        Verdict::Elsewhere => Err(DeliveryError::permanent(Reason::Redirect { peer, status })),
        Verdict::Refused => {
            let answer = answer();
            Err(DeliveryError::permanent(Reason::Status { peer, status, answer }))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Delivered,
    Retry,
    Elsewhere,
    Refused,
}

fn judge(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        300..=399 => Verdict::Elsewhere,
        408 | 425 | 429 | 500..=599 => Verdict::Retry,
        _ => Verdict::Refused,
    }
}

/// Returns how long a `Retry-After` asks to wait: seconds, or a date, as RFC 9110 describes it.
fn wait(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(text).ok()?.timestamp();
    let seconds = date.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// Reads the beginning of an answer, as far as it comes.
async fn read(response: &mut reqwest::Response) -> String {
    let mut answer = Vec::new();
    let reading = async {
        while answer.len() < MOST_ANSWER {
            let Ok(Some(chunk)) = response.chunk().await else { break };
            answer.extend_from_slice(&chunk[..chunk.len().min(MOST_ANSWER - answer.len())]);
        }
    };
    // Out of time, the beginning is still there.
    let _ = tokio::time::timeout(REST, reading).await;
    String::from_utf8_lossy(&answer).trim().to_owned()
}

/// Returns the error of a request that got no answer.
fn failed(error: reqwest::Error, peer: &str, secrets: &[Secret]) -> DeliveryError {
    if error.is_timeout() {
        return DeliveryError::retry(Reason::Time);
    }
    let is_permanent = error.is_builder();
    let error = error.without_url();
    let mut detail = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        detail.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    let detail = text::fit(&redact(&detail, secrets), MOST_QUOTED, text::LINE);
    let reason = Reason::Network { peer: peer.to_owned(), detail };
    if is_permanent { DeliveryError::permanent(reason) } else { DeliveryError::retry(reason) }
}

#[cfg(test)]
pub(crate) mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::clients::Limits;
    use crate::loopback::{Answer, Server, tls_acceptor};

    /// Five minutes before the date in the cases below.
    pub(crate) const NOW: i64 = 1_445_412_180;

    #[test]
    fn statuses() {
        for (statuses, expected) in [
            (&[200, 202, 204][..], Verdict::Delivered),
            (&[301, 302, 307, 308, 304], Verdict::Elsewhere),
            (&[408, 425, 429, 500, 502, 503, 504], Verdict::Retry),
            (&[400, 401, 403, 404, 410, 413, 422, 199, 600], Verdict::Refused),
        ] {
            for status in statuses {
                assert_eq!(judge(*status), expected, "{status}");
            }
        }
    }

    #[test]
    fn waits() {
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(300)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let value = HeaderValue::from_str(text).unwrap();
            let now = Timestamp::from_second(NOW).unwrap();
            assert_eq!(wait(&value, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    async fn send(server: &Server, clients: &Clients) -> Result<Receipt, DeliveryError> {
        let url: Url = format!("{}/s3cret?a=b", server.url()).parse().unwrap();
        let secrets = [Secret::new("Key s3cret".to_owned())];
        let request =
            Post { url, headers: HeaderMap::new(), body: b"{}".to_vec(), secrets: &secrets };
        post(request, Timestamp::from_second(NOW).unwrap(), clients).await
    }

    #[tokio::test]
    async fn answers_are_judged() {
        let long = "x".repeat(10_000);
        let date = "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT";
        // What the server answers; whether to retry, after how long; a part of the message.
        for (status, headers, body, retry, after, part) in [
            (400, "", "no_team at /s3cret\r\nnext", false, None, "`no_team at /[secret]  next`"),
            // Of 4096 characters that are read.
            (400, "", &long, false, None, "xxx … (3844 more characters)`"),
            (429, "Retry-After: 7", "slow", true, Some(7), "answered with status 429: `slow`"),
            (503, date, "", true, Some(300), "answered with status 503"),
            (500, "", "\u{1b}[2J", true, None, "`\u{fffd}[2J`"),
            (307, "Location: https://evil.example/", "", false, None, "redirects are not followed"),
        ] {
            let server = Server::start(vec![Answer::new(status, headers, body)]).await;
            let error = send(&server, &Clients::for_tests(&[])).await.unwrap_err();
            assert!(error.to_string().contains(part), "{status}: {error}");
            match error {
                DeliveryError::Retry { after: asked, .. } => {
                    assert!(retry, "{status}");
                    assert_eq!(asked, after.map(Duration::from_secs), "{status}");
                }
                DeliveryError::Permanent { .. } => assert!(!retry, "{status}"),
            }
            assert_eq!(server.requests().await.len(), 1, "{status}");
        }
    }

    #[tokio::test]
    async fn answers_are_read_up_to_a_limit() {
        // The body never ends: the length is a lie.
        let body = "x".repeat(MOST_ANSWER);
        let answer = Answer::new(200, "Content-Length: 1000000000", &body);
        let server = Server::start(vec![answer.kept_open()]).await;
        let receipt = send(&server, &Clients::for_tests(&[])).await.unwrap();
        assert_eq!(receipt.bytes, 2);
    }

    #[tokio::test]
    async fn failures_of_the_network_can_pass() {
        let closed = Server::start(vec![]).await;
        let error = send(&closed, &Clients::for_tests(&[])).await.unwrap_err();
        assert!(error.is_retry(), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");

        let limits = Limits { answer: Duration::from_millis(50), ..Limits::default() };
        let mut clients = Clients::for_tests(&[]);
        clients.limits = limits;
        let silent = Server::start(vec![Answer::silence()]).await;
        let error = send(&silent, &clients).await.unwrap_err();
        assert!(error.is_retry(), "{error}");
        assert_eq!(error.to_string(), "no answer within the time limit");
    }

    #[tokio::test]
    async fn certificates_are_verified() {
        let (acceptor, _) = tls_acceptor();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            acceptor.accept(stream).await.is_err()
        });
        let request = Post {
            url: url.parse().unwrap(),
            headers: HeaderMap::new(),
            body: b"{}".to_vec(),
            secrets: &[],
        };
        let now = Timestamp::UNIX_EPOCH;
        let error = post(request, now, &Clients::for_tests(&[])).await.unwrap_err();
        assert!(error.is_retry());
        assert!(error.to_string().contains("certificate"), "{error}");
        assert!(server.await.unwrap());
    }
}
