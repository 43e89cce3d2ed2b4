//! Why something on S3 could not be had, and how often it is tried.

use std::error::Error as StdError;
use std::time::Duration;

use super::refusal::{NoCredentials, Refusal, find};

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The bucket is not there.
    #[error("the bucket does not exist")]
    NoBucket,
    /// The object is not there.
    #[error("the object does not exist")]
    NoObject,
    /// Nothing has the name, and nothing is below it.
    #[error("no object has this name or one that begins with it and a slash")]
    NothingThere,
    /// There are no credentials to sign with.
    #[error(
        "no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with \
         --s3-profile, or read a public bucket with --s3-anonymous"
    )]
    NoCredentials,
    /// The bucket is in a region that it cannot be reached from.
    #[error("the bucket is in another region{}", in_region(region))]
    Region {
        /// That region, if the server said so.
        region: Option<String>,
    },
    /// The server refuses.
    #[error("refused with status {status}{}", in_words(code, message))]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// S3's name for the reason.
        code: String,
        /// The server's words.
        message: String,
    },
    /// The object is another one than when it was listed, or when its first part was read.
    #[error("the object was replaced while it was read")]
    Replaced,
    /// The body ended before its end.
    #[error("the answer ended after {got} of {size} bytes")]
    Cut {
        /// Bytes that came.
        got: u64,
        /// Bytes of the object.
        size: u64,
    },
    /// The server could not be reached, or the connection broke.
    #[error("{0}")]
    Connection(String),
    /// What is asked for cannot be asked for in this way.
    #[error("{0}")]
    Unusable(String),
    /// The run was told to stop.
    #[error("it was told to stop")]
    Stopped,
    /// It failed each time that it was tried.
    #[error("{last}; tried {attempts} times")]
    Exhausted {
        /// The attempts.
        attempts: u32,
        /// What the last one came to.
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
    /// The task of a request is gone without an answer.
    pub(crate) fn ended() -> Self {
        Self::Unusable("a bug ended the request".to_owned())
    }

    /// Puts an error of the client library into our words.
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

/// Returns the innermost words of an error: those around it repeat the request.
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let text = error.to_string();
    let is_fit = |c: &char| !c.is_control();
    format!("the connection failed: {}", text.chars().filter(is_fit).take(300).collect::<String>())
}

/// How often something is tried, and how long is waited between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) attempts: u32,
    /// The first wait, at most; each further one is twice as long.
    pub(crate) first: Duration,
    /// The longest wait.
    pub(crate) longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: 8, first: Duration::from_millis(200), longest: Duration::from_secs(10) }
    }
}

impl Patience {
    /// Returns how long to wait after so many failures in a row: some time between none and twice as
    /// long as before, so that many clients do not come back together.
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
