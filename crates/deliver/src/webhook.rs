//! Webhooks: a document of JSON, posted to any address and signed.
//!
//! A receiver that shares the secret knows by the signature that a request is from here, was not
//! changed, and is not an old one sent again. Two headers are sent:
//!
//! - `Spilltrail-Timestamp`: when the request was made, in seconds since the epoch.
//! - `Spilltrail-Signature`: `v1=` and the HMAC-SHA256 in hexadecimal digits of the timestamp, a full
//!   stop and the body, byte for byte, with the secret as the key.
//!
//! The receiver computes the same, compares in constant time, and refuses a timestamp that is more than
//! five minutes from its own clock. In Python, with the body as bytes:
//!
//! ```python
//! signed = timestamp.encode() + b"." + body
//! expected = "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
//! is_genuine = hmac.compare_digest(expected, signature) and abs(time.time() - int(timestamp)) < 300
//! ```
//!
//! `Spilltrail-Delivery` identifies the message, also when it is sent again: an attempt whose answer
//! was lost may have arrived. The receiver drops what it has.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use sha2::Sha256;
use url::Url;

use crate::address::{self, Scheme};
use crate::error::{DeliveryError, Reason};
use crate::http::{self, Post};
use crate::output::Mistake;
use crate::secret::{self, Secret, SecretKeys};
use crate::text::{self, LINE};
use crate::{Clients, Message, Receipt, document};

/// The header with the time of the request.
pub const TIMESTAMP_HEADER: &str = "spilltrail-timestamp";
/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "spilltrail-signature";
/// The header that identifies the message.
pub const DELIVERY_HEADER: &str = "spilltrail-delivery";

/// A service that takes JSON over HTTP.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The address, if it is no secret. It begins with `https://` or `http://`.
    pub url: Option<String>,
    /// The environment variable that has the address.
    pub url_env: Option<String>,
    /// The file that has the address.
    pub url_file: Option<PathBuf>,
    /// The environment variable that has the secret of signatures. Without a secret, requests are not
    /// signed.
    pub secret_env: Option<String>,
    /// The file that has the secret of signatures.
    pub secret_file: Option<PathBuf>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Further headers whose values are secrets: names of environment variables.
    #[serde(default)]
    pub headers_env: BTreeMap<String, String>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some people have secrets where none belong.
        let url =
            self.url.as_deref().map(|url| Url::parse(url).map(|url| address::peer(&url)).ok());
        f.debug_struct("Webhook")
            .field("url", &url)
            .field("url_env", &self.url_env)
            .field("url_file", &self.url_file)
            .field("secret_env", &self.secret_env)
            .field("secret_file", &self.secret_file)
            .field("headers", &self.headers.keys())
            .field("headers_env", &self.headers_env)
            .finish()
    }
}

