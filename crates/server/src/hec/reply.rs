//! Answers: the codes of the protocol, with their statuses and texts.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{HeaderName, Response, StatusCode};
use serde_json::{Map, Value, json};

/// A code of the protocol, as Splunk's page "Troubleshoot HTTP Event Collector" lists them.
///
/// Code 26, with the status 429, is never given: events for which there is no room are refused with
/// [`Code::ServerBusy`], whose status 503 all senders take as a reason to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Everything was taken.
    Success,
    /// The token is known and disabled.
    TokenDisabled,
    /// There is no token.
    TokenRequired,
    /// The header is of no form that is understood.
    InvalidAuthorization,
    /// Nobody knows the token.
    InvalidToken,
    /// There is no event in the request.
    NoData,
    /// The request, or an event of it, is not of the form that the protocol describes.
    InvalidDataFormat,
    /// The index is not one that the token may write to.
    IncorrectIndex,
    /// Events cannot be stored, or there is a bug.
    InternalServerError,
    /// Too much waits to be stored, or too many requests are under way.
    ServerBusy,
    /// The token asks for acknowledgement, and the request names no channel.
    DataChannelMissing,
    /// The channel is not a GUID.
    InvalidDataChannel,
    /// An event has no `event`.
    EventFieldRequired,
    /// The `event` of an event is empty.
    EventFieldBlank,
    /// The token does not ask for acknowledgement.
    AckDisabled,
    /// The `fields` of an event are nested.
    IndexedFields,
    /// A token in the query is not allowed.
    QueryStringAuthorization,
    /// All is well.
    Healthy,
    /// Nothing can be stored at present, because the disk is full or too much waits.
    QueuesFull,
    /// No more acknowledgements can be remembered.
    AckUnavailable,
    /// Both of these.
    QueuesFullAckUnavailable,
    /// Nobody knows the token that asks for health.
    HealthInvalidToken,
    /// The token that asks for health is disabled.
    HealthTokenDisabled,
    /// The server takes no more requests.
    ShuttingDown,
    /// Events can be stored, and little more can wait for the disk.
    QueueNearCapacity,
    /// Requests can be acknowledged, and few more can be remembered.
    AckNearCapacity,
    /// No more channels or acknowledgements can be remembered.
    AckChannelFull,
}

