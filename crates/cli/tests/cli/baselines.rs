//! `hunt --baselines`: lookups are filled from the time before the range, and baselines are listed.

use serde_json::json;

use crate::fixture::Fixture;

/// Two users made a key before the tenth, and one more after it. The detection reports users that the
/// lookup does not have.
fn fixture() -> Fixture {
    let fixture = Fixture::empty();
    let records: Vec<_> = [("05", "ann"), ("06", "bob"), ("11", "ann"), ("12", "cyd")]
        .iter()
        .map(|(day, user)| {
            json!({
                "eventVersion": "1.10",
                "eventTime": format!("2026-03-{day}T09:00:00Z"),
                "eventName": "CreateKey",
                "eventID": format!("event-{day}"),
                "userIdentity": {"type": "IAMUser", "arn": format!("arn:user/{user}")},
            })
        })
        .collect();
    fixture.write("logs/a.json", &json!({ "Records": records }).to_string());
    let search = "eventName=CreateKey NOT [| inputlookup known_users | fields user_arn] \
                  | stats count by user_arn";
    fixture.detection(1, "New User", "TTP", search, "");
    fixture.write(
        "content/lookups/known_users.yml",
        "name: known_users\ncollection: known_users\nfields: [user_arn]\n",
    );
    let baseline =
        |name: &str, search: &str| format!("name: {name}\nid: {name}\nsearch: '{search}'\n");
    let seen = "eventName=CreateKey | stats count by user_arn | fields user_arn";
    fixture.write(
        "content/baselines/a_update.yml",
        &baseline(
            "Users - Update",
            &format!("{seen} | inputlookup append=t known_users | stats count by user_arn | outputlookup known_users"),
        ),
    );
    fixture.write(
        "content/baselines/b_initial.yml",
        &baseline("Users - Initial", &format!("{seen} | outputlookup known_users")),
    );
    fixture.write(
        "content/baselines/c_other.yml",
        &baseline("Other", "eventName=CreateKey | stats count | outputlookup other"),
    );
    fixture
}

#[test]
fn baselines_fill_lookups_from_before_the_range() {
    let fixture = fixture();
    let hunt = ["hunt", "logs", "--format", "ndjson", "--summary", "--earliest", "2026-03-10"];
    let without = fixture.run(&hunt);
    assert_eq!(without.lines()[0]["summary"]["detections"][0]["status"], "no baseline");
    let run = fixture.run(&[&hunt[..], &["--baselines"]].concat());
    assert_eq!(run.status, 0, "{run:?}");
    let lines = run.lines();
    assert_eq!(lines.len(), 2, "{run:?}");
    assert_eq!(lines[0]["result"]["user_arn"], "arn:user/cyd");
    let baselines = &lines[1]["summary"]["baselines"];
    let names: Vec<_> = baselines.as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["Users - Initial", "Users - Update"]);
    assert_eq!((&baselines[0]["status"], &baselines[0]["rows"]), (&json!("filled"), &json!(2)));
    assert!(run.err.contains("note: 2 baselines filled `known_users`"), "{run:?}");
    // The content folder is not written to.
    assert!(!fixture.path("content/lookups/known_users.csv").is_file());
}

#[test]
fn a_lookup_is_filled_by_any_of_its_names() {
    for (definition, written) in [
        ("collection: users_coll\nfields: [user_arn]\n", "users_coll"),
        ("filename: users_file.csv\n", "users_file.csv"),
    ] {
        let fixture = fixture();
        let definition = format!("name: known_users\n{definition}");
        fixture.write("content/lookups/known_users.yml", &definition);
        let search = format!(
            "eventName=CreateKey | stats count by user_arn | fields user_arn | outputlookup {written}"
        );
        let baseline = format!("name: Users\nid: u\nsearch: '{search}'\n");
        fixture.write("content/baselines/b_initial.yml", &baseline);
        std::fs::remove_file(fixture.path("content/baselines/a_update.yml")).unwrap();
        let hunt = ["hunt", "logs", "--baselines", "--earliest", "2026-03-10"];
        for more in [&[][..], &["--lookups", "kept"]] {
            let run = fixture.run(&[&hunt[..], more, &["--format", "ndjson"]].concat());
            assert_eq!((run.status, run.lines().len()), (0, 1), "{run:?}");
            assert_eq!(run.lines()[0]["result"]["user_arn"], "arn:user/cyd");
        }
        // What was kept is there for a run without baselines, too.
        let kept = ["hunt", "logs", "--earliest", "2026-03-10", "--lookups", "kept"];
        let run = fixture.run(&[&kept[..], &["--format", "ndjson"]].concat());
        assert_eq!(run.lines().len(), 1, "{run:?}");
    }
}

