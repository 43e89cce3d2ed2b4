//! Reasons why a request to S3 fails, and the limits on retries.

use std::error::Error as StdError;
use std::time::Duration;

use super::refusal::{NoCredentials, Refusal, find};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The bucket does not exist.
    #[error("the bucket does not exist")]
    NoBucket,
    /// The object does not exist.
    #[error("the object does not exist")]
    NoObject,
    /// No object has this key, and the folder of this name is empty.
    #[error("no object has this name or one that begins with it and a slash")]
    NothingThere,
    /// No credentials are configured, so requests cannot be signed.
    #[error(
        "no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with \
         --s3-profile, or read a public bucket with --s3-anonymous"
    )]
    NoCredentials,
    /// The bucket is in a region other than the one of the request.
    #[error("the bucket is in another region{}", in_region(region))]
    Region {
        /// The region of the bucket, if the server reported it.
        region: Option<String>,
    },
    /// The server refused the request.
    #[error("refused with status {status}{}", in_words(code, message))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error code of S3, such as `AccessDenied`.
        code: String,
        /// The message of the server.
        message: String,
    },
    /// The object changed after it was listed or after its first bytes were read.
    #[error("the object was replaced while it was read")]
    Replaced,
    /// The body ended early.
    #[error("the answer ended after {got} of {size} bytes")]
    Cut {
        /// Number of bytes received.
        got: u64,
        /// Number of bytes expected.
        size: u64,
    },
    /// The server could not be reached, or the connection broke.
    #[error("{0}")]
    Connection(String),
    /// The request is invalid, so a retry cannot succeed.
    #[error("{0}")]
    Unusable(String),
    /// The run was canceled.
    #[error("it was told to stop")]
    Stopped,
    /// The server accepted requests and did not answer.
    #[error("no answer for {seconds} seconds; check the network, --s3-endpoint and proxies")]
    Silent {
        /// How long the server was waited for.
        seconds: u64,
    },
    /// Every attempt failed.
    #[error("{last}; tried {attempts} times")]
    Exhausted {
        /// Number of attempts.
        attempts: u32,
        /// The failure of the last attempt.
        last: Box<Failure>,
    },
}

fn in_region(region: &Option<String>) -> String {
    region.as_ref().map(|region| format!(", {region}; use --s3-region")).unwrap_or_default()
}

fn in_words(code: &str, message: &str) -> String {
    match (code, message) {
        ("", "") => String::new(),
        (code, "") => format!(": {code}"),
        ("", message) => format!(": {message}"),
        (code, message) => format!(": {code}, {message}"),
    }
}

impl Failure {
    /// Returns the failure for a task that ended without a result.
    pub(crate) fn ended() -> Self {
        Self::Unusable("a bug ended the request".to_owned())
    }

    /// Converts an error of the client library into a failure.
    pub(crate) fn of(error: &object_store::Error) -> Self {
        if let Some(refusal) = Refusal::of(error) {
            return Self::of_refusal(refusal);
        }
        if find::<NoCredentials>(error).is_some() {
            return Self::NoCredentials;
        }
        match error {
            object_store::Error::InvalidPath { source } => Self::Unusable(source.to_string()),
            object_store::Error::Precondition { .. } => Self::Replaced,
            other => Self::Connection(root(other)),
        }
    }

    fn of_refusal(refusal: &Refusal) -> Self {
        match (refusal.status, refusal.code.as_str()) {
            (_, "NoSuchBucket") => Self::NoBucket,
            (404, _) => Self::NoObject,
            (412, _) => Self::Replaced,
            (301 | 307 | 308, _) | (_, "AuthorizationHeaderMalformed") => {
                Self::Region { region: refusal.region.clone() }
            }
            (status, code) => {
                Self::Refused { status, code: code.to_owned(), message: refusal.message.clone() }
            }
        }
    }
}

/// Returns the message of the innermost error, since the outer ones only repeat the request.
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let text = error.to_string();
    let is_fit = |c: &char| !c.is_control();
    format!("the connection failed: {}", text.chars().filter(is_fit).take(300).collect::<String>())
}

/// Limits on the number of attempts and on the waits between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) attempts: u32,
    /// The upper bound of the first wait; it doubles with every further failure.
    pub(crate) first: Duration,
    /// The largest upper bound of a wait.
    pub(crate) longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: 8, first: Duration::from_millis(200), longest: Duration::from_secs(10) }
    }
}

impl Patience {
    /// Returns how long to wait after this many consecutive failures. The wait is random, from zero
    /// to a bound that doubles with every failure, so that many clients do not retry at the same
    /// moment.
    pub(crate) fn wait(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.longest).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        let patience = Patience::default();
        for failures in 1..100 {
            let bound = patience.first.saturating_mul(1_u32 << (failures - 1).min(20));
            assert!(patience.wait(failures) <= bound.min(patience.longest), "{failures}");
        }
    }

    #[test]
    fn messages() {
        let refused = Failure::Refused {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: "Access Denied".to_owned(),
        };
        let exhausted = Failure::Exhausted { attempts: 8, last: Box::new(refused) };
        assert_eq!(
            exhausted.to_string(),
            "refused with status 403: AccessDenied, Access Denied; tried 8 times"
        );
    }
}