impl Webhook {
    fn url_keys(&self) -> SecretKeys<'_> {
        SecretKeys::new(["url_env", "url_file"], &self.url_env, &self.url_file)
    }

    fn secret_keys(&self) -> SecretKeys<'_> {
        SecretKeys::new(["secret_env", "secret_file"], &self.secret_env, &self.secret_file)
    }

    pub(crate) fn check(&self) -> Result<(), Mistake> {
        match &self.url {
            Some(_) if !self.url_keys().is_absent() => {
                return Err(Mistake::new(
                    "`url` and another key for the address are there",
                    "keep one of `url`, `url_env` and `url_file`",
                ));
            }
            Some(url) => {
                address::parse(url, Scheme::Any).map_err(|expected| {
                    let help = "give a whole address, such as `https://soc.example/findings`";
                    Mistake::of_key("url", expected, help)
                })?;
            }
            None if self.url_keys().is_absent() => {
                return Err(Mistake::new(
                    "none of `url`, `url_env` and `url_file` is there",
                    "give the address in `url`, or where it is in `url_env` or `url_file`",
                ));
            }
            None => self.url_keys().check_optional()?,
        }
        self.secret_keys().check_optional()?;
        for (name, value) in &self.headers {
            check_header("headers", name)?;
            if ["authorization", "proxy-authorization", "cookie"]
                .iter()
                .any(|secret| name.eq_ignore_ascii_case(secret))
            {
                return Err(Mistake::new(
                    format!("`{name}` in `headers` is a secret"),
                    "put the value into an environment variable, and name it in `headers_env`",
                ));
            }
            if HeaderValue::from_str(value).is_err() {
                return Err(Mistake::new(
                    format!("the value of `{name}` in `headers` cannot be used"),
                    "give a text in one line",
                ));
            }
        }
        for (name, variable) in &self.headers_env {
            check_header("headers_env", name)?;
            secret::check_variable(&format!("headers_env.{name}"), variable)?;
        }
        Ok(())
    }

    /// Reads the secrets, and returns what a request needs but the message.
    pub(crate) async fn request(&self, clients: &Clients) -> Result<Request, DeliveryError> {
        let (url, mut secrets) = self.address(clients).await?;
        let mut headers = HeaderMap::new();
        // Names and values were checked.
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::from_str(value))
            {
                headers.insert(name, value);
            }
        }
        for (name, variable) in &self.headers_env {
            let (value, secret) = secret_header(variable, clients)?;
            if let Ok(name) = HeaderName::try_from(name) {
                headers.insert(name, value);
            }
            secrets.extend(password(&secret));
            secrets.push(secret);
        }
        let signing = self.secret_keys().read(clients).await?;
        secrets.extend(signing.clone());
        Ok(Request { url, headers, signing, secrets })
    }

    /// Returns the errors of all secrets that cannot be read or used.
    pub(crate) async fn check_secrets(&self, clients: &Clients) -> Vec<DeliveryError> {
        let mut errors: Vec<DeliveryError> =
            self.address(clients).await.err().into_iter().collect();
        let variables = self.headers_env.values();
        errors.extend(variables.filter_map(|variable| secret_header(variable, clients).err()));
        errors.extend(self.secret_keys().read(clients).await.err());
        errors
    }

    /// Returns the address, and what no error may repeat of it.
    async fn address(&self, clients: &Clients) -> Result<(Url, Vec<Secret>), DeliveryError> {
        let Some(url) = &self.url else {
            return self.url_keys().read_url(clients, Scheme::Any).await;
        };
        let url = address::parse(url, Scheme::Any).map_err(|expected| {
            DeliveryError::permanent(Reason::Secret { key: "url", expected })
        })?;
        Ok((url, Vec::new()))
    }

    pub(crate) async fn deliver(
        &self,
        message: &Message,
        now: Timestamp,
        clients: &Clients,
    ) -> Result<Receipt, DeliveryError> {
        let Request { url, mut headers, signing, secrets } = self.request(clients).await?;
        let body = document::document(message);
        // A receiver compares it, so that a cut one is still the same in every attempt.
        if let Ok(delivery) = HeaderValue::from_str(&text::fit(&message.delivery, 200, LINE)) {
            headers.insert(DELIVERY_HEADER, delivery);
        }
        if let Some(secret) = signing {
            let timestamp = now.as_second();
            let signature = sign(secret.expose().as_bytes(), timestamp, &body);
            headers.insert(TIMESTAMP_HEADER, HeaderValue::from(timestamp));
            headers.insert(
                SIGNATURE_HEADER,
                HeaderValue::from_str(&signature).expect("hexadecimal digits are a header's value"),
            );
        }
        http::post(Post { url, headers, body, secrets: &secrets }, now, clients).await
    }
}

/// What a request needs but the message.
#[derive(Debug)]
pub(crate) struct Request {
    url: Url,
    headers: HeaderMap,
    /// The secret of signatures.
    signing: Option<Secret>,
    /// What no error may repeat.
    secrets: Vec<Secret>,
}

/// Reads the value of a header from a variable.
fn secret_header(
    variable: &str,
    clients: &Clients,
) -> Result<(HeaderValue, Secret), DeliveryError> {
    let secret = secret::read_variable("headers_env", variable, clients)?;
    let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| {
        let expected = "a text in one line, for a header";
        DeliveryError::permanent(Reason::Secret { key: "headers_env", expected })
    })?;
    value.set_sensitive(true);
    Ok((value, secret))
}

