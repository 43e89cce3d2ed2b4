//! Tests that a run stopped by a signal returns the right status, prints a message, and removes its
//! temporary files.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command};

use crate::fixture::{Fixture, Run};

/// A search whose rows exceed the capacity of a pipe.
const MANY_ROWS: &str = "| makeresults count=200000 | eval text=\"some text in every row\"";

fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status();
    assert!(sent.unwrap().success());
}

/// Asserts the properties that all runs stopped by a signal share.
fn assert_stopped(fixture: &Fixture, run: &Run, name: &str) {
    let status = match name {
        "HUP" => 129,
        "INT" => 130,
        "QUIT" => 131,
        _ => 143,
    };
    assert_eq!(run.status, status, "{}", run.err);
    let words = format!("error[SPL3007]: stopped by SIG{name}");
    assert!(run.err.starts_with(&words), "{}", run.err);
    assert_eq!(fixture.temporary_files(), Vec::<String>::new());
}

#[test]
fn a_run_that_waits_for_a_pipe_ends() {
    let fixture = Fixture::new();
    let made = Command::new("mkfifo").arg(fixture.path("pipe")).status();
    assert!(made.unwrap().success());
    for (arguments, name) in [
        (&["hunt", "pipe"][..], "INT"),
        (&["hunt", "pipe"], "TERM"),
        (&["search", "a=b", "pipe"], "INT"),
        (&["search", "a=b | table *", "pipe"], "TERM"),
    ] {
        let child = fixture.spawn(arguments);
        // Blocks until the run has opened the pipe for reading. Nothing is ever written to it.
        let _writer = File::options().write(true).open(fixture.path("pipe")).unwrap();
        signal(&child, name);
        let run = Run::of(child.wait_with_output().unwrap());
        assert_stopped(&fixture, &run, name);
        assert!(run.err.contains("; 0 of 1 file had been read (0 events)"), "{}", run.err);
    }
}

#[test]
fn a_run_that_reads_standard_input_leaves_no_copy() {
    let fixture = Fixture::new();
    for name in ["HUP", "INT", "QUIT", "TERM"] {
        let mut child = fixture.spawn(&["hunt", "-"]);
        // This exceeds the capacity of a pipe, so the run has read some input when all is written.
        let mut input = child.stdin.take().unwrap();
        input.write_all(&[b' '; 200_000]).unwrap();
        signal(&child, name);
        let run = Run::of(child.wait_with_output().unwrap());
        assert_stopped(&fixture, &run, name);
        assert!(run.err.contains("0 of 4 detections finished (0 findings printed)"), "{}", run.err);
        drop(input);
    }
}

#[test]
fn a_search_that_prints_rows_says_how_many() {
    let fixture = Fixture::new();
    let mut child = fixture.spawn(&["search", MANY_ROWS]);
    let mut rows = BufReader::new(child.stdout.take().unwrap());
    rows.read_line(&mut String::new()).unwrap();
    signal(&child, "INT");
    let mut rest = String::new();
    rows.read_to_string(&mut rest).unwrap();
    let run = Run::of(child.wait_with_output().unwrap());
    assert_stopped(&fixture, &run, "INT");
    let printed = rest.lines().count() + 1;
    let said = run.err.replace(',', "");
    assert!(said.contains(&format!(" {printed} rows printed")), "{printed} {}", run.err);
}

#[test]
fn a_run_that_nobody_reads_from_ends() {
    let fixture = Fixture::new();
    let mut child = fixture.spawn(&["search", MANY_ROWS]);
    let mut rows = BufReader::new(child.stdout.take().unwrap());
    rows.read_line(&mut String::new()).unwrap();
    signal(&child, "TERM");
    let run = Run::of(child.wait_with_output().unwrap());
    assert_stopped(&fixture, &run, "TERM");
}

#[test]
fn a_run_that_was_started_to_survive_its_terminal_does() {
    let fixture = Fixture::new();
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_spilltrail");
    // An ignored signal stays ignored in what the shell starts, as with `nohup`.
    let script = format!("trap '' HUP; exec {program} search '{MANY_ROWS}'");
    let mut child = command
        .args(["-c", &script])
        .env("TMPDIR", fixture.path(""))
        .env("SPILLTRAIL_CONFIG", "")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut rows = BufReader::new(child.stdout.take().unwrap());
    rows.read_line(&mut String::new()).unwrap();
    signal(&child, "HUP");
    let rest = rows.lines().count();
    assert!(child.wait().unwrap().success());
    assert_eq!(rest, 199_999);
}
