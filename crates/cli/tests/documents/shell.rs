//! Runs the `sh` blocks of README and book, in a home folder with logs and content.
//!
//! A block that needs something that a test does not have, such as a bucket, has a comment before
//! it: `<!-- not run: it needs a bucket -->`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::blocks::{self, Shell};
use crate::{documents, path_with_program, repository};

/// The files of the reader, each a copy of one in the repository.
const HOME: &[(&str, &str)] = &[
    ("samples", "samples"),
    ("cloudtrail", "samples/AWSLogs"),
    ("security_content", "packs/aws-exfiltration"),
    ("our_detections", "docs/examples/content"),
];

const ROWS: &str = "{\"user\":\"ann\",\"bytes\":\"10\"}\n{\"user\":\"bob\",\"bytes\":\"30\"}\n";

#[test]
fn commands_for_the_reader_run() -> Result<()> {
    let home = tempfile::tempdir()?;
    for (name, path) in HOME {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(repository().join(path))
            .arg(home.path().join(name))
            .status()?;
        ensure!(copied.success(), "`{path}` cannot be copied");
    }
    fs::write(home.path().join("rows.ndjson"), ROWS)?;
    let mut failures = String::new();
    for path in documents()? {
        let text = fs::read_to_string(&path)?;
        for block in blocks::of(&text, Shell::Sh) {
            if block.not_run.is_none()
                && let Some(failure) = failure(block.text, home.path())?
            {
                failures += &format!("{}:\n{}{failure}\n", path.display(), block.text);
            }
        }
    }
    ensure!(failures.is_empty(), "{failures}");
    Ok(())
}

/// Runs the commands of a block one by one, and returns how the first that failed did so.
fn failure(block: &str, home: &Path) -> Result<Option<String>> {
    let output = Command::new("sh")
        .args(["-e", "-c", block])
        .current_dir(home)
        .env("PATH", path_with_program()?)
        .env("HOME", home)
        .env("NO_COLOR", "1")
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .context("sh cannot be run")?;
    let err = String::from_utf8_lossy(&output.stderr);
    Ok((!output.status.success()).then(|| format!("{}\n{err}", output.status)))
}
