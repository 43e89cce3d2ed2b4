//! Checks the dependencies between crates: data flows in one direction, and neither the language
//! crates nor the edge depend on the engine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The dependencies that a workspace crate may have.
struct Rule {
    name: &'static str,
    /// Workspace crates that it may use.
    uses: &'static [&'static str],
    engine: Engine,
}

/// The external crates that a crate may use.
#[derive(Clone, Copy)]
enum Engine {
    /// Any external crate.
    Allowed,
    /// An async runtime, but not DataFusion, Arrow or an S3 client: an edge only sends requests and
    /// prints results.
    RuntimeOnly,
    /// No crates that are slow to build; Arrow's array crates are the only exception.
    None,
}

const fn rule(name: &'static str, uses: &'static [&'static str], engine: Engine) -> Rule {
    Rule { name, uses, engine }
}

/// The rules, in the order of the data flow. Tests, benchmarks and tasks are not listed: they may
/// use any crate, and no other crate uses them.
const RULES: &[Rule] = &[
    rule("spilltrail-diagnostic", &[], Engine::None),
    rule("spilltrail-event", &[], Engine::None),
    rule("spilltrail-decode", &["spilltrail-diagnostic", "spilltrail-event"], Engine::None),
    rule(
        "spilltrail-source",
        &["spilltrail-diagnostic", "spilltrail-event", "spilltrail-decode"],
        Engine::Allowed,
    ),
    rule("spilltrail-spl", &["spilltrail-diagnostic"], Engine::None),
    rule("spilltrail-lake", &["spilltrail-event"], Engine::Allowed),
    rule("spilltrail-schedule", &["spilltrail-spl"], Engine::None),
    rule("spilltrail-store", &["spilltrail-schedule"], Engine::None),
    rule("spilltrail-deliver", &[], Engine::RuntimeOnly),
    // The signatures of AWS are those of the S3 client.
    rule("spilltrail-queue", &[], Engine::Allowed),
    rule(
        "spilltrail-server",
        &["spilltrail-lake", "spilltrail-schedule", "spilltrail-store"],
        Engine::RuntimeOnly,
    ),
    rule(
        "spilltrail-eval",
        &["spilltrail-diagnostic", "spilltrail-event", "spilltrail-spl"],
        Engine::None,
    ),
    rule(
        "spilltrail-knowledge",
        &["spilltrail-diagnostic", "spilltrail-event", "spilltrail-spl"],
        Engine::None,
    ),
    rule(
        "spilltrail-search",
        &[
            "spilltrail-diagnostic",
            "spilltrail-event",
            "spilltrail-spl",
            "spilltrail-eval",
            "spilltrail-knowledge",
        ],
        Engine::Allowed,
    ),
    rule(
        "spilltrail-content",
        &["spilltrail-diagnostic", "spilltrail-spl", "spilltrail-knowledge"],
        Engine::None,
    ),
    rule(
        "spilltrail-detect",
        &["spilltrail-diagnostic", "spilltrail-event", "spilltrail-content", "spilltrail-search"],
        Engine::Allowed,
    ),
    rule(
        "spilltrail-app",
        &[
            "spilltrail-diagnostic",
            "spilltrail-event",
            "spilltrail-decode",
            "spilltrail-source",
            "spilltrail-lake",
            "spilltrail-spl",
            "spilltrail-knowledge",
            "spilltrail-search",
            "spilltrail-content",
            "spilltrail-detect",
            "spilltrail-schedule",
            "spilltrail-store",
            "spilltrail-deliver",
            "spilltrail-queue",
        ],
        Engine::Allowed,
    ),
    rule(
        "spilltrail",
        &[
            "spilltrail-diagnostic",
            "spilltrail-event",
            "spilltrail-source",
            "spilltrail-spl",
            "spilltrail-eval",
            "spilltrail-search",
            "spilltrail-content",
            "spilltrail-detect",
            "spilltrail-schedule",
            "spilltrail-store",
            "spilltrail-deliver",
            "spilltrail-app",
            "spilltrail-server",
        ],
        Engine::RuntimeOnly,
    ),
];

/// Crates that may use any crate.
const ENDS: &[&str] = &["spilltrail-bench", "spilltrail-fuzz-targets", "spilltrail-tests", "xtask"];

impl Engine {
    fn allows(self, used: &str) -> bool {
        let is_engine = used.starts_with("datafusion") || used == "object_store";
        match self {
            Self::Allowed => true,
            Self::RuntimeOnly => !is_engine && !used.starts_with("arrow"),
            Self::None => !is_engine && used != "tokio",
        }
    }
}

/// Reads the dependencies of all crates from cargo, and returns those that are not allowed.
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

/// Returns the dependencies in the output of `cargo metadata` that no rule allows.
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
            // Tests may use more workspace crates, but must also build without the engine.
            let for_tests = text(dependency, "kind") == "dev";
            if ours && !for_tests && !rule.uses.contains(&used) {
                findings.push(format!("{name}: must not use {used}"));
            }
            if !rule.engine.allows(used) {
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
        for used in ["datafusion", "arrow-array", "object_store"] {
            assert_eq!(
                uses("spilltrail", &[used]),
                [format!("spilltrail: must build without {used}")]
            );
        }
        assert_eq!(uses("spilltrail", &["tokio", "spilltrail-app"]), [""; 0]);
        let for_tests = json!({"name": "spilltrail-spl", "kind": "dev"});
        let package = json!({"name": "spilltrail-decode", "dependencies": [for_tests]});
        assert_eq!(forbidden(&json!({"packages": [package]})), [""; 0]);
        assert_eq!(
            uses("spilltrail-utils", &[]),
            ["spilltrail-utils: the crate has no rule in xtask/src/tidy/arrows.rs"]
        );
    }
}
