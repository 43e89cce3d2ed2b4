//! Tests of standard output that cannot be written to, and of invalid arguments.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use crate::fixture::{Fixture, Run};

/// Commands that print little and much.
const COMMANDS: &[&[&str]] = &[
    &["help"],
    &["help", "stats"],
    &["--help"],
    &["expand", "a=b"],
    &["detections", "list"],
    &["detections", "show", "Key Made"],
    &["search", "| makeresults count=10000"],
    &["hunt", "logs"],
];

/// Runs the binary with a standard output whose reader closes it immediately.
fn run_unread(fixture: &Fixture, arguments: &[&str]) -> Run {
    let mut child = fixture.spawn(arguments);
    drop(child.stdout.take());
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let fixture = Fixture::new();
    for arguments in COMMANDS {
        let run = run_unread(&fixture, arguments);
        assert_eq!((run.status, run.err.as_str()), (0, ""), "{arguments:?}");
    }
    let run = run_unread(&fixture, &["hunt", "logs", "--fail-on-finding"]);
    assert_eq!((run.status, run.err.as_str()), (3, ""));
    fixture.write("content/detections/broken.yml", "name: [");
    for (arguments, status) in [
        (&["hunt", "logs", "--fail-on-finding"][..], 3),
        (&["hunt", "logs"], 1),
        (&["search", "| makeresults count=10000"], 1),
    ] {
        assert_eq!(run_unread(&fixture, arguments).status, status, "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure_without_a_panic() {
    let fixture = Fixture::new();
    for arguments in COMMANDS {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = fixture.command(arguments);
        let run = Run::of(command.stdout(full).output().unwrap());
        assert_eq!(run.status, 2, "{arguments:?}: {}", run.err);
        assert!(run.err.starts_with("error: "), "{arguments:?}: {}", run.err);
        assert!(run.err.contains("No space left on device"), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn an_endpoint_that_is_no_address_is_refused() {
    let fixture = Fixture::new();
    let run = fixture.run(&["search", "a=b", "s3://logs/a", "--s3-endpoint", "not a url"]);
    assert_eq!(run.status, 2);
    let message = "error: invalid value 'not a url' for '--s3-endpoint <URL>'";
    assert!(run.err.starts_with(message), "{}", run.err);
}
