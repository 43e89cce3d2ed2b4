//! Converts operators to text and back, for plans that are sent to another process.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::PhysicalExpr;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use spilltrail_event::Field;

use super::gather::Gathering;
use super::{
    Append, Compact, CountRows, CutLists, Derive, Expand, Operator, Ordered, Pack, RangeBins,
    RowFunction, Select, SerialNumbers, Summarize, Summary, Unpack, compute, leading,
};
use crate::rows::state::{of_state, state_of};

/// Builds an operator from its [`Operator::state`] and its [`Operator::expressions`].
type ReadOperator = fn(&str, Vec<Arc<dyn PhysicalExpr>>) -> serde_json::Result<Arc<dyn Operator>>;

/// Reads the operator of one name back from its state.
#[derive(Debug, Clone, Copy)]
pub struct Codec {
    /// The operator's name, as [`Operator::name`] returns it.
    pub name: &'static str,
    /// Builds the operator.
    pub read: ReadOperator,
}

impl Codec {
    /// Returns the codec of an operator whose state is its serialized JSON.
    pub(crate) const fn operator<T>(name: &'static str) -> Self
    where
        T: Operator + DeserializeOwned + 'static,
    {
        Self { name, read: |state, _| Ok(Arc::new(of_state::<T>(state)?)) }
    }

    /// Returns the codec of an operator that gathers all rows.
    pub(crate) const fn gathering<G: Gathering>() -> Self {
        Self::operator::<G>(G::NAME)
    }

    /// Returns the codec of [`Derive`] with a function whose state is its serialized JSON.
    pub(crate) const fn derive<T>(name: &'static str) -> Self
    where
        T: RowFunction + DeserializeOwned + 'static,
    {
        Self {
            name,
            read: |state, _| {
                let derived: Derived<T> = of_state(state)?;
                let Derived { inputs, outputs, function } = derived;
                Ok(Arc::new(Derive { inputs, outputs, function: Arc::new(function) }))
            },
        }
    }

    /// Returns the codec of [`Summarize`] with a summary whose state is its serialized JSON.
    pub(crate) const fn summary<T>(name: &'static str) -> Self
    where
        T: Summary + DeserializeOwned + 'static,
    {
        Self {
            name,
            read: |state, _| {
                let summary = Arc::new(of_state::<T>(state)?);
                Ok(Arc::new(Summarize { summary }))
            },
        }
    }
}

/// The JSON form of [`Derive`].
#[derive(Deserialize)]
struct Derived<T> {
    inputs: Vec<String>,
    outputs: Vec<Field>,
    function: T,
}

/// The codecs of the operators that belong to no single command.
pub(crate) static SHARED: [Codec; 13] = [
    Codec::operator::<Append>("append"),
    Codec::operator::<Compact>("compact"),
    compute::CODEC,
    Codec::operator::<CountRows>("count_rows"),
    Codec::operator::<CutLists>("cut_lists"),
    Codec::operator::<Expand>("expand"),
    leading::CODEC,
    Codec::operator::<Ordered>("ordered"),
    Codec::operator::<Pack>("pack"),
    Codec::gathering::<RangeBins>(),
    Codec::operator::<Select>("select"),
    Codec::operator::<SerialNumbers>("serial"),
    Codec::operator::<Unpack>("unpack"),
];

/// Returns the state of a [`Derive`] as JSON, with the function's JSON state inserted unchanged.
#[must_use]
pub(crate) fn derived_state(derive: &Derive) -> String {
    let (inputs, outputs) = (state_of(&derive.inputs), state_of(&derive.outputs));
    let function = derive.function.state();
    format!(r#"{{"inputs":{inputs},"outputs":{outputs},"function":{function}}}"#)
}

/// Builds the operator with this name from its state and expressions.
///
/// # Errors
/// Fails if no codec has the name, or if its operator cannot be built from the state.
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
