//! Diagnostics of a detection at their places in its file, which is what its author opens.

use spilltrail_content::{Detection, Placed, Places};
use spilltrail_diagnostic::Diagnostic;

use crate::report;

/// Diagnostics of a detection, with the text that they are about.
pub(super) struct Located {
    /// The name of the detection.
    pub(super) name: String,
    /// The file; `None` if the text is the search alone.
    file: Option<String>,
    text: String,
    diagnostics: Vec<Diagnostic>,
}

impl Located {
    /// `diagnostics` are about the search of the detection. They stay so for a detection of the built-in
    /// pack, and if its file is gone or writes the search in another way.
    pub(super) fn new(detection: &Detection, diagnostics: Vec<Diagnostic>) -> Self {
        let name = detection.name.clone();
        match detection.placed(&diagnostics) {
            Some(Placed { text, diagnostics }) => {
                let file = Some(detection.path.display().to_string());
                Self { name, file, text, diagnostics }
            }
            None => Self { name, file: None, text: detection.search.clone(), diagnostics },
        }
    }

    /// Prints the diagnostics with their lines. Without a place, they would not say whose they are.
    pub(super) fn print(&self) {
        let named = |diagnostic: &Diagnostic| match diagnostic.labels.as_slice() {
            [] => Diagnostic {
                message: format!("{}: {}", self.name, diagnostic.message),
                ..diagnostic.clone()
            },
            _ => diagnostic.clone(),
        };
        let diagnostics: Vec<Diagnostic> = self.diagnostics.iter().map(named).collect();
        let origin = self.file.as_ref().unwrap_or(&self.name);
        report::diagnostics(&diagnostics, origin, &self.text);
    }

    /// Prints the gravest diagnostic, which is why the detection failed, in one line.
    pub(super) fn print_worst(&self) {
        let worst = self.diagnostics.iter().max_by_key(|diagnostic| diagnostic.severity);
        let Some(worst) = worst else { return };
        let (Diagnostic { code, message, .. }, name) = (worst, &self.name);
        let place = worst.span().and_then(|span| Places::new(&self.text).of(span.start));
        match (&self.file, place) {
            (Some(file), Some((line, column))) => report::line(format_args!(
                "error[{code}]: {file}:{line}:{column}: {name}: {message}"
            )),
            _ => report::line(format_args!("error[{code}]: {name}: {message}")),
        }
    }
}
