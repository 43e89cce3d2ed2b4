//! Everything that content folders bring, by name.

use std::path::PathBuf;

use indexmap::IndexMap;
use spilltrail_diagnostic::{Diagnostic, Severity};
use spilltrail_spl::{MacroDefinition, MacroSet};

use crate::deployment::Deployments;
use crate::detection::{AttackData, Detection};
use crate::lookup::Lookup;
use crate::story::Story;
use crate::{load, macros};

/// Detections and all they refer to.
#[derive(Debug, Clone)]
pub struct ContentSet {
    /// Detections, in the order of folders and of files within a folder.
    pub detections: Vec<Detection>,
    /// Searches that fill lookups.
    pub baselines: Vec<Detection>,
    /// Macros of Splunk's own apps and of the folders.
    pub macros: MacroSet,
    /// Lookups by name; a CSV also by its file's name.
    pub lookups: IndexMap<String, Lookup>,
    /// Stories by name.
    pub stories: IndexMap<String, Story>,
    /// Deployments by type.
    pub deployments: Deployments,
    /// Files of the built-in pack, for its tests' data.
    pub(crate) embedded: &'static [(&'static str, &'static str)],
}

/// Whether the built-in pack is part of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltinPack {
    /// It comes first; folders may replace its detections and macros.
    Included,
    /// Only the folders count.
    LeftOut,
}

/// What is wrong with a file of a content folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentProblem {
    /// The file, or the folder itself.
    pub path: PathBuf,
    /// What is wrong; its places are in `source_text`.
    pub diagnostic: Diagnostic,
    /// The file's text; empty when it could not be read.
    pub source_text: String,
}

impl ContentProblem {
    /// Returns whether something could not be used, as opposed to a warning.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.diagnostic.severity == Severity::Error
    }

    /// Returns the line of the primary place, counted from one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        let before = self.source_text.get(..self.diagnostic.span()?.start)?;
        Some(before.matches('\n').count() + 1)
    }
}

/// Where a test's logs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestLogs {
    /// In a file.
    File(PathBuf),
    /// Within the program.
    Embedded(&'static str),
    /// At a URL, which is not fetched.
    Remote(String),
    /// Named by the built-in pack and not part of it.
    Missing(String),
}

impl Default for ContentSet {
    /// Returns the set without content of any folder: Splunk's own macros and default deployments.
    fn default() -> Self {
        Self {
            detections: Vec::new(),
            baselines: Vec::new(),
            macros: MacroSet::builtin(),
            lookups: IndexMap::new(),
            stories: IndexMap::new(),
            deployments: Deployments::default(),
            embedded: &[],
        }
    }
}

impl ContentSet {
    /// Reads content folders in order; later content wins on the same id, macro or name.
    ///
    /// A folder has the `security_content` layout, or is a plain folder of YAML files, which are
    /// then told apart by their keys; a single YAML file will do. What cannot be used is a problem
    /// and stops nothing else.
    #[must_use]
    pub fn load(folders: &[PathBuf], builtin: BuiltinPack) -> (Self, Vec<ContentProblem>) {
        load::load(folders, builtin)
    }

    /// Reads content that is part of the program: paths within a content folder, and texts.
    #[must_use]
    pub fn from_embedded(
        files: &'static [(&'static str, &'static str)],
    ) -> (Self, Vec<ContentProblem>) {
        load::load_embedded(files)
    }

    /// Returns the detection with this id, name or file stem, in any case; an id wins over a name.
    #[must_use]
    pub fn detection(&self, name_or_id: &str) -> Option<&Detection> {
        let wanted = name_or_id.trim();
        let find = |key: fn(&Detection) -> &str| {
            self.detections
                .iter()
                .rev()
                .find(|detection| key(detection).eq_ignore_ascii_case(wanted))
        };
        find(|detection| &detection.id)
            .or_else(|| find(|detection| &detection.name))
            .or_else(|| find(|detection| &detection.file_stem))
    }

    /// Returns the lookup of this name; the name of a CSV may lack its extension.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<&Lookup> {
        self.lookups.get(name).or_else(|| self.lookups.get(&format!("{name}.csv")))
    }

    /// Defines a macro from `name=definition`, over whatever content says.
    pub fn override_macro(&mut self, text: &str) -> Result<(), Diagnostic> {
        let definition = macros::parse_override(text, "--macro", &self.macros)?;
        self.macros.insert(definition);
        Ok(())
    }

    /// Defines the macros of a YAML file, over whatever content says.
    ///
    /// The file is a map from name to definition, or macros as content writes them.
    pub fn override_macros(&mut self, text: &str, origin: &str) -> Result<(), Diagnostic> {
        let definitions: Vec<MacroDefinition> = macros::read_overrides(text, origin, &self.macros)?;
        for definition in definitions {
            self.macros.insert(definition);
        }
        Ok(())
    }

    /// Returns where the logs of a detection's test are.
    #[must_use]
    pub fn test_logs(&self, detection: &Detection, data: &AttackData) -> TestLogs {
        if data.data.contains("://") {
            return TestLogs::Remote(data.data.clone());
        }
        if let Some(root) = &detection.root {
            return TestLogs::File(root.join(&data.data));
        }
        match self.embedded.iter().find(|file| file.0 == data.data) {
            Some(file) => TestLogs::Embedded(file.1),
            None => TestLogs::Missing(data.data.clone()),
        }
    }
}
