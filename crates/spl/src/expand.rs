//! Placeholder until the real module lands.
use spilltrail_diagnostic::Diagnostic;
/// Macro.
#[derive(Debug)]
pub struct MacroDefinition;
/// Macros.
#[derive(Debug)]
pub struct MacroSet;
/// Expanded text.
#[derive(Debug)]
pub struct Expansion;
/// Expands.
pub fn expand_macros(_: &str, _: &MacroSet) -> (Expansion, Vec<Diagnostic>) { (Expansion, Vec::new()) }
