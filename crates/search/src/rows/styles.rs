//! How the fields of rows are shown, which the rows themselves do not hold.

use indexmap::IndexMap;
use spilltrail_spl::EvalExpr;

/// The delimiters and formats of fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Styles {
    /// The delimiter with which `nomv` joins the values of a field, if a command set one.
    pub(crate) delimiters: IndexMap<String, String>,
    /// The expressions with which the output shows fields; commands see the fields themselves.
    pub(crate) formats: IndexMap<String, EvalExpr>,
}
