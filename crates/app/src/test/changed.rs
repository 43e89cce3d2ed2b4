//! Finds the detections that changed since a revision of Git: whose file, logs, macros, lookups, event
//! types or data models did, or a search that they run by name. One that uses a file that Git ignores
//! counts as changed.
//!
//! The `git` program tells which files changed. A library that reads repositories would make the
//! program much larger, and whoever compares with a revision has `git`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use spilltrail_content::{ContentSet, Detection, FolderUse, TestLogs, folder_use, is_content};
use spilltrail_detect::AnalyzedContent;
use spilltrail_diagnostic::Code;

use crate::error::AppError;
use crate::used_files;

/// Variables that a hook of Git sets about its own repository, which may be another one.
const OF_HOOKS: &[&str] = &["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"];

/// The files that differ from a revision.
#[derive(Debug, Default)]
pub(super) struct Changed {
    files: BTreeSet<PathBuf>,
    /// The files that the repositories are told to leave out, such as a lookup that a job writes: whether
    /// they changed is not known.
    ignored: BTreeSet<PathBuf>,
    /// Whether a file changed or was removed that can define what searches use.
    are_definitions: bool,
    /// Whether something changed of which it cannot be told which tests depend on it.
    is_everything: bool,
}

impl Changed {
    /// Returns the files in the repositories of these folders that differ from where the current
    /// branch left `revision`, including those that are not committed.
    ///
    /// # Errors
    /// Fails if a folder is in no repository, if the repository has no such revision, or if there is
    /// no `git`.
    pub(super) fn since(revision: &str, folders: &BTreeSet<&Path>) -> Result<Self, AppError> {
        let mut found = Self::default();
        for folder in folders {
            let git = Git { folder, revision };
            let top = PathBuf::from(git.line(&["rev-parse", "--show-toplevel"])?);
            let commit = format!("{revision}^{{commit}}");
            let commit =
                git.line(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
            let commit = commit.map_err(|_| git.failed("the repository has no such revision"))?;
            // The names are those below the folder.
            let ignored = ["ls-files", "--others", "--ignored", "--exclude-standard", "-z"];
            let listed = git.run(&ignored)?;
            let place = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
            // Content cannot name a file whose name is not text.
            let names =
                listed.split(|byte| *byte == 0).filter_map(|name| str::from_utf8(name).ok());
            let names = names.filter(|name| is_content(Path::new(name)));
            found.ignored.extend(names.map(|name| place.join(name)));
            // A clone without its history may not know where the branch began.
            let base = git.line(&["merge-base", &commit, "HEAD"]).unwrap_or(commit);
            let top_name = top.clone();
            let git = Git { folder: &top_name, revision };
            let diff = ["diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", &base, "--"];
            let new = ["ls-files", "--others", "--exclude-standard", "-z"];
            for arguments in [&diff[..], &new[..]] {
                let listed = git.text(arguments)?;
                let names = listed.split('\0').filter(|name| !name.is_empty());
                names.for_each(|name| found.add(&top, Path::new(name)));
            }
        }
        Ok(found)
    }

    /// Adds a file, by its path in the repository at `top`. The folders above the repository say
    /// nothing about it.
    fn add(&mut self, top: &Path, name: &Path) {
        let file = top.join(name);
        let folders = name.parent().into_iter().flat_map(Path::components);
        let uses: Vec<FolderUse> =
            folders.filter_map(|part| folder_use(part.as_os_str().to_str()?)).collect();
        let is_content = is_content(name);
        let is_configuration = is_content && extension(name) == "conf";
        let is_shared = uses.contains(&FolderUse::Definitions) || is_configuration;
        let is_of_others =
            uses.iter().any(|of| matches!(of, FolderUse::Searches | FolderUse::Others));
        self.are_definitions |= is_shared || (is_content && !is_of_others);
        // Which searches used what is gone can no longer be told.
        let is_definition = !is_csv(name) && is_content;
        // A file without a folder of its kind is known by its keys, which are gone with it.
        let is_definition_gone = is_definition && (is_shared || !is_of_others) && is_gone(&file);
        let is_deployment = is_definition && uses.contains(&FolderUse::Deployments);
        self.is_everything |= is_definition_gone || is_deployment;
        self.files.insert(file);
    }

    /// Returns true if the detection at index `place`, or anything that its tests depend on, changed.
    pub(super) fn has(&self, place: usize, content: &AnalyzedContent) -> bool {
        let set = &content.set;
        let detection = &set.detections[place];
        if self.is_everything || self.has_logs(detection, set) {
            return true;
        }
        // A definition may have another name since, or be a table that was removed.
        let analysis = content.detection(place);
        let is_undefined = || {
            let mut told = analysis.diagnostics().into_iter();
            told.any(|diagnostic| diagnostic.code == Code::UNKNOWN_MACRO)
                || analysis.facts.lookups_read.iter().any(|name| set.lookup(name).is_none())
        };
        // Event types of `eventtypes.conf` may be made of macros, and nothing keeps of which.
        let is_macro_changed = || {
            !set.knowledge_files.is_empty()
                && used_files::may_use_knowledge(analysis)
                && set.macros.iter().any(|known| self.has_file(Path::new(&known.origin)))
        };
        (self.are_definitions && (is_undefined() || is_macro_changed()))
            || used_files::of_detection(content, place)
                .iter()
                .any(|file| self.has_file(file) || self.is_ignored(file))
    }

    fn is_ignored(&self, path: &Path) -> bool {
        !self.ignored.is_empty()
            && path.canonicalize().is_ok_and(|path| self.ignored.contains(&path))
    }

    fn has_logs(&self, detection: &Detection, set: &ContentSet) -> bool {
        let mut data = detection.tests.iter().flat_map(|test| &test.attack_data);
        data.any(|data| match set.test_logs(detection, data) {
            TestLogs::File(path) => self.has_file(&path),
            TestLogs::Embedded(_) | TestLogs::Remote(_) | TestLogs::Missing(_) => false,
        })
    }

    /// Returns true if a file, or what a link leads to, changed or was removed.
    fn has_file(&self, path: &Path) -> bool {
        let has = |path: Option<PathBuf>| path.is_some_and(|path| self.files.contains(&path));
        !self.files.is_empty() && (has(path.canonicalize().ok()) || has(without_links(path)))
    }
}

/// Returns a path to a file that may be gone, with its folders as `git` names them.
fn without_links(path: &Path) -> Option<PathBuf> {
    let (folder, name) = (path.parent()?, path.file_name()?);
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = folder.canonicalize().ok().or_else(|| without_links(folder))?;
    Some(folder.join(name))
}

fn extension(file: &Path) -> &str {
    file.extension().and_then(OsStr::to_str).unwrap_or_default()
}

fn is_csv(file: &Path) -> bool {
    extension(file) == "csv"
}

fn is_gone(file: &Path) -> bool {
    file.symlink_metadata().is_err()
}

/// A folder in a repository, and the revision that the user named.
struct Git<'a> {
    folder: &'a Path,
    revision: &'a str,
}

