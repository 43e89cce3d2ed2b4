//! Parses macro calls and fills a definition with their arguments.

use spilltrail_diagnostic::{Code, Diagnostic};

use super::definition::MacroDefinition;
use crate::cursor::{closing_quote, unescape};

/// The contents of a pair of backticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    /// The arguments as written, without surrounding blanks.
    pub(super) arguments: Vec<String>,
}

impl Call {
    /// Parses `name` or `name(argument, …)`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name.trim_end(), split(rest.strip_suffix(')')?)),
            None => (text, Vec::new()),
        };
        let is_name = !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'));
        is_name.then(|| Self { name: name.to_owned(), arguments })
    }

    /// Pairs the definition's argument names with the call's values, given in order or as
    /// `name=value`.
    pub(super) fn bind<'d>(
        &self,
        definition: &'d MacroDefinition,
    ) -> Result<Vec<(&'d str, String)>, Diagnostic> {
        let named: Vec<_> =
            self.arguments.iter().map(|argument| named(argument, definition)).collect();
        if named.iter().all(Option::is_none) {
            let values = self.arguments.iter().map(|argument| value(argument));
            return Ok(definition.arguments.iter().map(String::as_str).zip(values).collect());
        }
        let mut bound: Vec<(&str, String)> = Vec::new();
        for (argument, named) in self.arguments.iter().zip(named) {
            let Some((name, value)) = named else {
                return Err(mixed(definition, argument));
            };
            if bound.iter().any(|(known, _)| *known == name) {
                let title = definition.title();
                let message = format!("argument `{name}` of `{title}` is given twice");
                return Err(Diagnostic::error(Code::MACRO_ARGUMENT, message)
                    .help(format!("its arguments are: {}", definition.arguments.join(", "))));
            }
            bound.push((name, value));
        }
        Ok(bound)
    }
}

/// Returns the length of a call's text up to its closing backtick; backticks in quotes are skipped.
pub(crate) fn closing_backtick(text: &str) -> Option<usize> {
    let mut index = 0;
    while let Some(found) = text[index..].find(['`', '"']) {
        let at = index + found;
        if text[at..].starts_with('`') {
            return Some(at);
        }
        index = at + 1 + closing_quote(&text[at + 1..], '"')? + 1;
    }
    None
}

/// Replaces each `$name$` in `text` by its value; returns `None` if the result has more than `room`
/// bytes.
pub(super) fn fill(text: &str, arguments: &[(&str, String)], room: usize) -> Option<String> {
    let mut filled = String::with_capacity(text.len().min(room));
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let (before, token) = rest.split_at(start);
        filled.push_str(before);
        let found = arguments.iter().find_map(|(name, value)| {
            let after = token[1..].strip_prefix(name)?.strip_prefix('$')?;
            Some((value, after))
        });
        match found {
            Some((value, after)) => {
                if filled.len() + value.len() > room {
                    return None;
                }
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('$');
                rest = &token[1..];
            }
        }
    }
    filled.push_str(rest);
    (filled.len() <= room).then_some(filled)
}

/// Splits at commas outside quotes and brackets; blank text gives an empty list.
fn split(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut arguments = Vec::new();
    let (mut start, mut index, mut depth) = (0, 0, 0_usize);
    while let Some(c) = text[index..].chars().next() {
        index += c.len_utf8();
        match c {
            '"' => index += closing_quote(&text[index..], '"').map_or(0, |length| length + 1),
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                arguments.push(text[start..index - 1].trim().to_owned());
                start = index;
            }
            _ => {}
        }
    }
    arguments.push(text[start..].trim().to_owned());
    arguments
}

/// Returns the name and value of `name=value` if the definition has an argument with that name.
fn named<'d>(argument: &str, definition: &'d MacroDefinition) -> Option<(&'d str, String)> {
    let (name, text) = argument.split_once('=')?;
    let name = definition.arguments.iter().find(|known| *known == name.trim())?;
    Some((name, value(text.trim())))
}

/// Returns an argument without the double quotes that enclose all of it, if it has them.
fn value(argument: &str) -> String {
    let inner = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if closing_quote(&argument[1..], '"') == Some(inner.len()) => unescape(inner),
        _ => argument.to_owned(),
    }
}

fn mixed(definition: &MacroDefinition, argument: &str) -> Diagnostic {
    let title = definition.title();
    let message =
        format!("expected `name=value` for every argument of `{title}`, found `{argument}`");
    Diagnostic::error(Code::MACRO_ARGUMENT, message)
        .help(format!("its arguments are: {}", definition.arguments.join(", ")))
}
