//! Tests of `index` in searches over files, and of `--index`.

use serde_json::json;

use crate::fixture::Fixture;

const NOTE: &str = "note: files have no index: ";

/// Searches, the number of the four events that each matches, and the comparison that is noted.
#[test]
fn files_match_every_log_index() {
    let fixture = Fixture::new();
    for (search, events, noted) in [
        ("index=aws", 4, "`index=aws` matches"),
        ("index=aws sourcetype=aws:cloudtrail eventName=CreateKey", 3, "`index=aws` matches"),
        ("index=aws OR index=main", 4, "`index=aws` (and 1 more) matches"),
        ("(index=a sourcetype=nosuch) OR (index=b eventName=ListKeys)", 1, "(and 1 more) matches"),
        ("index IN (aws, main)", 4, "`index=aws` (and 1 more) matches"),
        ("index=aw*", 4, "`index=aw*` matches"),
        ("NOT index=aws", 4, "`index=aws` matches"),
        ("index!=aws", 4, "`index!=aws` matches"),
        ("NOT index!=aws", 4, "`index!=aws` matches"),
        ("index=aws NOT index=main", 4, "(and 1 more) matches"),
        ("index=aws index=risk", 0, "`index=aws` matches"),
        // What excludes events of the index that is asked for excludes them.
        ("index=aws NOT (index=aws eventName=ListKeys)", 3, "`index=aws` matches"),
        ("index=aws NOT (index=AW* eventName=ListKeys)", 3, "(and 1 more) matches"),
        ("index=aws (index!=aws OR eventName=ListKeys)", 1, "(and 1 more) matches"),
        ("index=aws NOT (NOT (index=aws NOT eventName=ListKeys))", 3, "`index=aws` matches"),
        ("index=aws NOT (index!=aws OR eventName=ListKeys)", 3, "(and 1 more) matches"),
        ("index=aws NOT index=aws", 0, "`index=aws` matches"),
        ("index=aws NOT (index=main eventName=ListKeys)", 4, "(and 1 more) matches"),
        ("(index=aws OR index=main) NOT (index=main eventName=ListKeys)", 4, "(and 1 more)"),
        ("index=aw* NOT index=aws-test", 4, "(and 1 more) matches"),
        (
            "index=aws NOT (index=aws [search eventName=ListKeys | fields eventName])",
            3,
            "`index=aws` matches",
        ),
        ("index=aws OR index=risk", 4, "`index=aws` matches"),
        ("index=*", 4, ""),
        ("NOT index=*", 0, ""),
        ("index=risk", 0, ""),
        ("index=NOTABLE", 0, ""),
        ("index=summary", 0, ""),
        ("index=_internal", 0, ""),
        ("index=_*", 0, ""),
        ("NOT index=risk", 4, ""),
        ("index!=_audit", 4, ""),
        ("index=aws [search index=other eventName=ListKeys | table eventName]", 1, "(and 1 more)"),
        ("eventName=CreateKey [| makeresults | eval index=\"aws\" | table index]", 3, ""),
    ] {
        let run = fixture.run(&["search", &format!("{search} | stats count"), "logs"]);
        assert_eq!((run.status, run.lines()), (0, vec![json!({ "count": events })]), "{search}");
        let notes: Vec<&str> = run.err.lines().filter(|line| line.starts_with(NOTE)).collect();
        assert_eq!(notes.len(), usize::from(!noted.is_empty()), "{search} {}", run.err);
        assert!(notes.iter().all(|note| note.contains(noted)), "{search} {notes:?}");
    }
    let run = fixture.run(&["search", "| tstats count where index=aws by sourcetype", "logs"]);
    assert_eq!(run.lines(), [json!({ "sourcetype": "aws:cloudtrail", "count": 4 })]);
    // Later in a pipeline, `index` is a field like any other, and no event has it.
    let run = fixture.run(&["search", "index=aws | search index=aws", "logs"]);
    assert_eq!(run.out, "");
    assert!(run.err.contains("no event has the field `index`; `--index NAME`"), "{}", run.err);
}

