//! The command `test`: what passes, what fails and why, what could not run, and the statuses.

#![expect(clippy::unwrap_used, reason = "output without what it must have fails the test")]

use std::process::Command;

use serde_json::{Value, json};

use crate::fixture::{Fixture, Run};

/// A published dataset that the folder of datasets has, and one that it does not have.
const PUBLISHED: &str =
    "https://media.githubusercontent.com/media/splunk/attack_data/master/datasets/kms/keys.json";
const GONE: &str =
    "https://media.githubusercontent.com/media/splunk/attack_data/master/datasets/gone.json";

/// What the detections of these tests search for.
const KEYS: &str = "sourcetype=aws:cloudtrail eventName=CreateKey | stats count by user_arn src_ip";

fn record(minute: u32, name: &str, user: &str) -> Value {
    json!({
        "eventVersion": "1.10",
        "eventTime": format!("2026-03-10T09:0{minute}:00Z"),
        "eventSource": "kms.amazonaws.com",
        "eventName": name,
        "eventID": format!("event-{minute}"),
        "sourceIPAddress": "192.0.2.1",
        "userIdentity": {"type": "IAMUser", "arn": format!("arn:user/{user}")},
    })
}

/// The parts of a detection file that differ from test to test.
struct Written {
    name: &'static str,
    search: &'static str,
    /// Further keys, such as `rba`.
    more: String,
    tests: String,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            name: "Key Made",
            search: KEYS,
            more: risk("$user_arn$ from $src_ip$", "user_arn"),
            tests: test("data: data/keys.json", ""),
        }
    }
}

/// Returns a test of this data; `more` has further keys of the test.
fn test(data: &str, more: &str) -> String {
    format!(
        "- name: True Positive\n  attack_data:\n  - {{{data}, sourcetype: 'aws:cloudtrail', source: \
         aws_cloudtrail}}\n{more}"
    )
}

fn risk(message: &str, field: &str) -> String {
    format!(
        "rba:\n  message: {message}\n  risk_objects:\n  - {{field: {field}, type: user, score: 56}}\n  \
         threat_objects: [{{field: src_ip, type: ip_address}}]\n"
    )
}

/// Creates a folder with content and datasets, in which two events create keys.
fn fixture(detections: &[Written]) -> Fixture {
    let fixture = Fixture::empty();
    let lines: Vec<String> = [
        record(0, "CreateKey", "ann"),
        record(1, "CreateKey", "bob"),
        record(2, "ListKeys", "bob"),
    ]
    .iter()
    .map(Value::to_string)
    .collect();
    fixture.write("content/data/keys.json", &lines.join("\n"));
    fixture.write("content/data/lists.json", &lines[2]);
    fixture.write("datasets/kms/keys.json", &lines.join("\n"));
    for (number, Written { name, search, more, tests }) in detections.iter().enumerate() {
        let tests = if tests.is_empty() { String::new() } else { format!("tests:\n{tests}") };
        let yaml = format!(
            "name: {name}\nid: 00000000-0000-4000-8000-00000000000{number}\nversion: 1\n\
             date: '2026-01-01'\nauthor: us\nstatus: production\ntype: TTP\n\
             description: Looks for it.\nsearch: {}\nhow_to_implement: Send the logs.\n\
             known_false_positives: Habit.\nreferences: []\n{more}{tests}\
             tags: {{analytic_story: [Keys], asset_type: AWS Account, mitre_attack_id: [T1098], \
             security_domain: threat, product: [Splunk Enterprise]}}\n",
            json!(search),
        );
        fixture.write(&format!("content/detections/d{number}.yml"), &yaml);
    }
    fixture
}

fn run(fixture: &Fixture, more: &[&str]) -> Run {
    fixture.run_builtin(&[&["test", "content"], more].concat())
}

