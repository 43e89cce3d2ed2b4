//! What a check found, and where.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use spilltrail_content::{ContentProblem, Detection, Places};
use spilltrail_diagnostic::{Code, Diagnostic, Severity};

use super::levels::Levels;

/// What a check found. Serialized, it is the output of `check --format json`.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// The detections, in the order of the content.
    pub detections: Vec<CheckedSearch>,
    /// The searches that fill lookups, if all of the content is checked.
    pub baselines: Vec<CheckedSearch>,
    /// Other files of the content about which something is to be told.
    pub files: Vec<CheckedFile>,
    /// How many there are of what.
    pub counts: Counts,
    /// How many messages of each code that the user gave a level are not told all the same, because what
    /// they are about is set up where the content is used.
    #[serde(skip)]
    pub set_up_elsewhere: BTreeMap<Code, u64>,
}

/// A detection that was checked.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedSearch {
    /// The id; `None` if the file cannot be read as a detection.
    pub id: Option<String>,
    /// The name, or that of the file if it cannot be read.
    pub name: String,
    /// The file; `None` for a detection of the built-in pack.
    pub file: Option<PathBuf>,
    /// Whether it runs.
    pub status: CheckStatus,
    /// What is wrong or doubtful.
    pub diagnostics: Vec<Told>,
}

/// A file of content that is no detection, or cannot be read as one.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedFile {
    /// The file.
    pub file: PathBuf,
    /// What is wrong or doubtful.
    pub diagnostics: Vec<Told>,
}

/// A diagnostic, with its place in a file.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// The diagnostic. Its spans are byte offsets in the search as written, or in the file.
    #[serde(flatten)]
    pub diagnostic: Diagnostic,
    /// The diagnostic with its spans in the file; `None` for a detection of the built-in pack, and if
    /// the place in the file is not known.
    #[serde(skip)]
    pub in_file: Option<Diagnostic>,
    /// The file; `None` for a detection of the built-in pack.
    pub file: Option<PathBuf>,
    /// The line of the primary span in the file, counted from one.
    pub line: Option<usize>,
    /// The column of the primary span in the file, counted from one; columns are characters.
    pub column: Option<usize>,
    /// Whether the user set a level that counts for warnings only, and this is none.
    #[serde(skip)]
    pub is_level_unheeded: bool,
}

/// Whether a detection runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// It runs.
    Runs,
    /// It uses SPL that this version does not have.
    Unsupported,
    /// It cannot run, or has a warning that counts as an error.
    Error,
}

impl CheckStatus {
    /// Returns the status as it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Unsupported => "unsupported",
            Self::Error => "error",
        }
    }

    fn of(diagnostics: &[Told]) -> Self {
        match diagnostics.iter().map(|told| told.diagnostic.severity).max() {
            Some(Severity::Error) => Self::Error,
            Some(Severity::Unsupported) => Self::Unsupported,
            Some(Severity::Warning) | None => Self::Runs,
        }
    }
}

/// How many there are of what.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Counts {
    /// All detections.
    pub detections: u64,
    /// Detections that run.
    pub runs: u64,
    /// Detections that are unsupported.
    pub unsupported: u64,
    /// Detections with errors.
    pub error: u64,
    /// Warnings about all that was checked.
    pub warnings: u64,
    /// Errors about all that was checked.
    pub errors: u64,
    /// How often each code occurs.
    pub codes: BTreeMap<Code, u64>,
    /// How many searches read each data model that no event type feeds. They run and find nothing,
    /// which is no mistake in them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unfed_data_models: BTreeMap<String, u64>,
}

impl CheckReport {
    pub(super) fn new(
        detections: Vec<CheckedSearch>,
        baselines: Vec<CheckedSearch>,
        files: Vec<CheckedFile>,
        unfed_data_models: BTreeMap<String, u64>,
    ) -> Self {
        let counts = Counts { unfed_data_models, ..Counts::default() };
        let set_up_elsewhere = BTreeMap::new();
        let mut report = Self { detections, baselines, files, counts, set_up_elsewhere };
        report.count();
        report
    }

    /// Counts the detections and messages again.
    fn count(&mut self) {
        let mut counts = Counts {
            detections: self.detections.len() as u64,
            unfed_data_models: std::mem::take(&mut self.counts.unfed_data_models),
            ..Counts::default()
        };
        for detection in &self.detections {
            *match detection.status {
                CheckStatus::Runs => &mut counts.runs,
                CheckStatus::Unsupported => &mut counts.unsupported,
                CheckStatus::Error => &mut counts.error,
            } += 1;
        }
        for told in self.told() {
            *counts.codes.entry(told.diagnostic.code).or_default() += 1;
            match told.diagnostic.severity {
                Severity::Warning => counts.warnings += 1,
                Severity::Error => counts.errors += 1,
                Severity::Unsupported => {}
            }
        }
        self.counts = counts;
    }

