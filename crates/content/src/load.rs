//! Reads content folders and the built-in pack into a [`ContentSet`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spilltrail_diagnostic::{Code, Diagnostic, Few, Severity, similar};

use crate::builtin::{BUILTIN, RISK_RULES};
use crate::detection::Detection;
use crate::files::{Boundary, check_regular, not_text, read_bounded};
use crate::kind::{Kind, LAYOUT, kind_by_keys, layout_kind};
use crate::lookup::{Lookup, LookupSource};
use crate::replaced::{Replaced, Superseded};
use crate::set::{BuiltinPack, ContentProblem, ContentSet};
use crate::walk::{self, CONFIGURATION, extension};
use crate::yaml::MAX_YAML_BYTES;
use crate::{data_source, deployment, knowledge, lookup, macros, schedule, schema, story, yaml};

pub(crate) fn load(folders: &[PathBuf], builtin: BuiltinPack) -> (ContentSet, Vec<ContentProblem>) {
    let mut loader = Loader::default();
    if builtin != BuiltinPack::LeftOut {
        loader.add_embedded(BUILTIN);
    }
    if builtin == BuiltinPack::WithRiskRules {
        loader.add_embedded(RISK_RULES);
    }
    for folder in folders {
        loader.add_folder(folder);
    }
    loader.check_schedules();
    (loader.set, loader.problems)
}

pub(crate) fn load_embedded(
    files: &'static [(&'static str, &'static str)],
) -> (ContentSet, Vec<ContentProblem>) {
    let mut loader = Loader::default();
    loader.add_embedded(files);
    (loader.set, loader.problems)
}

pub(crate) fn load_texts(files: &[(&str, &str)]) -> (ContentSet, Vec<ContentProblem>) {
    let mut loader = Loader::default();
    loader.begin_folder();
    for (path, text) in files {
        let path = Path::new(path);
        if let ("yml" | "yaml", Some(kind)) = (extension(path), layout_kind(path)) {
            loader.add_text(kind, path, &Arc::from(*text), None, &|_| None);
        }
    }
    (loader.set, loader.problems)
}

/// The most errors and the most warnings of a file that are told one by one.
const MOST_TOLD: usize = 100;

/// A content folder that is being loaded.
struct Folder<'a> {
    root: &'a Path,
    boundary: Boundary,
}

#[derive(Default)]
struct Loader {
    set: ContentSet,
    problems: Vec<ContentProblem>,
    /// How many errors or warnings a file has, and the index of the last one that is told.
    told: HashMap<(PathBuf, Severity), (usize, usize)>,
    /// The macros, lookups, stories and deployments of the current folder, with the file of each.
    defined: HashMap<(Kind, String), PathBuf>,
    /// Number of items loaded from the current folder.
    used: usize,
    /// Index of the first detection of the current folder.
    first_detection: usize,
}

impl Loader {
    fn add_embedded(&mut self, files: &'static [(&'static str, &'static str)]) {
        self.begin_folder();
        self.set.embedded = files;
        for (path, text) in files {
            let path = Path::new(path);
            let Some(kind) = layout_kind(path) else { continue };
            let sibling = |name: &str| {
                let wanted = path.with_file_name(name);
                let file = files.iter().find(|file| Path::new(file.0) == wanted)?;
                Some(LookupSource::Embedded(file.1))
            };
            match (kind, extension(path)) {
                (Kind::Lookup, "csv") => self.add_csv(path, LookupSource::Embedded(text)),
                (_, "yml" | "yaml") => self.add_text(kind, path, &Arc::from(*text), None, &sibling),
                _ => {}
            }
        }
    }

