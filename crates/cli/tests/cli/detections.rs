//! Tests of the `detections` command.

use serde_json::json;

use crate::fixture::Fixture;

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
