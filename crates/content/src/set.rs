//! All content of the loaded folders, by name.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use spilltrail_diagnostic::{Diagnostic, Severity};
use spilltrail_knowledge::Knowledge;
use spilltrail_spl::{MacroDefinition, MacroSet};

use crate::data_source::DataSource;
use crate::deployment::{Deployments, Scheduling};
use crate::detection::{AttackData, Detection};
use crate::files::Boundary;
use crate::lookup::Lookup;
use crate::placed::Places;
use crate::replaced::{Replaced, Superseded};
use crate::story::Story;
use crate::{load, lookup_names, macros};

/// Detections, with the macros, lookups, stories and deployments they refer to.
#[derive(Debug, Clone)]
pub struct ContentSet {
    /// Detections, in the order of the folders and of the files in each folder.
    pub detections: Vec<Detection>,
    /// Searches that fill lookups.
    pub baselines: Vec<Detection>,
    /// Macros of Splunk's own apps and of the loaded folders.
    pub macros: MacroSet,
    /// Lookups by name; a CSV is also stored under its file name.
    pub lookups: IndexMap<String, Lookup>,
    /// Stories by name.
    pub stories: IndexMap<String, Story>,
    /// Deployments by type of detection.
    pub deployments: Deployments,
    /// Event types, tags and data models: the built-in ones, and those of the loaded folders.
    pub knowledge: Arc<Knowledge>,
    /// The files of the loaded folders that have event types, tags or data models.
    pub knowledge_files: Vec<PathBuf>,
    /// The kinds of events that the content says there are.
    pub data_sources: Vec<DataSource>,
    /// Schedules by name.
    pub schedules: IndexMap<String, Scheduling>,
    /// Detections and macros that content of a later folder has replaced by others.
    pub replaced: Vec<Replaced>,
    /// Detections of the loaded folders that are not used because another file has their id or name.
    pub superseded: Vec<Superseded>,
    /// Files of the built-in pack, which include the logs of its tests.
    pub(crate) embedded: &'static [(&'static str, &'static str)],
}

/// Whether the built-in pack is part of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltinPack {
    /// The pack is loaded first, so folders can replace its detections and macros.
    Included,
    /// As `Included`, with the rules that add the risk of a server's findings up. A hunt has no use for
    /// them: they are about a day and a week, whatever the logs are.
    WithRiskRules,
    /// Only the folders are loaded.
    LeftOut,
}

/// A problem with a file of a content folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentProblem {
    /// The path of the file, or of the folder.
    pub path: PathBuf,
    /// The diagnostic; its spans refer to `source_text`.
    pub diagnostic: Diagnostic,
    /// The text of the file; empty if it could not be read.
    pub source_text: Arc<str>,
}

impl ContentProblem {
    /// Returns true if content could not be used; a warning returns false.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.diagnostic.severity == Severity::Error
    }

    /// Returns the line and the column of the primary span, counted from one; columns are
    /// characters.
    #[must_use]
    pub fn place(&self) -> Option<(usize, usize)> {
        Places::new(&self.source_text).of(self.diagnostic.span()?.start)
    }
}

/// The location of a test's logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestLogs {
    /// In a file on disk.
    File(PathBuf),
    /// Embedded in the program.
    Embedded(&'static str),
    /// At a URL, which is not fetched.
    Remote(String),
    /// Named in the built-in pack but not part of it, or outside the content folder.
    Missing(String),
}

impl Default for ContentSet {
    /// Creates a set without any folder: Splunk's own macros and the default deployments.
    fn default() -> Self {
        Self {
            detections: Vec::new(),
            baselines: Vec::new(),
            macros: MacroSet::builtin(),
            lookups: IndexMap::new(),
            stories: IndexMap::new(),
            deployments: Deployments::default(),
            knowledge: Knowledge::builtin(),
            knowledge_files: Vec::new(),
            data_sources: Vec::new(),
            schedules: IndexMap::new(),
            replaced: Vec::new(),
            superseded: Vec::new(),
            embedded: &[],
        }
    }
}

