//! One signed request to SQS, and what its answer means.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::HttpRequest;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::time::timeout;

use crate::address::Address;
use crate::error::{Fault, QueueError};
use crate::text;

/// The most bytes of an answer: ten messages of the longest size, with all their quotes escaped.
pub(crate) const MOST_ANSWER: usize = 24 << 20;

/// The most bytes of an answer that tells of an error.
const MOST_REFUSAL: usize = 64 << 10;

/// What provides the credentials of requests. `AmazonS3::credentials` has one.
pub type Credentials = Arc<dyn CredentialProvider<Credential = AwsCredential>>;

/// What SQS can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Receive,
    Delete,
    Change,
    Attributes,
}

/// Brings requests to SQS. Tests have one that needs neither time nor network.
#[async_trait]
pub(crate) trait Transport: fmt::Debug + Send + Sync {
    /// Sends a request, and returns the body of an answer that tells of success. `limit` is the
    /// longest time that it may take.
    async fn post(
        &self,
        action: Action,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>, QueueError>;
}

impl Action {
    /// Returns the name that SQS has for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Receive => "ReceiveMessage",
            Self::Delete => "DeleteMessageBatch",
            Self::Change => "ChangeMessageVisibilityBatch",
            Self::Attributes => "GetQueueAttributes",
        }
    }
}

/// Returns an HTTP client as [`Queue::open`](crate::Queue::open) needs it: with the certificates and
/// the proxy of the system, and without redirects, because requests carry credentials.
///
/// # Errors
/// Fails if the certificates of the system cannot be used.
pub fn client() -> Result<reqwest::Client, QueueError> {
    builder().build().map_err(|error| QueueError::Client { detail: causes(error) })
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("spilltrail/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
}

/// Signs requests with the credentials of the moment, and sends them over HTTP.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) address: Address,
    pub(crate) credentials: Credentials,
    pub(crate) client: reqwest::Client,
}

#[async_trait]
impl Transport for Signed {
    async fn post(
        &self,
        action: Action,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>, QueueError> {
        let exchange = self.exchange(action, body);
        let late = || QueueError::Time { peer: self.address.peer() };
        timeout(limit, exchange).await.unwrap_or_else(|_| Err(late()))
    }
}

impl Signed {
    async fn exchange(&self, action: Action, body: Vec<u8>) -> Result<Vec<u8>, QueueError> {
        let queue = || self.address.name.clone();
        let credential = self.credentials.get_credential().await;
        let credential = credential.map_err(|error| QueueError::Credentials {
            queue: queue(),
            detail: text::shown(&error.to_string()),
        })?;
        if !is_usable(&credential) {
            return Err(QueueError::CredentialForm { queue: queue() });
        }
        let headers = self.signed(action, &body, &credential)?;
        let sent = self.client.post(self.address.endpoint.clone()).headers(headers).body(body);
        let peer = self.address.peer();
        let mut response = sent.send().await.map_err(|error| failed(error, &peer))?;
        let status = response.status().as_u16();
        let is_success = response.status().is_success();
        let older_code = response.headers().get("x-amzn-query-error").and_then(older_code);
        let most = if is_success { MOST_ANSWER } else { MOST_REFUSAL };
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(error, &peer))? {
            if answer.len() + chunk.len() > most {
                if is_success {
                    return Err(QueueError::TooLarge { peer, most });
                }
                break;
            }
            answer.extend_from_slice(&chunk);
        }
        if is_success {
            return Ok(answer);
        }
        let mut secrets = vec![credential.key_id.as_str(), credential.secret_key.as_str()];
        secrets.extend(credential.token.as_deref());
        Err(refusal(&peer, action, status, older_code, &answer, &secrets))
    }

    /// Returns the headers of a request, with its signature.
    fn signed(
        &self,
        action: Action,
        body: &[u8],
        credential: &AwsCredential,
    ) -> Result<HeaderMap, QueueError> {
        let endpoint = self.address.endpoint.as_str();
        let mut request = HttpRequest::new(body.to_vec().into());
        *request.method_mut() = reqwest::Method::POST;
        *request.uri_mut() = endpoint.parse().map_err(|_| QueueError::Option {
            option: "endpoint",
            expected: "the address of a server",
        })?;
        let target = match action {
            Action::Receive => "AmazonSQS.ReceiveMessage",
            Action::Delete => "AmazonSQS.DeleteMessageBatch",
            Action::Change => "AmazonSQS.ChangeMessageVisibilityBatch",
            Action::Attributes => "AmazonSQS.GetQueueAttributes",
        };
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
        headers.insert("x-amz-target", HeaderValue::from_static(target));
        AwsAuthorizer::new(credential, "sqs", &self.address.region).authorize(&mut request, None);
        Ok(std::mem::take(request.headers_mut()))
    }
}

/// Returns false for credentials that cannot be in a header: the library would panic.
fn is_usable(credential: &AwsCredential) -> bool {
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    is_plain(&credential.key_id)
        && !credential.secret_key.is_empty()
        && credential.token.as_deref().is_none_or(is_plain)
}

/// Returns the name that the older protocol has for an error: the part before the semicolon.
fn older_code(value: &HeaderValue) -> Option<String> {
    value.to_str().ok()?.split(';').next().map(str::to_owned)
}

/// Returns the error that an answer without success tells of.
pub(crate) fn refusal(
    peer: &str,
    action: Action,
    status: u16,
    older_code: Option<String>,
    body: &[u8],
    secrets: &[&str],
) -> QueueError {
    let body = String::from_utf8_lossy(body);
    let answer: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
    let part = |names: &[&str]| names.iter().find_map(|name| answer.get(name)?.as_str());
    // A code has a namespace in front: `com.amazonaws.sqs#QueueDoesNotExist`.
    let code = part(&["__type", "code"]).and_then(|code| code.rsplit('#').next());
    let mut fault = Fault::of(status, code.unwrap_or_default());
    // Emulators may have the better name in one place only.
    if let (Fault::Request, Some(older)) = (fault, &older_code) {
        fault = Fault::of(status, older);
    }
    let message =
        part(&["message", "Message"]).unwrap_or(if answer.is_null() { &body } else { "" });
    QueueError::Refused {
        peer: peer.to_owned(),
        action: action.name(),
        status,
        code: text::shown(&text::redact(
            &code.map(str::to_owned).or(older_code).unwrap_or_default(),
            secrets,
        )),
        message: text::shown(text::redact(message, secrets).trim()),
        fault,
    }
}

/// Returns the error of a request that got no answer.
fn failed(error: reqwest::Error, peer: &str) -> QueueError {
    if error.is_timeout() {
        return QueueError::Time { peer: peer.to_owned() };
    }
    QueueError::Network { peer: peer.to_owned(), detail: causes(error) }
}

/// Returns what a library says of an error, without the address.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut detail = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        detail.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text::shown(&detail)
}
