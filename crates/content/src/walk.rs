//! Lists the files of a content folder, without following links out of it.

use std::path::{Path, PathBuf};

use spilltrail_diagnostic::{Code, Diagnostic};
use walkdir::WalkDir;

use crate::files::Boundary;

/// Maximum depth to which a content folder is walked.
const MAX_DEPTH: usize = 32;

/// Returns the wanted files below `root`, sorted by name, without hidden ones, and the paths that cannot
/// be used. Links are followed while they stay within the boundary; `root` itself may
/// be a link.
pub(crate) fn files(
    root: &Path,
    boundary: &Boundary,
    is_wanted: fn(&Path) -> bool,
) -> (Vec<PathBuf>, Vec<(PathBuf, Diagnostic)>) {
    let (mut files, mut refused) = (Vec::new(), Vec::new());
    let mut walk =
        WalkDir::new(root).max_depth(MAX_DEPTH).follow_links(true).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                // A broken link may also stand for a folder, which has no extension.
                let may_be_content = extension(&path).is_empty() || is_wanted(&path);
                if may_be_content && !is_hidden(&path) {
                    let diagnostic = Diagnostic::error(Code::UNREADABLE, error.to_string());
                    refused.push((path, diagnostic));
                }
                continue;
            }
        };
        let (path, is_folder) = (entry.path(), entry.file_type().is_dir());
        let mut is_skipped = entry.depth() > 0 && is_hidden(path);
        let matters = !is_skipped && (is_folder || is_wanted(path));
        if matters
            && entry.depth() > 0
            && entry.path_is_symlink()
            && let Err(diagnostic) = boundary.check(path)
        {
            refused.push((path.to_owned(), diagnostic));
            is_skipped = true;
        }
        if is_folder && is_skipped {
            walk.skip_current_dir();
        } else if !is_folder && matters && !is_skipped {
            files.push(entry.into_path());
        }
    }
    (files, refused)
}

/// The files of Splunk's configuration that are read wherever they are in a folder.
pub(crate) const CONFIGURATION: [&str; 2] = ["eventtypes.conf", "tags.conf"];

/// Returns the extension of a path; empty if it has none.
pub(crate) fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// Returns true for files that content can be in.
#[must_use]
pub fn is_content(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    matches!(extension(path), "csv" | "yml" | "yaml")
        || CONFIGURATION.iter().any(|known| name == *known)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;
    use crate::files::read_bounded;
    use crate::test_folder::TestFolder;
    use crate::{BuiltinPack, ContentProblem, ContentSet};

    const DETECTION: &str = "name: A\nid: '1'\ntype: TTP\nsearch: x\n";

    impl TestFolder {
        fn load(&self, name: &str) -> (ContentSet, Vec<ContentProblem>) {
            ContentSet::load(&[self.0.join(name)], BuiltinPack::LeftOut)
        }
    }

    fn with(problems: &[ContentProblem], part: &str) -> usize {
        problems.iter().filter(|problem| problem.diagnostic.message.contains(part)).count()
    }

    #[test]
    fn links_stay_within_the_folder() {
        let outside = TestFolder::new("outside", &[("secret.csv", "a\n1\n"), ("x.yml", DETECTION)]);
        let folder = TestFolder::new(
            "links",
            &[
                ("detections/a.yml", DETECTION),
                ("lookups/l.yml", "name: l\nfilename: leak.csv\n"),
                ("shared/rows.csv", "a\n1\n"),
            ],
        );
        symlink(outside.0.join("x.yml"), folder.0.join("detections/b.yml")).unwrap();
        symlink(&outside.0, folder.0.join("detections/cloud")).unwrap();
        symlink(outside.0.join("secret.csv"), folder.0.join("lookups/leak.csv")).unwrap();
        symlink("../shared/rows.csv", folder.0.join("lookups/rows.csv")).unwrap();
        let (set, problems) = folder.load("");
        assert_eq!(set.detections.len(), 1);
        assert_eq!(set.lookup("rows").unwrap().rows().unwrap().cells(), [["1"]]);
        assert!(set.lookup("l").unwrap().rows().unwrap().rows.is_empty());
        assert!(!set.lookups.contains_key("leak.csv"));
        assert_eq!(with(&problems, "leads out of"), 3, "{problems:?}");
        // A link that the user names is followed.
        symlink(&outside.0, folder.0.join("named")).unwrap();
        assert_eq!(folder.load("named").0.detections.len(), 1);
    }

    #[test]
    fn devices_and_pipes_are_never_opened() {
        let folder =
            TestFolder::new("devices", &[("detections/a.yml", DETECTION), ("lookups/x", "")]);
        for pipe in ["detections/pipe.yml", "lookups/pipe.csv"] {
            let made = Command::new("mkfifo").arg(folder.0.join(pipe)).status().unwrap();
            assert!(made.success());
        }
        let (set, problems) = folder.load("");
        assert_eq!((set.detections.len(), set.lookups.len()), (1, 0));
        assert_eq!((with(&problems, "expected a file"), problems.len()), (2, 2), "{problems:?}");
        let zero = read_bounded(Path::new("/dev/zero"), 10).unwrap_err();
        assert!(zero.message.contains("a device"), "{zero:?}");
    }
}