/// Returns the password of a header for basic authentication, which a service decodes.
fn password(header: &Secret) -> Option<Secret> {
    let (scheme, value) = header.expose().split_once(' ')?;
    let pair = STANDARD.decode(value.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
    let pair = String::from_utf8(pair?).ok()?;
    pair.split_once(':').map(|(_, password)| Secret::new(password.to_owned()))
}

/// Fails if a header is not one that a configuration can set. Those of the connection and the body
/// follow from the request.
fn check_header(key: &str, name: &str) -> Result<(), Mistake> {
    const OURS: [&str; 8] = [
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        TIMESTAMP_HEADER,
        SIGNATURE_HEADER,
        DELIVERY_HEADER,
    ];
    let header = HeaderName::try_from(name).ok();
    if header.is_some_and(|header| !OURS.contains(&header.as_str())) {
        return Ok(());
    }
    Err(Mistake::new(
        format!("`{name}` in `{key}` is not the name of a header that can be set"),
        "give a name of letters, digits and `-` that is not one of the connection or the body",
    ))
}

/// Returns the value of the header with the signature.
fn sign(secret: &[u8], timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let digits: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::{Answer, Server};
    use crate::message::tests::example;
    use crate::secret::tests::assert_no_secret;

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_100).unwrap()
    }

    fn webhook(keys: &str) -> Webhook {
        let webhook: Webhook = toml::from_str(keys).unwrap();
        webhook.check().unwrap();
        webhook
    }

    #[test]
    fn signatures() {
        // Computed with Python's `hmac`.
        for (secret, timestamp, body, expected) in [
            (
                "key",
                1_700_000_100,
                "{\"a\":1}",
                "9c0984a8c132c57e717bfa5be6ab74e112263c16789525522b3fc1fc50d9de86",
            ),
            ("", 0, "", "b849d5a581847b281957065739df36df2463d1977ea8d6e1e4e6cf33fadc68c3"),
        ] {
            let signature = sign(secret.as_bytes(), timestamp, body.as_bytes());
            assert_eq!(signature, format!("v1={expected}"));
        }
    }

    #[tokio::test]
    async fn requests_are_signed_and_have_the_headers() {
        let server = Server::start(vec![Answer::new(200, "", "")]).await;
        let keys = format!(
            "url = '{}/in'\nsecret_env = 'SECRET'\nheaders = {{ X-Team = 'soc' }}\n\
             headers_env = {{ Authorization = 'TOKEN' }}",
            server.url()
        );
        let clients = Clients::for_tests(&[("SECRET", "key"), ("TOKEN", "Bearer t0k3n")]);
        let receipt = webhook(&keys).deliver(&example(), now(), &clients).await.unwrap();
        let [request] = &server.requests().await[..] else { panic!("one request") };
        assert!(request.head.starts_with("POST /in HTTP/1.1\r\n"), "{}", request.head);
        assert_eq!(request.body, document::document(&example()));
        assert_eq!(receipt.bytes, request.body.len());
        let signature = sign(b"key", 1_700_000_100, &request.body);
        for (name, expected) in [
            ("content-type", "application/json"),
            ("x-team", "soc"),
            ("authorization", "Bearer t0k3n"),
            (DELIVERY_HEADER, "d-1"),
            (TIMESTAMP_HEADER, "1700000100"),
            (SIGNATURE_HEADER, &signature),
        ] {
            assert_eq!(request.header(name), Some(expected), "{name}");
        }
    }

    #[tokio::test]
    async fn without_a_secret_nothing_is_signed() {
        let server = Server::start(vec![Answer::new(204, "", "")]).await;
        let address = format!("{}/in", server.url());
        let clients = Clients::for_tests(&[("URL", &address)]);
        webhook("url_env = 'URL'").deliver(&example(), now(), &clients).await.unwrap();
        let requests = server.requests().await;
        assert_eq!(requests[0].header(SIGNATURE_HEADER), None);
        assert_eq!(requests[0].header(TIMESTAMP_HEADER), None);
    }

    #[tokio::test]
    async fn errors_have_no_secrets() {
        let server = Server::start(vec![
            Answer::new(403, "", "t0k3n-1 s1gn-1 /p4th-1 is wrong"),
            Answer::new(403, "", "p4th-1 qu3ry-1 T0K3N-1 s1gn%2d1 passw0rd is wrong"),
        ])
        .await;
        let address = format!("{}/p4th-1?a=qu3ry-1", server.url());
        let clients = Clients::for_tests(&[
            ("URL", &address),
            ("S", "s1gn-1"),
            ("T", "Bearer t0k3n-1"),
            ("B", "Basic dTpwYXNzdzByZA=="),
            ("L", "a\nb"),
        ]);
        let keys = "url_env = 'URL'\nsecret_env = 'S'\nheaders_env = { X-Key = 'T' }";
        let error = webhook(keys).deliver(&example(), now(), &clients).await.unwrap_err();
        assert!(
            error.to_string().ends_with("status 403: `[secret] [secret] [secret] is wrong`"),
            "{error}"
        );
        assert!(!error.is_retry());
        let keys =
            "url_env = 'URL'\nsecret_env = 'S'\nheaders_env = { X-Key = 'T', X-Other = 'B' }";
        let error = webhook(keys).deliver(&example(), now(), &clients).await.unwrap_err();
        let secrets = ["p4th-1", "qu3ry-1", "t0k3n-1", "s1gn-1", "s1gn%2d1", "passw0rd"];
        assert_no_secret(&error, &secrets);

        let keys = "url_env = 'URL'\nheaders_env = { X-Key = 'L' }";
        let error = webhook(keys).deliver(&example(), now(), &clients).await.unwrap_err();
        let expected = "the value of key `headers_env` cannot be used: expected a text in one line, \
                        for a header";
        assert_eq!(error.to_string(), expected);
        let clients = Clients::for_tests(&[("URL", "ftp://s3cret/")]);
        let error =
            webhook("url_env = 'URL'").deliver(&example(), now(), &clients).await.unwrap_err();
        assert!(
            error.to_string().starts_with("the value of key `url_env` cannot be used"),
            "{error}"
        );
        assert!(!error.is_retry());
    }
}
