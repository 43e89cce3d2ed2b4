//! Checks that links between documents point to existing files.

use std::path::Path;

use super::SourceFile;

/// Returns the relative links in Markdown files whose target does not exist.
pub(super) fn check(repository: &Path, files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for target in targets(&file.text) {
            if !matches!(repository.join(folder).join(target).try_exists(), Ok(true)) {
                findings.push(format!("{}: a link to `{target}`, which is not there", file.path));
            }
        }
    }
    findings
}

/// Returns the files that a document links to, without anchors; skips links with a web address.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("](").filter_map(|(start, _)| {
        let link = text[start + 2..].split(')').next()?;
        let target = link.split('#').next()?;
        (!target.is_empty() && !target.contains("://") && !target.contains(' ')).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_nothing_is_found() {
        let text = "[a](b.md) [c](d/e.md#f) [g](#h) [i](https://example.com/j.md) `x[0](y z)`";
        assert_eq!(targets(text).collect::<Vec<_>>(), ["b.md", "d/e.md"]);
        let files =
            [SourceFile { path: "src/tidy/a.md".into(), text: "[a](mod.rs) [b](b.md)".into() }];
        assert_eq!(
            check(Path::new(env!("CARGO_MANIFEST_DIR")), &files),
            ["src/tidy/a.md: a link to `b.md`, which is not there"]
        );
    }
}
