//! A request whose parameters are read: each has the form that its operation describes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::Bytes;
use serde::de::DeserializeOwned;
use spilltrail_schedule::Moment;
use url::form_urlencoded;

use super::errors::{ApiError, Code, shortened};
use super::operation::{Kind, Operation, Place};

/// The most parameters of a query.
const MAX_PARAMETERS: usize = 100;

/// A request that may go on.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Who asks, as the request says.
    pub(crate) who: String,
    pub(crate) address: Option<IpAddr>,
    /// True if the client has the token, or is a program of this machine.
    pub(crate) is_trusted: bool,
    pub(crate) body: Bytes,
    pub(super) parameters: Parameters,
}

/// The values of parameters, by name.
pub(super) type Parameters = BTreeMap<&'static str, Value>;

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Time(i64),
    Score(f64),
    Flag(bool),
}

impl Asked {
    /// Reads parameters.
    ///
    /// # Errors
    /// Fails if one is not of the operation, comes twice, or has a value that is none.
    pub(crate) fn read(
        &mut self,
        operation: &Operation,
        path: impl IntoIterator<Item = (String, String)>,
        query: Option<&str>,
    ) -> Result<(), ApiError> {
        for (name, value) in path {
            self.take(operation, Place::Path, &name, value)?;
        }
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        for (count, (name, value)) in pairs.enumerate() {
            if count >= MAX_PARAMETERS {
                let message = format!("there are more than {MAX_PARAMETERS} parameters");
                return Err(ApiError::new(Code::UnknownParameter, message));
            }
            self.take(operation, Place::Query, &name, value.into_owned())?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        operation: &Operation,
        place: Place,
        name: &str,
        value: String,
    ) -> Result<(), ApiError> {
        let of_place = operation.parameters.iter().filter(|found| found.place == place);
        let Some(parameter) = of_place.clone().find(|parameter| parameter.name == name) else {
            let names: Vec<String> = of_place.map(|found| format!("`{}`", found.name)).collect();
            let name = shortened(name);
            let message = if names.is_empty() {
                format!("there is no parameter `{name}`; this path has none")
            } else {
                format!("there is no parameter `{name}`; there are {}", names.join(", "))
            };
            return Err(ApiError::new(Code::UnknownParameter, message));
        };
        let found = parameter.kind.read(&value);
        let found = found.ok_or_else(|| {
            ApiError::parameter(parameter.name, &parameter.kind.expected(), &value)
        })?;
        if self.parameters.insert(parameter.name, found).is_some() {
            let message = format!("the parameter `{}` comes twice", parameter.name);
            return Err(ApiError::new(Code::UnknownParameter, message));
        }
        Ok(())
    }

    /// Returns the value of a text or a choice.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.parameters.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the words of a list; none if it is missing.
    pub(crate) fn words(&self, name: &str) -> Vec<&str> {
        self.text(name).map(|text| text.split(',').collect()).unwrap_or_default()
    }

    /// Returns the value of a text of the path, which is always there.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.parameters.get(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn time(&self, name: &str) -> Option<Moment> {
        match self.parameters.get(name)? {
            Value::Time(seconds) => Some(Moment(*seconds)),
            _ => None,
        }
    }

    pub(crate) fn score(&self, name: &str) -> Option<f64> {
        match self.parameters.get(name)? {
            Value::Score(score) => Some(*score),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.parameters.get(name)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// Fails if it is not the JSON of this type. Unknown members are errors if the type says so.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        // A list would be read as the members in their order.
        let begin = self.body.trim_ascii_start().first();
        if begin.is_some_and(|byte| *byte != b'{') {
            return Err(ApiError::new(Code::BadBody, "the body is no object of JSON"));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = format!("the body is not what is expected: {error}");
            ApiError::new(Code::BadBody, shortened_to(&message, 500))
        })
    }
}

fn shortened_to(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

impl Kind {
    /// Says what a value must be.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Text(most) => format!("a text of 1 to {most} bytes"),
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::Time => "a time in whole seconds since 1970".to_owned(),
            Self::Score => "a number".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Choices(words) => {
                format!("some of {}, with commas between them", words.join(", "))
            }
            Self::Flag => "true or false".to_owned(),
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Text(most) => {
                (1..=most).contains(&text.len()).then(|| Value::Text(text.to_owned()))
            }
            Self::Number(least, most) => {
                let number = text.parse().ok()?;
                (least..=most).contains(&number).then_some(Value::Number(number))
            }
            Self::Time => text.parse().ok().map(Value::Time),
            Self::Score => {
                text.parse().ok().filter(|score: &f64| score.is_finite()).map(Value::Score)
            }
            Self::Choice(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Self::Choices(words) => text
                .split(',')
                .all(|word| words.contains(&word))
                .then(|| Value::Text(text.to_owned())),
            Self::Flag => text.parse().ok().map(Value::Flag),
        }
    }
}
