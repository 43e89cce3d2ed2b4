//! Tells the first of many diagnostics of one kind, and counts the others.

use crate::Diagnostic;

/// The first diagnostics of one kind about a file; those after them are counted.
///
/// A file of a stranger can have any number of mistakes, and each of them needs memory, and time to
/// find its place.
#[derive(Debug)]
pub struct Few {
    told: Vec<Diagnostic>,
    more: usize,
    what: &'static str,
}

impl Few {
    /// The most diagnostics that are told one by one. One more is told too: to count it would say less.
    pub const MOST: usize = 20;

    /// Begins without any; `what` says in the plural what they are about, such as `unknown keys`.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        Self { told: Vec::new(), more: 0, what }
    }

    /// Adds a diagnostic, which is made only if it is told.
    pub fn add(&mut self, diagnostic: impl FnOnce() -> Diagnostic) {
        if self.told.len() <= Self::MOST {
            self.told.push(diagnostic());
        } else {
            self.more += 1;
        }
    }

    /// Returns the diagnostics. The last one has the number of those that are not told, at the place of
    /// the first of them.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<Diagnostic> {
        if let Some(last) = self.told.last_mut().filter(|_| self.more > 0) {
            last.message = format!("{} more {}", self.more + 1, self.what);
            last.help = None;
            last.notes.clear();
        }
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Span};

    #[test]
    fn many_are_counted() {
        for (n, told, last) in [
            (0, 0, None),
            (20, 20, Some("19")),
            (21, 21, Some("20")),
            (23, 21, Some("3 more keys")),
        ] {
            let mut few = Few::new("keys");
            let mut made = 0;
            for at in 0..n {
                few.add(|| {
                    made += 1;
                    let warning = Diagnostic::warning(Code::UNKNOWN_KEY, at.to_string());
                    warning.at(Span::new(at, at)).help("drop it")
                });
            }
            let found = few.into_vec();
            assert_eq!((found.len(), made), (told, told), "{n}");
            assert_eq!(found.last().map(|one| one.message.as_str()), last, "{n}");
            let place = found.last().and_then(Diagnostic::span);
            assert_eq!(place, (told > 0).then(|| Span::new(told - 1, told - 1)), "{n}");
            let has_help = found.last().is_some_and(|one| one.help.is_some());
            assert_eq!(has_help, told > 0 && n <= 21, "{n}");
        }
    }
}
