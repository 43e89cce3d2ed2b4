//! Errors of the API: one shape, with a code for programs and a message for people.

use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    BadParameter,
    UnknownParameter,
    BadBody,
    BadRequest,
    Unauthorized,
    WrongHost,
    WrongOrigin,
    NotFound,
    WrongMethod,
    TooSlow,
    TooLarge,
    Encoding,
    TooManyRequests,
    TooManySearches,
    Internal,
    Busy,
}

impl Code {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 16] = [
        Self::BadParameter,
        Self::UnknownParameter,
        Self::BadBody,
        Self::BadRequest,
        Self::Unauthorized,
        Self::WrongHost,
        Self::WrongOrigin,
        Self::NotFound,
        Self::WrongMethod,
        Self::TooSlow,
        Self::TooLarge,
        Self::Encoding,
        Self::TooManyRequests,
        Self::TooManySearches,
        Self::Internal,
        Self::Busy,
    ];

    /// Returns its name, its HTTP status, and what it means.
    pub(crate) const fn parts(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::BadParameter => {
                ("bad_parameter", 400, "a parameter is missing, or its value cannot be read")
            }
            Self::UnknownParameter => {
                ("unknown_parameter", 400, "there is no parameter of this name, or it comes twice")
            }
            Self::BadBody => ("bad_body", 400, "the body is not the JSON that is expected"),
            Self::BadRequest => ("bad_request", 400, "what is asked for cannot be done"),
            Self::Unauthorized => ("unauthorized", 401, "the token is missing or unknown"),
            Self::WrongHost => ("wrong_host", 403, "the request is for another host"),
            Self::WrongOrigin => ("wrong_origin", 403, "a page of another server sent the request"),
            Self::NotFound => ("not_found", 404, "there is no such thing"),
            Self::WrongMethod => ("wrong_method", 405, "the path has no such method"),
            Self::TooSlow => ("too_slow", 408, "the body came too slowly"),
            Self::TooLarge => ("too_large", 413, "the body has too many bytes"),
            Self::Encoding => ("encoding", 415, "the body is compressed in an unsupported way"),
            Self::TooManyRequests => {
                ("too_many_requests", 429, "too many requests, or too many without a good token")
            }
            Self::TooManySearches => {
                ("too_many_searches", 429, "too many searches wait, run or are kept")
            }
            Self::Internal => ("internal", 500, "there is a bug, or the store cannot be used"),
            Self::Busy => (
                "busy",
                503,
                "too much is under way, another process uses the store, or the disk is full",
            ),
        }
    }

    /// Returns after how many seconds a request with such an answer may be sent again, if it may be.
    pub(crate) const fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooManyRequests => Some(1),
            Self::TooManySearches | Self::Busy => Some(5),
            _ => None,
        }
    }

    pub(crate) const fn status(self) -> u16 {
        self.parts().1
    }
}

/// An answer to a request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// After how many seconds the request may be sent again.
    pub(crate) retry_after: Option<u64>,
    /// What the log is told, and the client is not.
    pub(crate) cause: Option<String>,
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: code.retry_after(), cause: None }
    }

    /// Returns an error whose message is what its code means.
    pub(crate) fn plain(code: Code) -> Self {
        Self::new(code, code.parts().2)
    }

    /// There is no such thing.
    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} `{id}`"))
    }

    /// A parameter, or a member of a body, has a value that cannot be read.
    pub(crate) fn parameter(name: &str, expected: &str, found: &str) -> Self {
        let message = format!("`{name}`: expected {expected}, found `{}`", shortened(found));
        Self::new(Code::BadParameter, message)
    }

    /// The log has what happened, and the client is told that there is a bug.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        let message =
            "the request failed; the log of the server says why, with the id of the request";
        Self::new(Code::Internal, message).because(error)
    }

    /// Adds what the log is told.
    pub(crate) fn because(self, cause: &dyn std::fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }

    /// Returns the body of the answer to the request with an id.
    pub(crate) fn body<'a>(&self, request: &'a str) -> ErrorBody<'a> {
        let code = self.code.parts().0;
        ErrorBody { error: ErrorDetail { code, message: self.message.clone(), request } }
    }
}

/// Returns the beginning of a text that a client sent.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The body of an answer to a request that failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody<'a> {
    /// What went wrong.
    error: ErrorDetail<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetail<'a> {
    /// A word for programs.
    #[schema(value_type = String)]
    code: &'static str,
    /// A sentence for people.
    message: String,
    /// The id of the request, which is also in the header `X-Request-Id` and in the log of the server.
    request: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_one_shape() {
        let error = ApiError::parameter("limit", "a number from 1 to 1000", &"x".repeat(200));
        let text = serde_json::to_string(&error.body("1-2")).unwrap();
        let expected = format!(
            r#"{{"error":{{"code":"bad_parameter","message":"`limit`: expected a number from 1 to 1000, found `{}…`","request":"1-2"}}}}"#,
            "x".repeat(100)
        );
        assert_eq!(text, expected);
        assert_eq!(shortened(&"ä".repeat(100)), "ä".repeat(100));
    }

    #[test]
    fn codes_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> =
            Code::ALL.iter().map(|code| code.parts().0).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }
}
