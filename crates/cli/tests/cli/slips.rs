//! Tests of what `check` tells of slips beside the searches of detections: in tables of lookups, in the
//! columns that baselines fill, in drilldowns and in comments.

#![expect(clippy::unwrap_used, reason = "a report of another form has failed the test")]

use serde_json::{Value, json};

use crate::fixture::Fixture;

/// Returns `code at line: message` of all that `check` tells of the content.
fn told(fixture: &Fixture) -> Vec<String> {
    let run = fixture.run(&["check", "content"]);
    let report: Value =
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.out));
    let lists = ["detections", "baselines", "files"];
    let told = lists.into_iter().flat_map(|list| report[list].as_array().unwrap());
    let told = told.flat_map(|one| one["diagnostics"].as_array().unwrap());
    let shown = told.map(|told| {
        let text = |key: &str| told[key].as_str().unwrap().to_owned();
        format!("{} {}: {}", text("code"), told["line"], text("message"))
    });
    shown.collect()
}

/// Returns a folder with a detection that reads a lookup, and a baseline that writes one.
fn fixture(reads: &str, writes: &str) -> Fixture {
    let fixture = Fixture::empty();
    let search = |rest: &str| {
        format!(
            "sourcetype=aws:cloudtrail eventName=CreateKey eventSource=kms.amazonaws.com | stats count by user | {rest}"
        )
    };
    fixture.detection(1, "Reader", "Hunting", &search(reads), "");
    fixture.write(
        "content/lookups/known_users.yml",
        "name: known_users\ncollection: known_users\nfields: [user, average]\n",
    );
    let baseline = format!("name: Writer\nid: Writer\nsearch: '{}'\n", search(writes));
    fixture.write("content/baselines/b.yml", &baseline);
    fixture
}

#[test]
fn columns_that_one_search_writes_and_another_reads() {
    let fill = "eval average=count | fields user average | outputlookup known_users";
    for (reads, writes, expected) in [
        ("lookup known_users user OUTPUT average", fill, ""),
        (
            "lookup known_users user OUTPUT averag",
            fill,
            "SPL2005 9: the lookup `known_users` has no column `averag`",
        ),
        (
            "lookup known_users user OUTPUT average",
            "eval avg=count | fields user avg | outputlookup known_users",
            "SPL2015 9: no search writes the column `average` of the lookup `known_users`; \
             SPL2015 3: the lookup `known_users` has no field `avg`, which is lost",
        ),
        (
            "lookup known_users user OUTPUT average",
            "eval average=count, more=1 | outputlookup known_users",
            "SPL2015 3: the lookup `known_users` has no fields `count`, `more`, which are lost",
        ),
        (
            "head 1",
            "eval average=count | outputlookup known_user",
            "SPL2009 3: nothing defines the lookup `known_user`, which the search writes",
        ),
        ("head 1", "outputlookup a_table_of_its_own", ""),
        (
            "lookup kept user OUTPUT stdev",
            "eval average=count | table user average | outputlookup append=t kept",
            "SPL2015 9: no search writes the column `stdev` of the lookup `kept`",
        ),
        (
            "lookup kept user OUTPUT stdev",
            "appendpipe [ eval stdev=1 | table user stdev | outputlookup append=t kept ] \
             | eval average=count | table user average | outputlookup append=t kept",
            "",
        ),
    ] {
        let found = told(&fixture(reads, writes)).join("; ");
        assert_eq!(found, expected, "{reads} / {writes}");
    }
}

#[test]
fn the_place_of_a_lookup_that_is_written() {
    let writes = "search NOT [| inputlookup known_users | fields user] | outputlookup known_user";
    let run = fixture("head 1", writes).run(&["check", "content", "--format", "table"]);
    let mark = run.out.lines().skip_while(|line| !line.contains("| outputlookup")).take(2);
    let [line, mark] = mark.collect::<Vec<_>>()[..] else { panic!("{run:?}") };
    assert_eq!(mark.find('^'), line.rfind("known_user"), "{run:?}");
}

/// Returns what a check tells of fields that events do not have, with its help.
fn fields_told(fixture: &Fixture) -> Vec<String> {
    let run = fixture.run(&["check", "content", "--code", "SPL2015", "--code", "SPL2019"]);
    let report: Value =
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.out));
    let told = report["detections"][0]["diagnostics"].as_array().unwrap();
    let text = |told: &Value, key: &str| told[key].as_str().unwrap().to_owned();
    told.iter().map(|told| format!("{}; {}", text(told, "message"), text(told, "help"))).collect()
}

