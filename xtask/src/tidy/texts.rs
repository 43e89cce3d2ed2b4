//! Checks all text files for paths of private machines, and the changelog for a section of
//! unreleased changes.

use super::SourceFile;

/// Top-level folders of private machines. The names omit the slashes, so that this file is not a
/// finding itself.
const PRIVATE: &[&str] = &["home", "root", "Users", "work", "farm"];

/// Returns the lines that contain a path of a private machine.
pub(super) fn check(file: &SourceFile) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for folder in PRIVATE {
            if names_folder(line, folder) {
                let place = format!("{}:{}", file.path, index + 1);
                findings.push(format!("{place}: a path of a private machine, in `/{folder}`"));
            }
        }
    }
    findings
}

/// Returns a finding if users would not learn what changed.
pub(super) fn check_changelog(files: &[SourceFile]) -> Option<String> {
    let changelog = files.iter().find(|file| file.path == "CHANGELOG.md");
    let Some(changelog) = changelog else {
        return Some("CHANGELOG.md: the file is missing".to_owned());
    };
    let unreleased = changelog.text.lines().any(|line| line.trim_end() == "## Unreleased");
    (!unreleased).then(|| "CHANGELOG.md: no section `## Unreleased`".to_owned())
}

/// Returns true if a line contains an absolute path in the folder. Such a path starts after a
/// space, a quote or a bracket; `a/home/b` is a relative path.
fn names_folder(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        before.is_none_or(|before| before.is_whitespace() || "\"'`(=:<[".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_private_path_is_found() {
        for folder in PRIVATE {
            let text = format!("one\nsee \"/{folder}/somebody\", and arn:aws:iam::1:a/{folder}/b");
            let expected = [format!("a.md:2: a path of a private machine, in `/{folder}`")];
            assert_eq!(check(&file("a.md", &text)), expected);
            assert_eq!(check(&file("a.md", &format!("s3://bucket/{folder}/b"))), [""; 0]);
        }
    }

    #[test]
    fn a_changelog_needs_a_place_for_the_next_change() {
        let with = |text: &str| check_changelog(&[file("CHANGELOG.md", text)]);
        assert_eq!(with("# Changelog\n\n## Unreleased\n"), None);
        assert!(with("# Changelog\n\n## 0.1.0\n").is_some());
        assert!(check_changelog(&[]).is_some());
    }
}
