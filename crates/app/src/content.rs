//! Content for a run: what folders and the built-in pack define, overridden by the caller.

use std::sync::Arc;

use spilltrail_content::{ContentProblem, ContentSet, Detection};

use crate::error::AppError;
use crate::options::ContentOptions;

/// Detections and what they refer to, and what of it cannot be used. It is loaded once, and serves any
/// number of runs.
#[derive(Debug, Clone)]
pub struct Content {
    /// The content.
    pub set: Arc<ContentSet>,
    /// What is wrong with its files.
    pub problems: Vec<ContentProblem>,
}

impl Content {
    /// Loads what the options name. Files that cannot be used are among the problems.
    ///
    /// # Errors
    /// Fails if a macro of the options is wrong.
    pub fn load(options: &ContentOptions) -> Result<Self, AppError> {
        let (mut set, problems) = ContentSet::load(&options.folders, options.builtin);
        for text in &options.macros {
            set.override_macro(text)
                .map_err(|diagnostic| AppError::Macro { text: text.clone(), diagnostic })?;
        }
        Ok(Self { set: Arc::new(set), problems })
    }

    /// Returns whether some content could not be used.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.problems.iter().any(ContentProblem::is_error)
    }

    /// Returns the detection of this name, id or file name.
    ///
    /// # Errors
    /// Fails if there is none, with the nearest name.
    pub fn detection(&self, name: &str) -> Result<&Detection, AppError> {
        self.set.detection(name).ok_or_else(|| {
            let known = self.set.detections.iter().map(|detection| detection.name.as_str());
            let similar = spilltrail_diagnostic::similar(name, known).map(str::to_owned);
            AppError::NoSuchDetection { name: name.to_owned(), similar }
        })
    }

    /// Returns the indexes of the named detections, each once; of all if none is named.
    ///
    /// # Errors
    /// Fails if a name is not known, or there is no detection at all.
    pub(crate) fn choose(&self, names: &[String]) -> Result<Vec<usize>, AppError> {
        let all = &self.set.detections;
        if names.is_empty() {
            return if all.is_empty() {
                Err(AppError::NoDetections)
            } else {
                Ok((0..all.len()).collect())
            };
        }
        let mut chosen = Vec::new();
        for name in names {
            let detection = self.detection(name)?;
            let index = all.iter().position(|other| std::ptr::eq(other, detection));
            chosen.extend(index.filter(|index| !chosen.contains(index)));
        }
        Ok(chosen)
    }
}