#[test]
fn fields_that_no_event_has() {
    let fixture = Fixture::empty();
    fixture.write("content/lookups/t.csv", "user,owner,count\nann,bob,1\n");
    let keys = "sourcetype=aws:cloudtrail eventName=CreateKey eventSource=kms.amazonaws.com";
    for (search, expected) in [
        (
            "KEYS [search KEYS | stats count by user] | stats count by user",
            "a subsearch returns the field `count`, and no event has it; \
             end the subsearch with `| fields - count`",
        ),
        (
            "KEYS [search KEYS | stats dc(user) by actor | fields actor] | stats count by user",
            "a subsearch returns the field `actor`, and no event has it; \
             end the subsearch with `| rename actor AS` and a field of events",
        ),
        (
            "KEYS [search KEYS | stats count by user | rename user AS user_nmae | fields user_nmae] | stats count by user",
            "a subsearch returns the field `user_nmae`, and no event has it; \
             did you mean `user_name`?",
        ),
        (
            "sourcetype=json [| inputlookup t.csv | fields user count] | stats count by user",
            "a subsearch returns the field `count`, and hardly any event has it; \
             end the subsearch with `| fields - count`",
        ),
        ("sourcetype=json [| inputlookup t.csv | fields owner] | stats count by user", ""),
        ("KEYS [search KEYS | stats count by user | fields user] | stats count by user", ""),
        (
            "KEYS [search KEYS | stats count by eventtype | fields eventtype] | stats count by user",
            "",
        ),
        ("KEYS [search KEYS | dedup date_hour | fields date_hour] | stats count by user", ""),
        ("KEYS [search KEYS | head 1 | fields punct, tag] | stats count by user", ""),
        ("KEYS [search KEYS | stats min(_time) AS earliest] | stats count by user", ""),
        (
            "KEYS | where user=ownr | stats count by user",
            "`ownr` without quotes is a field, and no event has it; write `\"ownr\"` to mean the text",
        ),
        ("KEYS | where user=date_hour | stats count by user", ""),
        ("KEYS | where user=eventtype | stats count by user", ""),
        // Fields that a command may add, and events of other kinds.
        ("KEYS | lookup t user | where user=owner | stats count by user", ""),
        ("KEYS | spath | where user=ownr | stats count by user", ""),
        ("(KEYS) OR (sourcetype=okta:im2) | where user=ownr | stats count by user", ""),
        (
            "(KEYS) OR sourcetype=okta:im2 [search sourcetype=okta:im2 | dedup actor | fields actor] | stats count by user",
            "",
        ),
    ] {
        let search = search.replace("KEYS", keys);
        fixture.detection(1, "Told", "Hunting", &search, "");
        assert_eq!(fields_told(&fixture).join("; "), expected, "{search}");
    }
}

#[test]
fn drilldowns_that_do_not_run() {
    for (drilldown, expected) in [
        (
            json!({"name": "All of $user$", "search": "%original_detection_search% | search user=\"$user$\"", "earliest_offset": "$info_min_time$", "latest_offset": "$info_max_time$"}),
            "",
        ),
        (
            json!({"name": "Wrong", "search": "index=x | frobnicate", "earliest_offset": "7d", "latest_offset": "0"}),
            "SPL2001 10: the drilldown `Wrong`: the command `frobnicate` is not supported",
        ),
        (
            json!({"name": "Late", "search": "index=x", "earliest_offset": "$info_mim_time$", "latest_offset": "0"}),
            "SPL4006 10: the drilldown `Late`: `$info_mim_time$` is no start of a time range",
        ),
    ] {
        let fixture = Fixture::empty();
        let search = "sourcetype=aws:cloudtrail eventName=CreateKey eventSource=kms.amazonaws.com";
        let more = format!("drilldown_searches: {}\n", json!([drilldown]));
        fixture.detection(1, "Opened", "Hunting", search, "");
        let path = fixture.path("content/detections/d1.yml");
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, after) = text.split_once("how_to_implement").unwrap();
        fixture
            .write("content/detections/d1.yml", &format!("{before}{more}how_to_implement{after}"));
        assert_eq!(told(&fixture).join("; "), expected, "{drilldown}");
    }
}

#[test]
fn comments_and_tables_that_say_something_else() {
    let fixture = fixture("lookup t.csv user OUTPUT left", "outputlookup known_users");
    fixture.write("content/lookups/t.csv", "user,left\nann,2026-01-31, moved\nbob,\"open\n");
    let path = fixture.path("content/detections/d1.yml");
    let text = std::fs::read_to_string(&path).unwrap();
    fixture.write("content/detections/d1.yml", &format!("{text}# spilltrail: alow SPL2022\n"));
    let found = told(&fixture);
    for expected in [
        "SPL4009 2: the line has 3 values for 2 columns: the last ones are left out",
        "SPL4007 14: a comment says `alow`, which means nothing here",
    ] {
        assert!(found.iter().any(|told| told == expected), "{expected}: {found:?}");
    }
}