#[test]
fn a_baseline_that_finds_nothing_leaves_what_is_filled() {
    let fixture = fixture();
    let search = "eventName=Gone NOT [| inputlookup known_users | fields user_arn] \
                  | stats count by user_arn | outputlookup known_users";
    // Whoever asks to keep rows in SPL writes none at all.
    for search in [search.to_owned(), format!("{search} override_if_empty=false")] {
        let update = format!("name: Users - Update\nid: u\nsearch: '{search}'\n");
        fixture.write("content/baselines/a_update.yml", &update);
        let hunt = ["hunt", "logs", "--earliest", "2026-03-10", "--lookups", "kept", "--baselines"];
        let run = fixture.run(&[&hunt[..], &["--format", "ndjson", "--summary", "--all"]].concat());
        assert_eq!((run.status, run.lines().len()), (0, 2), "{run:?}");
        let statuses = run.lines()[1]["summary"]["baselines"].clone();
        assert_eq!(
            (&statuses[0]["status"], &statuses[1]["status"]),
            (&json!("filled"), &json!("kept")),
            "{search}"
        );
        let note = "Users - Update: found nothing before the range; `known_users` keeps its rows";
        assert!(run.err.contains(note), "{run:?}");
        let kept = std::fs::read_to_string(fixture.path("kept/known_users.csv")).unwrap();
        assert_eq!(kept.lines().count(), 3, "{kept}");
    }
}

/// Each lookup of a baseline has its own outcome.
#[test]
fn a_baseline_with_several_lookups_says_what_became_of_each() {
    let fixture = fixture();
    for (name, search, status, told) in [
        (
            "Users - Update",
            "eventName=Gone NOT [| inputlookup known_users | fields user_arn] | stats count by user_arn | outputlookup known_users | outputlookup fresh",
            "empty",
            "found nothing before the range; `known_users` keeps its rows; `fresh` is not filled",
        ),
        (
            "Users - Update",
            "eventName=CreateKey [| inputlookup known_users | fields user_arn] | stats count by user_arn | outputlookup fresh | where count>9 | outputlookup known_users",
            "filled",
            "2 rows into `fresh`; `known_users` keeps its rows",
        ),
    ] {
        let update = format!("name: {name}\nid: u\nsearch: '{search}'\n");
        fixture.write("content/baselines/a_update.yml", &update);
        let hunt = ["hunt", "logs", "--earliest", "2026-03-10", "--baselines"];
        let run = fixture.run(&[&hunt[..], &["--format", "ndjson", "--summary", "--all"]].concat());
        let lines = run.lines();
        let summary = &lines[lines.len() - 1]["summary"];
        assert_eq!(summary["baselines"][1]["status"], status, "{run:?}");
        assert!(run.err.contains(&format!("note: {name}: {told}\n")), "{run:?}");
    }
}

#[test]
fn a_baseline_that_cannot_run_is_told() {
    let fixture = fixture();
    fixture.write(
        "content/baselines/b_initial.yml",
        "name: Users - Initial\nid: i\nsearch: 'eventName=CreateKey | statz count by x | outputlookup known_users'\n",
    );
    let hunt = ["hunt", "logs", "--baselines", "--earliest", "2026-03-10"];
    let run = fixture.run(&hunt);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("error: Users - Initial: failed: "), "{run:?}");
    let no_range = fixture.run(&["hunt", "logs", "--baselines"]);
    assert!(no_range.status == 2 && no_range.err.contains("--earliest"), "{no_range:?}");
    fixture.detection(1, "New User", "TTP", "eventName=CreateKey | stats count by user_arn", "");
    let none = fixture.run(&hunt);
    assert_eq!(none.status, 2, "{none:?}");
    assert!(none.err.contains("no baseline of the content fills a lookup"), "{none:?}");
}

