//! The paths that a check is asked for.

use std::path::{Component, Path, PathBuf};

use spilltrail_content::{Detection, FolderUse, folder_names, folder_use};

/// The paths whose content is checked; empty for everything.
#[derive(Debug)]
pub(super) struct Targets(Vec<PathBuf>);

impl Targets {
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        Self(paths.iter().map(|path| canonical(path)).collect())
    }

    /// Returns true if a file is one of the paths, or below one.
    pub(super) fn has(&self, file: &Path) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let file = canonical(file);
        self.0.iter().any(|path| file.starts_with(path))
    }

    /// Returns true if a detection is checked. The built-in ones are if no path is named.
    pub(super) fn has_detection(&self, detection: &Detection) -> bool {
        self.0.is_empty() || (detection.root.is_some() && self.has(&detection.path))
    }
}

/// Returns the path without links; as it is, if it cannot be followed.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Returns the content folder that a path is a part of, or the path itself if it is in none.
pub(super) fn folder(path: &Path) -> PathBuf {
    // The name of a folder may be missing from a relative path, as in `../detections` or `x.yml`.
    let whole = canonical(path);
    for (up, inner) in whole.ancestors().enumerate() {
        let name = inner.file_name().and_then(|name| name.to_str());
        let outer = inner.parent();
        let is_of = |name: &str, kind| folder_use(name) == Some(kind);
        let mut others = folder_names().filter(|name| !is_of(name, FolderUse::Searches));
        if name.is_some_and(|name| is_of(name, FolderUse::Searches))
            && let Some(outer) = outer
            && others.any(|other| outer.join(other).is_dir())
        {
            return above(path, up + 1).unwrap_or_else(|| outer.to_owned());
        }
    }
    path.to_owned()
}

/// Returns true if a YAML file is not known to be another kind of content than a detection.
pub(super) fn may_be_detection(file: &Path) -> bool {
    let is_yaml = file
        .extension()
        .and_then(|end| end.to_str())
        .is_some_and(|end| matches!(end, "yml" | "yaml"));
    let mut folders = file.components().filter_map(|part| part.as_os_str().to_str());
    is_yaml && !folders.any(|folder| folder != "detections" && folder_use(folder).is_some())
}

/// Returns the folder so many levels above a path, written in the way of the path; `None` if the path
/// has parts that are no names.
fn above(path: &Path, levels: usize) -> Option<PathBuf> {
    let parts: Vec<Component<'_>> = path.components().collect();
    let kept = parts.len().saturating_sub(levels);
    let are_names = parts[kept..].iter().all(|part| matches!(part, Component::Normal(_)));
    if !are_names {
        return None;
    }
    let up = std::iter::repeat_n("..", levels.saturating_sub(parts.len()));
    let folder: PathBuf = parts[..kept]
        .iter()
        .map(|part| part.as_os_str().to_owned())
        .chain(up.map(Into::into))
        .collect();
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_path() {
        for (path, levels, expected) in [
            ("content/detections/a.yml", 2, Some("content")),
            ("detections/a.yml", 2, Some(".")),
            ("a.yml", 3, Some("../..")),
            ("/content/detections", 1, Some("/content")),
            ("../detections", 1, Some("..")),
            ("..", 1, None),
        ] {
            assert_eq!(above(Path::new(path), levels), expected.map(PathBuf::from), "{path}");
        }
    }

    #[test]
    fn files_that_may_be_detections() {
        for (path, expected) in [
            ("content/detections/a.yml", true),
            ("mine/a.yaml", true),
            ("content/macros/a.yml", false),
            ("content/lookups/a.csv", false),
            ("content/baselines/a.yml", false),
            ("content/event_types/a.yml", false),
            ("content/data_models/a.yml", false),
        ] {
            assert_eq!(may_be_detection(Path::new(path)), expected, "{path}");
        }
    }
}
