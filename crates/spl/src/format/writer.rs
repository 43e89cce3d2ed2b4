//! Collects lines, and knows where in a line it is.

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) text: String,
    /// Characters in the last line.
    column: usize,
    /// True if the last line has more than its indentation.
    has_text: bool,
}

impl Writer {
    /// Appends text, after a blank unless it is glued to what is before it or begins the line.
    pub(super) fn put(&mut self, text: &str, is_glued: bool) {
        if self.has_text && !is_glued {
            self.text.push(' ');
            self.column += 1;
        }
        self.text.push_str(text);
        self.has_text = true;
        match text.rsplit_once('\n') {
            Some((_, line)) => self.column = line.chars().count(),
            None => self.column += text.chars().count(),
        }
    }

    pub(super) fn new_line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        (self.column, self.has_text) = (indent, false);
    }

    /// Returns true if the last line has nothing but its indentation.
    pub(super) fn is_at_start(&self) -> bool {
        !self.has_text
    }

    /// Returns true if so many columns, after a blank, fit the last line.
    pub(super) fn fits(&self, columns: usize) -> bool {
        self.column + usize::from(self.has_text) + columns <= super::fill::WIDTH
    }
}
