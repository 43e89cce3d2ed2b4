//! Serialization of functions in plans that are sent elsewhere: their state as JSON.

use std::any::Any;

use datafusion::logical_expr::{ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Returns a function's state as JSON text.
///
/// # Panics
/// Never: states are plain data, and the keys of their maps are text, as JSON requires.
#[must_use]
pub(crate) fn state_of<T: Serialize>(data: &T) -> String {
    serde_json::to_string(data).expect("states are data whose maps have texts as keys")
}

/// Reads back what [`state_of`] wrote.
///
/// # Errors
/// Fails if the text is not the state of a `T`.
pub(crate) fn of_state<T: DeserializeOwned>(state: &str) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_str(state);
    // One level of an expression is several levels of JSON, so an expression within the parser's
    // limit can exceed the default limit of JSON.
    json.disable_recursion_limit();
    let data = T::deserialize(&mut json)?;
    json.end()?;
    Ok(data)
}

/// Serializes and deserializes one scalar function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FunctionCodec {
    /// The name that selects the codec. Printed plans may show the function under another name,
    /// which can depend on its state.
    pub name: &'static str,
    /// Returns a function's state, or `None` if the function is not of this codec's type.
    pub write: fn(&dyn Any) -> Option<String>,
    /// Creates the function from its state.
    pub read: fn(&str) -> serde_json::Result<ScalarUDF>,
}

impl FunctionCodec {
    /// Returns a codec that uses the function's `serde` form as its state.
    pub(crate) const fn of<T>(name: &'static str) -> Self
    where
        T: ScalarUDFImpl + Serialize + DeserializeOwned + 'static,
    {
        Self {
            name,
            write: |function| function.downcast_ref::<T>().map(state_of),
            read: |state| of_state::<T>(state).map(ScalarUDF::new_from_impl),
        }
    }
}

/// Returns the signature of a function with one argument of any type.
pub(crate) fn one_argument() -> Signature {
    Signature::any(1, Volatility::Immutable)
}

/// Returns the signature of a function with any number of arguments of any type.
pub(crate) fn any_arguments() -> Signature {
    Signature::variadic_any(Volatility::Immutable)
}
