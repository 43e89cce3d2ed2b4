//! Arguments of the `stats` family.
use super::Arguments;
use crate::{Aggregate, StatsArguments};
use spilltrail_diagnostic::Diagnostic;
impl Arguments<'_> {
    /// Takes aggregates and `BY` fields.
    ///
    /// # Errors
    /// The text does not follow the grammar.
    pub fn stats(&mut self) -> Result<StatsArguments, Diagnostic> {
        Ok(StatsArguments { aggregates: self.aggregates_until(&["by"])?, by: Vec::new() })
    }
    /// Takes aggregates up to a keyword in `stop`.
    ///
    /// # Errors
    /// The text does not follow the grammar.
    pub fn aggregates_until(&mut self, _stop: &[&str]) -> Result<Vec<Aggregate>, Diagnostic> {
        Err(self.cursor.expected("an aggregate"))
    }
}
