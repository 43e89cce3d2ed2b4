//! Benchmarks are a crate of their own, because they must be optimized and this one is not.

use std::path::Path;

use anyhow::Result;

use crate::ci::cargo;

const PACKAGE: &str = "spilltrail-bench";

/// Builds what is measured and what measures, and hands the arguments on.
pub(crate) fn run(repository: &Path, arguments: &[&str]) -> Result<()> {
    if needs_program(arguments) {
        cargo(repository, &["build", "--release", "--package", "spilltrail"], None)?;
    }
    let mut command = vec!["run", "--release", "--package", PACKAGE, "--"];
    command.extend(arguments);
    cargo(repository, &command, None)
}

/// The program is built if no other one is named and something is measured.
fn needs_program(arguments: &[&str]) -> bool {
    let measures = match arguments.first() {
        Some(first) => first.starts_with("--") && *first != "--help",
        None => true,
    };
    measures && !arguments.contains(&"--spilltrail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_built_where_it_is_measured() {
        assert!(needs_program(&[]));
        assert!(needs_program(&["--growth"]));
        assert!(!needs_program(&["--runs", "3", "--spilltrail", "s"]));
        assert!(!needs_program(&["generate", "--out", "d"]));
        assert!(!needs_program(&["floor", "d"]));
        assert!(!needs_program(&["--help"]));
    }
}
