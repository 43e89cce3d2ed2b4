//! What a command costs: CPU time, elapsed time, memory.
//!
//! The figures are the kernel's own, as `wait4` hands them over when the command has ended: CPU time in
//! user and kernel mode of the process, all its threads, and all descendants that it waited for; and
//! the largest resident set that one of them ever had. Nothing is polled, so nothing is missed.
//!
//! A program that starts another one hands its own peak of memory down to it, because the new process
//! shares its memory until it has its own. So commands are started by [`run_here`] in a process of
//! this program that does nothing else and is a few megabytes large; [`run`] starts that.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use wait4::Wait4;

/// The task of this program that [`run`] starts.
pub const TASK: &str = "measure";

/// What one run cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// CPU time in user and kernel mode.
    pub cpu: Duration,
    /// Elapsed time.
    pub wall: Duration,
    /// The largest resident set, in bytes.
    pub peak: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What it cost.
    pub usage: Usage,
    /// Its exit status; None if a signal ended it.
    pub status: Option<i32>,
    /// The last line that it wrote to standard error.
    pub message: String,
}

/// Runs a command under `meter`, which is this program; the command's output goes to `stdout`.
pub fn run(meter: &Path, command: &[String], stdout: &Path) -> Result<Run> {
    let output = Command::new(meter)
        .arg(TASK)
        .arg(stdout)
        .args(command)
        .output()
        .context("starting the process that measures")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let run: Value = serde_json::from_slice(&output.stdout).context("reading what was measured")?;
    let number = |key: &str| {
        run[key].as_u64().with_context(|| format!("`{key}` is not among what was measured"))
    };
    let usage = Usage {
        cpu: Duration::from_micros(number("cpu_us")?),
        wall: Duration::from_micros(number("wall_us")?),
        peak: number("peak_bytes")?,
    };
    let status = run["status"].as_i64().map(|status| status as i32);
    let message = run["message"].as_str().unwrap_or_default().to_owned();
    Ok(Run { usage, status, message })
}

/// Runs a command and returns how it ended and what it cost, as JSON.
pub fn run_here(stdout: &Path, command: &[String]) -> Result<Value> {
    let (program, arguments) = command.split_first().context("no command to measure")?;
    let file = |path: &Path| {
        File::create(path).with_context(|| format!("making the file `{}`", path.display()))
    };
    let errors = stdout.with_extension("stderr");
    let started = Instant::now();
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(file(stdout)?)
        .stderr(file(&errors)?)
        .spawn()
        .with_context(|| format!("`{program}` cannot be started"))?;
    let ended = child.wait4().with_context(|| format!("waiting for `{program}`"))?;
    let wall = started.elapsed();
    let text = fs::read_to_string(&errors).unwrap_or_default();
    let last = text.lines().last().unwrap_or_default();
    let _ = fs::remove_file(&errors);
    let cpu = ended.rusage.utime + ended.rusage.stime;
    Ok(json!({
        "cpu_us": cpu.as_micros() as u64,
        "wall_us": wall.as_micros() as u64,
        "peak_bytes": ended.rusage.maxrss,
        "status": ended.status.code(),
        "message": last,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn output_is_kept_and_all_figures_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let stdout = folder.path().join("out");
        let usage = run_here(&stdout, &shell("echo some; sh -c 'echo more'")).unwrap();
        assert_eq!(fs::read_to_string(&stdout).unwrap(), "some\nmore\n");
        assert!(usage["cpu_us"].is_u64() && usage["wall_us"].as_u64() > Some(0));
        assert!(usage["peak_bytes"].as_u64() > Some(100_000));
    }

    #[test]
    fn a_failure_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let stdout = folder.path().join("out");
        let run = run_here(&stdout, &shell("echo first >&2; echo broken >&2; exit 3")).unwrap();
        assert_eq!((&run["status"], &run["message"]), (&json!(3), &json!("broken")));
        let run = run_here(&stdout, &shell("kill -9 $$")).unwrap();
        assert!(run["status"].is_null());
        let message = |command: &[String]| run_here(&stdout, command).unwrap_err().to_string();
        assert!(message(&["not-a-program".to_owned()]).contains("cannot be started"));
        assert_eq!(message(&[]), "no command to measure");
    }
}
