//! Logs come into a lake once, and are searched there as in their files.

use std::io::Write;

use crate::fixture::{Fixture, Run};

const ALL: &str = "* | sort _time | table _time, eventName, user_arn, source, sourcetype, index";

fn ingest(fixture: &Fixture, logs: &str, more: &[&str]) -> Run {
    let arguments = [&["ingest", logs, "--lake", "lake"], more].concat();
    fixture.run_builtin(&arguments)
}

fn count(fixture: &Fixture, search: &str) -> String {
    let search = format!("{search} | stats count");
    let run = fixture.run_builtin(&["search", &search, "--lake", "lake"]);
    assert_eq!(run.status, 0, "{}", run.err);
    run.lines()[0]["count"].to_string()
}

#[test]
fn a_lake_gives_what_the_files_give() {
    let fixture = Fixture::new();
    fixture
        .write("logs/rows.ndjson", "{\"user\":\"eve\",\"tags\":[\"a\",\"b\"]}\n{\"user\":\"\"}\n");
    let stored = ingest(&fixture, "logs", &["--index", "aws"]);
    assert_eq!(stored.status, 0, "{}", stored.err);
    assert_eq!(stored.err, "note: 6 events of 2 files stored in the index `aws`\n");
    for search in [
        ALL,
        "eventName=CreateKey user_arn=*ann | stats count by src_ip",
        "sourcetype=json | table user tags",
        "index=aws eventName=list* | table _raw",
        "eventName=CreateKey | stats count by eventName | map search=\"search eventName=$eventName$\" \
         | stats count",
        "* | fields * | stats count(user) as users, values(tags) as tags",
    ] {
        let from_lake = fixture.run(&["search", search, "--lake", "lake"]);
        let from_files = fixture.run(&["search", search, "logs", "--index", "aws"]);
        assert_eq!((from_lake.status, &from_lake.err), (from_files.status, &from_files.err));
        assert_eq!(from_lake.out, from_files.out, "{search}");
        assert!(!from_lake.out.is_empty(), "{search}");
    }
    let hunt = |input: [&str; 2]| {
        let options = ["hunt", "--run-id", "r", "--now", "2026-03-10T10:00:00Z"];
        let run = fixture.run(&[&options[..], &input].concat());
        (run.status, run.out)
    };
    let found = hunt(["--lake", "lake"]);
    assert_eq!(found, hunt(["logs", "--index=aws"]));
    assert!(found.1.contains("made 2 keys"), "{}", found.1);
    assert_eq!(
        fixture.run(&["fields", "--lake", "lake"]).out,
        fixture.run(&["fields", "logs", "--index", "aws"]).out
    );
}

#[test]
fn an_event_of_a_file_comes_in_once() {
    let fixture = Fixture::empty();
    let row = |n: u32| format!("{{\"eventSource\":\"s\",\"eventName\":\"E{n}\"}}\n");
    let rows = |range: std::ops::Range<u32>| range.map(row).collect::<String>();
    fixture.write("logs/a.ndjson", &rows(0..3));
    ingest(&fixture, "logs", &[]);
    let again = ingest(&fixture, "logs", &[]);
    assert_eq!(again.status, 0);
    assert!(again.err.contains("1 file had been stored before"), "{}", again.err);
    assert_eq!(count(&fixture, "*"), "3");
    // Of a file that has grown, what is new.
    fixture.write("logs/a.ndjson", &rows(0..5));
    let grown = ingest(&fixture, "logs", &[]);
    assert!(grown.err.contains("2 events of 1 file"), "{}", grown.err);
    assert_eq!((count(&fixture, "*"), count(&fixture, "eventName=E1")), ("5".into(), "1".into()));
    // A file that begins with another event is another file, however long it is.
    fixture.write("logs/a.ndjson", &rows(1..6));
    ingest(&fixture, "logs", &[]);
    assert_eq!((count(&fixture, "*"), count(&fixture, "eventName=E1")), ("10".into(), "2".into()));
    // The same name in another folder is another file.
    fixture.write("more/a.ndjson", &rows(0..1));
    ingest(&fixture, "more", &["--index", "other", "--sourcetype", "vendor:rows"]);
    assert_eq!(count(&fixture, "index=other sourcetype=vendor:rows"), "1");
    assert_eq!(count(&fixture, "index=main"), "10");
    assert_eq!(count(&fixture, "index=nosuch"), "0");
    // What comes out of a pipe is never known.
    for expected in ["12", "13"] {
        let run = fixture.run_piped(&["ingest", "-", "--lake", "lake"], &row(0));
        assert_eq!(run.status, 0, "{}", run.err);
        assert_eq!(count(&fixture, "*"), expected);
    }
}

