//! Checks detections without logs: whether each search parses, expands and plans, and what in it is
//! most likely a mistake.

mod advice;
mod columns;
mod datasets;
mod drilldowns;
mod events;
mod filters;
mod levels;
mod plans;
mod report;
mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spilltrail_content::{
    ContentProblem, ContentSet, Detection, Lookup, LookupSource, MAX_YAML_BYTES, Superseded,
    unread_comments,
};
use spilltrail_detect::AnalyzedContent;
use spilltrail_diagnostic::{Code, Diagnostic, Severity};
use tokio_util::sync::CancellationToken;

use crate::cancel::until_cancelled;
use crate::content::Content;
use crate::error::AppError;
use crate::option_file;
use crate::options::ContentOptions;
use crate::select::Selection;
use crate::used_files;
pub use levels::{Level, Levels};
use plans::Search;
pub use report::{CheckReport, CheckStatus, CheckedFile, CheckedSearch, Counts, Told};
use targets::Targets;

/// Which content is checked, and how its warnings count.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Folders and files of content. Empty for all detections of the content.
    pub targets: Vec<PathBuf>,
    /// Which of the detections are checked.
    pub select: Selection,
    /// The levels of codes that the user has set.
    pub levels: Levels,
    /// Stops the check.
    pub cancel: CancellationToken,
}

/// Returns content options that load the targets, with the folders to which targets that are single
/// files or subfolders belong: their macros and lookups are there.
#[must_use]
pub fn content_of(options: &ContentOptions, targets: &[PathBuf]) -> ContentOptions {
    let mut content = options.clone();
    for folder in targets.iter().map(|target| targets::folder(target)) {
        if !content.folders.contains(&folder) {
            content.folders.push(folder);
        }
    }
    content
}

/// Checks detections and baselines.
///
/// Searches are planned on threads of the calling Tokio runtime; see
/// [`spilltrail_search::stack::runtime`].
///
/// # Errors
/// Fails if no detection meets the selection, if the engine cannot start, or if the check is canceled.
/// What is wrong with content is not an error: it is in the report.
pub async fn check(content: &Content, options: &CheckOptions) -> Result<CheckReport, AppError> {
    until_cancelled(&options.cancel, run(content, options)).await
}

async fn run(content: &Content, options: &CheckOptions) -> Result<CheckReport, AppError> {
    let set = &content.set;
    let targets = Targets::new(&options.targets);
    let superseded = superseded(set, &targets);
    let problems = content.problems.iter().filter(|problem| targets.has(&problem.path));
    // With filters, these are about the detections that are chosen.
    let all = set.lookups.values().filter(|_| options.select.is_all());
    let tables_of_all = tables(all, &targets);
    let problems = problems.chain(&superseded).chain(&tables_of_all);
    let mut problems: Vec<&ContentProblem> = problems.collect();
    let mut searches: Vec<Search> =
        chosen(set, &targets, options, &problems)?.into_iter().map(Search::Detection).collect();
    let detections = searches.len();
    // Filters are about detections.
    if options.select.is_all() {
        let baselines = set.baselines.iter().enumerate();
        let wanted = baselines.filter(|(_, baseline)| targets.has_detection(baseline));
        searches.extend(wanted.map(|(index, _)| Search::Baseline(index)));
    }
    let analyzed = Arc::new(AnalyzedContent::new(set.clone()));
    let mut found = plans::plan_all(&analyzed, &searches).await?;
    // What is wrong with a table is told once, at its own file.
    let is_of_table = |diagnostic: &Diagnostic| {
        let name = diagnostic.message.split('`').nth(1);
        let lookup = name.and_then(|name| set.lookup(name));
        diagnostic.code == Code::DAMAGED_TABLE
            && lookup.is_some_and(|lookup| is_targeted(lookup, &targets))
    };
    found.iter_mut().for_each(|one| {
        one.diagnostics.retain(|told| !is_of_table(told));
    });
    let mut tables_of_chosen = Vec::new();
    if !options.select.is_all() {
        let detections = || searches.iter().filter_map(|search| search.detection());
        let files = detections().flat_map(|place| used_files::of_detection(&analyzed, place));
        let files: BTreeSet<PathBuf> = files.collect();
        // What cannot be read may be a detection that was asked for.
        problems.retain(|problem| problem.is_error() || files.contains(&problem.path));
        let read = detections().flat_map(|place| {
            let names = analyzed.detection(place).facts.lookups_read.iter();
            names.filter_map(|name| set.lookup(name)).collect::<Vec<_>>()
        });
        tables_of_chosen = tables(read, &targets);
    }
    problems.extend(&tables_of_chosen);
    let chosen = searches.iter().filter_map(|search| search.detection());
    let lacking = chosen.map(|place| &set.detections[place]).flat_map(|detection| {
        let lacking = detection.lacks_risk(&set.deployments).into_iter();
        let lacking = lacking.chain(detection.lacks_text(&set.deployments));
        let lacking = lacking.chain(drilldowns::problems(detection, set));
        lacking.chain(datasets::problems(detection, set))
    });
    let comments = searches.iter().flat_map(|search| unread(search.of(set)));
    let lacking: Vec<ContentProblem> = lacking.chain(comments).collect();
    problems.extend(&lacking);
    let mut of_files: BTreeMap<PathBuf, Vec<&ContentProblem>> = BTreeMap::new();
    for problem in problems {
        of_files.entry(problem.path.clone()).or_default().push(problem);
    }
    let (mut unfed_models, mut elsewhere) = (BTreeMap::new(), BTreeMap::new());
    for one in &found {
        for model in &one.unfed_models {
            *unfed_models.entry(model.clone()).or_default() += 1;
        }
        for code in one.elsewhere.iter().filter(|code| options.levels.tells(**code)) {
            *elsewhere.entry(*code).or_default() += 1;
        }
    }
    let checked = searches.iter().zip(found).map(|(search, one)| {
        let detection = search.of(set);
        let problems = of_files.remove(&detection.path).unwrap_or_default();
        CheckedSearch::new(detection, one.diagnostics, &problems, &options.levels)
    });
    let mut checked: Vec<CheckedSearch> = checked.collect();
    let baselines = checked.split_off(detections);
    let mut files = Vec::new();
    for (path, problems) in of_files {
        let is_wrong = problems.iter().any(|problem| problem.is_error());
        if is_wrong && targets::may_be_detection(&path) {
            checked.push(CheckedSearch::unread(path, &problems, &options.levels));
            continue;
        }
        let file = CheckedFile::new(path, &problems, &options.levels);
        if !file.diagnostics.is_empty() {
            files.push(file);
        }
    }
    let mut report = CheckReport::new(checked, baselines, files, unfed_models);
    report.set_up_elsewhere = elsewhere;
    Ok(report)
}

