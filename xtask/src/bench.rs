//! Runs the benchmarks, which are a separate crate because they must be built with optimizations
//! and this crate is not.

use std::path::Path;

use anyhow::Result;

use crate::ci::cargo;

const PACKAGE: &str = "spilltrail-bench";

/// Builds the program and the benchmarks, then runs the benchmarks with the arguments.
pub(crate) fn run(repository: &Path, arguments: &[&str]) -> Result<()> {
    if needs_program(arguments) {
        cargo(repository, &["build", "--release", "--package", "spilltrail"], None)?;
    }
    let mut command = vec!["run", "--release", "--package", PACKAGE, "--"];
    command.extend(arguments);
    cargo(repository, &command, None)
}

/// Returns true if the program must be built: something is measured, and the arguments name no
/// other program.
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
