//! What a command is planned in.

use spilltrail_diagnostic::{Code, Diagnostic, Span};

use crate::context::SearchContext;
use crate::planning::plan::{Needs, Plan};

/// What a command is planned in.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The search's surroundings.
    pub context: &'a SearchContext,
    /// What comes after needs.
    pub after: &'a Needs,
    /// The command's name in the text.
    pub span: Span,
}

impl Stage<'_> {
    /// Returns the input of a command that is not generating.
    ///
    /// # Errors
    /// Fails with NOT_GENERATING if there is none.
    pub fn input(&self, input: Option<Plan>) -> Result<Plan, Diagnostic> {
        input.ok_or_else(|| {
            Diagnostic::error(Code::NOT_GENERATING, "this command needs the rows of an earlier one")
                .at(self.span)
                .help("begin with a search, or with a generating command such as `| makeresults`")
        })
    }

    /// Checks that a generating command has nothing before it.
    ///
    /// # Errors
    /// Fails with NOT_GENERATING if it has.
    pub fn must_be_first(&self, input: Option<&Plan>) -> Result<(), Diagnostic> {
        match input {
            None => Ok(()),
            Some(_) => Err(Diagnostic::error(
                Code::NOT_GENERATING,
                "a generating command must be the first of its pipeline",
            )
            .at(self.span)
            .help("put it in a subsearch: `| append [ | … ]`")),
        }
    }

    /// Turns DataFusion's refusal into a diagnostic at the command.
    pub fn refused(&self, error: datafusion::common::DataFusionError) -> Diagnostic {
        crate::error::from_engine(&error).at(self.span)
    }
}