impl Code {
    /// Returns the number, the HTTP status and the text.
    #[must_use]
    pub const fn parts(self) -> (u16, u16, &'static str) {
        match self {
            Self::Success => (0, 200, "Success"),
            Self::TokenDisabled => (1, 403, "Token disabled"),
            Self::TokenRequired => (2, 401, "Token is required"),
            Self::InvalidAuthorization => (3, 401, "Invalid authorization"),
            Self::InvalidToken => (4, 403, "Invalid token"),
            Self::NoData => (5, 400, "No data"),
            Self::InvalidDataFormat => (6, 400, "Invalid data format"),
            Self::IncorrectIndex => (7, 400, "Incorrect index"),
            Self::InternalServerError => (8, 500, "Internal server error"),
            Self::ServerBusy => (9, 503, "Server is busy"),
            Self::DataChannelMissing => (10, 400, "Data channel is missing"),
            Self::InvalidDataChannel => (11, 400, "Invalid data channel"),
            Self::EventFieldRequired => (12, 400, "Event field is required"),
            Self::EventFieldBlank => (13, 400, "Event field cannot be blank"),
            Self::AckDisabled => (14, 400, "ACK is disabled"),
            Self::IndexedFields => (15, 400, "Error in handling indexed fields"),
            Self::QueryStringAuthorization => {
                (16, 400, "Query string authorization is not enabled")
            }
            Self::Healthy => (17, 200, "HEC is healthy"),
            Self::QueuesFull => (18, 503, "HEC is unhealthy, queues are full"),
            Self::AckUnavailable => (19, 503, "HEC is unhealthy, ack service unavailable"),
            Self::QueuesFullAckUnavailable => {
                (20, 503, "HEC is unhealthy, queues are full, ack service unavailable")
            }
            Self::HealthInvalidToken => (21, 400, "Invalid token"),
            Self::HealthTokenDisabled => (22, 400, "Token disabled"),
            Self::ShuttingDown => (23, 503, "Server is shutting down"),
            Self::QueueNearCapacity => (24, 200, "HEC is healthy, queue approaching capacity"),
            Self::AckNearCapacity => (25, 200, "HEC is healthy, ack approaching capacity"),
            Self::AckChannelFull => (27, 429, "HEC ack channel at capacity"),
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A code of the protocol.
    Hec {
        code: Code,
        /// The number of the event that was refused, from 0. The events before it are stored.
        event: Option<u64>,
        ack: Option<u64>,
    },
    /// Which of the acknowledgements that were asked for have come.
    Acks(Vec<(u64, bool)>),
    /// What the protocol has no code for; the code is the status.
    Http { status: StatusCode, text: &'static str },
}

impl From<Code> for Reply {
    fn from(code: Code) -> Self {
        Self::Hec { code, event: None, ack: None }
    }
}

impl Reply {
    /// Refuses an event.
    pub(crate) const fn of_event(code: Code, event: u64) -> Self {
        Self::Hec { code, event: Some(event), ack: None }
    }

    /// Tells that all was taken, under a number by which to ask whether it is stored.
    pub(crate) const fn taken(ack: Option<u64>) -> Self {
        Self::Hec { code: Code::Success, event: None, ack }
    }

    /// The path is not one of ours.
    pub(crate) const NOT_FOUND: Self = Self::Http {
        status: StatusCode::NOT_FOUND,
        text: "The requested URL was not found on this server.",
    };

    /// The path is ours, the method is not one of its.
    pub(crate) const WRONG_METHOD: Self =
        Self::Http { status: StatusCode::METHOD_NOT_ALLOWED, text: "Method not allowed" };

    /// The body, or what is inflated from it, has too many bytes.
    pub(crate) const TOO_LARGE: Self =
        Self::Http { status: StatusCode::PAYLOAD_TOO_LARGE, text: "The request is too large" };

    /// The body is compressed in a way that is not supported.
    pub(crate) const ENCODING: Self = Self::Http {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        text: "The content encoding is not supported; it may be gzip or identity",
    };

    /// The body comes too slowly.
    pub(crate) const TOO_SLOW: Self =
        Self::Http { status: StatusCode::REQUEST_TIMEOUT, text: "The request came too slowly" };

    /// Returns the number of the code.
    pub(crate) fn number(&self) -> u16 {
        match self {
            Self::Hec { code, .. } => code.parts().0,
            Self::Acks(_) => Code::Success.parts().0,
            Self::Http { status, .. } => status.as_u16(),
        }
    }

    /// Returns true if the request itself is wrong, and not only its token.
    pub(crate) fn is_of_wrong_request(&self) -> bool {
        let is_of_token = matches!(self, Self::Hec { code: Code::QueryStringAuthorization, .. });
        let of_token = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        let status = self.status();
        status.is_client_error() && !is_of_token && !of_token.contains(&status)
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Hec { code, .. } => {
                StatusCode::from_u16(code.parts().1).expect("the table has valid statuses")
            }
            Self::Acks(_) => StatusCode::OK,
            Self::Http { status, .. } => *status,
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Hec { code, event, ack } => {
                let (number, _, text) = code.parts();
                let mut members = Map::new();
                members.insert("text".to_owned(), text.into());
                members.insert("code".to_owned(), number.into());
                if let Some(event) = event {
                    members.insert("invalid-event-number".to_owned(), (*event).into());
                }
                if let Some(ack) = ack {
                    members.insert("ackId".to_owned(), (*ack).into());
                }
                Value::Object(members)
            }
            Self::Acks(acks) => {
                let members =
                    acks.iter().map(|(id, is_stored)| (id.to_string(), (*is_stored).into()));
                json!({"acks": members.collect::<Map<_, _>>()})
            }
            Self::Http { status, text } => json!({"text": text, "code": status.as_u16()}),
        }
    }

    /// Returns the response of HTTP.
    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.json().to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        headers.insert(
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        );
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Splunk"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_the_order_that_clients_know() {
        for (reply, status, expected) in [
            (Reply::taken(None), 200, r#"{"text":"Success","code":0}"#),
            (Reply::taken(Some(0)), 200, r#"{"text":"Success","code":0,"ackId":0}"#),
            (
                Reply::of_event(Code::IncorrectIndex, 3),
                400,
                r#"{"text":"Incorrect index","code":7,"invalid-event-number":3}"#,
            ),
            (Code::TokenRequired.into(), 401, r#"{"text":"Token is required","code":2}"#),
            (Reply::Acks(vec![(1, true), (0, false)]), 200, r#"{"acks":{"1":true,"0":false}}"#),
            (
                Reply::NOT_FOUND,
                404,
                r#"{"text":"The requested URL was not found on this server.","code":404}"#,
            ),
        ] {
            assert_eq!(
                (reply.status().as_u16(), reply.json().to_string().as_str()),
                (status, expected)
            );
        }
    }
}
