//! Tests that an option, a name or a range that matches nothing is told, and is never mistaken for
//! logs in which nothing was found.

use crate::fixture::Fixture;

/// Asserts the status of a run, and that standard error contains each of the texts.
fn told(fixture: &Fixture, arguments: &[&str], status: i32, texts: &[&str]) {
    let run = fixture.run(arguments);
    assert_eq!(run.status, status, "{arguments:?}: {}{}", run.out, run.err);
    for text in texts {
        assert!(run.err.contains(text), "{arguments:?}: expected {text:?} in\n{}", run.err);
    }
}

/// A sourcetype or index of the user that no detection reads makes every detection find nothing.
#[test]
fn a_sourcetype_or_index_that_no_detection_reads() {
    let fixture = Fixture::new();
    let search = |number, name, search| fixture.detection(number, name, "TTP", search, "");
    search(1, "Of a sourcetype", "sourcetype=aws:cloudtrail eventName=CreateKey | stats count");
    search(2, "Of an index", "index=aws eventName=CreateKey | stats count");
    search(3, "Of any", "eventName=CreateKey | stats count");
    let sourcetype = "error[SPL5006]: logs: no detection reads the sourcetype `aws:cloudtrial`, which \
                      `--sourcetype` gives all events; did you mean `aws:cloudtrail`?";
    let index = "error[SPL5006]: logs: no detection reads the index `asw`, which `--index` gives all \
                 events; did you mean `aws`?";
    let other = "they read `aws:cloudtrail`";
    for (options, status, texts) in [
        (
            &["--detection", "Of a sourcetype", "--sourcetype", "aws:cloudtrial"][..],
            1,
            &[sourcetype][..],
        ),
        (&["--sourcetype", "aws:cloudtrial"], 1, &[sourcetype]),
        (&["--detection", "Of a sourcetype", "--sourcetype", "json"], 1, &[other]),
        (&["--detection", "Of a sourcetype", "--sourcetype", "AWS:CloudTrail"], 0, &[]),
        (&["--detection", "Of any", "--sourcetype", "aws:cloudtrial"], 0, &[]),
        (&["--detection", "Of an index", "--index", "asw"], 1, &[index]),
        (&["--detection", "Of an index", "--index", "aws"], 0, &[]),
        (&["--detection", "Of any", "--index", "asw"], 0, &[]),
        (&["--index", "asw"], 0, &["1 needs the index `aws`"]),
    ] {
        told(&fixture, &[&["hunt", "logs"], options].concat(), status, texts);
    }
    // A detection of any sourcetype looks at the events.
    let run = fixture.run(&["hunt", "logs", "--format", "table", "--sourcetype", "aws:cloudtrial"]);
    assert!(run.out.contains("Of any") && !run.out.contains("Nothing was"), "{}", run.out);
    assert!(run.status == 1 && run.err.contains(sourcetype), "{}", run.err);
    let hunt = ["hunt", "logs", "--format", "table", "--detection", "Of a sourcetype"];
    let run = fixture.run(&[&hunt[..], &["--sourcetype", "aws:cloudtrial"]].concat());
    assert!(
        run.out.starts_with("Nothing was looked for: none of 1 detection can run"),
        "{}",
        run.out
    );
}

/// A name for logs that gives no event is told, whatever is beside it.
#[test]
fn a_name_that_gives_no_event() {
    let fixture = Fixture::new();
    for folder in ["empty", "deep/er"] {
        std::fs::create_dir_all(fixture.path(folder)).unwrap();
    }
    fixture.write("notes/readme.md", "hello");
    fixture.write("notes/todo.txt", "");
    fixture.write("none.txt", "");
    fixture.write("records/a.json", "{\"Records\":[]}");
    std::fs::create_dir(fixture.path("linked")).unwrap();
    let error = "error[SPL5006]: ";
    for (names, status, texts) in [
        (&["logs", "empty"][..], 1, &["empty: holds no file"][..]),
        (&["logs", "deep"], 1, &["deep: holds no file"]),
        (&["logs", "notes"], 1, &["notes: holds no event in its 2 files"]),
        (&["logs", "notes/*"], 1, &["notes/*: holds no event in its 2 files"]),
        (&["logs", "records"], 1, &["records: holds no event in its one file"]),
        (&["logs", "none.txt"], 1, &["none.txt: is empty"]),
        (&["logs", "none.txt", "empty"], 1, &["none.txt: is empty", "empty: holds no file"]),
        (&["empty"], 2, &["empty: holds no file"]),
        (&["notes"], 2, &["logs: no event was read; nothing can be said about them"]),
        // The files of the second name are those of the first.
        (&["logs", "logs/a.json"], 0, &[]),
        (&["logs", "log*"], 0, &[]),
        (&["logs", "logs"], 0, &[]),
    ] {
        for command in [&["hunt"][..], &["search", "*"], &["fields"]] {
            let arguments = [command, names].concat();
            let run = fixture.run(&arguments);
            assert_eq!(run.status, status, "{arguments:?}: {}", run.err);
            for text in texts {
                let text = format!("{error}{text}");
                assert!(
                    run.err.contains(&text),
                    "{arguments:?}: expected {text:?} in\n{}",
                    run.err
                );
            }
            assert_eq!(run.err.contains(error), status > 0, "{arguments:?}: {}", run.err);
        }
    }
    let run = fixture.run(&["hunt", "logs", "notes", "--format", "table"]);
    assert!(run.out.contains("\nLeft out: 2 files without logs\n"), "{}", run.out);
    assert!(run.err.contains("note: notes/todo.txt: is empty, skipped\n"), "{}", run.err);
}

