//! Finds logs of tests whose addresses cannot be right.

use std::collections::BTreeSet;

use spilltrail_content::{ContentProblem, ContentSet, Detection, TestLogs};
use spilltrail_diagnostic::{Code, Diagnostic, Few};

/// The schemes of addresses that tests have.
const SCHEMES: &[&str] = &["http", "https", "s3", "gs", "file"];

/// Returns warnings about logs of tests that are at no address, or not in the content's folder.
pub(super) fn problems(detection: &Detection, set: &ContentSet) -> Vec<ContentProblem> {
    if detection.tests.is_empty() {
        return Vec::new();
    }
    let (mut source_text, mut seen) = (None, BTreeSet::new());
    let mut found = Few::new("logs of tests that are not there");
    for data in detection.tests.iter().flat_map(|test| &test.attack_data) {
        let (message, help) = match set.test_logs(detection, data) {
            TestLogs::Remote(url) if !is_address(&url) => (
                format!("the logs of a test are at `{url}`, which is no address"),
                "for example `data: https://host/path/logs.json`",
            ),
            TestLogs::File(path) if !path.is_file() => (
                format!("the logs of a test, `{}`, are not in the content's folder", data.data),
                "put them there, or name a folder with copies as `--datasets` of `spilltrail test`",
            ),
            TestLogs::Missing(name) if detection.root.is_some() => (
                format!("the logs of a test, `{name}`, are outside of the content's folder"),
                "name a file in the folder, by its path from there",
            ),
            _ => continue,
        };
        if !seen.insert(&data.data) {
            continue;
        }
        // Most detections have no such test, and their files are not read for it.
        let text = source_text.get_or_insert_with(|| detection.source_text().unwrap_or_default());
        found.add(|| {
            let warning = Diagnostic::warning(Code::UNKNOWN_VALUE, message).help(help);
            detection.test_data_span(text, &data.data).into_iter().fold(warning, Diagnostic::at)
        });
    }
    let source_text = source_text.unwrap_or_default();
    let problem = |diagnostic| ContentProblem {
        path: detection.path.clone(),
        diagnostic,
        source_text: source_text.clone(),
    };
    found.into_vec().into_iter().map(problem).collect()
}

/// Returns true for a text with a scheme, a host and a path.
fn is_address(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_known = SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let has_host = !host.is_empty() || scheme.eq_ignore_ascii_case("file");
    is_known && has_host && !path.is_empty() && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("https://media.githubusercontent.com/media/a/b.json", true),
            ("http://localhost:8080/a", true),
            ("s3://bucket/key", true),
            ("file:///tmp/a.log", true),
            ("htps://host/a", false),
            ("https:///a", false),
            ("https://host", false),
            ("https://host/", false),
            ("https://host/a b", false),
        ] {
            assert_eq!(is_address(text), expected, "{text}");
        }
    }
}
