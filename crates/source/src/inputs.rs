//! Turns the names that a user gives for logs into a list of files.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs::{FileType, Metadata};
use std::io::Read;
use std::path::Path;
#[cfg(not(unix))]
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use spilltrail_event::StopToken;
use walkdir::WalkDir;

use crate::file_kind;
use crate::given::Given;
use crate::kernel_files::{self, KernelFiles};
use crate::layout::Reason;
use crate::logs::ReadOptions;
use crate::pipe::Pipe;
use crate::s3::{Bucket, Buckets, split_name};
use crate::stored::KeptTable;
use crate::wanted::Wanted;

/// A file to read.
#[derive(Debug, Clone)]
pub struct LogFile {
    pub(crate) place: Place,
    /// The name of the file in messages and in the field `source`: a path, or `s3://bucket/key`.
    pub name: Arc<str>,
    /// The size of the file in bytes.
    pub size: u64,
    /// Whether the user named this very file, not a folder or a pattern that it was found by.
    pub is_named: bool,
}

/// The location of a file. Since there may be millions of files, a path that equals the name is not
/// stored again.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// On disk; the path is the name of the file.
    Named,
    /// On disk, at a path that is not valid text and so differs from the name.
    Disk(Box<Path>),
    /// Standard input, or a path that is not a regular file, such as a named pipe.
    Pipe(Arc<Pipe>),
    /// In this S3 bucket; the name of the file contains the key.
    Object(Arc<Bucket>),
    /// In memory.
    Memory(Arc<[u8]>),
    /// With something that gives the bytes when they are needed.
    Kept(Arc<dyn KeptTable>),
}

impl LogFile {
    /// Returns true if the file is read over a network.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.place, Place::Object(_))
    }

    /// Returns true for standard input and other pipes, which are read only once.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        matches!(self.place, Place::Pipe(_))
    }

    /// Returns when a file on disk was written last, in microseconds since the epoch; `None` for other files
    /// and where it is not known.
    #[must_use]
    pub fn modified(&self) -> Option<i64> {
        let modified = self.path()?.metadata().and_then(|metadata| metadata.modified()).ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_micros()).ok()
    }

    /// Returns the path of a regular file on disk, or `None` for other files.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Named => Some(Path::new(self.name.as_ref())),
            Place::Disk(path) => Some(path),
            Place::Pipe(_) | Place::Object(_) | Place::Memory(_) | Place::Kept(_) => None,
        }
    }
}

/// Files and folders that were skipped because of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathSkips {
    /// The counts for each reason.
    pub by_reason: BTreeMap<Reason, SkippedCount>,
}

/// Counts of skipped files and folders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SkippedCount {
    /// Number of files.
    pub files: u64,
    /// Total size of the files in bytes.
    pub bytes: u64,
    /// Number of folders on S3 that were not listed.
    pub folders: u64,
}

impl PathSkips {
    pub(crate) fn add_file(&mut self, reason: Reason, size: u64) {
        let count = self.by_reason.entry(reason).or_default();
        count.files += 1;
        count.bytes += size;
    }

    fn add_folders(&mut self, reason: Reason, folders: u64) {
        self.by_reason.entry(reason).or_default().folders += folders;
    }

    /// Returns true if nothing was skipped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_reason.is_empty()
    }

    /// Returns the sum over all reasons.
    #[must_use]
    pub fn total(&self) -> SkippedCount {
        self.by_reason.values().fold(SkippedCount::default(), |sum, count| SkippedCount {
            files: sum.files + count.files,
            bytes: sum.bytes + count.bytes,
            folders: sum.folders + count.folders,
        })
    }
}

/// A name that cannot be read as logs.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct InputProblem {
    /// The name that the user gave, or the path of a file in a named folder.
    pub name: String,
    /// Why the name cannot be read.
    pub reason: String,
    /// Whether this is a socket or a device that was found in a folder or by a pattern. Logs are
    /// never in one, so nothing is missing.
    pub is_foreign: bool,
}

impl InputProblem {
    pub(crate) fn new(name: impl Into<String>, reason: impl ToString) -> Self {
        Self { name: name.into(), reason: reason.to_string(), is_foreign: false }
    }
}