/// A time range in which no event is reads like a mistake, not like an all-clear.
#[test]
fn a_range_without_events() {
    let fixture = Fixture::new();
    fixture.detection(5, "Own times", "TTP", "eventName=CreateKey earliest=1 | stats count", "");
    fixture.write(
        "late/b.json",
        &std::fs::read_to_string(fixture.path("logs/a.json")).unwrap().replace("2026-", "2027-"),
    );
    let folder = "dated/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/10";
    let name =
        format!("{folder}/111122223333_CloudTrail_eu-west-1_20260310T0915Z_0123456789abcdef.json");
    fixture.write(&name, &std::fs::read_to_string(fixture.path("logs/a.json")).unwrap());
    fixture.write("dated/README.md", "about");
    let none = "error[SPL5006]: logs: none of the 4 events is in the time range that was searched; they \
                are from 2026-03-10 09:00:00 UTC to 2026-03-10 09:03:00 UTC";
    let no_file =
        "error[SPL5006]: logs: no file is of the time that was looked for: 1 file delivered ";
    let part = "note: logs: 1 input has no event in the time range: ";
    let key_made = ["--detection", "Key Made"];
    for (names, range, status, text) in [
        (&["logs"][..], &["--earliest", "2027-01-01"][..], 1, none),
        (&["logs"], &["--latest", "2026-01-01"], 1, none),
        (&["logs"], &["--earliest", "2026-03-10T09:03:01Z", "--tz", "UTC"], 1, none),
        (&["logs"], &["--earliest", "2026-03-10"], 0, ""),
        (&["logs", "late"], &["--earliest", "2027-01-01"], 0, &format!("{part}logs\n")),
        (&["logs/a.json", "late/*"], &["--latest", "2027-01-01"], 0, &format!("{part}late/*\n")),
        (
            &["logs", "late"],
            &["--earliest", "2026-06-01", "--latest", "2026-07-01"],
            1,
            "none of the 8 events is",
        ),
        (&["dated"], &["--latest", "2026-03-01"], 1, no_file),
        (&["dated"], &["--earliest", "2027-01-01"], 1, no_file),
    ] {
        let search = ["search", "eventName=CreateKey | stats count"];
        for command in [&[&["hunt"], &key_made[..]].concat()[..], &search, &["fields"]] {
            let arguments = [command, names, range].concat();
            told(&fixture, &arguments, status, &[text]);
        }
    }
    // A search that sets its own range means it.
    told(&fixture, &["search", "earliest=1 latest=2 *", "logs"], 0, &["0 of them matched"]);
    told(
        &fixture,
        &["search", "earliest=-1q *", "dated"],
        0,
        &["note: no rows; no file is of the time"],
    );
    let own = ["--detection", "Own times", "--earliest", "2027-01-01"];
    told(&fixture, &[&["hunt", "logs"], &own[..]].concat(), 0, &[]);
    for (names, headline) in [
        (["hunt", "logs"], "Nothing was looked at: no event is of the time looked for\n"),
        (["hunt", "dated"], "Nothing was looked at: no file is of the time looked for\n"),
    ] {
        let options = ["--format", "table", "--latest", "2026-01-01", "--detection", "Key Gone"];
        let run = fixture.run(&[&names[..], &options].concat());
        assert!(run.out.starts_with(headline), "{}", run.out);
    }
}

/// A folder of digests, or of another service, holds no event by design, and still is no all-clear.
#[test]
fn a_folder_of_digests_alone() {
    let fixture = Fixture::new();
    let folder = "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/03/10";
    let name = "111122223333_CloudTrail-Digest_eu-west-1_trail_eu-west-1_20260310T091500Z.json";
    fixture.write(&format!("digests/{folder}/{name}"), "{}");
    let text = "error[SPL5006]: logs: no event was read (1 file of digests); nothing can be said";
    for command in [&["hunt"][..], &["search", "*"], &["fields"]] {
        told(&fixture, &[command, &["digests"]].concat(), 2, &[text]);
        told(&fixture, &[command, &["logs", "digests"]].concat(), 0, &[]);
    }
}

