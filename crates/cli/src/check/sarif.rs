//! The report as SARIF 2.1.0.

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use spilltrail_app::check::{CheckReport, Told};
use spilltrail_diagnostic::{Code, Severity, visible};

use super::text::title;

/// The schema of the form.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// What a path in a URI has percent signs for.
const RESERVED: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Returns the report as a log of one run.
pub(super) fn log(report: &CheckReport) -> Value {
    let mut codes: Vec<Code> = report.told().map(|told| told.diagnostic.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Value> = codes.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = report.told().map(|told| result(told, &codes)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "spilltrail",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.to_string(),
        "shortDescription": {"text": title(code)},
        "help": {"text": format!("spilltrail help {code}")},
    })
}

fn result(told: &Told, codes: &[Code]) -> Value {
    let diagnostic = &told.diagnostic;
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        // It is no mistake of the content.
        Severity::Unsupported => "note",
    };
    let mut text = visible(&diagnostic.message).into_owned();
    if let Some(help) = &diagnostic.help {
        text = format!("{text}\n{}", visible(help));
    }
    let mut result = json!({
        "ruleId": diagnostic.code.to_string(),
        "ruleIndex": codes.iter().position(|code| *code == diagnostic.code),
        "level": level,
        "message": {"text": text},
    });
    if let Some(file) = &told.file {
        let mut place = json!({"artifactLocation": {"uri": uri(file)}});
        if let (Some(line), Some(column)) = (told.line, told.column) {
            place["region"] = json!({"startLine": line, "startColumn": column});
        }
        result["locations"] = json!([{"physicalLocation": place}]);
    }
    result
}

/// Returns a path as a reference: with slashes, and with percent signs for what a URI cannot have.
fn uri(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let text = text.strip_prefix("./").unwrap_or(&text);
    let prefix = if text.starts_with('/') { "file://" } else { "" };
    format!("{prefix}{}", utf8_percent_encode(text, &RESERVED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references() {
        for (path, expected) in [
            ("./content/a b.yml", "content/a%20b.yml"),
            ("/content/\u{e9}.yml", "file:///content/%C3%A9.yml"),
            ("a.yml", "a.yml"),
        ] {
            assert_eq!(uri(Path::new(path)), expected);
        }
    }
}