impl Git<'_> {
    /// Returns the first line that `git` prints.
    fn line(&self, arguments: &[&str]) -> Result<String, AppError> {
        let text = self.text(arguments)?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    fn text(&self, arguments: &[impl AsRef<OsStr>]) -> Result<String, AppError> {
        String::from_utf8(self.run(arguments)?)
            .map_err(|_| self.failed("a changed file has a name that is not text"))
    }

    fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Result<Vec<u8>, AppError> {
        let mut command = Command::new("git");
        // A file monitor is a program that the repository names, which may come from a stranger.
        command.arg("-C").arg(self.folder).args(["-c", "core.fsmonitor=false"]).args(arguments);
        OF_HOOKS.iter().for_each(|name| {
            command.env_remove(name);
        });
        let output = command.output().map_err(|error| match error.kind() {
            ErrorKind::NotFound => self.failed("there is no program `git`"),
            _ => self.failed(&error.to_string()),
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let first = said.lines().next().unwrap_or("`git` failed");
            return Err(self.failed(first.trim_start_matches("fatal: ")));
        }
        Ok(output.stdout)
    }

    fn failed(&self, reason: &str) -> AppError {
        AppError::Revision {
            revision: self.revision.to_owned(),
            folder: self.folder.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_changed_file_can_define() {
        // The folder above the repository has the name of a folder of content.
        let top = Path::new("/no/such/lookups");
        for (name, expected) in [
            ("content/detections/a.yml", (false, false)),
            ("content/detections/macros/a.yml", (true, true)),
            ("content/macros/a.yml", (true, true)),
            ("content/lookups/a.csv", (true, false)),
            ("content/event_types/a.yml", (true, true)),
            ("content/data_models/a.yaml", (true, true)),
            ("content/default/tags.conf", (true, true)),
            ("content/deployments/a.yml", (true, true)),
            ("mine/a.yml", (true, true)),
            ("terraform/deployments/main.tf", (false, false)),
            ("logs/a.json", (false, false)),
        ] {
            let mut changed = Changed::default();
            changed.add(top, Path::new(name));
            assert_eq!((changed.are_definitions, changed.is_everything), expected, "{name}");
        }
    }
}