/// Whoever reads only the first or only the last lines does not take a partial hunt for clear.
#[test]
fn a_partial_hunt_says_so_first_and_last() {
    let fixture = Fixture::new();
    fixture.write("cut.json", "{\"Records\":[{\"eventVersion\":\"1.10\",\"eventName\":");
    let hunt = |names: &[&str], detection: &str| {
        let options = ["--format", "table", "--detection", detection];
        fixture.run(&[&["hunt"], names, &options[..]].concat())
    };
    for (names, first, last) in [
        (
            &["logs", "cut.json"][..],
            "Findings may be missing, ",
            "named on standard error; findings may be missing\n",
        ),
        (&["logs", "logs/../empty.json"], "Findings may be missing, ", "findings may be missing\n"),
    ] {
        fixture.write("empty.json", "");
        let run = hunt(names, "Key Gone");
        assert!(run.out.starts_with(first) && run.out.ends_with(last), "{}{}", run.out, run.err);
        assert_eq!(run.status, 1, "{}", run.err);
        let run = hunt(names, "Key Made");
        assert!(run.out.ends_with(last), "{}", run.out);
    }
    let run = hunt(&["logs"], "Key Gone");
    assert!(run.out.starts_with("No findings: of 1 detection") && run.status == 0, "{}", run.out);
    assert!(!run.out.contains("missing"), "{}", run.out);
}

/// What may be meant by a name that is not there is told.
#[test]
fn names_of_logs_that_are_not_there() {
    let fixture = Fixture::new();
    let search = "if this is a search, write it before the logs: `spilltrail search SPL LOGS`\n";
    for (arguments, status, text) in [
        (
            &["hunt", "lgos"][..],
            2,
            "error[SPL5003]: lgos: No such file or directory (os error 2); did you mean `logs`?\n",
        ),
        (&["hunt", "logs", "logs/b.json"], 1, "; did you mean `logs/a.json`?\n"),
        (&["hunt", "logs", "eventName=CreateKey"], 1, search),
        (&["search", "logs", "eventName=CreateKey | stats count"], 2, search),
        (
            &["search", "logs"],
            2,
            "no search given: `logs` is a file or folder; `spilltrail search '*' logs` shows",
        ),
        (&["fields", "s3:/logs"], 2, "s3:/logs: No such file or directory (os error 2)\n"),
    ] {
        told(&fixture, arguments, status, &[text]);
    }
    let run = fixture.run_piped(&["hunt", "-", "--format", "table"], "");
    assert!(
        run.out.starts_with("Nothing was looked at: no event was read") && run.status == 2,
        "{}",
        run.out
    );
}

/// What people and programs keep beside logs is no reason for a status of its own.
#[test]
fn what_lies_beside_logs() {
    let fixture = Fixture::new();
    for (name, text) in [
        (".git/config", "[core]\n\tbare = false\n"),
        ("pyproject.toml", "[tool.ruff]\nline-length = 99\n"),
        ("links.md", "[a page](https://example.com) and more\n"),
        ("references.txt", "[1] a book\n[2] a page\n"),
        ("app.log", "[2026-03-17 14:00] INFO started\n"),
        ("notes.md", "# Logs\n\nEach file is `{\"Records\": [...]}`.\n"),
        ("Thumbs.db", "\u{0}\u{1}\u{2}\u{0}"),
        ("wiki.md", "[[ticket 42]] notes\n"),
        ("result.csv.metadata", "\u{0}\u{1}eventname\u{2}\u{0}"),
        (".part-0000.json.crc", "crc\u{0}\u{1}\u{2}"),
        (".gitkeep", ""),
    ] {
        let path = format!("logs/{name}");
        fixture.write(&path, text);
        let run = fixture.run(&["hunt", "logs"]);
        assert!(run.status == 0 && !run.err.contains("SPL5"), "{name}: {}", run.err);
        std::fs::remove_file(fixture.path(&path)).unwrap();
    }
}

/// A run may write into the folder that it reads.
#[test]
fn the_output_of_the_run_is_no_log() {
    let fixture = Fixture::new();
    let output = std::fs::File::create(fixture.path("logs/findings.ndjson")).unwrap();
    let run = fixture.command(&["hunt", "logs"]).stdout(output).output().unwrap();
    let err = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{err}");
    let note = "note: logs/findings.ndjson: is where this run writes its output, skipped\n";
    assert!(err.contains(note), "{err}");
}

/// Files of other regions have nothing that a search of one region looks for.
#[test]
fn a_region_without_files_is_no_range_without_events() {
    let fixture = Fixture::new();
    let key = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/17/\
               111122223333_CloudTrail_us-east-1_20260317T1000Z_a.json";
    fixture.write(key, "{\"Records\":[]}");
    fixture.detection(1, "Elsewhere", "TTP", "awsRegion=eu-west-1 eventName=A | stats count", "");
    let run = fixture.run(&["hunt", "AWSLogs", "--detection", "Elsewhere"]);
    assert!(!run.err.contains("of the time that was looked for"), "{}", run.err);
}
