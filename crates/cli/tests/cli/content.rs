//! Tests of content folders that are not as they should be, and of kept lookups.

use crate::fixture::Fixture;

#[test]
fn a_missing_content_folder_ends_before_anything_runs() {
    let fixture = Fixture::new();
    for command in [&["hunt", "logs"][..], &["detections", "list"], &["expand", "x"]] {
        let run = fixture.run_builtin(&[command, &["--content", "gone"]].concat());
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{command:?}");
        assert!(run.err.contains("the content folder gone: "), "{}", run.err);
    }
}

#[test]
fn mistakes_in_content_are_named_with_line_and_column() {
    let fixture = Fixture::new();
    fixture.detection(5, "Misspelled", "Anomoly", "eventName=X | stats count by user_arn", "");
    let run = fixture.run(&["hunt", "logs"]);
    let expected = "warning[SPL4006]: content/detections/d5.yml:7:7: unknown type `Anomoly`";
    assert!(run.err.contains(expected), "{}", run.err);
    assert!(run.err.contains("did you mean `Anomaly`?"), "{}", run.err);
    assert_eq!(run.status, 0);
    let listed = fixture.run(&["detections", "list"]);
    assert!(listed.err.contains("content/detections/d5.yml:7:7"), "{}", listed.err);
}

#[test]
fn kept_lookups_get_a_folder_and_are_replaced_whole() {
    let fixture = Fixture::new();
    let search = "| makeresults | eval a=1 | table a | outputlookup kept.csv";
    for _ in 0..2 {
        let run = fixture.run(&["search", search, "--lookups", "new/folder"]);
        assert_eq!(run.status, 0, "{}", run.err);
    }
    let kept = std::fs::read_to_string(fixture.path("new/folder/kept.csv")).unwrap();
    assert_eq!(kept, "a\n1\n");
    let files = std::fs::read_dir(fixture.path("new/folder")).unwrap().count();
    assert_eq!(files, 1);
}
