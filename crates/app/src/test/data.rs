//! Finds the logs of a test: in the content folder, in the program, or in a folder with copies of
//! published datasets.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use spilltrail_content::{AttackData, ContentSet, Detection, TestLogs};
use spilltrail_source::{Dataset, DatasetBytes, Labels};

/// What a file begins with that Git LFS has not replaced by its content yet.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Returns the datasets of a test, in their order.
///
/// # Errors
/// Returns why logs are not there, one reason for each dataset.
pub(super) fn find(
    detection: &Detection,
    test: usize,
    set: &ContentSet,
    folders: &[PathBuf],
) -> Result<Vec<Dataset>, Vec<String>> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for data in &detection.tests[test].attack_data {
        match bytes(detection, data, set, folders) {
            Ok(bytes) => {
                let name = data.data.as_str().into();
                found.push(Dataset { name, bytes, labels: labels(data) });
            }
            Err(reason) => missing.push(reason),
        }
    }
    match (missing.is_empty(), found.is_empty()) {
        (false, _) => Err(missing),
        (true, true) => Err(vec!["the test names no logs".to_owned()]),
        (true, false) => Ok(found),
    }
}

fn labels(data: &AttackData) -> Labels {
    let label = |text: &Option<String>| text.as_deref().map(Arc::from);
    Labels {
        source: label(&data.source),
        sourcetype: label(&data.sourcetype),
        host: label(&data.host),
        index: label(&data.custom_index),
    }
}

fn bytes(
    detection: &Detection,
    data: &AttackData,
    set: &ContentSet,
    folders: &[PathBuf],
) -> Result<DatasetBytes, String> {
    let name = &data.data;
    let path = match set.test_logs(detection, data) {
        TestLogs::Embedded(text) => return Ok(DatasetBytes::Memory(text.as_bytes().into())),
        TestLogs::File(path) if path.is_file() => path,
        TestLogs::Remote(url) if folders.is_empty() => {
            return Err(format!(
                "`{url}` is not fetched; `--datasets DIR` names a folder with copies"
            ));
        }
        TestLogs::Remote(url) => local(&places_of_url(&url), folders)
            .ok_or_else(|| format!("`{url}` is not in {}", listed(folders)))?,
        TestLogs::File(path) => local(&[PathBuf::from(name)], folders)
            .ok_or_else(|| format!("there is no `{}`", path.display()))?,
        TestLogs::Missing(_) => {
            return Err(format!("`{name}` is outside of the content folder"));
        }
    };
    check(&path)?;
    Ok(DatasetBytes::File(path))
}

/// Returns where a dataset may be in a folder, given its URL: under its path below `datasets/`, as in
/// the repository of published datasets, or under the whole path of the URL.
fn places_of_url(url: &str) -> Vec<PathBuf> {
    let without_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = without_scheme.split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let mut places = Vec::new();
    if let Some((_, below)) = decoded.split_once("/datasets/") {
        places.push(below.to_owned());
        places.push(format!("datasets/{below}"));
    }
    if let Some((_, path)) = decoded.split_once('/') {
        places.push(path.to_owned());
    }
    places.push(decoded);
    places.into_iter().map(PathBuf::from).collect()
}

/// Returns the first of the places that is a file in one of the folders. A place that would lead out
/// of the folder is none.
fn local(places: &[PathBuf], folders: &[PathBuf]) -> Option<PathBuf> {
    let is_plain =
        |place: &&PathBuf| place.components().all(|part| matches!(part, Component::Normal(_)));
    let places: Vec<&PathBuf> = places.iter().filter(is_plain).collect();
    folders
        .iter()
        .flat_map(|folder| places.iter().map(|place| folder.join(place)))
        .find(|path| path.is_file())
}

/// Checks that a file can be read and has its content.
fn check(path: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(format!("{}: expected a file", path.display()));
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LFS_POINTER.len() as u64).read_to_end(&mut start).map_err(failed)?;
    match start.as_slice() {
        [] => Err(format!("{} is empty", path.display())),
        LFS_POINTER => Err(format!(
            "{} is a pointer of Git LFS; `git lfs pull` fetches the file",
            path.display()
        )),
        _ => Ok(()),
    }
}

fn listed(folders: &[PathBuf]) -> String {
    let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_looked_for_by_its_path_below_the_datasets() {
        let published = "https://media.githubusercontent.com/media/splunk/attack_data/master/";
        let cases = [
            (format!("{published}datasets/attack_techniques/T1119/a%20b/c.json"), true),
            (
                "https://example.com/raw/datasets/attack_techniques/T1119/a b/c.json?raw=1"
                    .to_owned(),
                true,
            ),
            ("https://example.com/other/d.json".to_owned(), true),
            ("https://example.com/none.json".to_owned(), false),
            (format!("{published}datasets/../../secret.json"), false),
            (format!("{published}datasets//etc/passwd"), false),
            (format!("{published}datasets/%2e%2e/secret.json"), false),
        ];
        let folder = tempfile::tempdir().unwrap();
        let (root, inside) = (folder.path(), folder.path().join("data"));
        std::fs::write(root.join("secret.json"), "x").unwrap();
        for name in ["attack_techniques/T1119/a b/c.json", "other/d.json"] {
            let path = inside.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        for (url, is_found) in cases {
            let found = local(&places_of_url(&url), std::slice::from_ref(&inside));
            assert_eq!(found.is_some(), is_found, "{url}: {found:?}");
        }
        // The folder may also be the whole repository.
        let repository = folder.path().join("clone");
        std::fs::create_dir_all(repository.join("datasets/x")).unwrap();
        std::fs::write(repository.join("datasets/x/y.log"), "{}").unwrap();
        let url = format!("{published}datasets/x/y.log");
        assert!(local(&places_of_url(&url), &[inside, repository]).is_some());
    }

    #[test]
    fn a_file_without_its_content_is_no_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert!(check(&path).unwrap_err().contains("No such file"));
        assert!(check(folder.path()).unwrap_err().ends_with("expected a file"));
        std::fs::write(&path, "").unwrap();
        assert!(check(&path).unwrap_err().ends_with("is empty"));
        std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
            .unwrap();
        assert!(check(&path).unwrap_err().contains("`git lfs pull`"));
        std::fs::write(&path, "{}").unwrap();
        assert_eq!(check(&path), Ok(()));
    }
}