#[test]
fn baselines_run_for_detections_that_rows_bring_back() {
    let fixture = fixture();
    // Rows say themselves what they are, so that a detection of another product runs after all.
    let row = |day: &str, user: &str| json!({"sourcetype": "vendor:logins", "_time": format!("2026-03-{day}T09:00:00Z"), "who": user});
    let rows = [row("05", "ann"), row("11", "ann"), row("12", "cyd")];
    fixture.write("logs/rows.json", &rows.map(|row| row.to_string()).join("\n"));
    let logins = "sourcetype=vendor:logins | stats count by who";
    let search = "sourcetype=vendor:logins NOT [| inputlookup known_logins | fields who] \
                  | stats count by who";
    fixture.detection(2, "New Login", "TTP", search, "");
    fixture.write(
        "content/lookups/known_logins.yml",
        "name: known_logins\ncollection: known_logins\nfields: [who]\n",
    );
    fixture.write(
        "content/baselines/d_logins.yml",
        &format!(
            "name: Logins\nid: l\nsearch: '{logins} | fields who | outputlookup known_logins'\n"
        ),
    );
    let hunt = [
        "hunt",
        "logs",
        "--format",
        "ndjson",
        "--summary",
        "--earliest",
        "2026-03-10",
        "--baselines",
    ];
    for (name, expected) in [
        ("*", &["Users - Initial", "Users - Update", "Logins"][..]),
        // None of the others is needed.
        ("New Login", &["Logins"]),
    ] {
        let run = fixture.run(&[&hunt[..], &["--detection", name]].concat());
        assert_eq!(run.status, 0, "{run:?}");
        let lines = run.lines();
        let summary = &lines[lines.len() - 1]["summary"];
        let names: Vec<_> = summary["baselines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].clone())
            .collect();
        assert_eq!(names, expected, "{run:?}");
        let found = lines.iter().filter_map(|line| line["result"]["who"].as_str());
        assert_eq!(found.collect::<Vec<&str>>(), ["cyd"], "{run:?}");
    }
}

#[test]
fn many_baselines_are_told_in_few_lines() {
    let fixture = fixture();
    for (file, name, search) in [
        ("a_update", "Users - Update", "eventName=None | stats count by user_arn"),
        ("b_initial", "Users - Initial", "eventName=None | stats count by user_arn"),
        ("d_cut", "Users - Cut", "| makeresults count=10001 | eval user_arn=1 | sort user_arn"),
    ] {
        let search = format!("{search} | outputlookup known_users");
        let text = format!("name: {name}\nid: {file}\nsearch: '{search}'\n");
        fixture.write(&format!("content/baselines/{file}.yml"), &text);
    }
    let hunt = ["hunt", "logs", "--baselines", "--earliest", "2026-03-10", "--format", "table"];
    let run = fixture.run(&hunt);
    assert!(run.err.contains("note: 2 baselines found nothing before the range"), "{run:?}");
    assert!(!run.err.contains("Users - Initial"), "{run:?}");
    assert!(run.err.contains("note: 1 warning about baselines; --all shows them"), "{run:?}");
    let all = fixture.run(&[&hunt[..], &["--all"]].concat());
    assert!(all.err.contains("note: Users - Initial: found nothing before the range"), "{all:?}");
    assert!(all.err.contains("note: Users - Update: found nothing before the range"), "{all:?}");
    assert!(all.err.contains("10,000") && all.err.contains("--> Users - Cut:"), "{all:?}");
}

#[test]
fn baselines_are_listed_and_shown() {
    let fixture = fixture();
    let list = fixture.run(&["detections", "list", "--baselines", "--format", "ndjson"]);
    let names: Vec<_> =
        list.lines().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["Other", "Users - Initial", "Users - Update"]);
    let show = fixture.run(&["detections", "show", "Users - Initial"]);
    assert_eq!(show.status, 0, "{show:?}");
    assert!(show.out.contains("schedule") && show.out.contains("10 0 * * *"), "{show:?}");
}
