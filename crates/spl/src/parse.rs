//! Search text to pipeline: where the commands begin and end.
//!
//! Each command has a grammar of its own, so this stage only finds the pipes that separate commands:
//! those outside double quotes and square brackets.

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};

use crate::cursor::{MAX_DEPTH, closing_quote, is_word, unclosed_bracket, unclosed_quote};
use crate::{Command, Pipeline};

/// Splits `text`, whose macros are already expanded, into its commands.
///
/// There is always a tree: a stage that cannot be read is left out, with a diagnostic. Square brackets
/// stay in their command's arguments, see [`crate::Arguments::subsearch`].
#[must_use]
pub fn parse(text: &str) -> (Pipeline, Vec<Diagnostic>) {
    parse_at(text, 0, Place::Search)
}

/// Where a pipeline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the whole search: without a leading pipe it begins with an implied `search`.
    Search,
    /// It is in square brackets: there a leading word is a command even without a pipe.
    Brackets,
}

/// Splits `text`, which starts at byte `base` of the whole search.
pub(crate) fn parse_at(text: &str, base: usize, place: Place) -> (Pipeline, Vec<Diagnostic>) {
    let (stages, mut diagnostics) = stages(text, base);
    let span = trimmed(text, Span::new(0, text.len()));
    let mut pipeline = Pipeline {
        commands: Vec::with_capacity(stages.len()),
        leading_pipe: text[span.start..].starts_with('|'),
        span: Span::new(base + span.start, base + span.end),
    };
    for (index, stage) in stages.iter().enumerate() {
        let stage = trimmed(text, *stage);
        let body = &text[stage.start..stage.end];
        if body.is_empty() {
            // What stands before a leading pipe is no stage.
            if !(index == 0 && pipeline.leading_pipe) {
                diagnostics.push(empty_stage(base + stage.start, text.len() + base));
            }
            continue;
        }
        let implied = index == 0 && begins_with_terms(body, place);
        match command(body, base + stage.start, implied) {
            Ok(command) => pipeline.commands.push(command),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    pipeline.leading_pipe |= place == Place::Brackets
        && pipeline.commands.first().is_some_and(|first| first.name.value != "search");
    (pipeline, diagnostics)
}

/// Returns the parts of `text` between its pipes, and what is wrong with quotes and brackets.
fn stages(text: &str, base: usize) -> (Vec<Span>, Vec<Diagnostic>) {
    let mut stages = Vec::new();
    let mut diagnostics = Vec::new();
    let mut open_brackets = Vec::new();
    let (mut start, mut index) = (0, 0);
    while let Some(c) = text[index..].chars().next() {
        let place = Span::new(base + index, base + index + c.len_utf8());
        let after = index + c.len_utf8();
        index = after;
        match c {
            // Outside quotes, too, a backslash takes a quote's or a pipe's meaning away.
            '\\' if text[after..].starts_with(['"', '|', '\\']) => index = after + 1,
            '"' => match closing_quote(&text[after..], '"') {
                Some(length) => index = after + length + 1,
                None => {
                    diagnostics.push(unclosed_quote(place));
                    index = text.len();
                }
            },
            '[' => open_brackets.push(place),
            ']' if open_brackets.pop().is_none() => diagnostics.push(
                Diagnostic::error(Code::UNBALANCED, "`]` was never opened")
                    .label(place, "no `[` before it")
                    .help("remove it, or quote the text that it belongs to"),
            ),
            '|' if open_brackets.is_empty() => {
                stages.push(Span::new(start, after - 1));
                start = after;
            }
            _ => {}
        }
        if open_brackets.len() > MAX_DEPTH {
            diagnostics.push(
                Diagnostic::error(
                    Code::SYNTAX,
                    format!("subsearches nest deeper than {MAX_DEPTH} levels"),
                )
                .at(place)
                .help("run the inner searches on their own"),
            );
            return (stages, diagnostics);
        }
    }
    stages.push(Span::new(start, text.len()));
    diagnostics.extend(open_brackets.into_iter().map(|place| unclosed_bracket('[', place)));
    (stages, diagnostics)
}

/// Returns true if the first stage is an implied `search`.
///
/// In brackets a leading word is a command (`[ tstats …]`, `[ eval …]`), unless it is the left side of a
/// comparison.
fn begins_with_terms(body: &str, place: Place) -> bool {
    let word = leading_word(body);
    let after = body[word.len()..].trim_start();
    match place {
        Place::Search => {
            !word.eq_ignore_ascii_case("search") || body[word.len()..].starts_with(['=', '<', '>'])
        }
        Place::Brackets => {
            word.is_empty()
                // `<<FIELD>>` in a template of `foreach` is no operator.
                || (after.starts_with(['=', '<', '>', '!']) && !after.starts_with("<<"))
                || body[word.len()..].starts_with(['.', ':', '-', '*', '{'])
        }
    }
}

fn command(body: &str, base: usize, implied: bool) -> Result<Command, Diagnostic> {
    let name = if implied { "" } else { leading_word(body) };
    if name.is_empty() && !implied {
        let first = body.chars().next().unwrap_or('|');
        return Err(Diagnostic::error(
            Code::SYNTAX,
            format!("expected a command, found `{first}`"),
        )
        .label(Span::new(base, base + first.len_utf8()), "expected a command")
        .help("a pipe is followed by a command's name"));
    }
    let arguments = trimmed(body, Span::new(name.len(), body.len()));
    Ok(Command {
        name: Spanned::new(
            if implied { "search".to_owned() } else { name.to_ascii_lowercase() },
            Span::new(base, base + name.len()),
        ),
        arguments: Spanned::new(
            body[arguments.start..arguments.end].to_owned(),
            Span::new(base + arguments.start, base + arguments.end),
        ),
    })
}

fn leading_word(body: &str) -> &str {
    &body[..body.find(|c| !is_word(c)).unwrap_or(body.len())]
}

/// Returns the part of `span` that is left without the blanks at its ends.
fn trimmed(text: &str, span: Span) -> Span {
    let part = &text[span.start..span.end];
    let start = span.start + part.len() - part.trim_start().len();
    Span::new(start, start + part.trim().len())
}

fn empty_stage(position: usize, end: usize) -> Diagnostic {
    let span = Span::new(position, (position + 1).min(end));
    Diagnostic::error(Code::EMPTY_COMMAND, "expected a command, found nothing")
        .label(span, "expected a command")
        .help("remove the pipe, or write a command after it")
}