/// What may be missing because of content is in the status of a run, whether anything is found or not, and
/// standard error says why.
#[test]
fn a_damaged_table_and_an_unknown_event_type_are_in_the_status_of_runs() {
    let fixture = Fixture::new();
    let logs = std::fs::read_to_string(fixture.path("logs/a.json")).unwrap();
    fixture.write("content/logs/a.json", &logs);
    fixture.write("content/lookups/whole.csv", "user,left\nann,x\n");
    fixture.write("content/lookups/damaged.csv", "user,left\nann,x,y\n");
    let (damaged, undefined) =
        ("the lookup `damaged.csv` is damaged", "nothing defines the event type `nosuch`");
    for (search, told) in [
        ("lookup whole.csv user OUTPUT left | stats count by user", None),
        ("lookup damaged.csv user OUTPUT left | stats count by user", Some(damaged)),
        (
            "lookup damaged.csv user OUTPUT left | where left=\"z\" | stats count by user",
            Some(damaged),
        ),
        ("lookup damaged.csv user OUTPUT left | stats count by grantee", Some(damaged)),
        ("search NOT eventtype=nosuch | stats count by grantee", Some(undefined)),
        ("search NOT eventtype=nosuch | stats count by user", Some(undefined)),
        (
            "lookup nosuch user OUTPUT left | where left=\"z\" | stats count by user",
            Some("there is no lookup `nosuch`"),
        ),
    ] {
        let search = format!("eventName=CreateKey | {search}");
        fixture.detection(1, "Told", "Hunting", &search, "");
        let status = i32::from(told.is_some());
        for run in [
            &["hunt", "logs", "--detection", "Told", "--format", "table"][..],
            &["hunt", "logs", "--detection", "Told", "--all"],
            &["search", &search, "logs"],
        ] {
            let found = fixture.run(run);
            assert_eq!(found.status, status, "{run:?}: {found:?}");
            assert!(told.is_none_or(|told| found.err.contains(told)), "{run:?}: {found:?}");
        }
        let tests = "tests:\n- {name: T, attack_data: [{data: logs/a.json}]}\n";
        fixture.detection(1, "Told", "Hunting", &search, tests);
        let found = fixture.run(&["test", "content", "--detection", "Told"]);
        assert!(told.is_none_or(|told| found.out.contains(told)), "{search}: {found:?}");
        assert!(matches!((found.status, status), (3, _) | (0, 0) | (1, 1)), "{search}: {found:?}");
    }
}

/// Of many tests that passed, those are listed that prove less than they seem to.
#[test]
fn a_test_over_a_damaged_table_is_listed_among_many() {
    let fixture = Fixture::new();
    let logs = std::fs::read_to_string(fixture.path("logs/a.json")).unwrap();
    fixture.write("content/logs/a.json", &logs);
    fixture.write("content/lookups/damaged.csv", "user,left\nann,x,y\n");
    let test = "- {name: T, attack_data: [{data: logs/a.json}]}\n";
    let search = "eventName=CreateKey | stats count by user";
    fixture.detection(1, "Whole", "Hunting", search, &format!("tests:\n{}", test.repeat(21)));
    let search = "eventName=CreateKey | lookup damaged.csv user | stats count by user";
    fixture.detection(2, "Damaged", "Hunting", search, &format!("tests:\n{test}"));
    let run = fixture.run(&["test", "content", "--format", "table"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.out.contains("is damaged") && !run.out.contains("Whole: T"), "{run:?}");
}

/// A search that runs itself, by a macro or by its name, is an error, and costs no other detection.
#[test]
fn searches_that_run_themselves() {
    let fixture = Fixture::empty();
    fixture.write("logs/a.json", r#"{"eventVersion":"1.08","eventName":"CreateKey","eventTime":"2026-03-10T09:00:00Z","eventSource":"kms.amazonaws.com"}"#);
    fixture.write(
        "content/macros/m.yml",
        "name: again\ndefinition: eventName=* | map search=\"search `again`\"\n",
    );
    fixture.detection(1, "Macro", "TTP", "eventName=* | map search=\"search `again`\"", "");
    fixture.detection(2, "Name", "TTP", "eventName=* | map search=\"| savedsearch Name\"", "");
    fixture.detection(3, "Other", "TTP", "eventName=CreateKey | stats count", "");
    let run = fixture.run(&["hunt", "logs", "--summary"]);
    assert_eq!(run.status, 1, "{}", run.err);
    assert_eq!(run.lines()[0]["detection"]["name"], "Other", "{}", run.err);
    assert_eq!(run.err.matches("SPL1103").count(), 2, "{}", run.err);
    let run = fixture.run(&["search", "`again`", "logs"]);
    assert_eq!((run.status, run.out.as_str()), (2, ""), "{}", run.err);
    assert!(run.err.contains("error[SPL1103]"), "{}", run.err);
}