    /// Removes the diagnostics of all other codes; the counts of messages are then those of the rest.
    /// Detections keep their status.
    pub fn keep(&mut self, codes: &[Code]) {
        let is_kept = |told: &Told| codes.contains(&told.diagnostic.code);
        let searches = self.detections.iter_mut().chain(&mut self.baselines);
        searches.for_each(|search| search.diagnostics.retain(is_kept));
        self.files.iter_mut().for_each(|file| file.diagnostics.retain(is_kept));
        self.files.retain(|file| !file.diagnostics.is_empty());
        self.count();
    }

    /// Returns how many diagnostics of each code have a level that only a warning could have: they stop
    /// a search whatever their level is.
    #[must_use]
    pub fn without_level(&self) -> BTreeMap<Code, u64> {
        let mut counts = BTreeMap::new();
        for told in self.told().filter(|told| told.is_level_unheeded) {
            *counts.entry(told.diagnostic.code).or_default() += 1;
        }
        counts
    }

    /// Returns the diagnostics of the detections, then those of baselines and other files.
    pub fn told(&self) -> impl Iterator<Item = &Told> {
        let searches = self.detections.iter().chain(&self.baselines);
        let of_searches = searches.map(|search| &search.diagnostics);
        of_searches.chain(self.files.iter().map(|file| &file.diagnostics)).flatten()
    }

    /// Returns the highest severity of all diagnostics; `None` if there is none.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.told().map(|told| told.diagnostic.severity).max()
    }
}

impl CheckedSearch {
    /// Returns what is told of a detection. The spans of `diagnostics` refer to its search; the
    /// `problems` are those of its file.
    pub(super) fn new(
        detection: &Detection,
        diagnostics: Vec<Diagnostic>,
        problems: &[&ContentProblem],
        levels: &Levels,
    ) -> Self {
        let file = detection.root.is_some().then(|| detection.path.clone());
        let text = detection.source_text();
        let levels = levels.with_comments(text.as_deref().unwrap_or_default());
        let mut told: Vec<Told> = problems.iter().filter_map(|p| of_file(p, &levels)).collect();
        let diagnostics: Vec<Diagnostic> =
            diagnostics.into_iter().filter_map(|diagnostic| levels.apply(diagnostic)).collect();
        let placed = if diagnostics.is_empty() { None } else { detection.placed(&diagnostics) };
        let mut places = placed.as_ref().map(|placed| Places::new(&placed.text));
        for (index, diagnostic) in diagnostics.into_iter().enumerate() {
            let in_file = placed.as_ref().and_then(|placed| placed.diagnostics.get(index)).cloned();
            let place = in_file
                .as_ref()
                .and_then(|diagnostic| places.as_mut()?.of(diagnostic.span()?.start));
            told.push(Told {
                is_level_unheeded: levels.is_unheeded(&diagnostic),
                diagnostic,
                in_file,
                file: file.clone(),
                line: place.map(|(line, _)| line),
                column: place.map(|(_, column)| column),
            });
        }
        Self {
            id: Some(detection.id.clone()),
            name: detection.name.clone(),
            file,
            status: CheckStatus::of(&told),
            diagnostics: told,
        }
    }

    /// Returns what is told of a file that cannot be read as a detection.
    pub(super) fn unread(file: PathBuf, problems: &[&ContentProblem], levels: &Levels) -> Self {
        let CheckedFile { file, diagnostics } = CheckedFile::new(file, problems, levels);
        let stem = file.file_stem().unwrap_or_default();
        Self {
            id: None,
            name: stem.to_string_lossy().into_owned(),
            file: Some(file),
            status: CheckStatus::of(&diagnostics),
            diagnostics,
        }
    }
}

impl CheckedFile {
    pub(super) fn new(file: PathBuf, problems: &[&ContentProblem], levels: &Levels) -> Self {
        let text = problems.first().map_or("", |problem| &*problem.source_text);
        let levels = levels.with_comments(text);
        let diagnostics = problems.iter().filter_map(|problem| of_file(problem, &levels));
        Self { file, diagnostics: diagnostics.collect() }
    }
}

fn of_file(problem: &ContentProblem, levels: &Levels) -> Option<Told> {
    let diagnostic = levels.apply(problem.diagnostic.clone())?;
    let place = problem.place();
    Some(Told {
        is_level_unheeded: levels.is_unheeded(&diagnostic),
        in_file: Some(diagnostic.clone()),
        diagnostic,
        file: Some(problem.path.clone()),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    })
}