#[test]
fn what_cannot_be_read_is_never_a_lake_without_events() {
    let fixture = Fixture::new();
    fixture.write("notes/readme.txt", "words\n");
    let lacking = |arguments: &[&str], told: &str| {
        let run = match arguments[0] {
            "ingest" => fixture.run_builtin(arguments),
            _ => fixture.run(arguments),
        };
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{arguments:?}: {}", run.err);
        assert!(run.err.contains(told), "{arguments:?}: {}", run.err);
    };
    lacking(&["search", "*", "--lake", "nosuch"], "nosuch: there is no lake in this folder");
    lacking(&["hunt", "--lake", "logs"], "logs: there is no lake in this folder");
    lacking(&["hunt"], "required arguments");
    lacking(&["hunt", "logs", "--lake", "lake"], "cannot be used with");
    lacking(&["search", "*", "logs", "--lake", "lake"], "`--lake` and the logs `logs` cannot be");
    lacking(&["search", "*", "--lake", "lake", "--index", "a"], "cannot be used with");
    lacking(&["ingest", "nosuch", "--lake", "lake"], "nosuch");
    assert!(!fixture.path("lake").try_exists().unwrap(), "nothing was read, and nothing made");
    let nothing = ingest(&fixture, "notes", &[]);
    assert_eq!(nothing.status, 2, "{}", nothing.err);
    lacking(&["hunt", "--lake", "lake"], "the lake has no events");
    ingest(&fixture, "logs", &[]);
    lacking(&["search", "*", "lake"], "lake: it is a lake; write `--lake lake`");
    lacking(&["ingest", "lake", "--lake", "other"], "it is a lake");
    // A file that is gone or damaged is told.
    let folder = fixture.path("lake/events/index=main");
    let file = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .find(|entry| entry.file_type().is_file())
        .unwrap();
    let bytes = std::fs::read(file.path()).unwrap();
    for damaged in [Some(&bytes[..bytes.len() / 2]), Some(b"PAR1".as_slice()), None] {
        match damaged {
            Some(bytes) => std::fs::write(file.path(), bytes).unwrap(),
            None => std::fs::remove_file(file.path()).unwrap(),
        }
        let run = fixture.run(&["search", "eventName=CreateKey", "--lake", "lake"]);
        assert_ne!(run.status, 0, "{}", run.err);
        assert!(run.err.contains(".parquet"), "{}", run.err);
        let run = fixture.run(&["hunt", "--lake", "lake"]);
        assert_ne!(run.status, 0, "{}", run.err);
    }
}

#[test]
fn what_was_damaged_is_read_again() {
    let fixture = Fixture::empty();
    let row = |n: u32| format!("{{\"eventSource\":\"s\",\"eventName\":\"E{n}\"}}\n");
    let rows = |range: std::ops::Range<u32>| range.map(row).collect::<String>();
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let whole = gzip(&rows(0..30_000));
    fixture.write("logs/ok.ndjson", &row(40_000));
    let path = fixture.path("logs/a.gz");
    // A file that is cut is told each time, and what it has is stored once.
    let mut before = 0;
    for length in [whole.len() / 3, whole.len() / 3, whole.len() / 2] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let run = ingest(&fixture, "logs", &[]);
        assert_eq!(run.status, 1, "{}", run.err);
        assert!(run.err.contains("a.gz"), "{}", run.err);
        // Whoever searches the lake later is told, too.
        let run = fixture.run_builtin(&["search", "* | stats count", "--lake", "lake"]);
        assert_eq!(run.status, 1, "{}", run.err);
        assert!(run.err.contains("a.gz: when it was ingested: "), "{}", run.err);
        let now: u64 = run.lines()[0]["count"].as_u64().unwrap();
        assert!(now >= before.max(2) && now < 30_000, "{now}");
        before = now;
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(ingest(&fixture, "logs", &[]).status, 0);
    assert_eq!(count(&fixture, "*"), "30001");
    // A file whose first events are others is read anew, also if the very first is the same.
    std::fs::write(&path, gzip(&(row(0) + &rows(50_000..50_010)))).unwrap();
    assert_eq!(ingest(&fixture, "logs", &[]).status, 0);
    assert_eq!(count(&fixture, "*"), "30012");
    std::fs::write(&path, gzip(&(rows(0..2) + &rows(50_000..50_020)))).unwrap();
    assert_eq!(ingest(&fixture, "logs", &[]).status, 0);
    assert_eq!(count(&fixture, "*"), "30034");
    // A file that was only touched has nothing new.
    std::fs::write(&path, gzip(&(rows(0..2) + &rows(50_000..50_020)))).unwrap();
    let touched = ingest(&fixture, "logs", &[]);
    assert_eq!((touched.status, count(&fixture, "*").as_str()), (0, "30034"), "{}", touched.err);
}

