//! The information that a command gets while it is planned.

use spilltrail_diagnostic::{Code, Diagnostic, Span};

use crate::context::SearchContext;
use crate::planning::plan::{Needs, Plan};

/// The information that a command gets while it is planned.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The context of the search.
    pub context: &'a SearchContext,
    /// The needs of the commands after this one.
    pub after: &'a Needs,
    /// The position of the command's name in the text.
    pub span: Span,
}

impl Stage<'_> {
    /// Returns the input of a command that is not a generating command.
    ///
    /// # Errors
    /// Fails with NOT_GENERATING if the command has no input.
    pub fn input(&self, input: Option<Plan>) -> Result<Plan, Diagnostic> {
        input.ok_or_else(|| {
            Diagnostic::error(Code::NOT_GENERATING, "this command needs the rows of an earlier one")
                .at(self.span)
                .help("begin with a search, or with a generating command such as `| makeresults`")
        })
    }

    /// Checks that a generating command is the first of its pipeline.
    ///
    /// # Errors
    /// Fails with NOT_GENERATING if it is not.
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

    /// Converts DataFusion's error into a diagnostic at the command.
    pub fn refused(&self, error: datafusion::common::DataFusionError) -> Diagnostic {
        crate::error::from_engine(&error).at(self.span)
    }
}
