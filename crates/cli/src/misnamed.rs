//! Says what may be meant by a name for logs that does not exist: a file of nearly the same name, or a
//! search at the wrong place.

use std::path::Path;

use spilltrail_diagnostic::similar;

/// Most entries of a folder that are compared with a name.
const MOST_ENTRIES: usize = 10_000;

/// Returns what may be meant by a name that is not there.
pub(crate) fn hint(name: &str) -> Option<String> {
    if name.contains("://") || !matches!(Path::new(name).try_exists(), Ok(false)) {
        return None;
    }
    if name.contains(['=', '|']) {
        return Some(
            "if this is a search, write it before the logs: `spilltrail search SPL LOGS`"
                .to_owned(),
        );
    }
    Some(format!("did you mean `{}`?", nearest(Path::new(name))?))
}

/// Returns the path of the entry of the same folder whose name is the most similar.
fn nearest(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let folder = path.parent()?;
    let is_here = folder.as_os_str().is_empty();
    let entries = std::fs::read_dir(if is_here { Path::new(".") } else { folder }).ok()?;
    let names: Vec<String> = entries
        .take(MOST_ENTRIES)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let similar = similar(wanted, names.iter().map(String::as_str))?;
    Some(folder.join(similar).display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_meant_by_a_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("trail.json.gz"), "").unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let meant = format!("did you mean `{}`?", path("trail.json.gz"));
        for (name, expected) in [
            (path("trial.json.gz"), Some(meant.as_str())),
            (path("trail.json.gz"), None),
            (path("other"), None),
            (path("none/trail.json.gz"), None),
            ("s3://bucket/a=b".to_owned(), None),
            (
                "eventName=GetObject".to_owned(),
                Some("if this is a search, write it before the logs: `spilltrail search SPL LOGS`"),
            ),
        ] {
            assert_eq!(hint(&name).as_deref(), expected, "{name}");
        }
    }
}