impl ContentSet {
    /// Loads content folders in order; later content replaces earlier content with the same id or
    /// name.
    ///
    /// A folder either has the `security_content` layout or contains YAML files whose kinds are
    /// determined by their keys; a single YAML file is also accepted. Content that cannot be used
    /// is returned as a problem, and loading continues.
    #[must_use]
    pub fn load(folders: &[PathBuf], builtin: BuiltinPack) -> (Self, Vec<ContentProblem>) {
        let (mut set, problems) = load::load(folders, builtin);
        set.name_searches();
        (set, problems)
    }

    /// Lets searches run detections and baselines by their names.
    fn name_searches(&mut self) {
        for detection in self.baselines.iter().chain(&self.detections) {
            self.macros.insert_search(&detection.name, &detection.search);
        }
    }

    /// Loads content that is embedded in the program, given as paths within a content folder and
    /// texts.
    #[must_use]
    pub fn from_embedded(
        files: &'static [(&'static str, &'static str)],
    ) -> (Self, Vec<ContentProblem>) {
        let (mut set, problems) = load::load_embedded(files);
        set.name_searches();
        (set, problems)
    }

    /// Loads content that is in memory, given as paths within a content folder and texts. Tables of
    /// lookups are not loaded.
    #[must_use]
    pub fn of_texts(files: &[(&str, &str)]) -> (Self, Vec<ContentProblem>) {
        load::load_texts(files)
    }

    /// Returns the detection with this id, name or file stem, ignoring case; an id takes
    /// precedence.
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

    /// Returns the baseline with this id, name or file stem, ignoring case.
    #[must_use]
    pub fn baseline(&self, name_or_id: &str) -> Option<&Detection> {
        let wanted = name_or_id.trim();
        self.baselines.iter().rev().find(|baseline| {
            let known = [&baseline.id, &baseline.name, &baseline.file_stem];
            known.into_iter().any(|known| known.eq_ignore_ascii_case(wanted))
        })
    }

    /// Returns the lookup with this name; the extension of a CSV may be omitted.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<&Lookup> {
        self.lookups.get(name).or_else(|| self.lookups.get(&format!("{name}.csv")))
    }

    /// Returns all names of a lookup, without extensions: those by which searches read and write it, its
    /// own and that of its file.
    #[must_use]
    pub fn names_of_lookup<'a>(&'a self, name: &'a str) -> BTreeSet<&'a str> {
        lookup_names::lookup_names(&self.lookups, name)
    }

    /// Defines a macro from `name=definition`, replacing any definition in content.
    pub fn override_macro(&mut self, text: &str) -> Result<(), Diagnostic> {
        let definition = macros::parse_override(text, "--macro", &self.macros)?;
        self.macros.insert(definition);
        Ok(())
    }

    /// Defines the macros of a YAML file, replacing any definitions in content.
    ///
    /// The file maps names to definitions, or contains macros in the form that content uses.
    pub fn override_macros(&mut self, text: &str, origin: &str) -> Result<(), Diagnostic> {
        let definitions: Vec<MacroDefinition> = macros::read_overrides(text, origin, &self.macros)?;
        for definition in definitions {
            self.macros.insert(definition);
        }
        Ok(())
    }

    /// Returns the location of the logs of a detection's test.
    #[must_use]
    pub fn test_logs(&self, detection: &Detection, data: &AttackData) -> TestLogs {
        if data.data.contains("://") {
            return TestLogs::Remote(data.data.clone());
        }
        // A path that leads out of the content folder is not followed.
        let is_plain =
            Path::new(&data.data).components().all(|part| matches!(part, Component::Normal(_)));
        if let Some(root) = detection.root.as_ref().filter(|_| is_plain) {
            let path = root.join(&data.data);
            // Neither is a link; a file that is not there leads nowhere.
            let leaves = path.is_file()
                && Boundary::of(root).is_ok_and(|boundary| boundary.check(&path).is_err());
            return if leaves {
                TestLogs::Missing(data.data.clone())
            } else {
                TestLogs::File(path)
            };
        }
        match self.embedded.iter().find(|file| file.0 == data.data) {
            Some(file) => TestLogs::Embedded(file.1),
            None => TestLogs::Missing(data.data.clone()),
        }
    }
}
