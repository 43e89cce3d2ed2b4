//! Expanded text and the way back to what the user wrote.

use spilltrail_diagnostic::{Diagnostic, Span};

/// How much of a macro's text a note repeats.
const NOTE_LENGTH: usize = 120;

/// A search with its macros expanded.
#[derive(Debug, Clone, Default)]
pub struct Expansion {
    /// The expanded text.
    pub text: String,
    /// Where each part of the text came from, in order and without gaps.
    segments: Vec<Segment>,
    calls: Vec<ExpandedCall>,
    used: Vec<String>,
}

#[derive(Debug, Clone)]
struct Segment {
    /// The end of the part in the expanded text.
    end: usize,
    /// The place in the written text; the call's place for text from a macro.
    original: Span,
    /// True if the part stands in the written text byte for byte.
    written: bool,
    /// The innermost macro call that gave the part.
    call: Option<usize>,
}

#[derive(Debug, Clone)]
struct ExpandedCall {
    title: String,
    /// The call's text in the expanded text.
    span: Span,
}

impl Expansion {
    /// Returns the place in the written text that `span` of the expanded text came from.
    ///
    /// For text from a macro that is the whole call.
    #[must_use]
    pub fn original_span(&self, span: Span) -> Span {
        let Some(last) = self.segments.last() else { return span };
        if span.start >= self.text.len() {
            return Span::new(last.original.end, last.original.end);
        }
        let first = self.original_byte(span.start);
        if span.end <= span.start {
            // An empty place in written text stays empty.
            let written = self.segment_at(span.start).is_some_and(|(_, segment)| segment.written);
            return if written { Span::new(first.start, first.start) } else { first };
        }
        first.to(self.original_byte(span.end - 1))
    }

    /// Returns the place in the written text that the byte at `index` came from.
    fn original_byte(&self, index: usize) -> Span {
        match self.segment_at(index) {
            Some((start, segment)) if segment.written => {
                let byte = segment.original.start + (index - start);
                Span::new(byte, (byte + 1).min(segment.original.end))
            }
            Some((_, segment)) => segment.original,
            None => Span::new(index, index),
        }
    }

    /// Returns the innermost macro that the text at the start of `span` came from, as in `rename_to(2)`.
    #[must_use]
    pub fn macro_at(&self, span: Span) -> Option<&str> {
        Some(&self.call_at(span)?.title)
    }

    /// Moves a diagnostic's places to the written text; inside a macro it also gets a note.
    #[must_use]
    pub fn relocate(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        let call = diagnostic.span().and_then(|span| self.call_at(span));
        for label in &mut diagnostic.labels {
            label.span = self.original_span(label.span);
        }
        match call {
            Some(call) => {
                let text = self.text.get(call.span.start..call.span.end).unwrap_or_default();
                diagnostic.note(format!("in macro `{}`: `{}`", call.title, shortened(text)))
            }
            None => diagnostic,
        }
    }

    /// Returns every macro that was called, in order of first use, as in `rename_to(2)`.
    #[must_use]
    pub fn macros_used(&self) -> &[String] {
        &self.used
    }

    /// Appends text that stands at `original` in the written text.
    pub(super) fn push_written(&mut self, text: &str, original: Span) {
        self.push(text, original, true, None);
    }

    /// Appends text that stands for `original` in the written text.
    pub(super) fn push_replaced(&mut self, text: &str, original: Span, call: Option<usize>) {
        self.push(text, original, false, call);
    }

    /// Notes that a macro's text begins here; returns the call's number.
    pub(super) fn begin(&mut self, title: String) -> usize {
        if !self.used.contains(&title) {
            self.used.push(title.clone());
        }
        let here = self.text.len();
        self.calls.push(ExpandedCall { title, span: Span::new(here, here) });
        self.calls.len() - 1
    }

    /// Notes that the text of the macro call with that number ends here.
    pub(super) fn end(&mut self, call: usize) {
        self.calls[call].span.end = self.text.len();
    }

    /// Returns the name of the macro call with that number.
    pub(super) fn title(&self, call: usize) -> &str {
        &self.calls[call].title
    }

    /// Removes the byte at `index`, which must be an ASCII character.
    pub(super) fn remove(&mut self, index: usize) {
        self.text.remove(index);
        for segment in &mut self.segments {
            segment.end -= usize::from(segment.end > index);
        }
        for call in &mut self.calls {
            call.span.start -= usize::from(call.span.start > index);
            call.span.end -= usize::from(call.span.end > index);
        }
    }

    fn push(&mut self, text: &str, original: Span, written: bool, call: Option<usize>) {
        if !text.is_empty() {
            self.text.push_str(text);
            self.segments.push(Segment { end: self.text.len(), original, written, call });
        }
    }

    /// Returns the segment that contains the byte at `index`, or the last one, and where it begins.
    fn segment_at(&self, index: usize) -> Option<(usize, &Segment)> {
        let found = self.segments.partition_point(|segment| segment.end <= index);
        let found = found.min(self.segments.len().checked_sub(1)?);
        let start = found.checked_sub(1).map_or(0, |before| self.segments[before].end);
        Some((start, &self.segments[found]))
    }

    fn call_at(&self, span: Span) -> Option<&ExpandedCall> {
        self.calls.get(self.segment_at(span.start)?.1.call?)
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(NOTE_LENGTH) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
