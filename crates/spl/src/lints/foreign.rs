//! Text of other languages, and commands without their pipe, that are read as words to find.

use spilltrail_diagnostic::Code;

use super::operators::{compares, word};
use super::{Doubt, Searched, Weight};
use crate::SearchExpr;

/// Marks of comments in other languages.
const COMMENTS: &[&str] = &["--", "//", "/*", "#"];

/// Commands that are often written without a pipe.
const COMMANDS: &[&str] = &[
    "bin",
    "chart",
    "dedup",
    "eval",
    "eventstats",
    "fields",
    "head",
    "rename",
    "rex",
    "sort",
    "stats",
    "streamstats",
    "table",
    "timechart",
    "top",
    "where",
];

/// Finds a query of SQL.
pub(super) fn sql(searched: &Searched<'_>, found: &mut Vec<Doubt>) {
    let SearchExpr::And(parts) = searched.expression else { return };
    let is = |part: &SearchExpr, name: &str| {
        word(part).is_some_and(|word| word.value.eq_ignore_ascii_case(name))
    };
    let has_from = parts.iter().any(|part| is(part, "from"));
    let Some(first) = parts.first().filter(|first| is(first, "select") && has_from) else { return };
    let Some(word) = word(first) else { return };
    let message = "this is SQL, and its words are words to find";
    let help = "write `eventName=NAME | table FIELD, FIELD`";
    let doubt = Doubt::new(Weight::NeverMet, Code::NOT_SPL, message, word.span);
    found.push(doubt.help(help));
}

/// Finds comments of other languages.
pub(super) fn comments(searched: &Searched<'_>, found: &mut Vec<Doubt>) {
    searched.expression.walk(&mut |part| {
        let Some(word) = word(part).filter(|word| COMMENTS.contains(&word.value.as_str())) else {
            return;
        };
        let message = format!("`{}` begins no comment; what follows are words to find", word.value);
        let help = "write a comment between three backticks on each side";
        found.push(Doubt::new(Weight::NeverMet, Code::NOT_SPL, message, word.span).help(help));
    });
}

/// Finds a command without a pipe, at the start or after a comparison.
pub(super) fn missing_pipe(searched: &Searched<'_>, found: &mut Vec<Doubt>) {
    let SearchExpr::And(parts) = searched.expression else { return };
    let command = |part| word(part).filter(|word| COMMANDS.contains(&word.value.as_str()));
    let doubt = |name: &str, search: &str, span| {
        let message = format!("`{name}` without a pipe is a word to find");
        let doubt = Doubt::new(Weight::NeverMet, Code::NOT_SPL, message, span);
        doubt.help(format!("write `{search}| {name}`"))
    };
    if let Some(first) = parts.first().and_then(command) {
        let before = if searched.is_leading { "* " } else { "" };
        found.push(doubt(&first.value, before, first.span));
    }
    let is_sql =
        parts.first().and_then(word).is_some_and(|word| word.value.eq_ignore_ascii_case("select"));
    for window in parts.windows(3) {
        let [before, later, _] = window else { continue };
        if let Some(later) = command(later)
            && compares(before)
            && !is_sql
        {
            found.push(doubt(&later.value, "", later.span));
        }
    }
}