#[test]
fn an_index_that_is_named_is_that_of_all_events() {
    let fixture = Fixture::new();
    for (search, events) in [
        ("index=aws", 4),
        ("index=AW*", 4),
        ("index=main", 0),
        ("index=risk", 0),
        ("NOT index=aws", 0),
        ("index!=main", 4),
        ("* | search index=aws", 4),
        ("* | where index=\"aws\"", 4),
    ] {
        let search = format!("{search} | stats count");
        let run = fixture.run(&["search", &search, "logs", "--index", "aws"]);
        assert_eq!((run.status, run.lines()), (0, vec![json!({ "count": events })]), "{search}");
        assert!(!run.err.contains(NOTE), "{search} {}", run.err);
    }
    let run = fixture.run(&["search", "index=main", "logs", "--index", "aws"]);
    let note = "no event has the index `main`; these logs have `aws` (4 events)";
    assert!(run.err.contains(note), "{}", run.err);
    let run = fixture.run(&["search", "* | stats count by index", "logs", "--index", "aws"]);
    assert_eq!(run.lines(), [json!({ "index": "aws", "count": 4 })]);
}

/// A row that has an index of its own answers to it, unless `--index` names another.
#[test]
fn rows_with_an_index_of_their_own() {
    let fixture = Fixture::empty();
    fixture.write("rows.ndjson", "{\"a\":1,\"index\":\"web\"}\n{\"a\":2}\n");
    for (search, index, events) in [
        ("index=web", None, 2),
        ("index=aws", None, 1),
        ("NOT index=web", None, 1),
        ("* | search index=web", None, 1),
        ("index=web", Some("aws"), 0),
        ("index=aws", Some("aws"), 2),
    ] {
        let search = format!("{search} | stats count");
        let pinned: Vec<&str> = index.iter().flat_map(|index| ["--index", index]).collect();
        let run = fixture.run(&[&["search", &search, "rows.ndjson"], &*pinned].concat());
        assert_eq!(run.lines(), [json!({ "count": events })], "{search} {index:?} {}", run.err);
    }
}

/// A macro that names an index does not hide what a hunt finds.
#[test]
fn a_hunt_whose_macro_names_an_index() {
    let fixture = Fixture::new();
    let search = "`cloudtrail` eventName=CreateKey | stats count by user_arn";
    fixture.detection(1, "Key Made", "Anomaly", search, "");
    let macros = "cloudtrail=index=aws sourcetype=aws:cloudtrail";
    let hunt = ["hunt", "logs", "--detection", "Key Made", "--macro", macros];
    let run = fixture.run(&hunt);
    assert_eq!(run.lines().len(), 2, "{}", run.err);
    let notes: Vec<&str> = run.err.lines().filter(|line| line.starts_with(NOTE)).collect();
    assert_eq!(notes.len(), 1, "{}", run.err);
    let run = fixture.run(&[&hunt[..], &["--index", "aws"]].concat());
    assert_eq!(run.lines().len(), 2, "{}", run.err);
    assert!(!run.err.contains(NOTE), "{}", run.err);
    let run = fixture.run(&[&hunt[..], &["--index", "main"]].concat());
    assert_eq!(run.lines().len(), 0, "{}", run.err);
}

/// A macro whose name is misspelled has no effect, and a hunt says so.
#[test]
fn a_hunt_with_a_misspelled_macro() {
    let fixture = Fixture::new();
    fixture.detection(1, "Key Made", "Anomaly", "`cloudtrail` eventName=CreateKey", "");
    for (given, expected) in [
        ("cloudtrial=sourcetype=x", "no detection uses the macro `cloudtrial`"),
        ("cloudtrail=sourcetype=*", ""),
        ("quite_another=sourcetype=x", ""),
    ] {
        let run = fixture.run(&["hunt", "logs", "--detection", "Key Made", "--macro", given]);
        assert!(run.err.contains(expected), "{given}: {}", run.err);
        assert_eq!(run.err.contains("no detection uses"), !expected.is_empty(), "{given}");
        assert_eq!(run.err.contains("did you mean `cloudtrail`?"), !expected.is_empty(), "{given}");
    }
}