    fn add_folder(&mut self, root: &Path) {
        self.begin_folder();
        let is_file = root.is_file();
        // The folder of a single file is where the files it refers to are found.
        let folder = if is_file { root.parent().unwrap_or(root) } else { root };
        let boundary = match Boundary::of(folder) {
            Ok(boundary) => boundary,
            Err(error) => {
                let message = format!("`{}`: {error}", root.display());
                return self.refuse(root, Diagnostic::error(Code::UNREADABLE, message));
            }
        };
        let folder = Folder { root: folder, boundary };
        let has_layout = LAYOUT.iter().any(|(name, _)| root.join(name).is_dir());
        let (files, refused) = walk::files(root, &folder.boundary, walk::is_content);
        for (path, diagnostic) in refused {
            self.refuse(&path, diagnostic);
        }
        let mut configuration = Vec::new();
        for path in files {
            let inside = path.strip_prefix(root).unwrap_or(&path);
            let kind = layout_kind(inside);
            let name = path.file_name().unwrap_or_default();
            if CONFIGURATION.iter().any(|known| name == *known) {
                configuration.push(path);
                continue;
            }
            // A folder with the layout may also hold files that are not content.
            if has_layout && kind.is_none() {
                continue;
            }
            match extension(&path) {
                "csv" if kind.is_none_or(|kind| kind == Kind::Lookup) => {
                    match check_regular(&path) {
                        Ok(()) => self.add_csv(&path, LookupSource::File(path.clone())),
                        Err(diagnostic) => self.refuse(&path, diagnostic),
                    }
                }
                "yml" | "yaml" => self.add_file(&path, &folder, kind.filter(|_| has_layout)),
                _ => {}
            }
        }
        self.add_configuration(configuration);
        // An empty folder is reported only if no other problem explains why nothing was loaded.
        if self.used == 0 && self.problems.iter().all(|problem| !problem.path.starts_with(root)) {
            let message = format!("no content in `{}`", root.display());
            let diagnostic = Diagnostic::error(Code::NO_CONTENT, message)
                .help("expected YAML files in `detections/`, `macros/`, `lookups/` and so on");
            self.refuse(root, diagnostic);
        }
    }

    fn begin_folder(&mut self) {
        self.defined.clear();
        self.used = 0;
        self.first_detection = self.set.detections.len();
    }

    /// Reads a file of a known kind, or of the kind that its keys indicate.
    fn add_file(&mut self, path: &Path, folder: &Folder<'_>, kind: Option<Kind>) {
        let bytes = match read_bounded(path, MAX_YAML_BYTES) {
            Ok(bytes) => bytes,
            Err(diagnostic) => return self.refuse(path, diagnostic),
        };
        let Ok(text) = String::from_utf8(bytes) else {
            let diagnostic = not_text();
            return self.refuse(path, diagnostic);
        };
        let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(&text).into();
        let kind = match kind {
            Some(kind) => kind,
            None => match kind_by_keys(&text) {
                Ok(Some(kind)) => kind,
                Ok(None) => return,
                Err(diagnostic) => return self.problem(path, diagnostic, &text),
            },
        };
        let sibling = |name: &str| {
            let file = path.with_file_name(name);
            let is_usable = check_regular(&file).and_then(|()| folder.boundary.check(&file));
            is_usable.is_ok().then_some(LookupSource::File(file))
        };
        self.add_text(kind, path, &text, Some(folder.root), &sibling);
    }

    /// Adds event types and tags of Splunk's configuration. All event types come first, because tags
    /// may be those of event types in any file, and all macros are known by then.
    fn add_configuration(&mut self, mut paths: Vec<PathBuf>) {
        paths.sort_by_key(|path| path.file_name().is_some_and(|name| name == "tags.conf"));
        for path in paths {
            let text = match read_bounded(&path, MAX_YAML_BYTES).map(String::from_utf8) {
                Ok(Ok(text)) => text,
                Ok(Err(_)) => {
                    let diagnostic = not_text();
                    self.refuse(&path, diagnostic);
                    continue;
                }
                Err(diagnostic) => {
                    self.refuse(&path, diagnostic);
                    continue;
                }
            };
            let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(&text).into();
            self.set.knowledge_files.push(path.clone());
            let mut problems = Vec::new();
            let known = Arc::make_mut(&mut self.set.knowledge);
            if path.file_name().is_some_and(|name| name == "tags.conf") {
                let tags = knowledge::read_tags_conf(&text, &mut problems);
                knowledge::add_tags(known, tags, &mut problems);
            } else {
                let macros = &self.set.macros;
                for found in knowledge::read_eventtypes_conf(&text, macros, &mut problems) {
                    known.add_event_type(found);
                }
            }
            self.used += 1;
            for problem in problems {
                self.problem(&path, problem, &text);
            }
        }
    }

    fn add_csv(&mut self, path: &Path, source: LookupSource) {
        self.used += 1;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lookup = Lookup::of_csv(&name, source, path);
        self.set.lookups.insert(name, lookup);
    }

