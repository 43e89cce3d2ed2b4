//! Tests of the `detections` command.

use serde_json::json;

use crate::fixture::Fixture;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples");

#[test]
fn the_list_and_one_of_them() {
    let fixture = Fixture::new();
    let listed = fixture.run(&["detections", "list"]).lines();
    let names: Vec<&str> =
        listed.iter().map(|detection| detection["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Key Gone", "Key Made", "Key Shared", "Many Lists"]);
    assert_eq!((&listed[1]["risk_score"], &listed[1]["techniques"]), (&json!(56), &json!("T1098")));

    let shown = fixture.run(&["detections", "show", "key made"]).out;
    for part in [
        "Key Made\n",
        "Search\n  eventName=CreateKey\n  | stats count",
        "risk 56 to user_arn (user)",
        "each result is a notable and raises risk",
        "Known false positives\n  Habit.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let unknown = fixture.run(&["detections", "show", "Key Maid"]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.err.contains("did you mean `Key Made`"), "{}", unknown.err);
}

#[test]
fn the_list_takes_the_filters_of_a_hunt() {
    let fixture = Fixture::new();
    let all: &[&str] = &["Key Gone", "Key Made", "Key Shared", "Many Lists"];
    for (filters, expected) in [
        (&["--detection", "key *"][..], &all[..3]),
        (&["--detection", "d2"], &["Many Lists"]),
        (&["--type", "ttp", "--min-score", "50"], &["Key Made"]),
        (&["--technique", "T1098", "--exclude", "*e"], &["Key Shared", "Many Lists"]),
        (&["--story", "Keys"], all),
    ] {
        let run = fixture.run(&[&["detections", "list"][..], filters].concat());
        let lines = run.lines();
        let names: Vec<&str> =
            lines.iter().map(|detection| detection["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{filters:?}: {}", run.err);
    }
    for (filters, message) in [
        (["--type", "TPT"], "did you mean `TTP`?"),
        (["--story", "Kees"], "did you mean `Keys`?"),
        (["--min-score", "101"], "the highest score is 56"),
    ] {
        let run = fixture.run(&[&["detections", "list"][..], &filters].concat());
        assert_eq!((run.status, run.err.contains(message)), (2, true), "{}", run.err);
    }
}

#[test]
fn one_is_shown_by_a_part_of_its_name() {
    let fixture = Fixture::new();
    for text in ["made", "key made", "*made", "MADE key", "Key M"] {
        let run = fixture.run(&["detections", "show", text]);
        assert!(run.out.starts_with("Key Made\n"), "{text}: {}{}", run.out, run.err);
    }
    for text in ["key", "Key *", "k*"] {
        let run = fixture.run(&["detections", "show", text]);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{text}");
        let expected = format!(
            "error: `{text}` fits 3 detections; name one of them:\n  Key Gone\n  Key Made\n  \
             Key Shared\n"
        );
        assert_eq!(run.err, expected);
    }
    for (text, similar) in [("Key Maid", "Key Made"), ("mad", "Key Made"), ("Shaerd", "Key Shared")]
    {
        let run = fixture.run(&["hunt", "logs", "--detection", text]);
        let message = format!("error: there is no detection `{text}`; did you mean `{similar}`?\n");
        assert_eq!((run.status, run.err), (2, message));
    }
    let run = fixture.run(&["detections", "show", "Shaerd"]);
    assert!(run.err.contains("did you mean `Key Shared`?"), "{}", run.err);
    let none = fixture.run(&["detections", "show", "zzzzzz"]);
    assert!(none.err.contains("`spilltrail detections list` names all"), "{}", none.err);
}

#[test]
fn one_detection_as_an_object() {
    let fixture = Fixture::new();
    let run = fixture.run(&["detections", "show", "key made", "--format", "json"]);
    let shown = &run.lines()[0];
    assert_eq!((&shown["name"], &shown["type"]), (&json!("Key Made"), &json!("TTP")));
    assert_eq!((&shown["notable"], &shown["raises_risk"]), (&json!(true), &json!(true)));
    assert_eq!(shown["expanded_search"], shown["search"]);
}

/// A setting that is longer than a line, and has no place to break it at.
const LONG: &str = "m=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
                    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn text_fits_the_screen() {
    let fixture = Fixture::new();
    for width in ["60", "80", "100"] {
        for arguments in [
            &["detections", "list", "--format", "table"][..],
            &["detections", "show", "AWS Exfiltration via DataSync Task"],
            &["hunt", SAMPLES, "--format", "table"],
            &["search", "eventName=CreateTask", SAMPLES, "--format", "table"],
            &["search", "* | stats count by eventName", SAMPLES, "--format", "table"],
            &["fields", SAMPLES, "--format", "table"],
            &["config", "--format", "table", "--macro", LONG, "--content", LONG],
        ] {
            let run = fixture.run_at_width(width, arguments);
            assert_eq!(run.status, 0, "{}", run.err);
            let limit: usize = width.parse().unwrap();
            let is_long = |line: &&str| line.chars().count() > limit;
            assert_eq!(run.out.lines().find(is_long), None, "{width} {arguments:?}");
        }
    }
    let list = fixture.run_at_width("60", &["detections", "list", "--format", "table"]).out;
    assert!(list.lines().count() < 50, "one line a detection or two: {list}");
    let wide = fixture.run_at_width("300", &["detections", "list", "--format", "table"]).out;
    assert!(wide.contains("stories") && !list.contains("stories"), "{wide}{list}");
}

/// What is most likely a mistake in a search is told without logs, too.
#[test]
fn mistakes_of_searches_are_listed_and_shown() {
    let fixture = Fixture::new();
    let search = "eventName=CreateKey or eventName=ListKeys | stats count by user_arn";
    fixture.detection(5, "Mine", "TTP", search, "");
    let listed = fixture.run(&["detections", "list"]).err;
    assert!(listed.contains("note: 1 detection has problems (1 SPL2016): Mine;"), "{listed}");
    let shown = fixture.run(&["detections", "show", "Mine"]).err;
    assert!(shown.contains("warning[SPL2016]: `or` in lower case is a word to find"), "{shown}");
}
