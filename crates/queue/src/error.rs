//! Why a queue cannot be used, and whether that can pass.
//!
//! No error has a secret: credentials are replaced in what servers answer, and hosts stand for
//! addresses.

use thiserror::Error;

/// Why a queue cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The address is not that of a queue.
    #[error("`{url}` is not the address of a queue: expected {expected}")]
    Url {
        /// The address, shortened.
        url: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The address does not tell the region, and none was given.
    #[error("the region of queue `{queue}` is not known")]
    NoRegion {
        /// The name of the queue.
        queue: String,
    },
    /// The given region is not the one in the address.
    #[error("queue `{queue}` is in region `{found}`, not in `{given}`")]
    Region {
        /// The name of the queue.
        queue: String,
        /// The region in the address.
        found: String,
        /// The region that was given.
        given: String,
    },
    /// An option has a value that cannot be used.
    #[error("the value of `{option}` cannot be used: expected {expected}")]
    Option {
        /// The name of the option.
        option: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up: {detail}")]
    Client {
        /// What the library said.
        detail: String,
    },
    /// There are no credentials now.
    #[error("there are no credentials for queue `{queue}`: {detail}")]
    Credentials {
        /// The name of the queue.
        queue: String,
        /// What their provider said.
        detail: String,
    },
    /// Credentials have characters that no request can carry.
    #[error(
        "the credentials for queue `{queue}` cannot be used: expected visible ASCII characters"
    )]
    CredentialForm {
        /// The name of the queue.
        queue: String,
    },
    /// No connection, or it broke.
    #[error("`{peer}` cannot be reached: {detail}")]
    Network {
        /// The host.
        peer: String,
        /// What the library said.
        detail: String,
    },
    /// The time limit passed.
    #[error("`{peer}` did not answer within the time limit")]
    Time {
        /// The host.
        peer: String,
    },
    /// The answer has more bytes than an answer of SQS can have.
    #[error("the answer of `{peer}` has more than {most} bytes")]
    TooLarge {
        /// The host.
        peer: String,
        /// The most bytes that are read.
        most: usize,
    },
    /// The answer is not one of SQS.
    #[error("the answer of `{peer}` to {action} is not one of SQS: {detail}")]
    Answer {
        /// The host.
        peer: String,
        /// What was asked.
        action: &'static str,
        /// What was found.
        detail: String,
    },
    /// The service refused.
    #[error("`{peer}` refused {action} with status {status}{}{}", named(code), quoted(message))]
    Refused {
        /// The host.
        peer: String,
        /// What was asked.
        action: &'static str,
        /// The status of HTTP.
        status: u16,
        /// The name of the error, such as `AccessDeniedException`; empty if the answer has none.
        code: String,
        /// What the service says, shortened and without secrets.
        message: String,
        /// What kind of refusal it is.
        fault: Fault,
    },
}

/// What kind of refusal an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Too many requests, or too many messages that others hold.
    Busy,
    /// The service has a failure of its own.
    Server,
    /// The credentials have ended; their provider gets new ones.
    Expired,
    /// The clock of this machine is wrong.
    Clock,
    /// The credentials may not do this.
    Denied,
    /// The service does not know the credentials, or they do not fit the signature.
    Unknown,
    /// There is no such queue.
    NoQueue,
    /// The key that encrypts the queue cannot be used.
    Key,
    /// The message is no longer held with this receipt.
    Receipt,
    /// The request is answered by another address.
    Elsewhere,
    /// Anything else.
    Request,
}

/// Whether an error can pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The same request can succeed later.
    Passing,
    /// The same request fails until somebody changes the configuration, a policy or the queue.
    Permanent,
}

impl QueueError {
    /// Returns whether the error can pass.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Credentials { .. }
            | Self::Network { .. }
            | Self::Time { .. }
            | Self::Answer { .. }
            | Self::Refused { fault: Fault::Busy | Fault::Server | Fault::Expired, .. } => {
                Class::Passing
            }
            _ => Class::Permanent,
        }
    }

    /// Returns true if the same request can succeed later.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.class() == Class::Passing
    }

    /// Returns what somebody can do about the error, as one line.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::Url { .. } => {
                "the address is shown as `URL` on the page of the queue, and by `aws sqs \
                 get-queue-url --queue-name NAME`"
            }
            Self::NoRegion { .. } => "name the region of the queue",
            Self::Region { .. } => "leave out the region, or name the one in the address",
            Self::Credentials { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or give the \
                 machine a role"
            }
            Self::CredentialForm { .. } => "look for blanks and line ends around the keys",
            Self::Refused { fault, .. } => fault.help()?,
            _ => return None,
        })
    }
}

