//! Tests of the `help` command.

use crate::fixture::Fixture;

#[test]
fn names_and_aliases_are_known() {
    let fixture = Fixture::empty();
    for (topic, part) in [
        ("head", "limit=<int>: The number of rows to keep. Default `10`."),
        ("bucket", "bin [span=<span>"),
        ("ceil", "ceiling(<"),
        ("dc", "dc (statistics)"),
        ("mean", "avg (statistics)"),
        ("p95", "perc<number> (statistics)"),
        ("exactperc99.9", "exactperc<number> (statistics)"),
        ("upperperc<N>", "upperperc<number> (statistics)"),
        ("SPL2010", "option without effect"),
    ] {
        let shown = fixture.run_builtin(&["help", topic]);
        assert_eq!(shown.status, 0, "{topic}: {}", shown.err);
        assert!(shown.out.contains(part), "{topic}: {}", shown.out);
    }
    let unknown = fixture.run_builtin(&["help", "ceill"]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.err.contains("did you mean `ceil`"), "{}", unknown.err);
}

#[test]
fn every_level_has_examples() {
    let fixture = Fixture::empty();
    for level in [
        &[][..],
        &["search"],
        &["hunt"],
        &["fields"],
        &["detections"],
        &["detections", "list"],
        &["detections", "show"],
        &["expand"],
        &["fmt"],
        &["config"],
        &["help"],
        &["completions"],
        &["man"],
    ] {
        for option in ["--help", "-h"] {
            let shown = fixture.run_builtin(&[level, &[option]].concat());
            assert_eq!(shown.status, 0, "{level:?}: {}", shown.err);
            assert!(shown.out.contains("Example"), "{level:?}: {}", shown.out);
            let command = [&["spilltrail"], &level[..level.len().min(1)]].concat().join(" ");
            let is_example = |line: &str| line.starts_with("  ") && line.contains(&command);
            assert!(shown.out.lines().any(is_example), "{level:?}: {}", shown.out);
        }
    }
}

#[test]
fn a_misspelt_word_is_recognized() {
    let fixture = Fixture::new();
    for (arguments, similar) in [
        (&["hnt", "logs"][..], "'hunt'"),
        (&["detections", "shwo"], "'show'"),
        (&["hunt", "logs", "--formt", "json"], "'--format'"),
        (&["hunt", "logs", "--format", "jsn"], "'json'"),
        (&["hunt", "logs", "--detection", "Key Maid"], "`Key Made`"),
        (&["hunt", "logs", "--tz", "Europe/Berln"], "`Europe/Berlin`"),
        (&["help", "hnt"], "`hunt`"),
        (&["help", "spl2O01"], "`SPL2001`"),
        (&["search", "* | statz count", "logs"], "`stats`"),
    ] {
        let run = match arguments[0] {
            "help" => fixture.run_builtin(arguments),
            _ => fixture.run(arguments),
        };
        assert_eq!(run.status, 2, "{arguments:?}");
        assert!(run.err.contains(similar), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn commands_of_splunk_that_are_not_supported_are_topics() {
    let fixture = Fixture::empty();
    for (topic, shown) in [
        ("erex", "erex\n    A command of Splunk that is not supported.\n    Why: expressions are"),
        ("Overlap", "overlap\n    A command of Splunk that is not supported.\n"),
        ("x11", "x11\n    A command of Splunk that is not supported.\n"),
    ] {
        let run = fixture.run_builtin(&["help", topic]);
        assert_eq!((run.status, run.err.as_str()), (0, ""), "{topic}");
        assert!(run.out.starts_with(shown), "{topic}: {}", run.out);
    }
}

#[test]
fn commands_of_the_program_are_topics() {
    let fixture = Fixture::empty();
    for (topic, usage) in [
        (&["hunt"][..], "Usage: spilltrail hunt [OPTIONS] <LOGS>..."),
        (&["detections", "list"], "Usage: spilltrail detections list [OPTIONS]"),
        (&["detections"], "Usage: spilltrail detections [OPTIONS] <COMMAND>"),
    ] {
        let shown = fixture.run_builtin(&[&["help"], topic].concat());
        assert_eq!(shown.status, 0, "{topic:?}: {}", shown.err);
        assert!(shown.out.contains(usage), "{topic:?}: {}", shown.out);
        let same = fixture.run_builtin(&[topic, &["--help"]].concat());
        assert_eq!(shown.out, same.out, "{topic:?}");
    }
    let unknown = fixture.run_builtin(&["help", "detections", "lst"]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.err.contains("there is no help about `detections lst`"), "{}", unknown.err);
}

#[test]
fn options_that_cannot_work_together_are_refused() {
    let fixture = Fixture::new();
    fixture.write("rows.ndjson", "{\"a\":1}\n");
    let rows = ["search", "*", "--rows", "rows.ndjson"];
    let plan = ["hunt", "logs", "--explain-scan"];
    for (arguments, more, named) in [
        (&plan[..], &["--format", "json"][..], "--format"),
        (&plan, &["--summary"], "--summary"),
        (&plan, &["--fail-on-finding"], "--fail-on-finding"),
        (&plan, &["--strict"], "--strict"),
        (&plan, &["--costs"], "--costs"),
        (&plan, &["--run-id", "a"], "--run-id"),
        (&["hunt", "logs"], &["--summary", "--format", "csv"], "CSV has no place"),
        (&["hunt", "logs"], &["--s3-anonymous", "--s3-profile", "a"], "--s3-profile"),
        (&["hunt", "logs"], &["--s3-anonymous", "--s3-requester-pays"], "--s3-requester-pays"),
        (&rows, &["--index", "a"], "`--index`"),
        (&rows, &["--sourcetype", "a"], "`--sourcetype`"),
        (&rows, &["--dedup"], "`--dedup`"),
        (&rows, &["--profile", "ta-7.0"], "`--profile`"),
        (&["config"], &["--format", "csv"], "possible values: text, json"),
    ] {
        let run = fixture.run(&[arguments, more].concat());
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{arguments:?} {more:?}");
        assert!(run.err.contains(named), "{arguments:?} {more:?}: {}", run.err);
    }
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let fixture = Fixture::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = fixture.run_builtin(&["completions", shell]);
        assert_eq!((run.status, run.err.as_str()), (0, ""), "{shell}");
        assert!(run.out.contains("fail-on-finding"), "{shell}");
    }
    for (arguments, part) in [
        (&["man"][..], ".TH spilltrail"),
        (&["man", "hunt"], "fail\\-on"),
        (&["man", "detections", "list"], ".TH spilltrail-detections-list"),
    ] {
        let run = fixture.run_builtin(arguments);
        assert_eq!((run.status, run.err.as_str()), (0, ""));
        assert!(run.out.contains(part), "{}", run.out);
    }
    assert_eq!(fixture.run_builtin(&["man", "hnt"]).status, 2);
    assert_eq!(fixture.run_builtin(&["man", "detections", "lst"]).status, 2);
    let run = fixture.run_builtin(&["man", "--dir", "share/man1"]);
    assert_eq!((run.status, run.out.as_str(), run.err.as_str()), (0, "", ""));
    for page in ["spilltrail.1", "spilltrail-fmt.1", "spilltrail-detections-show.1"] {
        let text = std::fs::read_to_string(fixture.path("share/man1").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
}
