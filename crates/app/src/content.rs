//! Content for a run: definitions from folders and the built-in pack, with the caller's overrides.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use spilltrail_content::{ContentProblem, ContentSet, Detection};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_source::file_kind;

use crate::error::AppError;
use crate::options::ContentOptions;
use crate::select;

/// Detections, the macros and lookups that they use, and the problems found while loading them.
/// Load it once and use it for any number of runs.
#[derive(Debug, Clone)]
pub struct Content {
    /// The loaded detections, macros and lookups.
    pub set: Arc<ContentSet>,
    /// Problems in the content files.
    pub problems: Vec<ContentProblem>,
    /// Warnings about macros in the options that no detection uses and whose names are similar to
    /// others.
    pub misspelled_macros: Vec<Diagnostic>,
}

impl Content {
    /// Loads the content that the options select. Files that cannot be used are reported in
    /// [`problems`](Self::problems), and loading continues with the rest.
    ///
    /// # Errors
    /// Fails if a folder does not exist or cannot be opened, because the run would then be one without
    /// its detections, or if a macro definition in the options is invalid.
    pub fn load(options: &ContentOptions) -> Result<Self, AppError> {
        for path in &options.folders {
            open(path).map_err(|error| AppError::NoContentFolder {
                path: path.clone(),
                reason: error.to_string(),
            })?;
        }
        let (mut set, problems) = ContentSet::load(&options.folders, options.builtin);
        let names = set.macro_names();
        for text in &options.macros {
            set.override_macro(text)
                .map_err(|diagnostic| AppError::Macro { text: text.clone(), diagnostic })?;
        }
        let misspelled_macros = set.misspelled_macros(&names);
        Ok(Self { set: Arc::new(set), problems, misspelled_macros })
    }

    /// Returns true if any content file could not be used.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.problems.iter().any(ContentProblem::is_error)
    }

    /// Returns the detection with this name, id or file name.
    ///
    /// # Errors
    /// Fails if no detection matches; the error suggests the most similar name.
    pub fn detection(&self, name: &str) -> Result<&Detection, AppError> {
        self.set.detection(name).ok_or_else(|| select::no_such_detection(name, &self.set))
    }

    /// Returns the detection with this name, id or file name, or else the only one of which it is a
    /// part, or which it fits as a pattern with `*`.
    ///
    /// # Errors
    /// Fails if it fits no detection, or several; the error suggests names.
    pub fn find_detection(&self, text: &str) -> Result<&Detection, AppError> {
        if let Some(detection) = self.set.detection(text) {
            return Ok(detection);
        }
        let found = select::fitting(text, &self.set);
        match found.as_slice() {
            [] => Err(select::no_such_detection(text, &self.set)),
            [detection] => Ok(detection),
            _ => {
                let mut names: Vec<String> =
                    found.iter().map(|detection| detection.name.clone()).collect();
                names.sort();
                Err(AppError::SeveralDetections { text: text.to_owned(), found: names })
            }
        }
    }
}

/// Opens a folder, or a single file of content, to see whether that is possible.
fn open(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_dir() {
        fs::read_dir(path).map(drop)
    } else if kind.is_file() {
        File::open(path).map(drop)
    } else {
        Err(io::Error::other(format!("expected a folder, found {}", file_kind::name(kind))))
    }
}
