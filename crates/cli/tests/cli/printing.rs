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
    &["detections", "list", "--format", "table"],
    &["detections", "show", "Key Made"],
    &["detections", "show", "Key Made", "--format", "json"],
    &["config"],
    &["hunt", "--help"],
    &["--version"],
    &["hunt", "logs", "--format", "table"],
    &["hunt", "logs", "--explain-scan"],
    &["search", "| makeresults count=10000"],
    &["hunt", "logs"],
    &["fields", "logs"],
    &["man"],
    &["man", "hunt"],
    &["completions", "bash"],
];

/// Removes the detection that cannot tell, of which a hunt has something to say.
fn without_the_doubtful(fixture: &Fixture) {
    std::fs::remove_file(fixture.path("content/detections/d4.yml")).unwrap();
}

/// Runs the binary with a standard output whose reader closes it immediately.
fn run_unread(fixture: &Fixture, arguments: &[&str]) -> Run {
    let mut child = fixture.spawn(arguments);
    drop(child.stdout.take());
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let fixture = Fixture::new();
    without_the_doubtful(&fixture);
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
    without_the_doubtful(&fixture);
    for arguments in COMMANDS {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = fixture.command(arguments);
        let run = Run::of(command.stdout(full).output().unwrap());
        assert_eq!(run.status, 2, "{arguments:?}: {}", run.err);
        assert!(run.err.starts_with("error: "), "{arguments:?}: {}", run.err);
        assert!(run.err.contains("No space left on device"), "{arguments:?}: {}", run.err);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_output_that_is_closed_is_a_failure() {
    let fixture = Fixture::new();
    for arguments in COMMANDS {
        let command = fixture.command(arguments);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "exec \"$@\" >&-", "sh"]).args(words);
        shell.current_dir(fixture.path("")).env("SPILLTRAIL_CONFIG", "");
        let run = Run::of(shell.output().unwrap());
        let message = "error: cannot write to standard output: it is closed\n";
        assert_eq!((run.status, run.err.as_str()), (2, message), "{arguments:?}");
        // A device that takes everything is somebody's choice.
        let mut command = fixture.command(arguments);
        let null = std::fs::File::options().read(true).write(true).open("/dev/null").unwrap();
        let run = Run::of(command.stdout(null).output().unwrap());
        assert_eq!(run.status, 0, "{arguments:?}: {}", run.err);
    }
}

#[test]
fn a_standard_error_that_nobody_reads_changes_nothing() {
    let fixture = Fixture::new();
    fixture.write("content/detections/broken.yml", "name: [");
    for arguments in [&["hunt", "logs"][..], &["search", "| makeresults count=1000"]] {
        let expected = fixture.run(arguments);
        let mut child = fixture.spawn(arguments);
        drop(child.stderr.take());
        let run = Run::of(child.wait_with_output().unwrap());
        assert_eq!((run.status, run.out.len()), (1, expected.out.len()), "{arguments:?}");
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

#[test]
fn a_run_without_room_for_temporary_files_names_the_folder() {
    let fixture = Fixture::new();
    let rows = "| makeresults count=300000 | streamstats count as n | eval s=md5(n) | sort 0 s";
    let missing = fixture.path("missing");
    let mut command = fixture.command(&["search", rows, "--memory-limit", "4"]);
    let run = Run::of(command.env("TMPDIR", &missing).output().unwrap());
    assert_eq!(run.status, 2, "{}", run.err);
    for part in [&missing.display().to_string(), "`TMPDIR`"] {
        assert!(run.err.contains(part), "{}", run.err);
    }
}

#[test]
fn a_regular_expression_that_gives_up_says_so_once() {
    let fixture = Fixture::new();
    let search = format!(
        "| makeresults count=3 | eval a=\"{}!\" | where match(a, \"(a+)+$\")",
        "a".repeat(80)
    );
    let run = fixture.run(&["search", &search]);
    // What it found is not all there may be.
    assert_eq!((run.status, run.out.as_str()), (1, ""));
    let warnings: Vec<&str> = run.err.lines().filter(|line| line.contains("gave up")).collect();
    assert_eq!(warnings.len(), 1, "{}", run.err);
    assert!(warnings[0].contains("`(a+)+$`"), "{}", run.err);
}

#[test]
fn colors_are_for_who_wants_them() {
    let fixture = Fixture::new();
    let painted = |color: &str, no_color: &str, force: &str| {
        let mut command = fixture.command(&["hunt", "logs", "--format", "table", "--color", color]);
        command.env("NO_COLOR", no_color).env("CLICOLOR_FORCE", force);
        Run::of(command.output().unwrap()).out.contains('\u{1b}')
    };
    for (color, no_color, force, expected) in [
        ("auto", "", "", false),
        ("auto", "", "1", true),
        ("auto", "1", "1", false),
        ("always", "1", "", true),
        ("never", "", "1", false),
    ] {
        assert_eq!(painted(color, no_color, force), expected, "{color} {no_color} {force}");
    }
    // What the parser prints, too, wherever the option stands.
    let painted = |arguments: &[&str]| {
        let mut command = fixture.command(arguments);
        let run = Run::of(command.env("NO_COLOR", "").output().unwrap());
        (run.out + &run.err).contains('\u{1b}')
    };
    for (arguments, expected) in [
        (&["--help", "--color", "always"][..], true),
        (&["--color=always", "hunt", "--help"], true),
        (&["help", "hunt", "--color", "always"], true),
        (&["hunt", "--color", "always", "--formt", "x"], true),
        (&["hunt", "logs", "--color", "sometimes"], false),
        (&["hunt", "--formt", "x", "--", "--color", "always"], false),
        (&["hunt", "--help"], false),
    ] {
        assert_eq!(painted(arguments), expected, "{arguments:?}");
    }
}
