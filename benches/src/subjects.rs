//! What is measured: the floors, this program in several configurations, and other engines.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::answers::{DETECTIONS, READS};
use crate::floor;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is called.
    pub name: String,
    /// What is run.
    pub command: Vec<String>,
    /// How its output is read.
    pub output: Output,
    /// What prints the groups of reads before they are scored; run once, not measured.
    pub groups: Option<Vec<String>>,
    /// How many detections a hunt runs; none for what is no hunt.
    pub detections: usize,
}

impl Subject {
    /// Returns a subject that runs nothing yet.
    pub fn new(name: impl Into<String>, output: Output) -> Self {
        Self { name: name.into(), command: Vec::new(), output, groups: None, detections: 0 }
    }
}

/// What a subject prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Our own floor's counts.
    Floor,
    /// A floor from elsewhere: `records=N` is somewhere in it.
    OtherFloor,
    /// Findings.
    Hunt,
    /// The answer of a script for another engine.
    Peer,
    /// Findings of too few detections to be compared.
    Unchecked,
    /// Rows whose counts add up to that many events.
    Count(u64),
}

/// A script for another engine, and how to know that it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Peer {
    name: &'static str,
    module: &'static str,
    script: &'static str,
}

const PEERS: [Peer; 4] = [
    Peer { name: "DuckDB", module: "duckdb", script: "with_duckdb.py" },
    Peer { name: "chDB (ClickHouse)", module: "chdb", script: "with_chdb.py" },
    Peer { name: "Polars", module: "polars", script: "with_polars.py" },
    Peer { name: "Python and orjson", module: "orjson", script: "with_orjson.py" },
];

/// The program that is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// Where it is.
    pub program: PathBuf,
    /// Content to run beside the built-in detections.
    pub content: Option<PathBuf>,
}

impl Ours {
    /// Returns the command of a hunt with these detections, all if there are none.
    pub fn hunt(&self, content: Option<&Path>, names: &[&str], data: &Path) -> Vec<String> {
        let mut command = vec![text(&self.program), "hunt".into(), text(&data.join("AWSLogs"))];
        command.extend(content_arguments(content));
        for name in names {
            command.extend(["--detection".to_owned(), (*name).to_owned()]);
        }
        command.extend(["--format".to_owned(), "ndjson".to_owned()]);
        command
    }

    fn groups(&self, data: &Path) -> Vec<String> {
        let arguments = ["search", "--detection", READS, "--until", "anomalydetection"];
        let mut command = vec![text(&self.program)];
        command.extend(arguments.map(str::to_owned));
        command.extend(content_arguments(None));
        command.extend([text(&data.join("AWSLogs")), "--format".into(), "ndjson".into()]);
        command
    }

    /// Returns the names of all detections of the content, or of the built-in ones.
    pub fn detections(&self, content: Option<&Path>) -> Result<Vec<String>> {
        let output = Command::new(&self.program)
            .args(["detections", "list", "--format", "ndjson"])
            .args(content_arguments(content))
            .output()
            .with_context(|| format!("`{}` cannot be started", self.program.display()))?;
        let listed = String::from_utf8_lossy(&output.stdout);
        let names: Vec<String> = listed
            .lines()
            .filter_map(|line| {
                let detection: Value = serde_json::from_str(line).ok()?;
                detection["name"].as_str().map(str::to_owned)
            })
            .collect();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(!names.is_empty(), "no detections: {}", errors.trim());
        Ok(names)
    }

    /// Returns the three detections, the pack, and the content if there is any.
    pub fn subjects(&self, data: &Path) -> Result<Vec<Subject>> {
        let hunt = |name: String, content: Option<&Path>, names: &[&str], detections| Subject {
            command: self.hunt(content, names, data),
            detections,
            ..Subject::new(name, Output::Hunt)
        };
        let mut three = hunt("Spilltrail, the three detections".into(), None, &DETECTIONS, 3);
        three.groups = Some(self.groups(data));
        let pack = self.detections(None)?.len();
        let mut subjects =
            vec![three, hunt(format!("Spilltrail, its pack of {pack}"), None, &[], pack)];
        if let Some(content) = &self.content {
            let count = self.detections(Some(content))?.len();
            let folder = content.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("Spilltrail, {folder} with {count}");
            subjects.push(hunt(name, Some(content), &[], count));
        }
        Ok(subjects)
    }
}

/// Without content of its own, a hunt has the built-in detections, of which three take the form that
/// every engine here answers.
fn content_arguments(content: Option<&Path>) -> Vec<String> {
    match content {
        Some(folder) => vec!["--no-builtin".into(), "--content".into(), text(folder)],
        None => {
            vec!["--content".into(), text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("content"))]
        }
    }
}

/// Returns our own floor and the one from elsewhere.
pub fn floors(other: Option<&Path>, data: &Path) -> Result<Vec<Subject>> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut floors = vec![Subject {
        command: vec![text(&program), floor::TASK.into(), text(data)],
        ..Subject::new("Floor: inflate, find three fields", Output::Floor)
    }];
    if let Some(other) = other {
        let name = other.file_name().unwrap_or_default().to_string_lossy();
        floors.push(Subject {
            command: vec![text(other), text(data), "lazy".into(), "1".into()],
            ..Subject::new(format!("Floor of others: {name}"), Output::OtherFloor)
        });
    }
    Ok(floors)
}

/// Returns the engines that this Python has, and the names of those that it has not.
pub fn peers(python: &Path, data: &Path) -> (Vec<Subject>, Vec<&'static str>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for peer in PEERS {
        let Some(version) = version(python, peer.module) else {
            missing.push(peer.name);
            continue;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(peer.script);
        let command = vec![text(python), text(&script), text(data)];
        let groups = command.iter().cloned().chain(["--groups".to_owned()]).collect();
        let name = format!("{} {version}", peer.name);
        found.push(Subject { command, groups: Some(groups), ..Subject::new(name, Output::Peer) });
    }
    (found, missing)
}

fn version(python: &Path, module: &str) -> Option<String> {
    let script = format!("import {module}; print({module}.__version__)");
    let output = Command::new(python).args(["-c", &script]).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    (output.status.success()).then(|| version.trim().to_owned())
}

/// Commands are kept as text, so that they can be shown; paths that are none cannot be measured.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_say_what_is_asked() {
        let ours = Ours { program: "spilltrail".into(), content: None };
        let command = ours.hunt(Some(Path::new("escu")), &["A", "B"], Path::new("d"));
        assert_eq!(
            command.join(" "),
            "spilltrail hunt d/AWSLogs --no-builtin --content escu --detection A --detection B --format ndjson"
        );
        assert_eq!(
            floors(Some(Path::new("x/limit")), Path::new("d")).unwrap()[1].command,
            ["x/limit", "d", "lazy", "1"]
        );
    }

    #[test]
    fn engines_without_their_module_are_named() {
        let (found, missing) = peers(Path::new("no-python-here"), Path::new("d"));
        assert_eq!(found, []);
        assert_eq!(missing.len(), PEERS.len());
    }

    #[test]
    fn every_script_is_there() {
        for peer in PEERS {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(peer.script);
            assert!(script.try_exists().unwrap(), "{}", script.display());
        }
    }
}