    fn add_text(
        &mut self,
        kind: Kind,
        path: &Path,
        text: &Arc<str>,
        root: Option<&Path>,
        sibling: &dyn Fn(&str) -> Option<LookupSource>,
    ) {
        let mut warnings = Vec::new();
        if matches!(kind, Kind::DataModel | Kind::EventTypes) && root.is_some() {
            self.set.knowledge_files.push(path.to_owned());
        }
        let added = match kind {
            Kind::Detection | Kind::Baseline => {
                self.add_detection(kind, path, text, root, &mut warnings)
            }
            Kind::Macro => self.add_macro(path, text, &mut warnings),
            Kind::Lookup => self.add_lookup(path, text, sibling, &mut warnings),
            Kind::Story => story::read(text, &mut warnings).map(|story| {
                self.note_defined(kind, story.name.clone(), path, text);
                self.set.stories.insert(story.name.clone(), story);
            }),
            Kind::DataModel => knowledge::read_model(text, &mut warnings).map(|model| {
                self.note_defined(kind, model.name.clone(), path, text);
                Arc::make_mut(&mut self.set.knowledge).add_model(model);
            }),
            Kind::EventTypes => {
                knowledge::read_event_types(text, &mut warnings).map(|(types, tags)| {
                    let mut twice = Few::new("event types that are defined twice");
                    for event_type in types {
                        if let Some(message) = self.redefined(kind, event_type.name.clone(), path) {
                            twice.add(|| defined_twice(message, text));
                        }
                        Arc::make_mut(&mut self.set.knowledge).add_event_type(event_type);
                    }
                    warnings.extend(twice.into_vec());
                    let knowledge = Arc::make_mut(&mut self.set.knowledge);
                    knowledge::add_tags(knowledge, tags, &mut warnings);
                })
            }
            Kind::DataSource => {
                data_source::read(text).map(|source| self.set.data_sources.push(source))
            }
            Kind::Schedule => schedule::read(text, &mut warnings).map(|(name, scheduling)| {
                self.note_defined(kind, name.clone(), path, text);
                self.set.schedules.insert(name, scheduling);
            }),
            Kind::Deployment => {
                deployment::read(text, &mut warnings).map(|(detection_type, deployment)| {
                    self.note_defined(kind, detection_type.to_lowercase(), path, text);
                    self.set.deployments.insert(&detection_type, deployment);
                })
            }
        };
        for warning in warnings {
            self.problem(path, warning, text);
        }
        match added {
            Ok(()) => self.used += 1,
            Err(diagnostic) => self.problem(path, diagnostic, text),
        }
    }