fn report(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

/// Returns the status and the reasons of the only test, and the exit status.
fn outcome(written: Written, more: &[&str]) -> (String, Vec<String>, i32) {
    let fixture = fixture(&[written]);
    let run = run(&fixture, &[&["--format", "json"], more].concat());
    let report = report(&run);
    let test = &report["tests"][0];
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let reasons = texts(&test["reasons"]);
    (test["status"].as_str().unwrap().to_owned(), reasons, run.status)
}

/// A detection, the options, the status of its test, the exit status, and parts of the reasons.
type Case = (Written, &'static [&'static str], &'static str, i32, &'static [&'static str]);

#[test]
fn each_outcome_has_its_status_and_says_why() {
    let with = |tests: String| Written { tests, ..Written::default() };
    let of = |search: &'static str| Written { search, ..Written::default() };
    let says =
        |message: &str, field: &str| Written { more: risk(message, field), ..Written::default() };
    let nothing = |search: &'static str, data: &str| Written {
        search,
        tests: test(&format!("data: data/{data}.json"), "  expected_results: 0\n"),
        ..Written::default()
    };
    let datasets: &'static [&'static str] = &["--datasets", "datasets"];
    let keys = "data: data/keys.json";
    let cases: Vec<Case> = vec![
        (Written::default(), &[], "passed", 0, &[]),
        (with(test(&format!("data: {PUBLISHED}"), "")), datasets, "passed", 0, &[]),
        // The number of results.
        (
            with(test("data: data/lists.json", "")),
            &[],
            "failed",
            3,
            &["expected results, found none", "the event does not match the first search"],
        ),
        (with(test("data: data/lists.json", "  expected_results: 0\n")), &[], "passed", 0, &[]),
        (
            with(test(keys, "  expected_results: 0\n")),
            &[],
            "failed",
            3,
            &["expected no result, found 2"],
        ),
        (with(test(keys, "  expected_results: 2\n")), &[], "passed", 0, &[]),
        (
            with(test(keys, "  expected_results: 3\n")),
            &[],
            "failed",
            3,
            &["expected 3 results, found 2"],
        ),
        (
            of("sourcetype=aws:asl eventName=CreateKey | stats count by user_arn"),
            &[],
            "failed",
            3,
            &[
                "expected results, found none",
                "it looks for the sourcetype `aws:asl`, and that of the events is `aws:cloudtrail`",
            ],
        ),
        (
            of("sourcetype=aws:cloudtrail eventName=CreateKey | stats count by user_arn grantee"),
            &[],
            "failed",
            3,
            &["expected results, found none", "none of the 2 events that it groups has `grantee`"],
        ),
        (
            of(
                "sourcetype=aws:cloudtrail eventName=CreateKey | stats count by user_arn src_ip | where count>5",
            ),
            &[],
            "failed",
            3,
            &[
                "expected results, found none",
                "2 events match the first search, and a later command drops them",
            ],
        ),
        // A test that expects nothing proves something only if the search could find something.
        (
            nothing("sourcetype=aws:asl eventName=CreateKey | stats count by user_arn", "lists"),
            &[],
            "failed",
            3,
            &[
                "the test proves nothing: it looks for the sourcetype `aws:asl`, and that of the events is `aws:cloudtrail`",
            ],
        ),
        (
            nothing(
                "sourcetype=aws:cloudtrail | stats count by src_ip | where user_arn=\"x\"",
                "keys",
            ),
            &[],
            "failed",
            3,
            &["the test proves nothing: no command before `where` produces the field `user_arn`"],
        ),
        (
            nothing(
                "sourcetype=aws:cloudtrail | lookup nosuch user_arn OUTPUT b | where b=1",
                "keys",
            ),
            &[],
            "failed",
            3,
            &["the test proves nothing: there is no lookup `nosuch`"],
        ),
        (
            nothing(
                "sourcetype=aws:cloudtrail eventName=CreateKey | where src_ip=\"10.0.0.0/8\"",
                "keys",
            ),
            &[],
            "passed",
            0,
            &[],
        ),
        // The risk events and the notable.
        (
            says("$user_arn$ from $src_addr$", "user_arn"),
            &[],
            "failed",
            3,
            &["all 2 results lack `src_addr` of the risk message"],
        ),
        (
            says("$user_arn$", "user"),
            &[],
            "failed",
            3,
            &["all 2 results lack `user` of the risk object"],
        ),
        // What cannot run.
        (with(test(&format!("data: {PUBLISHED}"), "")), &[], "no_data", 2, &["is not fetched"]),
        (with(test(&format!("data: {GONE}"), "")), datasets, "no_data", 2, &["is not in datasets"]),
        (
            with(test("data: data/none.json", "")),
            &[],
            "no_data",
            2,
            &["there is no `content/data/none.json`"],
        ),
        (
            with(test("data: ../datasets/kms/keys.json", "")),
            datasets,
            "no_data",
            2,
            &["is outside of the content folder"],
        ),
        (
            of("sourcetype=aws:cloudtrail | fit DensityFunction count"),
            &[],
            "unsupported",
            2,
            &["`fit`"],
        ),
        (
            of("sourcetype=aws:cloudtrail | statz count by user_arn"),
            &[],
            "failed",
            3,
            &["there is no command `statz` (line 9, column 38)"],
        ),
        // What is not meant to run by itself.
        (
            with(test(keys, "  test_type: experimental\n  description: It needs a baseline.\n")),
            &[],
            "skipped",
            2,
            &["an experimental test: It needs a baseline."],
        ),
        (with(test(keys, "  test_type: experimental\n")), &["--experimental"], "passed", 0, &[]),
    ];
    for (number, (written, more, status, exit, reasons)) in cases.into_iter().enumerate() {
        let (found, why, code) = outcome(written, more);
        assert_eq!((found.as_str(), code), (status, exit), "case {number}: {why:?}");
        assert_eq!(why.len(), reasons.len(), "case {number}: {why:?}");
        for (why, reason) in why.iter().zip(reasons) {
            assert!(why.contains(reason), "case {number}: {why}");
        }
    }
}