impl Fault {
    /// Returns what kind of refusal an answer is. `code` is the name of the error without its
    /// namespace, or the older name that the header of the answer has.
    pub(crate) fn of(status: u16, code: &str) -> Self {
        let code = code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code);
        match code {
            "RequestThrottled"
            | "RequestThrottledException"
            | "ThrottlingException"
            | "Throttling"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "OverLimit"
            | "KmsThrottled"
            | "KMS.ThrottlingException" => Self::Busy,
            "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "InternalFailure"
            | "InternalError"
            | "InternalServerError" => Self::Server,
            "ExpiredToken" | "ExpiredTokenException" => Self::Expired,
            "RequestExpired" | "RequestTimeTooSkewed" => Self::Clock,
            "AccessDenied"
            | "AccessDeniedException"
            | "NotAuthorized"
            | "OptInRequired"
            | "InvalidSecurity" => Self::Denied,
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException" => Self::Unknown,
            "QueueDoesNotExist" | "NonExistentQueue" | "QueueDeletedRecently" => Self::NoQueue,
            _ if code.starts_with("Kms") || code.starts_with("KMS.") => Self::Key,
            "ReceiptHandleIsInvalid" | "MessageNotInflight" => Self::Receipt,
            _ => match status {
                300..=399 => Self::Elsewhere,
                408 | 425 | 429 => Self::Busy,
                500.. => Self::Server,
                401 | 403 => Self::Denied,
                _ => Self::Request,
            },
        }
    }

    fn help(self) -> Option<&'static str> {
        Some(match self {
            Self::Denied => {
                "the credentials need sqs:ReceiveMessage, sqs:DeleteMessage, \
                 sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on the queue; a queue of \
                 another account needs them in its own policy, too"
            }
            Self::Unknown => {
                "check the access key and its secret, and that they belong to the partition of the \
                 queue (China and GovCloud have keys of their own)"
            }
            Self::NoQueue => {
                "check the account, the region and the name in the address; a new queue needs a \
                 minute"
            }
            Self::Key => {
                "the queue is encrypted with a key of KMS: the credentials need kms:Decrypt on it, \
                 and it must be enabled"
            }
            Self::Clock => "set the clock of this machine",
            Self::Elsewhere => "redirects are not followed; check the address of the endpoint",
            Self::Busy => return None,
            Self::Server | Self::Expired | Self::Receipt | Self::Request => return None,
        })
    }
}

fn named(code: &str) -> String {
    if code.is_empty() { String::new() } else { format!(": {code}") }
}

fn quoted(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": `{message}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> QueueError {
        QueueError::Refused {
            peer: "sqs.eu-west-1.amazonaws.com".into(),
            action: "ReceiveMessage",
            status,
            code: code.into(),
            message: String::new(),
            fault: Fault::of(status, code),
        }
    }

    #[test]
    fn refusals_have_a_class_and_help() {
        // Status, code, whether it can pass, and a word of the help.
        for (status, code, is_retry, help) in [
            (400, "AccessDeniedException", false, Some("sqs:ReceiveMessage")),
            (403, "", false, Some("sqs:ReceiveMessage")),
            (400, "QueueDoesNotExist", false, Some("a new queue")),
            (400, "AWS.SimpleQueueService.NonExistentQueue", false, Some("a new queue")),
            (400, "InvalidSignatureException", false, Some("access key")),
            (403, "InvalidClientTokenId", false, Some("access key")),
            (400, "KmsAccessDenied", false, Some("kms:Decrypt")),
            (400, "KmsThrottled", true, None),
            (400, "RequestThrottled", true, None),
            (403, "OverLimit", true, None),
            (403, "ExpiredTokenException", true, None),
            (403, "RequestTimeTooSkewed", false, Some("clock")),
            (500, "InternalFailure", true, None),
            (503, "", true, None),
            (429, "", true, None),
            (302, "", false, Some("redirects")),
            (400, "ReceiptHandleIsInvalid", false, None),
            (400, "InvalidParameterValue", false, None),
        ] {
            let error = refused(status, code);
            assert_eq!(error.is_retry(), is_retry, "{error}");
            assert_eq!(error.help().is_some(), help.is_some(), "{error}");
            if let (Some(found), Some(word)) = (error.help(), help) {
                assert!(found.contains(word), "{error}: {found}");
            }
        }
    }

    #[test]
    fn messages() {
        assert_eq!(
            refused(503, "").to_string(),
            "`sqs.eu-west-1.amazonaws.com` refused ReceiveMessage with status 503"
        );
        assert_eq!(
            refused(400, "QueueDoesNotExist").to_string(),
            "`sqs.eu-west-1.amazonaws.com` refused ReceiveMessage with status 400: \
             QueueDoesNotExist"
        );
    }
}