/// The listed files, in the order of the names; the files of a folder are sorted by path.
pub(crate) struct Inputs<'a> {
    wanted: &'a Wanted,
    stop: &'a StopToken,
    buckets: Buckets,
    pub(crate) files: Vec<LogFile>,
    pub(crate) problems: Vec<InputProblem>,
    /// Files and folders that no search needs, according to their paths.
    pub(crate) skips: PathSkips,
    /// The names, with the files of each.
    pub(crate) given: Vec<Given>,
    /// Number of files that an earlier name has listed.
    repeated: u64,
    /// The indexes of the files listed so far, so that one that several names match is read once;
    /// `None` if no two names can match the same file.
    seen: Option<HashMap<FileId, usize>>,
    /// `None` once a name used it, so standard input is listed only once even if `-` is repeated.
    standard_input: Option<Box<dyn Read + Send>>,
    kernel_files: KernelFiles,
    /// The file into which this run writes its output: in a folder of logs, it is no log.
    output: Option<FileId>,
}

impl<'a> Inputs<'a> {
    /// Lists the files that `names` match: files, folders, patterns, `s3://bucket/prefix`, and `-`
    /// for standard input. Files that the options rule out are only counted.
    pub(crate) fn list(
        names: &[String],
        standard_input: Box<dyn Read + Send>,
        options: &'a ReadOptions,
    ) -> Self {
        let mut inputs = Self {
            wanted: &options.wanted,
            stop: &options.stop,
            buckets: Buckets::new(options.s3.clone(), options.stop.clone(), options.notice.clone()),
            files: Vec::new(),
            problems: Vec::new(),
            skips: PathSkips::default(),
            given: Vec::new(),
            repeated: 0,
            seen: (names.len() > 1 || names.iter().any(|name| is_pattern(name))).then(HashMap::new),
            standard_input: Some(standard_input),
            kernel_files: KernelFiles::find(),
            output: own_output(),
        };
        for name in names {
            inputs.take_name(name);
        }
        inputs
    }

    /// Lists the files of a name, and records which they are.
    fn take_name(&mut self, name: &str) {
        let first = self.files.len();
        let before = (self.skips.total(), self.repeated);
        let problems = self.problems.len();
        let mut is_file = false;
        if name == "-" {
            is_file = true;
            let reader = self.standard_input.take();
            self.files.extend(reader.map(|reader| LogFile {
                place: Place::Pipe(Pipe::of(reader)),
                name: "-".into(),
                size: 0,
                is_named: true,
            }));
        } else if let Some((bucket, key)) = split_name(name) {
            self.add_objects(name, bucket, key);
        } else {
            self.add(name);
        }
        let files = first..self.files.len();
        is_file |= self.files[files.clone()].iter().any(|file| file.is_named);
        let has_more = before != (self.skips.total(), self.repeated)
            || self.problems[problems..].iter().any(|problem| !problem.is_foreign);
        self.given.push(Given { name: name.into(), files, is_file, has_more });
    }

    fn add_objects(&mut self, given: &str, bucket: &str, key: &str) {
        let bucket = match self.buckets.get(bucket) {
            Ok(bucket) => bucket,
            Err(failure) => return self.problems.push(InputProblem::new(given, failure)),
        };
        let listing = bucket.list(key, self.wanted);
        for (key, size) in listing.objects {
            let name = bucket.name_of(&key);
            let is_named = name == given;
            self.take(Place::Object(bucket.clone()), name, size, is_named);
        }
        for (reason, folders) in listing.passed {
            self.skips.add_folders(reason, folders);
        }
        for (key, failure) in listing.failures {
            self.problems.push(InputProblem::new(bucket.name_of(&key), failure));
        }
    }

    fn add(&mut self, name: &str) {
        let path = Path::new(name);
        match path.metadata() {
            Ok(metadata) => self.add_found(path, &metadata, true),
            Err(_) if is_pattern(name) => self.add_pattern(name),
            Err(error) => self.problems.push(InputProblem::new(name, error)),
        }
    }

    fn add_pattern(&mut self, pattern: &str) {
        let paths = match glob::glob(pattern) {
            Ok(paths) => paths,
            Err(error) => return self.problems.push(InputProblem::new(pattern, error)),
        };
        let mut found = false;
        for path in paths {
            found = true;
            match path {
                Ok(path) => match path.metadata() {
                    Ok(metadata) => self.add_found(&path, &metadata, false),
                    Err(error) => self.problem(&path, error),
                },
                Err(error) => self.problem(error.path(), &error),
            }
        }
        if !found {
            self.problems.push(InputProblem::new(pattern, "no file matches this pattern"));
        }
    }