#[test]
fn copies_and_folders_of_the_same_names() {
    let fixture = Fixture::empty();
    let event = |id: u32| {
        format!("{{\"eventSource\":\"s\",\"eventName\":\"E{id}\",\"eventID\":\"id-{id}\"}}\n")
    };
    fixture.write("logs/b.ndjson", &(event(2) + &event(1) + &event(2) + &event(3)));
    ingest(&fixture, "logs", &["--dedup"]);
    assert_eq!(count(&fixture, "*"), "3");
    // A file that comes before changes nothing of what is known of the others.
    fixture.write("logs/a.ndjson", &event(1));
    fixture.write("logs/b.ndjson", &(event(2) + &event(1) + &event(2) + &event(3) + &event(4)));
    ingest(&fixture, "logs", &["--dedup"]);
    assert_eq!((count(&fixture, "*"), count(&fixture, "eventName=E4")), ("5".into(), "1".into()));
    // The same name in another folder is another file, and another name of a file the same one.
    fixture.write("day2/logs/b.ndjson", &(event(2) + &event(9)));
    for (folder, logs, lake) in [(".", "./logs", "lake"), ("day2", "logs", "../lake")] {
        let mut command = fixture.command(&["ingest", logs, "--lake", lake]);
        let run = Run::of(command.current_dir(fixture.path(folder)).output().unwrap());
        assert_eq!(run.status, 0, "{}", run.err);
    }
    assert_eq!(count(&fixture, "*"), "7");
    // A lake is no log, wherever it is.
    for arguments in
        [["ingest", ".", "--lake", "lake"], ["ingest", "lake/events", "--lake", "more"]]
    {
        let run = fixture.run_builtin(&arguments);
        assert_eq!(run.status, 2, "{}", run.err);
        assert!(run.err.contains("it is in a lake"), "{}", run.err);
    }
    // A range of time is one of the events, not of the files.
    let timed = |hour: u32| {
        format!(
            "{{\"eventSource\":\"s\",\"eventName\":\"T\",\"eventTime\":\"2026-03-10T{hour:02}:00:00Z\"}}\n"
        )
    };
    fixture.write("timed/c.ndjson", &(0..24).map(timed).collect::<String>());
    std::fs::remove_dir_all(fixture.path("lake")).unwrap();
    ingest(&fixture, "timed", &[]);
    for (range, expected) in [
        ("earliest=1773100800 latest=1773187200", "24"),
        ("earliest=1773144000", "12"),
        ("latest=1773104400", "1"),
        ("earliest=1773183601", "0"),
    ] {
        assert_eq!(count(&fixture, &format!("eventName=T {range}")), expected, "{range}");
    }
}

/// An ingestion that is killed at any moment goes on, within a file, too, and stores nothing twice.
#[test]
fn an_ingestion_is_killed_at_any_moment() {
    const EVENTS: u64 = 30_000;
    let fixture = Fixture::empty();
    let row = |n: u64| {
        let padding = "x".repeat(400);
        format!("{{\"eventSource\":\"s\",\"eventName\":\"E{n}\",\"userAgent\":\"{padding}\"}}\n")
    };
    fixture.write("logs/large.ndjson", &(0..EVENTS).map(row).collect::<String>());
    for n in 0..40 {
        fixture.write(&format!("logs/small{n}.ndjson"), &row(EVENTS + n));
    }
    for round in 0_u64.. {
        let mut child = fixture.spawn(&["ingest", "logs", "--lake", "lake"]);
        // Later rounds have more time, so that the last one ends by itself.
        std::thread::sleep(std::time::Duration::from_millis(round * 60));
        let ended = child.try_wait().unwrap();
        let _ = child.kill();
        let status = child.wait().unwrap();
        if ended.is_some() {
            assert!(status.success(), "{status}");
            break;
        }
    }
    assert_eq!(count(&fixture, "*"), (EVENTS + 40).to_string());
    let names = fixture.run_builtin(&["search", "* | stats dc(eventName) as n", "--lake", "lake"]);
    assert_eq!(names.lines()[0]["n"], EVENTS + 40);
    let again = ingest(&fixture, "logs", &[]);
    assert!(again.err.contains("41 files had been stored before"), "{}", again.err);
}

