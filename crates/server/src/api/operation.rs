//! Operations: what a path does with a method, as data from which requests are checked and the API is
//! described.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::{Ref, RefOr, Schema};

use super::Api;
use super::errors::{ApiError, Code};
use super::request::Asked;

/// One operation of the API.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// The path, with the names of its parameters in braces.
    pub(crate) path: &'static str,
    /// A name that no other operation has.
    pub(crate) id: &'static str,
    /// The group to which it belongs.
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    /// The parameters of the path and of the query; all others are refused.
    pub(crate) parameters: &'static [Parameter],
    /// The body, if it has one.
    pub(crate) body: Option<Type>,
    /// The status of success, and the body of its answer.
    pub(crate) success: (u16, Content),
    /// A further status whose answer is no error, with the body of its answer.
    pub(crate) also: Option<(u16, Type)>,
    /// The errors beside those that any operation of its access has.
    pub(crate) errors: &'static [Code],
    pub(crate) run: fn(Arc<Api>, Asked) -> Answering,
}

impl Operation {
    /// An operation without parameters that answers with a type. Others differ from it.
    pub(crate) const fn get(
        path: &'static str,
        id: &'static str,
        content: Content,
        run: fn(Arc<Api>, Asked) -> Answering,
    ) -> Self {
        Self {
            method: Method::Get,
            path,
            id,
            tag: "",
            summary: "",
            access: Access::Token,
            parameters: &[],
            body: None,
            success: (200, content),
            also: None,
            errors: &[],
            run,
        }
    }

    /// Returns the errors that it can be answered with.
    pub(crate) fn all_errors(&self) -> Vec<Code> {
        use Code::{
            BadBody, BadParameter, Busy, Encoding, Internal, NotFound, TooLarge, TooManyRequests,
            TooSlow, Unauthorized, UnknownParameter, WrongHost, WrongOrigin,
        };
        let mut errors = vec![BadParameter, UnknownParameter, Internal];
        if self.access != Access::Open {
            errors.extend([Unauthorized, WrongHost, WrongOrigin, TooManyRequests, Busy]);
        }
        if self.body.is_some() {
            errors.extend([BadBody, TooSlow, TooLarge, Encoding]);
        }
        if self.parameters.iter().any(|parameter| parameter.place == Place::Path) {
            errors.push(NotFound);
        }
        errors.extend(self.errors);
        errors
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The answer to come.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send>>;

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Patch,
    Put,
    Delete,
}

impl Method {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Returns true if operations of this method change something.
    pub(crate) const fn changes(self) -> bool {
        !matches!(self, Self::Get)
    }
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Open,
    /// Whoever has the token, and programs of this machine.
    TokenOrLoopback,
    /// Whoever has the token.
    Token,
}

/// What an answer has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    /// Nothing.
    Empty,
    /// JSON of a type.
    Json(Type),
    /// JSON of any form.
    AnyJson,
    /// A text.
    Text,
}

/// A type of the API: describes it, and adds it to the types that are described.
#[derive(Clone, Copy)]
pub(crate) struct Type(pub(crate) fn(&mut Types) -> RefOr<Schema>);

/// Types that are described, by name.
pub(crate) type Types = Vec<(String, RefOr<Schema>)>;

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Type")
    }
}

impl Type {
    /// Returns the description of a type.
    pub(crate) const fn of<T: ToSchema>() -> Self {
        Self(|types| {
            types.push((T::name().into_owned(), T::schema()));
            T::schemas(types);
            Ref::from_schema_name(T::name()).into()
        })
    }
}

/// A parameter of a path or a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    pub(crate) about: &'static str,
}

/// Where a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
}

impl Parameter {
    /// A part of the path, which is always there.
    pub(crate) const fn path(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, place: Place::Path, kind, about }
    }

    /// A part of the query, which may be there.
    pub(crate) const fn query(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, place: Place::Query, kind, about }
    }
}

/// What a parameter can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text of up to so many bytes, which is not empty.
    Text(usize),
    /// A whole number within bounds.
    Number(u64, u64),
    /// A time in whole seconds since 1970.
    Time,
    /// A number.
    Score,
    /// One of several words.
    Choice(&'static [&'static str]),
    /// Some of several words, with commas between them.
    Choices(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
}

/// An answer to a request that succeeded.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Replaces the status of success of the operation.
    pub(crate) status: Option<u16>,
    pub(crate) body: Body,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    Json(String),
    Text(&'static str, String),
}

impl Answer {
    pub(crate) fn empty() -> Self {
        Self { status: None, body: Body::Empty }
    }

    /// Answers with JSON.
    ///
    /// # Errors
    /// Fails if there is a bug, because the types of answers are JSON.
    pub(crate) fn json(value: &impl Serialize) -> Result<Self, ApiError> {
        let text = serde_json::to_string(value).map_err(|error| ApiError::internal(&error))?;
        Ok(Self { status: None, body: Body::Json(text) })
    }
}

/// Returns a stored text as the JSON that it is; as a text, if it is none.
pub(crate) fn stored_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