    /// Adds a path that the user named, or that a pattern matches. It may be a pipe only if it is
    /// named: reading one that nobody writes to never ends.
    fn add_found(&mut self, path: &Path, metadata: &Metadata, is_named: bool) {
        if metadata.is_dir() {
            self.walk(path);
        } else if !is_named && self.kernel_files.has(metadata) {
            self.foreign(path, kernel_files::REASON);
        } else if !is_named && self.is_output(path, metadata) {
            self.foreign(path, OUTPUT);
        } else if metadata.is_file() {
            self.push(path, metadata, is_named);
        } else if !is_named {
            self.pass_over(path, metadata.file_type());
        } else if file_kind::can_be_read_once(path, metadata.file_type()) {
            let name = path.display().to_string();
            self.take(Place::Pipe(Pipe::at(path)), name, 0, is_named);
        } else {
            let found = file_kind::name(metadata.file_type());
            let reason = format!("expected a file, a folder, a pattern or a pipe, found {found}");
            self.problem(path, reason);
        }
    }

    /// Reports what was found beside files, and is neither a file nor a folder.
    fn pass_over(&mut self, path: &Path, kind: FileType) {
        if file_kind::is_pipe(kind) {
            return self.problem(path, "a named pipe is read only if its own name is given");
        }
        self.foreign(path, format!("is {}", file_kind::name(kind)));
    }

    fn is_output(&self, path: &Path, metadata: &Metadata) -> bool {
        self.output.as_ref().is_some_and(|output| *output == file_id(path, metadata))
    }

    /// Reports what cannot hold logs.
    fn foreign(&mut self, path: &Path, reason: impl ToString) {
        let problem = InputProblem::new(path.display().to_string(), reason);
        self.problems.push(InputProblem { is_foreign: true, ..problem });
    }

    fn walk(&mut self, folder: &Path) {
        if kernel_files::has_path(folder) {
            return self.problem(folder, kernel_files::REASON);
        }
        let mut entries = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            if self.stop.is_set() {
                return;
            }
            match entry {
                Ok(entry) if entry.file_type().is_file() => match entry.metadata() {
                    Ok(metadata) if self.is_output(entry.path(), &metadata) => {
                        self.foreign(entry.path(), OUTPUT);
                    }
                    Ok(metadata) => self.push(entry.path(), &metadata, false),
                    Err(error) => self.problem(entry.path(), error),
                },
                Ok(entry) if entry.file_type().is_dir() => {
                    let is_kernels =
                        entry.metadata().is_ok_and(|metadata| self.kernel_files.has(&metadata));
                    if is_kernels {
                        entries.skip_current_dir();
                        self.foreign(entry.path(), kernel_files::REASON);
                    } else if entry.path_is_symlink() && contains(entry.path(), folder) {
                        // A link to `/` is the whole disk.
                        entries.skip_current_dir();
                        let reason = "leads to a folder that this one is in, and is not followed";
                        self.problem(entry.path(), reason);
                    }
                }
                Ok(entry) => self.pass_over(entry.path(), entry.file_type()),
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    match error.io_error() {
                        Some(error) => self.problem(&path, error),
                        None => self.problem(&path, &error),
                    }
                }
            }
        }
    }

    fn push(&mut self, path: &Path, metadata: &Metadata, is_named: bool) {
        if self.has_seen(file_id(path, metadata), is_named) {
            return;
        }
        let size = metadata.len();
        match path.to_str() {
            Some(name) => self.take(Place::Named, name.to_owned(), size, is_named),
            None => {
                self.take(Place::Disk(path.into()), path.display().to_string(), size, is_named);
            }
        }
    }

    /// Returns true if the file is listed already, and else expects it to be listed next.
    fn has_seen(&mut self, id: FileId, is_named: bool) -> bool {
        let Some(seen) = &mut self.seen else { return false };
        match seen.entry(id) {
            Entry::Vacant(free) => {
                free.insert(self.files.len());
                false
            }
            Entry::Occupied(known) => {
                self.repeated += 1;
                if let Some(file) = self.files.get_mut(*known.get()).filter(|_| is_named) {
                    file.is_named = true;
                }
                true
            }
        }
    }

    fn take(&mut self, place: Place, name: String, size: u64, is_named: bool) {
        match self.wanted.rules_out(&name) {
            Some(reason) => self.skips.add_file(reason, size),
            None => self.files.push(LogFile { place, name: name.into(), size, is_named }),
        }
    }

    fn problem(&mut self, path: &Path, reason: impl ToString) {
        self.problems.push(InputProblem::new(path.display().to_string(), reason));
    }
}

