//! The expression grammar of `search`.
use crate::SearchExpr;
use crate::cursor::Cursor;
use spilltrail_diagnostic::Diagnostic;
/// Parses a text that is one search expression; spans are places in `text`.
///
/// # Errors
/// The text does not follow the grammar of `search`.
pub fn parse_search(text: &str) -> Result<SearchExpr, Diagnostic> {
    expression(&mut Cursor::new(text, 0), &[])
}
pub(super) fn expression(
    cursor: &mut Cursor<'_>,
    _stop: &[&str],
) -> Result<SearchExpr, Diagnostic> {
    Err(cursor.expected("a search that can be read"))
}
