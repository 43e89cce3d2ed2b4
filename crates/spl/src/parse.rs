//! Placeholder until the real module lands.
use spilltrail_diagnostic::{Diagnostic, Span};
/// Parses.
pub fn parse(_: &str) -> (crate::Pipeline, Vec<Diagnostic>) {
    (crate::Pipeline { commands: vec![], leading_pipe: false, span: Span::default() }, vec![])
}
