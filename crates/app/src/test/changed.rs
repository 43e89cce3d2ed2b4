//! Finds the detections that changed since a revision of Git: whose file, logs, macros or lookups did.
//!
//! The `git` program tells which files changed. A library that reads repositories would make the
//! program much larger, and whoever compares with a revision has `git`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use spilltrail_content::{ContentSet, Detection, LookupSource, TestLogs};
use spilltrail_detect::AnalyzedContent;

use crate::error::AppError;

/// Variables that a hook of Git sets about its own repository, which may be another one.
const OF_HOOKS: &[&str] = &["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"];

/// The files that differ from a revision.
#[derive(Debug, Default)]
pub(super) struct Changed(BTreeSet<PathBuf>);

impl Changed {
    /// Returns the files in the repositories of these folders that differ from where the current
    /// branch left `revision`, including those that are not committed.
    ///
    /// # Errors
    /// Fails if a folder is in no repository, if the repository has no such revision, or if there is
    /// no `git`.
    pub(super) fn since(revision: &str, folders: &BTreeSet<&Path>) -> Result<Self, AppError> {
        let mut files = BTreeSet::new();
        for folder in folders {
            let git = Git { folder, revision };
            let top = PathBuf::from(git.line(&["rev-parse", "--show-toplevel"])?);
            let commit = format!("{revision}^{{commit}}");
            let commit =
                git.line(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
            let commit = commit.map_err(|_| git.failed("the repository has no such revision"))?;
            // A clone without its history may not know where the branch began.
            let base = git.line(&["merge-base", &commit, "HEAD"]).unwrap_or(commit);
            let top_name = top.clone();
            let git = Git { folder: &top_name, revision };
            let diff = ["diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", &base, "--"];
            let new = ["ls-files", "--others", "--exclude-standard", "-z"];
            for arguments in [&diff[..], &new[..]] {
                let listed = git.run(arguments)?;
                let names = listed.split('\0').filter(|name| !name.is_empty());
                files.extend(names.map(|name| top.join(name)));
            }
        }
        Ok(Self(files))
    }

    /// Returns true if the detection at index `place`, or anything that its tests depend on, changed.
    pub(super) fn has(&self, place: usize, content: &AnalyzedContent) -> bool {
        let set = &content.set;
        let detection = &set.detections[place];
        if self.has_file(&detection.path) || self.has_logs(detection, set) {
            return true;
        }
        let analysis = content.look_at(place);
        let used = analysis.expansion.macros_used();
        let mut macros = set.macros.iter().filter(|known| used.contains(&known.title()));
        if macros.any(|known| self.has_file(Path::new(&known.origin))) {
            return true;
        }
        let mut lookups = analysis.facts.lookups_read.iter().filter_map(|name| set.lookup(name));
        lookups.any(|lookup| {
            let rows = match &lookup.source {
                LookupSource::File(path) => Some(path),
                _ => None,
            };
            self.has_file(&lookup.path) || rows.is_some_and(|path| self.has_file(path))
        })
    }

    fn has_logs(&self, detection: &Detection, set: &ContentSet) -> bool {
        let mut data = detection.tests.iter().flat_map(|test| &test.attack_data);
        data.any(|data| match set.test_logs(detection, data) {
            TestLogs::File(path) => self.has_file(&path),
            TestLogs::Embedded(_) | TestLogs::Remote(_) | TestLogs::Missing(_) => false,
        })
    }

    fn has_file(&self, path: &Path) -> bool {
        !self.0.is_empty() && path.canonicalize().is_ok_and(|path| self.0.contains(&path))
    }
}

/// A folder in a repository, and the revision that the user named.
struct Git<'a> {
    folder: &'a Path,
    revision: &'a str,
}

impl Git<'_> {
    /// Returns the first line that `git` prints.
    fn line(&self, arguments: &[&str]) -> Result<String, AppError> {
        let text = self.run(arguments)?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Result<String, AppError> {
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
        String::from_utf8(output.stdout)
            .map_err(|_| self.failed("a changed file has a name that is not text"))
    }

    fn failed(&self, reason: &str) -> AppError {
        AppError::Revision {
            revision: self.revision.to_owned(),
            folder: self.folder.to_owned(),
            reason: reason.to_owned(),
        }
    }
}