/// Returns what is wrong with the tables of lookups.
fn tables<'a>(lookups: impl Iterator<Item = &'a Lookup>, targets: &Targets) -> Vec<ContentProblem> {
    let lookups = lookups.filter(|lookup| is_targeted(lookup, targets));
    let lookups: BTreeMap<&str, &Lookup> =
        lookups.map(|lookup| (lookup.name.as_str(), lookup)).collect();
    let mut problems: Vec<ContentProblem> = Vec::new();
    for problem in lookups.into_values().flat_map(Lookup::problems) {
        // Several definitions can have one table.
        let is_same = |told: &ContentProblem| {
            told.path == problem.path && told.diagnostic == problem.diagnostic
        };
        if !problems.iter().any(is_same) {
            problems.push(problem);
        }
    }
    problems
}

/// Returns true if the definition of a lookup, or its table, is checked.
fn is_targeted(lookup: &Lookup, targets: &Targets) -> bool {
    let is_table = match &lookup.source {
        LookupSource::File(path) => targets.has(path),
        _ => false,
    };
    is_table || targets.has(&lookup.path)
}

/// Returns what is wrong with the comments that should set levels.
fn unread(detection: &Detection) -> Vec<ContentProblem> {
    let Some(source_text) = detection.source_text() else { return Vec::new() };
    let problem = |diagnostic| ContentProblem {
        path: detection.path.clone(),
        diagnostic,
        source_text: source_text.clone(),
    };
    unread_comments(&source_text).into_iter().map(problem).collect()
}

/// Returns an error for each file that the check is asked for and that is not used, because another one
/// that it is not asked for has its id or name.
fn superseded(set: &ContentSet, targets: &Targets) -> Vec<ContentProblem> {
    let unused =
        set.superseded.iter().filter(|one| targets.has(&one.file) && !targets.has(&one.by));
    let problem = |one: &Superseded| {
        let (what, own) = if one.has_same_id { ("id", "an id") } else { ("name", "a name") };
        let (file, by) = (one.file.display(), one.by.display());
        let message = format!("`{file}` is not used: `{by}` is read later and has the same {what}");
        let error = Diagnostic::error(Code::DUPLICATE_CONTENT, message)
            .help(format!("give one of them {own} of its own"));
        let source_text = file_text(&one.file).unwrap_or_default().into();
        ContentProblem { path: one.file.clone(), diagnostic: error, source_text }
    };
    unused.map(problem).collect()
}

/// Returns the indexes of the detections to check, in the order of the content.
fn chosen(
    set: &ContentSet,
    targets: &Targets,
    options: &CheckOptions,
    problems: &[&ContentProblem],
) -> Result<Vec<usize>, AppError> {
    let is_wrong = problems.iter().any(|problem| problem.is_error());
    if set.detections.is_empty() && is_wrong {
        return Ok(Vec::new());
    }
    let mut chosen = options.select.choose(set)?;
    chosen.retain(|index| targets.has_detection(&set.detections[*index]));
    let distinct: BTreeSet<usize> = chosen.into_iter().collect();
    if distinct.is_empty() && !is_wrong {
        return Err(AppError::NothingSelected {
            what: "none of the paths has a detection that meets the filters".to_owned(),
            help: "name a content folder, a folder in it, or the file of a detection".to_owned(),
        });
    }
    Ok(distinct.into_iter().collect())
}

/// Returns the text of a file of content; `None` if it cannot be read.
#[must_use]
pub fn file_text(path: &Path) -> Option<String> {
    let bytes = option_file::read(path, MAX_YAML_BYTES).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Returns true if a diagnostic keeps a search from running here.
fn stops(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity > Severity::Warning
}
