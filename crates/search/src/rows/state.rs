//! What a plan that travels has of functions: their state as JSON, and how they are read back.

use std::any::Any;

use datafusion::logical_expr::{ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Returns data as the text of a state.
///
/// # Panics
/// Never: states are data whose maps have texts as keys.
#[must_use]
pub(crate) fn state_of<T: Serialize>(data: &T) -> String {
    serde_json::to_string(data).expect("states are data whose maps have texts as keys")
}

/// How a scalar function is written and read back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FunctionCodec {
    /// What it is found by. Plans show the function under a name that may depend on its state.
    pub name: &'static str,
    /// Returns the state of a function, or `None` if it is another one.
    pub write: fn(&dyn Any) -> Option<String>,
    /// Reads a state.
    pub read: fn(&str) -> serde_json::Result<ScalarUDF>,
}

impl FunctionCodec {
    /// Returns the codec of a function whose state is its JSON.
    pub(crate) const fn of<T>(name: &'static str) -> Self
    where
        T: ScalarUDFImpl + Serialize + DeserializeOwned + 'static,
    {
        Self {
            name,
            write: |function| function.downcast_ref::<T>().map(state_of),
            read: |state| serde_json::from_str::<T>(state).map(ScalarUDF::new_from_impl),
        }
    }
}

/// Returns the signature of a function of one argument of any type.
pub(crate) fn one_argument() -> Signature {
    Signature::any(1, Volatility::Immutable)
}

/// Returns the signature of a function of any arguments.
pub(crate) fn any_arguments() -> Signature {
    Signature::variadic_any(Volatility::Immutable)
}