/// A test's logs have the index, the host and the sourcetype that it names, each dataset its own.
#[test]
fn the_fields_of_a_dataset_are_those_that_the_test_names() {
    let data = "- name: Two\n  attack_data:\n  \
        - {data: data/keys.json, sourcetype: 'aws:cloudtrail', source: trail, index: aws, host: h1}\n  \
        - {data: data/rows.json, sourcetype: 'vendor:rows', source: rows, custom_index: rows, host: h2}\n";
    let search = "(index=aws host=h1 source=trail sourcetype=aws:cloudtrail eventName=CreateKey) OR \
        (index=rows host=h2 source=rows sourcetype=vendor:rows level=9) \
        | stats count values(index) as i values(host) as h values(list{}) as l by sourcetype source";
    let written = |search| Written {
        search,
        more: String::new(),
        tests: data.to_owned(),
        ..Written::default()
    };
    let all = "index=* | where isnull(eventName) | table *";
    let fixture = fixture(&[written(search), written(all)]);
    fixture.write("content/data/rows.json", "{\"level\": 9, \"list\": [1, 2]}\n");
    let report = report(&run(&fixture, &["--format", "json"]));
    let counts: Vec<(&Value, &Value)> = report["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| (&test["results"], &test["events"]))
        .collect();
    assert_eq!(counts, [(&json!(2), &json!(4)), (&json!(1), &json!(4))]);
}

/// The summary for a person: all tests, why they have not passed, and the counts.
#[test]
fn the_table() {
    let detections = [
        Written::default(),
        Written {
            name: "Key Listed",
            tests: test("data: data/lists.json", ""),
            ..Written::default()
        },
        Written {
            name: "Key Gone",
            tests: test(&format!("data: {GONE}"), ""),
            ..Written::default()
        },
        Written { name: "Key Lost", tests: String::new(), ..Written::default() },
    ];
    let fixture = fixture(&detections);
    let table = run(&fixture, &[]);
    assert_eq!(table.status, 3, "{table:?}");
    assert_eq!(
        table.out,
        "passed       Key Made: True Positive
no data      Key Gone: True Positive
             `https://media.githubusercontent.com/media/splunk/attack_data/
               master/datasets/gone.json` is not fetched; `--datasets DIR` names
               a folder with copies
failed       Key Listed: True Positive
             expected results, found none
             the event does not match the first search
             content/detections/d1.yml

3 tests: 1 passed, 1 failed, 1 without data; 1 detection has no test
"
    );
    let junit = run(&fixture, &["--format", "junit"]);
    assert!(
        junit.out.contains("tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"0\""),
        "{junit:?}"
    );
    assert!(junit.out.contains("classname=\"Key Gone\""), "{junit:?}");
    // A file that cannot be read is a case, too.
    fixture.write("content/detections/bad.yml", "name: Bad\nsearch: [\n");
    let junit = run(&fixture, &["--format", "junit"]);
    assert!(
        junit.out.contains("tests=\"4\" failures=\"1\" errors=\"2\" skipped=\"0\""),
        "{junit:?}"
    );
    let case = "<testcase classname=\"files\" name=\"content/detections/bad.yml\"";
    assert!(junit.out.contains(case), "{junit:?}");
    assert!(junit.out.contains("content/detections/bad.yml:2:9: "), "{junit:?}");
    std::fs::remove_file(fixture.path("content/detections/bad.yml")).unwrap();
    // Without the failed one, the one that could not run still is no success.
    let others = run(&fixture, &["--exclude", "Key Listed"]);
    assert_eq!(others.status, 1, "{others:?}");
    let untested = run(&fixture, &["--detection", "Key Lost"]);
    assert_eq!(untested.status, 2);
    assert_eq!(untested.err, "error: nothing was tested: 1 detection without any test\n");
}

#[test]
fn what_a_limit_cuts_is_no_success() {
    for (search, told) in [
        (
            "sourcetype=aws:cloudtrail eventName=CreateKey | eval n=mvcount(mvrange(0,200000)) \
             | stats count by user_arn src_ip n",
            "`mvrange` stopped at 100,000 values",
        ),
        (
            "sourcetype=aws:cloudtrail eventName=CreateKey | append maxout=1 [search eventName=*] \
             | stats count by user_arn src_ip",
            "",
        ),
    ] {
        let fixture = fixture(&[Written { search, ..Written::default() }]);
        let run = run(&fixture, &[]);
        assert!(run.out.contains("1 passed"), "{run:?}");
        assert!(run.err.contains(told), "{run:?}");
        assert_eq!(run.status, 1, "{run:?}");
    }
}

#[test]
fn options_without_effect_are_refused() {
    let fixture = fixture(&[Written::default()]);
    for format in ["json", "junit"] {
        let run = run(&fixture, &["--all", "--format", format]);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{run:?}");
        assert!(run.err.contains("`--all` would change nothing"), "{run:?}");
    }
    let run = run(&fixture, &["--memory-limit", "1"]);
    assert_eq!(run.status, 0, "{run:?}");
}

#[test]
fn the_built_in_pack_passes_its_own_tests() {
    let run = Fixture::empty().run_builtin(&["test", "--format", "json"]);
    let report = report(&run);
    assert_eq!(run.status, 0, "{}", report["tests"]);
    assert!(report["counts"]["passed"].as_u64().unwrap() > 20, "{}", report["counts"]);
}

fn git(fixture: &Fixture, arguments: &[&str]) {
    let settings =
        ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
    let mut command = Command::new("git");
    command.args(settings).args(arguments).current_dir(fixture.path("content"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// What a search runs by name or in quotes, and what no revision has.
#[test]
fn what_tests_depend_on_at_a_distance_is_seen() {
    if Command::new("git").arg("--version").output().is_err() {
        return;
    }
    let with = |name, search| Written { name, search, ..Written::default() };
    let fixture = fixture(&[
        with("Plain", KEYS),
        with("By Name", "| savedsearch Plain"),
        with("From Name", "| from savedsearch:\"ESCU - plain - Rule\""),
        with(
            "By Row",
            "sourcetype=aws:cloudtrail eventName=CreateKey | dedup user_arn | map search=\"search `calls` user_arn=$user_arn$ | lookup people user_arn | stats count by user_arn src_ip\"",
        ),
        with("By Name In Row", "| makeresults | map search=\"| savedsearch Plain\""),
    ]);
    fixture.write("content/macros/inner.yml", "name: inner\ndefinition: eventName=CreateKey\n");
    fixture.write(
        "content/macros/calls.yml",
        "name: calls\ndefinition: sourcetype=aws:cloudtrail `inner`\n",
    );
    fixture.write("content/lookups/people.csv", "user_arn,team\na,b\n");
    fixture.write("content/.gitignore", "made.csv\ncache/\n");
    git(&fixture, &["init", "-q", "-b", "main"]);
    git(&fixture, &["add", "."]);
    git(&fixture, &["commit", "-qm", "all"]);
    let tested = || {
        let run = run(&fixture, &["--changed", "main", "--format", "json"]);
        let report = report(&run);
        let tests = report["tests"].as_array().unwrap();
        let names = tests.iter().map(|test| test["detection"]["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(tested(), "");
    for (file, old, new, expected) in [
        ("macros/inner.yml", "CreateKey", "\"eventName=CreateKey OR eventName=x\"", "By Row"),
        ("macros/inner.yml", "name: inner", "name: other", "By Row"),
        ("lookups/people.csv", "a,b", "c,d", "By Row"),
        (
            "detections/d0.yml",
            "version: 1",
            "version: 2",
            "Plain, By Name, From Name, By Name In Row",
        ),
    ] {
        let text = std::fs::read_to_string(fixture.path(&format!("content/{file}"))).unwrap();
        assert!(text.contains(old), "{text}");
        fixture.write(&format!("content/{file}"), &text.replace(old, new));
        assert_eq!(tested(), expected, "{file}: {new}");
        git(&fixture, &["checkout", "-q", "--", "."]);
    }
    let text = std::fs::read_to_string(fixture.path("content/detections/d3.yml")).unwrap();
    fixture.write("content/detections/d3.yml", &text.replace("lookup people", "lookup made"));
    git(&fixture, &["commit", "-qam", "made"]);
    assert_eq!(tested(), "");
    fixture.write("content/lookups/made.csv", "user_arn,team\na,b\n");
    assert_eq!(tested(), "By Row");
    // A file that is no content may have any name.
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
        std::fs::create_dir(fixture.path("content/cache")).unwrap();
        std::fs::write(fixture.path("content/cache").join(name), "").unwrap();
        assert_eq!(tested(), "By Row");
    }
}

#[test]
fn only_what_changed_since_a_revision_is_tested() {
    if Command::new("git").arg("--version").output().is_err() {
        return;
    }
    let with = |name, search| Written { name, search, ..Written::default() };
    let by_macro = "`trail` eventName=CreateKey | stats count by user_arn src_ip";
    let by_lookup = "sourcetype=aws:cloudtrail eventName=CreateKey | lookup people user_arn | lookup teams user_arn | stats count by user_arn src_ip";
    let fixture =
        fixture(&[with("Plain", KEYS), with("By Macro", by_macro), with("By Lookup", by_lookup)]);
    fixture
        .write("content/macros/trail.yml", "name: trail\ndefinition: sourcetype=aws:cloudtrail\n");
    fixture.write("content/lookups/people.csv", "user_arn,team\na,b\n");
    fixture.write("content/lookups/teams.csv", "user_arn,lead\na,b\n");
    fixture.write("content/lookups/teams.yml", "name: teams\nfilename: teams.csv\n");
    let tested = |fixture: &Fixture, revision: &str| -> (Vec<String>, i32) {
        let run = run(fixture, &["--changed", revision, "--format", "json"]);
        let report = report(&run);
        let tests = report["tests"].as_array().unwrap();
        let names = tests.iter().map(|test| test["detection"]["name"].as_str().unwrap().to_owned());
        (names.collect(), run.status)
    };
    git(&fixture, &["init", "-q", "-b", "main"]);
    git(&fixture, &["add", "."]);
    git(&fixture, &["commit", "-qm", "all"]);
    assert_eq!(tested(&fixture, "main"), (Vec::new(), 0));
    let text = std::fs::read_to_string(fixture.path("content/detections/d0.yml")).unwrap();
    fixture.write("content/detections/d0.yml", &text.replace("version: 1", "version: 2"));
    assert_eq!(tested(&fixture, "main"), (vec!["Plain".to_owned()], 0));
    git(&fixture, &["checkout", "-qb", "mine"]);
    git(&fixture, &["commit", "-qam", "plain"]);
    fixture.write("content/macros/trail.yml", "name: trail\ndefinition: sourcetype=aws:*\n");
    assert_eq!(tested(&fixture, "main"), (vec!["Plain".to_owned(), "By Macro".to_owned()], 0));
    fixture.write("content/lookups/people.csv", "user_arn,team\nc,d\n");
    assert_eq!(tested(&fixture, "HEAD"), (vec!["By Macro".to_owned(), "By Lookup".to_owned()], 0));
    // The logs that all of them are tested with, and a file that is new.
    git(&fixture, &["stash", "-q"]);
    fixture.write(
        "content/detections/d4.yml",
        &text.replace("Plain", "New").replace("000000000000", "000000000004"),
    );
    assert_eq!(tested(&fixture, "mine"), (vec!["New".to_owned()], 0));
    std::fs::remove_file(fixture.path("content/detections/d4.yml")).unwrap();
    // What was removed changed, too. Who used a definition can no longer be told.
    let all = ["Plain", "By Macro", "By Lookup"].map(str::to_owned).to_vec();
    for (removed, expected) in [
        ("lookups/people.csv", vec!["By Lookup".to_owned()]),
        ("lookups/teams.csv", vec!["By Lookup".to_owned()]),
        ("macros/trail.yml", all.clone()),
        ("lookups/teams.yml", all.clone()),
        ("data/keys.json", all.clone()),
    ] {
        std::fs::remove_file(fixture.path(&format!("content/{removed}"))).unwrap();
        assert_eq!(tested(&fixture, "mine").0, expected, "{removed}");
        git(&fixture, &["checkout", "-q", "--", "."]);
    }
    // A macro that has another name since.
    fixture.write("content/macros/trail.yml", "name: trial\ndefinition: sourcetype=aws:*\n");
    assert_eq!(tested(&fixture, "mine").0, ["By Macro"]);
    git(&fixture, &["checkout", "-q", "--", "."]);
    // An event type changes the searches that may use one.
    let of_type = text
        .replace("Plain", "By Type")
        .replace("000000000000", "000000000005")
        .replace("eventName=CreateKey", "eventtype=mine eventName=CreateKey");
    assert!(of_type.contains("eventtype=mine"), "{of_type}");
    fixture.write("content/detections/d5.yml", &of_type);
    let event_type = "event_types:\n- {name: mine, search: eventName=CreateKey}\n";
    fixture.write("content/event_types/mine.yml", event_type);
    git(&fixture, &["add", "."]);
    git(&fixture, &["commit", "-qm", "type"]);
    fixture.write("content/event_types/mine.yml", &event_type.replace("CreateKey", "Other"));
    assert_eq!(tested(&fixture, "HEAD"), (vec!["By Type".to_owned()], 3));
    std::fs::remove_file(fixture.path("content/event_types/mine.yml")).unwrap();
    assert_eq!(tested(&fixture, "HEAD").0.len(), 4);
    git(&fixture, &["checkout", "-q", "--", "."]);
    // Nothing is said by the folders above the repository.
    let above = Fixture::empty();
    let moved = above.path("lookups/content");
    above.write("lookups/a.txt", "");
    std::fs::rename(fixture.path("content"), &moved).unwrap();
    std::fs::remove_file(moved.join("detections/d5.yml")).unwrap();
    let moved = moved.to_str().unwrap();
    let elsewhere = fixture.run_builtin(&["test", moved, "--changed", "HEAD"]);
    assert!(elsewhere.err.contains("no detection has changed"), "{elsewhere:?}");
    std::fs::rename(moved, fixture.path("content")).unwrap();
    let wrong = run(&fixture, &["--changed", "no-such"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.err.contains("the repository has no such revision"), "{wrong:?}");
    let built_in = fixture.run_builtin(&["test", "--changed", "no-such"]);
    assert_eq!(built_in.status, 2, "{built_in:?}");
    assert!(built_in.err.contains("only content folders have revisions"), "{built_in:?}");
    let option = run(&fixture, &["--changed=--output=x"]);
    assert!(option.status == 2 && option.err.contains("no such revision"), "{option:?}");
}
