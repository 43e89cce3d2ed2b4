//! Operators as text and back: what a plan that travels has of them.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::PhysicalExpr;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use spilltrail_event::Field;

use super::{
    Append, Compact, CountRows, Derive, Expand, Operator, Ordered, Pack, RangeBins, RowFunction,
    Select, SerialNumbers, Summarize, Summary, Unpack, compute,
};
use crate::rows::state::state_of;

/// Reads [`Operator::state`], and takes [`Operator::expressions`].
type ReadOperator = fn(&str, Vec<Arc<dyn PhysicalExpr>>) -> serde_json::Result<Arc<dyn Operator>>;

/// How an operator is read back from its state.
#[derive(Debug, Clone, Copy)]
pub struct Codec {
    /// [`Operator::name`].
    pub name: &'static str,
    /// Reads the operator.
    pub read: ReadOperator,
}

impl Codec {
    /// Returns the codec of an operator whose state is its JSON.
    pub(crate) const fn operator<T>(name: &'static str) -> Self
    where
        T: Operator + DeserializeOwned + 'static,
    {
        Self { name, read: |state, _| Ok(Arc::new(serde_json::from_str::<T>(state)?)) }
    }

    /// Returns the codec of [`Derive`] with a function whose state is its JSON.
    pub(crate) const fn derive<T>(name: &'static str) -> Self
    where
        T: RowFunction + DeserializeOwned + 'static,
    {
        Self {
            name,
            read: |state, _| {
                let derived: Derived<T> = serde_json::from_str(state)?;
                let Derived { inputs, outputs, function } = derived;
                Ok(Arc::new(Derive { inputs, outputs, function: Arc::new(function) }))
            },
        }
    }

    /// Returns the codec of [`Summarize`] with a summary whose state is its JSON.
    pub(crate) const fn summary<T>(name: &'static str) -> Self
    where
        T: Summary + DeserializeOwned + 'static,
    {
        Self {
            name,
            read: |state, _| {
                let summary = Arc::new(serde_json::from_str::<T>(state)?);
                Ok(Arc::new(Summarize { summary }))
            },
        }
    }
}

/// [`Derive`] as JSON.
#[derive(Deserialize)]
struct Derived<T> {
    inputs: Vec<String>,
    outputs: Vec<Field>,
    function: T,
}

/// The operators that no single command owns.
pub(crate) static SHARED: [Codec; 11] = [
    Codec::operator::<Append>("append"),
    Codec::operator::<Compact>("compact"),
    compute::CODEC,
    Codec::operator::<CountRows>("count_rows"),
    Codec::operator::<Expand>("expand"),
    Codec::operator::<Ordered>("ordered"),
    Codec::operator::<Pack>("pack"),
    Codec::operator::<RangeBins>("range_bins"),
    Codec::operator::<Select>("select"),
    Codec::operator::<SerialNumbers>("serial"),
    Codec::operator::<Unpack>("unpack"),
];

/// Returns the state of a [`Derive`], whose function's state is JSON already.
#[must_use]
pub(crate) fn derived_state(derive: &Derive) -> String {
    let (inputs, outputs) = (state_of(&derive.inputs), state_of(&derive.outputs));
    let function = derive.function.state();
    format!(r#"{{"inputs":{inputs},"outputs":{outputs},"function":{function}}}"#)
}

/// Reads an operator back.
///
/// # Errors
/// Fails if no operator has the name, or if the state is not one of its.
pub(crate) fn read<'a>(
    mut codecs: impl Iterator<Item = &'a Codec>,
    name: &str,
    state: &str,
    expressions: Vec<Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn Operator>> {
    let codec = codecs.find(|codec| codec.name == name).ok_or_else(|| {
        DataFusionError::Internal(format!("a plan with the operator `{name}`, which is unknown"))
    })?;
    (codec.read)(state, expressions).map_err(|error| {
        DataFusionError::Internal(format!("the state of the operator `{name}`: {error}"))
    })
}
