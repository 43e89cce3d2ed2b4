//! Maps positions in expanded text back to the text that the user wrote.

use spilltrail_diagnostic::{Diagnostic, Span};

/// The maximum length of a macro's text in a note.
const NOTE_LENGTH: usize = 120;

/// A search with its macros expanded.
#[derive(Debug, Clone, Default)]
pub struct Expansion {
    /// The expanded text.
    pub text: String,
    /// The origin of each part of the text, in order and without gaps.
    segments: Vec<Segment>,
    calls: Vec<ExpandedCall>,
    used: Vec<String>,
    searches: Vec<String>,
}

#[derive(Debug, Clone)]
struct Segment {
    /// The offset in the expanded text where the part ends.
    end: usize,
    /// The span in the written text; for text from a macro, the span of the call.
    original: Span,
    /// True if the part is an exact copy of written text.
    written: bool,
    /// The index of the innermost macro call that produced the part.
    call: Option<usize>,
}

#[derive(Debug, Clone)]
struct ExpandedCall {
    title: String,
    /// The span of the call's text in the expanded text.
    span: Span,
}

impl Expansion {
    /// Returns the span in the written text that produced `span` of the expanded text.
    ///
    /// For text from a macro, this is the span of the whole call.
    #[must_use]
    pub fn original_span(&self, span: Span) -> Span {
        let Some(last) = self.segments.last() else { return span };
        if span.start >= self.text.len() {
            return Span::new(last.original.end, last.original.end);
        }
        let first = self.original_byte(span.start);
        if span.end <= span.start {
            // An empty span in written text stays empty.
            let written = self.segment_at(span.start).is_some_and(|(_, segment)| segment.written);
            return if written { Span::new(first.start, first.start) } else { first };
        }
        first.to(self.original_byte(span.end - 1))
    }

    /// Returns the span in the written text that produced the byte at `index`.
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

    /// Returns the innermost macro that produced the text at the start of `span`, as in
    /// `rename_to(2)`.
    #[must_use]
    pub fn macro_at(&self, span: Span) -> Option<&str> {
        Some(&self.call_at(span)?.title)
    }

    /// Moves a diagnostic's spans to the written text, adding a note if it is inside a macro.
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

    /// Returns every macro called, in the order of first use, as in `rename_to(2)`.
    #[must_use]
    pub fn macros_used(&self) -> &[String] {
        &self.used
    }

    /// Returns the names of the saved searches whose text is a part of this one, as they are defined.
    #[must_use]
    pub fn searches_used(&self) -> &[String] {
        &self.searches
    }

    /// Adds the name of a saved search whose text is a part of this one.
    pub(super) fn add_search(&mut self, name: &str) {
        if self.searches.iter().all(|known| known != name) {
            self.searches.push(name.to_owned());
        }
    }

    /// Appends a copy of the written text at `original`.
    pub(super) fn push_written(&mut self, text: &str, original: Span) {
        self.push(text, original, true, None);
    }

    /// Appends text that replaces the written text at `original`.
    pub(super) fn push_replaced(&mut self, text: &str, original: Span, call: Option<usize>) {
        self.push(text, original, false, call);
    }

    /// Marks the start of a macro's text; returns the index of the call.
    pub(super) fn begin(&mut self, title: String) -> usize {
        if !self.used.contains(&title) {
            self.used.push(title.clone());
        }
        let here = self.text.len();
        self.calls.push(ExpandedCall { title, span: Span::new(here, here) });
        self.calls.len() - 1
    }

    /// Marks the end of the text of the macro call with that index.
    pub(super) fn end(&mut self, call: usize) {
        self.calls[call].span.end = self.text.len();
    }

    /// Returns the title of the macro call with that index, as in `rename_to(2)`.
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

    /// Returns the segment that contains the byte at `index` (or the last segment) and its start.
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
