//! Tests of options and logs that name what is no file: devices, named pipes, sockets, folders.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::process::Command;
use std::time::{Duration, Instant};

use crate::fixture::{Fixture, Run};

/// Time in which a run that reads nothing ends, also on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// Runs the binary, and fails if it does not end.
fn run(fixture: &Fixture, arguments: &[&str]) -> Run {
    let mut child = fixture.spawn(arguments);
    drop(child.stdin.take());
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("{arguments:?} does not end");
        }
        std::thread::yield_now();
    }
    Run::of(child.wait_with_output().unwrap())
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    for name in ["pipe", "logs/pipe"] {
        assert!(Command::new("mkfifo").arg(fixture.path(name)).status().unwrap().success());
    }
    std::os::unix::fs::symlink("/dev/zero", fixture.path("zero")).unwrap();
    fixture.write("empty", "");
    fixture
}

#[test]
fn options_that_name_no_file_are_refused_at_once() {
    let fixture = fixture();
    let search = ["search", "| makeresults"];
    for option in ["--config", "--geoip", "--rows", "--lookups", "--content"] {
        for (name, found) in [
            ("/dev/zero", "a device"),
            ("zero", "a device"),
            ("pipe", "a named pipe"),
            ("content", "a folder"),
            ("missing", "No such file or directory"),
            ("empty", ""),
        ] {
            // These take a folder; a missing one for lookups is made when something is kept.
            let takes_folder = matches!(option, "--lookups" | "--content");
            let works = match option {
                "--config" | "--rows" => name == "empty",
                "--lookups" => matches!(name, "content" | "missing"),
                "--content" => matches!(name, "content" | "empty"),
                _ => false,
            };
            let run = run(&fixture, &[&search[..], &[option, name]].concat());
            let what = format!("{option} {name}: {}", run.err);
            assert_eq!(run.status == 2, !works, "{what}");
            if !works {
                assert!(run.err.contains(name), "{what}");
                assert!(takes_folder || run.err.contains(found), "{what}");
            }
        }
    }
}

#[test]
fn a_folder_and_a_pattern_pass_over_what_is_no_file() {
    let fixture = fixture();
    let _socket = std::os::unix::net::UnixListener::bind(fixture.path("logs/socket")).unwrap();
    for logs in ["logs", "logs/*"] {
        for arguments in [&["hunt", logs][..], &["search", "*", logs], &["fields", logs]] {
            let run = run(&fixture, arguments);
            assert_eq!(run.status, 1, "{arguments:?}: {}", run.err);
            assert!(!run.out.is_empty(), "{arguments:?}");
            let pipe =
                "error[SPL5003]: logs/pipe: a named pipe is read only if its own name is given";
            for line in [pipe, "note: logs/socket: is a socket, skipped"] {
                assert!(run.err.lines().any(|told| told == line), "{arguments:?}: {}", run.err);
            }
        }
    }
    let run = run(&fixture, &["hunt", "/dev/zero", "zero"]);
    assert_eq!(run.status, 2, "{}", run.err);
    for name in ["/dev/zero", "zero"] {
        let line = format!(
            "error[SPL5003]: {name}: expected a file, a folder, a pattern or a pipe, found a device"
        );
        assert!(run.err.contains(&line), "{}", run.err);
    }
}
