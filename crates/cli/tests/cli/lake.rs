//! Logs come into a lake once, and are searched there as in their files.

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
    // A file that begins with another event is another file.
    fixture.write("logs/a.ndjson", &rows(7..9));
    ingest(&fixture, "logs", &[]);
    assert_eq!(count(&fixture, "*"), "7");
    // The same name in another folder is another file.
    fixture.write("more/a.ndjson", &rows(0..1));
    ingest(&fixture, "more", &["--index", "other", "--sourcetype", "vendor:rows"]);
    assert_eq!(count(&fixture, "index=other sourcetype=vendor:rows"), "1");
    assert_eq!(count(&fixture, "index=main"), "7");
    assert_eq!(count(&fixture, "index=nosuch"), "0");
    // What comes out of a pipe is never known.
    for expected in ["9", "10"] {
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