    fn add_detection(
        &mut self,
        kind: Kind,
        path: &Path,
        text: &str,
        root: Option<&Path>,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<(), Diagnostic> {
        let detection = schema::read(text, path, root, warnings)?;
        if kind == Kind::Baseline {
            self.set.baselines.retain(|other| other.id != detection.id);
            self.set.baselines.push(detection);
            return Ok(());
        }
        warnings.extend(self.duplicate(&detection, text));
        self.replace(detection);
        Ok(())
    }

    /// Returns a warning if the same folder has this id or name already, which is probably a
    /// mistake. A detection of an earlier folder may be replaced, so it causes a warning only if
    /// the names differ.
    fn duplicate(&self, detection: &Detection, text: &str) -> Option<Diagnostic> {
        let (index, other) = self.set.detections.iter().enumerate().find(|(index, other)| {
            let same_folder = *index >= self.first_detection;
            let same_name = other.name == detection.name;
            if other.id == detection.id {
                same_folder || !same_name
            } else {
                same_folder && same_name
            }
        })?;
        let same_id = other.id == detection.id;
        let what = if same_id { "id" } else { "name" };
        let message = format!(
            "detection `{}` has the {what} of `{}` in `{}`",
            detection.name,
            other.name,
            other.path.display()
        );
        let help = match (same_id, index >= self.first_detection) {
            (true, _) => "the later file wins; give one of them an id of its own",
            (false, _) => "both are kept; give one of them a name of its own",
        };
        let diagnostic = Diagnostic::warning(Code::DUPLICATE_CONTENT, message).help(help);
        Some(match yaml::key_span(text, what) {
            Some(span) => diagnostic.at(span),
            None => diagnostic,
        })
    }

    /// Adds a detection and removes those with the same id, and those of earlier folders with the
    /// same name. Otherwise a detection that is in two packs would report everything twice.
    fn replace(&mut self, detection: Detection) {
        let before = self.set.detections.len();
        let mut index = 0;
        let first = self.first_detection;
        let mut removed_earlier = 0;
        let (replacements, superseded) = (&mut self.set.replaced, &mut self.set.superseded);
        self.set.detections.retain(|other| {
            let earlier = index < first;
            index += 1;
            let replaced = other.id == detection.id || (earlier && other.name == detection.name);
            removed_earlier += usize::from(replaced && earlier);
            if replaced {
                superseded.extend(Superseded::new(other, &detection));
            }
            if replaced && earlier {
                replacements.extend(Replaced::detection(other, &detection));
            }
            !replaced
        });
        debug_assert!(self.set.detections.len() <= before);
        self.first_detection -= removed_earlier;
        self.set.detections.push(detection);
    }

    fn add_macro(
        &mut self,
        path: &Path,
        text: &Arc<str>,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<(), Diagnostic> {
        let definition = macros::read(text, &path.to_string_lossy(), warnings)?;
        let key = format!("{}({})", definition.name, definition.arguments.len());
        // A second definition in one folder has a warning of its own.
        let is_earlier = !self.note_defined(Kind::Macro, key, path, text);
        let old = self.set.macros.get(&definition.name, definition.arguments.len());
        let replaced =
            old.filter(|_| is_earlier).and_then(|old| Replaced::of_macro(old, &definition));
        self.set.replaced.extend(replaced);
        self.set.macros.insert(definition);
        Ok(())
    }

    fn add_lookup(
        &mut self,
        path: &Path,
        text: &Arc<str>,
        sibling: &dyn Fn(&str) -> Option<LookupSource>,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<(), Diagnostic> {
        let lookup = lookup::read(text, path, sibling, warnings)?;
        self.note_defined(Kind::Lookup, lookup.name.clone(), path, text);
        self.set.lookups.insert(lookup.name.clone(), lookup);
        Ok(())
    }

    /// Records where an item is defined, and warns if the folder has defined it already; returns whether
    /// it has.
    fn note_defined(&mut self, kind: Kind, key: String, path: &Path, text: &Arc<str>) -> bool {
        let Some(message) = self.redefined(kind, key, path) else { return false };
        self.problem(path, defined_twice(message, text), text);
        true
    }

    /// Records where an item is defined, and returns what to say if the folder has defined it already.
    fn redefined(&mut self, kind: Kind, key: String, path: &Path) -> Option<String> {
        let key = (kind, key);
        let Some(other) = self.defined.get_mut(&key) else {
            self.defined.insert(key, path.to_owned());
            return None;
        };
        let other = std::mem::replace(other, path.to_owned());
        Some(format!("`{}` is defined in `{}` too", key.1, other.display()))
    }

    /// Warns of schedules that detections and baselines name and that no folder has.
    fn check_schedules(&mut self) {
        let searches = self.set.detections.iter().chain(&self.set.baselines);
        let unknown: Vec<(PathBuf, String)> = searches
            .filter_map(|detection| {
                let name = detection.schedule.as_ref()?;
                let is_known = self.set.schedules.contains_key(name);
                (!is_known).then(|| (detection.path.clone(), name.clone()))
            })
            .collect();
        for (path, name) in unknown {
            let known = self.set.schedules.keys().map(String::as_str);
            let help = match similar(&name, known) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => "add it to `schedules/`, or write `custom_schedule`".to_owned(),
            };
            let text = read_bounded(&path, MAX_YAML_BYTES).ok();
            let text: Arc<str> =
                text.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default().into();
            let message = format!("there is no schedule `{name}`");
            let warning = Diagnostic::warning(Code::UNKNOWN_VALUE, message).help(help);
            let warning = match yaml::value_span(&text, "schedule", &name) {
                Some(span) => warning.at(span),
                None => warning,
            };
            self.problem(&path, warning, &text);
        }
    }

    /// Adds a problem with a file or folder whose text is not known.
    fn refuse(&mut self, path: &Path, diagnostic: Diagnostic) {
        self.problem(path, diagnostic, &Arc::default());
    }

    /// Adds a problem with a file; those after the first ones are counted.
    fn problem(&mut self, path: &Path, diagnostic: Diagnostic, text: &Arc<str>) {
        let severity = diagnostic.severity;
        let (count, last) = self.told.entry((path.to_owned(), severity)).or_default();
        *count += 1;
        if let Some(more @ 1..) = count.checked_sub(MOST_TOLD + 1)
            && let Some(last) = self.problems.get_mut(*last)
        {
            last.diagnostic.message =
                format!("{} more {}s in this file", more + 1, severity.name());
            last.diagnostic.help = None;
            last.diagnostic.notes.clear();
            return;
        }
        *last = self.problems.len();
        let (path, source_text) = (path.to_owned(), Arc::clone(text));
        self.problems.push(ContentProblem { path, diagnostic, source_text });
    }
}

/// Returns the warning about an item that its folder has defined already.
fn defined_twice(message: String, text: &str) -> Diagnostic {
    let warning = Diagnostic::warning(Code::DUPLICATE_CONTENT, message)
        .help("the later file wins; remove one of them");
    match yaml::key_span(text, "name") {
        Some(span) => warning.at(span),
        None => warning,
    }
}

#[cfg(test)]
mod tests;
