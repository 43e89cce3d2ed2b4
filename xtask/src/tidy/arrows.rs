//! Which crate may use which: data flows one way, and the language builds without the engine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What a crate of ours may use.
struct Rule {
    name: &'static str,
    /// Crates of ours.
    uses: &'static [&'static str],
    /// Whether DataFusion and what comes with it may be used.
    engine: bool,
}

const fn rule(name: &'static str, uses: &'static [&'static str], engine: bool) -> Rule {
    Rule { name, uses, engine }
}

/// The rules in the direction of the data. Binaries, tests and tasks are not listed: they may use
/// anything, and nobody uses them.
const RULES: &[Rule] = &[
    rule("spilltrail-diagnostic", &[], false),
    rule("spilltrail-event", &[], false),
    rule("spilltrail-decode", &["spilltrail-diagnostic", "spilltrail-event"], false),
    rule(
        "spilltrail-source",
        &["spilltrail-diagnostic", "spilltrail-event", "spilltrail-decode"],
        true,
    ),
    rule("spilltrail-spl", &["spilltrail-diagnostic"], false),
    rule(
        "spilltrail-eval",
        &["spilltrail-diagnostic", "spilltrail-event", "spilltrail-spl"],
        false,
    ),
    rule(
        "spilltrail-search",
        &["spilltrail-diagnostic", "spilltrail-event", "spilltrail-spl", "spilltrail-eval"],
        true,
    ),
    rule("spilltrail-content", &["spilltrail-diagnostic", "spilltrail-spl"], false),
    rule(
        "spilltrail-detect",
        &["spilltrail-diagnostic", "spilltrail-event", "spilltrail-content", "spilltrail-search"],
        true,
    ),
];

/// Crates that may use anything.
const ENDS: &[&str] = &["spilltrail", "spilltrail-bench", "spilltrail-tests", "xtask"];

const ENGINE: &[&str] = &["datafusion", "object_store", "tokio"];

/// Asks cargo what every crate uses, and returns the arrows that are not allowed.
pub(super) fn check(repository: &Path) -> Result<Vec<String>> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(repository)
        .output()
        .context("cargo cannot be started")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    Ok(forbidden(&metadata))
}

/// Returns the arrows of `cargo metadata` that no rule allows.
fn forbidden(metadata: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    for package in list(metadata, "packages") {
        let name = text(package, "name");
        if ENDS.contains(&name) {
            continue;
        }
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            findings.push(format!("{name}: the crate has no rule in xtask/src/tidy/arrows.rs"));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let used = text(dependency, "name");
            let ours = used.starts_with("spilltrail") || used == "xtask";
            // Tests may use more, as long as they build without the engine too.
            let for_tests = text(dependency, "kind") == "dev";
            if ours && !for_tests && !rule.uses.contains(&used) {
                findings.push(format!("{name}: must not use {used}"));
            }
            if !rule.engine && ENGINE.contains(&used) {
                findings.push(format!("{name}: must build without {used}"));
            }
        }
    }
    findings
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_arrow_against_the_flow_is_found() {
        let uses = |name: &str, used: &[&str]| {
            let dependencies: Vec<Value> = used.iter().map(|used| json!({"name": used})).collect();
            forbidden(&json!({"packages": [{"name": name, "dependencies": dependencies}]}))
        };
        assert_eq!(uses("spilltrail-search", &["spilltrail-spl", "datafusion"]), [""; 0]);
        assert_eq!(uses("spilltrail-tests", &["spilltrail-search"]), [""; 0]);
        assert_eq!(
            uses("spilltrail-search", &["spilltrail-source"]),
            ["spilltrail-search: must not use spilltrail-source"]
        );
        assert_eq!(
            uses("spilltrail-spl", &["datafusion"]),
            ["spilltrail-spl: must build without datafusion"]
        );
        let for_tests = json!({"name": "spilltrail-spl", "kind": "dev"});
        let package = json!({"name": "spilltrail-decode", "dependencies": [for_tests]});
        assert_eq!(forbidden(&json!({"packages": [package]})), [""; 0]);
        assert_eq!(
            uses("spilltrail-utils", &[]),
            ["spilltrail-utils: the crate has no rule in xtask/src/tidy/arrows.rs"]
        );
    }
}