/// A table that lacks what it had is never one with less in it: nothing is read, stored or deleted.
#[test]
fn a_table_that_lacks_what_it_had_is_told() {
    let fixture = Fixture::empty();
    let row = |n: u32| format!("{{\"eventSource\":\"s\",\"eventName\":\"E{n}\"}}\n");
    for number in 0..3 {
        fixture.write(&format!("logs/{number}.ndjson"), &row(number));
        assert_eq!(ingest(&fixture, "logs", &[]).status, 0);
    }
    let log = fixture.path("lake/events/_delta_log");
    let commit = |version: u32| log.join(format!("{version:020}.json"));
    let texts: Vec<Vec<u8>> =
        (0..4).map(|version| std::fs::read(commit(version)).unwrap()).collect();
    let refused = |damage: &str| {
        for arguments in [
            &["search", "*", "--lake", "lake"][..],
            &["hunt", "--lake", "lake"],
            &["ingest", "logs", "--lake", "lake"],
            &["serve", "--data", "lake", "--hec", "off", "--api", "off"],
        ] {
            let run = fixture.run_builtin(arguments);
            assert_eq!((run.status, run.out.as_str()), (2, ""), "{damage}: {arguments:?}");
            assert!(run.err.contains("_delta_log"), "{damage}: {}", run.err);
        }
    };
    for (version, text) in [(3, ""), (3, "{}"), (2, ""), (2, "\n\n")] {
        std::fs::write(commit(version), text).unwrap();
        refused(&format!("{version} is {text:?}"));
        std::fs::write(commit(version), &texts[version as usize]).unwrap();
    }
    std::fs::remove_file(commit(3)).unwrap();
    refused("the last commit is gone");
    std::fs::rename(&log, fixture.path("lake/kept")).unwrap();
    refused("there is no log");
    std::fs::rename(fixture.path("lake/kept"), &log).unwrap();
    std::fs::write(commit(3), &texts[3]).unwrap();
    assert_eq!(count(&fixture, "*"), "3");
}

/// A file of the table that is something else now is damaged, and not a file without events.
#[test]
fn a_file_that_is_another_one_is_told() {
    let fixture = Fixture::new();
    assert_eq!(ingest(&fixture, "logs", &[]).status, 0);
    let file = walkdir::WalkDir::new(fixture.path("lake/events/index=main"))
        .into_iter()
        .map(Result::unwrap)
        .find(|entry| entry.file_type().is_file())
        .unwrap();
    for other in ["", "\n", "[]", "{\"eventSource\":\"s\",\"eventName\":\"E\"}\n"] {
        std::fs::write(file.path(), other).unwrap();
        for arguments in [
            &["search", "*", "--lake", "lake"][..],
            &["hunt", "--lake", "lake"],
            &["fields", "--lake", "lake"],
        ] {
            let run = fixture.run(arguments);
            assert_ne!(run.status, 0, "{other:?}: {arguments:?}: {}", run.err);
            assert!(run.err.contains("it is damaged"), "{other:?}: {}", run.err);
        }
    }
}

/// A damage is known by the path of its file, and until that file is whole.
#[test]
fn a_damage_stays_with_its_file() {
    let fixture = Fixture::empty();
    let row = "{\"eventSource\":\"s\",\"eventName\":\"E\"}\n";
    let cut = format!("{row}{{\"eventSource\":\"s\",\"even");
    let status = || fixture.run_builtin(&["search", "*", "--lake", "lake"]).status;
    fixture.write("one/a.json", &cut);
    fixture.write("two/a.json", row);
    assert_eq!(ingest(&fixture, "one", &[]).status, 1);
    assert_eq!(ingest(&fixture, "two", &[]).status, 0);
    assert_eq!(status(), 1, "another file of the same name is whole");
    fixture.write("one/a.json", row);
    assert_eq!(ingest(&fixture, "one/a.json", &[]).status, 0);
    assert_eq!(status(), 0, "it is whole, under another name");
    // What is not there yet has no events that are missing.
    let absent = fixture.run_builtin(&["ingest", "two", "late/*.json", "--lake", "lake"]);
    assert_ne!(absent.status, 0, "{}", absent.err);
    assert_eq!(status(), 0);
    // The table goes on without its log.
    std::fs::remove_file(fixture.path("lake/arriving.sqlite")).unwrap();
    assert_eq!(ingest(&fixture, "two", &[]).status, 0);
    // What comes out of a pipe is other each time.
    for text in [&cut, row] {
        fixture.run_piped(&["ingest", "-", "--lake", "lake"], text);
        assert_eq!(status(), 1);
    }
}
