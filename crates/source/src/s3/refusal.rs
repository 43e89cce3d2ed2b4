//! Error responses of S3 servers.
//!
//! The errors of the client library do not expose the response. Therefore every unsuccessful
//! response becomes a [`Refusal`], stored as the source of the library's error, and is found again
//! by callers that must decide whether to retry, slow down, change the region or report the
//! failure.

use std::error::Error as StdError;

use async_trait::async_trait;
use futures::StreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

/// Most bytes of an error response that are read.
const MAX_TEXT: usize = 64 * 1024;

/// Prefix of the addresses from which machines of AWS request their credentials.
const METADATA_HOSTS: &str = "169.254.";

/// An unsuccessful response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("status {status}{}", if code.is_empty() { String::new() } else { format!(" {code}") })]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The error code of S3, such as `NoSuchKey`; empty if the response has none.
    pub(crate) code: String,
    /// The message of the server.
    pub(crate) message: String,
    /// The region of the bucket, if the server reported it.
    pub(crate) region: Option<String>,
}

/// No credentials are configured, and the machine provides none.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no credentials")]
pub(crate) struct NoCredentials;

impl Refusal {
    /// Returns true if the server is overloaded or requests a lower rate.
    pub(crate) fn is_throttling(&self) -> bool {
        matches!(self.status, 429 | 503)
            || matches!(
                self.code.as_str(),
                "SlowDown" | "RequestLimitExceeded" | "ThrottlingException"
            )
    }

    /// Returns true if the same request may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        self.is_throttling() || self.status >= 500 || matches!(self.status, 408 | 425)
    }

    /// Returns the response that caused an error of the client library, if any.
    pub(crate) fn of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        find(error)
    }
}

/// Returns the first error of type `E` in the chain of sources of `error`.
pub(crate) fn find<'a, E: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Creates HTTP clients that turn unsuccessful responses into [`Refusal`] errors.
#[derive(Debug, Default)]
pub(crate) struct Connector(ReqwestConnector);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(self.0.connect(options)?)))
    }
}

#[derive(Debug)]
struct Service(HttpClient);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let asks_machine =
            request.uri().host().is_some_and(|host| host.starts_with(METADATA_HOSTS));
        if asks_machine {
            return match self.0.execute(request).await {
                Ok(response) if !has_no_credentials(response.status().as_u16()) => Ok(response),
                // Outside of AWS this address is unreachable, or a proxy answers.
                Ok(_) | Err(_) => Err(HttpError::new(HttpErrorKind::Unknown, NoCredentials)),
            };
        }
        let response = self.0.execute(request).await?;
        let status = response.status();
        if status.is_success() || status.as_u16() == 304 {
            return Ok(response);
        }
        let region = response
            .headers()
            .get("x-amz-bucket-region")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let text = text(response).await;
        let refusal = Refusal {
            status: status.as_u16(),
            code: element(&text, "Code").unwrap_or_default(),
            message: element(&text, "Message").unwrap_or_default(),
            region: region.or_else(|| element(&text, "Region")),
        };
        Err(HttpError::new(HttpErrorKind::Unknown, refusal))
    }
}

/// Returns true if a response of the machine's metadata service means that it has no credentials,
/// so that a retry would not help.
fn has_no_credentials(status: u16) -> bool {
    (400..500).contains(&status) && status != 429
}

/// Returns the text of a response, up to the point where reading fails.
async fn text(response: HttpResponse) -> String {
    let mut text = Vec::new();
    let mut stream = response.into_body().bytes_stream();
    while let Some(Ok(bytes)) = stream.next().await {
        let room = MAX_TEXT - text.len();
        text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if text.len() == MAX_TEXT {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Returns the text of an XML element. Error responses of S3 are flat, so no XML parser is needed.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    // The text is printed on a terminal, so control characters are removed.
    let is_fit = |c: &char| !c.is_control();
    Some(text.chars().filter(is_fit).take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_an_error() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>less\u{1b}[1m, \
                   please</Message></Error>";
        assert_eq!(element(xml, "Code").as_deref(), Some("SlowDown"));
        assert_eq!(element(xml, "Message").as_deref(), Some("less[1m, please"));
        assert_eq!(element(xml, "Region"), None);
    }

    #[test]
    fn a_machine_without_credentials() {
        for (status, has_none) in
            [(200, false), (403, true), (404, true), (429, false), (503, false)]
        {
            assert_eq!(has_no_credentials(status), has_none, "{status}");
        }
    }

    #[test]
    fn which_answers_pass() {
        let refusal = |status, code: &str| Refusal {
            status,
            code: code.to_owned(),
            message: String::new(),
            region: None,
        };
        for (status, code, throttles, passes) in [
            (503, "SlowDown", true, true),
            (500, "InternalError", false, true),
            (429, "", true, true),
            (403, "AccessDenied", false, false),
            (404, "NoSuchKey", false, false),
            (400, "ExpiredToken", false, false),
            (301, "PermanentRedirect", false, false),
        ] {
            let refusal = refusal(status, code);
            assert_eq!(
                (refusal.is_throttling(), refusal.is_passing()),
                (throttles, passes),
                "{code}"
            );
        }
    }
}
