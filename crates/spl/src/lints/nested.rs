//! The searches in the arguments of commands such as `append`, `join` and `map`.

use spilltrail_diagnostic::{Label, Span, Spanned};

use super::Doubt;
use crate::{Arguments, Command, Pipeline, parse};

/// A search in the arguments of a command.
pub(super) struct Nested {
    /// The search.
    pub(super) pipeline: Pipeline,
    /// Whether it gets the rows of the command instead of finding events.
    pub(super) has_rows: bool,
    /// Whether it is run as it is written.
    pub(super) is_whole: bool,
    /// The offset in the whole text of each byte of the search, and of its end, if the search is in
    /// quotes.
    offsets: Option<Vec<usize>>,
}

impl Nested {
    fn of(pipeline: Pipeline) -> Self {
        Self { pipeline, has_rows: false, is_whole: true, offsets: None }
    }

    /// Moves a doubt about the search to the whole text.
    pub(super) fn place(&self, doubt: &mut Doubt) {
        let Some(offsets) = &self.offsets else { return };
        let end = offsets.last().copied().unwrap_or_default();
        let of = |offset: usize| offsets.get(offset).copied().unwrap_or(end);
        for Label { span, .. } in &mut doubt.diagnostic.labels {
            *span = Span::new(of(span.start), of(span.end));
        }
    }
}

/// Returns the searches in the arguments of a command that is neither `search` nor has expressions.
/// Those that cannot be read are left out.
pub(super) fn searches(command: &Command) -> Vec<Nested> {
    match command.name.value.as_str() {
        "append" | "appendcols" | "join" | "multisearch" | "set" | "union" => in_brackets(command),
        "appendpipe" => {
            let nested = in_brackets(command).into_iter();
            nested.map(|nested| Nested { has_rows: true, ..nested }).collect()
        }
        // Both fill names or values in before they run.
        "foreach" => {
            let nested = in_brackets(command).into_iter();
            nested.map(|nested| Nested { has_rows: true, is_whole: false, ..nested }).collect()
        }
        "map" => {
            let mut found = in_brackets(command);
            found.extend(in_quotes(command));
            found.into_iter().map(|nested| Nested { is_whole: false, ..nested }).collect()
        }
        _ => Vec::new(),
    }
}

fn in_brackets(command: &Command) -> Vec<Nested> {
    let mut arguments = Arguments::new(command);
    let mut found = Vec::new();
    loop {
        if let Some(inner) = arguments.subsearch() {
            found.extend(inner.ok().map(Nested::of));
        } else if arguments.any_option().is_none()
            && arguments.symbol(",").is_none()
            && arguments.quoted().is_none()
            && arguments.field().is_err()
        {
            return found;
        }
    }
}

/// Returns the search of the option `search`.
fn in_quotes(command: &Command) -> Option<Nested> {
    let mut arguments = Arguments::new(command);
    let written = loop {
        let (name, value) = arguments.any_option()?;
        if name.value.eq_ignore_ascii_case("search") {
            break value;
        }
    };
    let Spanned { value: text, span } = &command.arguments;
    let start = written.span.start.checked_sub(span.start)?;
    let raw = text.get(start..)?.get(..written.span.end - written.span.start)?;
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    let offsets = offsets(inner, written.span.start + 1);
    let (pipeline, wrong) = parse(&written.value);
    let is_read = wrong.is_empty() && offsets.len() == written.value.len() + 1;
    is_read.then(|| Nested { offsets: Some(offsets), ..Nested::of(pipeline) })
}

/// Returns the offset of each byte of a text without the escapes of `\"` and `\\`, and of its end.
/// With its escapes, the text begins at `start`.
fn offsets(escaped: &str, start: usize) -> Vec<usize> {
    let bytes = escaped.as_bytes();
    let mut offsets = Vec::with_capacity(bytes.len() + 1);
    let mut at = 0;
    while at < bytes.len() {
        let is_escape = bytes[at] == b'\\' && matches!(bytes.get(at + 1), Some(b'"' | b'\\'));
        offsets.push(start + at);
        at += 1 + usize::from(is_escape);
    }
    offsets.push(start + at);
    offsets
}