/// Returns true if a folder contains another one.
fn contains(outer: &Path, inner: &Path) -> bool {
    match (outer.canonicalize(), inner.canonicalize()) {
        (Ok(outer), Ok(inner)) => inner.starts_with(outer),
        _ => false,
    }
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// What two names of the same file have in common.
#[cfg(unix)]
type FileId = (u64, u64);
#[cfg(not(unix))]
type FileId = PathBuf;

/// Why the file of the output is passed over.
const OUTPUT: &str = "is where this run writes its output";

/// Returns the file that standard output is, if it is a file and the system tells.
fn own_output() -> Option<FileId> {
    let path = Path::new("/dev/stdout");
    let metadata = path.metadata().ok().filter(Metadata::is_file)?;
    Some(file_id(path, &metadata))
}

#[cfg(unix)]
fn file_id(_: &Path, metadata: &Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn file_id(path: &Path, _: &Metadata) -> FileId {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_patterns_and_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["b/2.json", "b/1.json", "a.gz"] {
            std::fs::write(folder.path().join(name), "{}").unwrap();
        }
        let root = folder.path().display().to_string();
        let names = |inputs: &[String]| {
            let options = ReadOptions::default();
            let listed = Inputs::list(inputs, Box::new("{}".as_bytes()), &options);
            let names: Vec<String> = listed
                .files
                .iter()
                .map(|file| file.name.trim_start_matches(&root).to_owned())
                .collect();
            (names, listed.problems.len())
        };
        assert_eq!(names(std::slice::from_ref(&root)).0, ["/a.gz", "/b/1.json", "/b/2.json"]);
        assert_eq!(names(&[format!("{root}/b/*.json")]).0, ["/b/1.json", "/b/2.json"]);
        let twice = [format!("{root}/b/2.json"), root.clone(), format!("{root}/*.gz")];
        assert_eq!(names(&twice).0, ["/b/2.json", "/a.gz", "/b/1.json"]);
        assert_eq!(names(&["-".to_owned(), "-".to_owned()]).0, ["-"]);
        assert_eq!(names(&[format!("{root}/none"), format!("{root}/none*")]), (vec![], 2));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn files_of_the_kernel_are_not_listed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.json"), "{}").unwrap();
        std::os::unix::fs::symlink("/proc/self", folder.path().join("process")).unwrap();
        let root = folder.path().display().to_string();
        // A link to a folder above is not followed, one to a folder beside is.
        let above = folder.path().join("above");
        std::fs::create_dir_all(above.join("beside")).unwrap();
        std::fs::create_dir(above.join("logs")).unwrap();
        std::fs::write(above.join("beside/b.json"), "{}").unwrap();
        std::os::unix::fs::symlink("../beside", above.join("logs/beside")).unwrap();
        std::os::unix::fs::symlink("/", above.join("logs/root")).unwrap();
        let logs = above.join("logs").display().to_string();
        for (given, files, foreign) in [
            (logs, 1, &[false][..]),
            (root, 3, &[false, true]),
            ("/proc/self".to_owned(), 0, &[false]),
            ("/sys".to_owned(), 0, &[false]),
            ("/proc/vers*".to_owned(), 0, &[true]),
        ] {
            let options = ReadOptions::default();
            let listed =
                Inputs::list(std::slice::from_ref(&given), Box::new(std::io::empty()), &options);
            let found: Vec<bool> =
                listed.problems.iter().map(|problem| problem.is_foreign).collect();
            assert_eq!((listed.files.len(), found.as_slice()), (files, foreign), "{given}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn only_pipes_that_are_named_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("a.json"), "{}").unwrap();
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("zero")).unwrap();
        for (given, files, problems) in [
            (path(""), &["a.json"][..], &[("pipe", false), ("socket", true), ("zero", true)][..]),
            (path("*"), &["a.json"], &[("pipe", false), ("socket", true), ("zero", true)]),
            (path("pipe"), &["pipe"], &[]),
            (path("socket"), &[], &[("socket", false)]),
            (path("zero"), &[], &[("zero", false)]),
            ("/dev/null".to_owned(), &["/dev/null"], &[]),
        ] {
            let options = ReadOptions::default();
            let listed =
                Inputs::list(std::slice::from_ref(&given), Box::new(std::io::empty()), &options);
            let root = path("");
            let read: Vec<&str> =
                listed.files.iter().map(|file| file.name.trim_start_matches(&*root)).collect();
            assert_eq!(read, files, "{given}");
            let told: Vec<(&str, bool)> = listed
                .problems
                .iter()
                .map(|problem| (problem.name.trim_start_matches(&*root), problem.is_foreign))
                .collect();
            assert_eq!(told, problems, "{given}");
        }
    }
}
