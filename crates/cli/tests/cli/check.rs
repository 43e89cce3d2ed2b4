//! Tests of the `check` command.

#![expect(clippy::unwrap_used, reason = "a report of another form has failed the test")]

use serde_json::{Value, json};

use crate::fixture::{Fixture, Run};

const AWS: &str = "sourcetype=aws:cloudtrail";

/// Returns a content folder with one detection of each status, and one that is doubtful.
fn content() -> Fixture {
    let fixture = Fixture::empty();
    let detection = |number, name, search: &str| {
        fixture.detection(number, name, "Hunting", &format!("{AWS} {search}"), "");
    };
    detection(
        1,
        "Sound",
        "eventName=CreateKey eventSource=kms.amazonaws.com | stats count by user",
    );
    detection(2, "Unknown", "eventName=A | fit LogisticRegression x");
    detection(3, "Wrong", "eventName=A | stats count by");
    detection(4, "Doubtful", "eventName=A errorMessage!=x | stats count by responseElements.a");
    detection(5, "Loose", "eventName=CreateUser | stats count by user");
    fixture
}

fn report(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.out))
}

/// Returns `name: status codes` of each detection.
fn outcomes(report: &Value) -> Vec<String> {
    let detections = report["detections"].as_array().unwrap();
    let outcome = |detection: &Value| {
        let told = detection["diagnostics"].as_array().unwrap();
        let codes = told.iter().map(|told| format!(" {}", told["code"].as_str().unwrap()));
        let codes: String = codes.collect();
        let text = |key: &str| detection[key].as_str().unwrap();
        format!("{}: {}{codes}", text("name"), text("status"))
    };
    detections.iter().map(outcome).collect()
}

#[test]
fn each_detection_has_a_status_and_its_messages_have_places() {
    let fixture = content();
    let run = fixture.run(&["check", "content"]);
    assert_eq!(run.status, 3, "{}", run.err);
    let report = report(&run);
    assert_eq!(
        outcomes(&report),
        [
            "Sound: runs",
            "Unknown: unsupported SPL2001",
            "Wrong: error SPL1006",
            "Doubtful: runs",
            "Loose: runs SPL2023",
        ]
    );
    let told = &report["detections"][4]["diagnostics"][0];
    assert_eq!(told["severity"], "warning");
    assert_eq!(told["file"], "content/detections/d5.yml");
    let text = std::fs::read_to_string(fixture.path("content/detections/d5.yml")).unwrap();
    let line = text.lines().nth(usize::try_from(told["line"].as_u64().unwrap()).unwrap() - 1);
    let column = usize::try_from(told["column"].as_u64().unwrap()).unwrap();
    assert!(line.unwrap()[column - 1..].starts_with("CreateUser"), "{told}");
    let counts = &report["counts"];
    let count = |key: &str| counts[key].as_u64().unwrap();
    let all = [count("detections"), count("runs"), count("unsupported"), count("error")];
    assert_eq!((all, count("warnings")), ([5, 3, 1, 1], 1));
    assert_eq!(counts["codes"]["SPL2023"], 1);
}

#[test]
fn the_status_depends_on_what_the_check_fails_on() {
    let fixture = content();
    let search = format!("{AWS} eventName=CreateKey eventSource=kms.amazonaws.com");
    fixture.detection(6, "Misspelled", "Hunting", &search, "descripton: x\n");
    fixture.write("content/lookups/owners.yml", "name: owners\nfilename: owners.csv\n");
    let search = format!("{search} | lookup owners user OUTPUT owner | stats count by owner");
    fixture.detection(7, "Reader", "Hunting", &search, "");
    for (arguments, status) in [
        (&["--detection", "Sound"][..], 0),
        (&["--detection", "Loose"], 0),
        (&["--detection", "Loose", "--fail-on", "warning"], 3),
        (&["--detection", "Loose", "--level", "SPL2023=error"], 3),
        (&["--detection", "Loose", "--fail-on", "warning", "--allow", "spl2023"], 0),
        (&["--detection", "Unknown"], 0),
        (&["--detection", "Unknown", "--fail-on", "unsupported"], 3),
        (&["--detection", "Wrong", "--allow", "SPL1006"], 3),
        // Messages that are not shown count as well.
        (&["--code", "SPL2023"], 3),
        // What is wrong with files of others does not.
        (&["--detection", "Sound", "--fail-on", "warning"], 0),
        (&["--detection", "Reader", "--fail-on", "warning"], 3),
        (&["--detection", "Misspelled", "--fail-on", "warning"], 3),
        (&["--exclude", "Misspelled", "--exclude", "Wrong"], 0),
        (&["--detection", "Nothing"], 2),
        (&["--level", "SPL2023=loud"], 2),
        (&["--level", "SPL9999=error"], 2),
        (&["nowhere"], 2),
    ] {
        let run = fixture.run(&[&["check", "content"], arguments].concat());
        assert_eq!(run.status, status, "{arguments:?}: {}", run.err);
    }
    std::fs::create_dir(fixture.path("empty")).unwrap();
    assert_eq!(fixture.run_builtin(&["check", "empty", "--no-builtin"]).status, 2);
}

#[test]
fn levels_are_set_in_the_configuration_and_in_comments() {
    let fixture = content();
    let loose = ["check", "content", "--detection", "Loose", "--fail-on", "warning"];
    fixture.write("allow.toml", "[levels]\nSPL2023 = 'allow'\n");
    let with = |file: &'static str| [&loose[..], &["--config", file]].concat();
    assert_eq!(fixture.run(&with("allow.toml")).status, 0);
    fixture.write("wrong.toml", "[levels]\nSPL2023 = 'loud'\n");
    let wrong = fixture.run(&with("wrong.toml"));
    assert_eq!(wrong.status, 2);
    assert!(wrong.err.contains("wrong.toml:2:11") && wrong.err.contains("`loud`"), "{}", wrong.err);
    fixture.write("wrong.toml", "[levels]\nSPL9999 = 'allow'\n");
    assert!(fixture.run(&with("wrong.toml")).err.contains("`SPL9999` is not a code"));

    let file = fixture.path("content/detections/d5.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, format!("# spilltrail: allow SPL2023 there is only IAM\n{text}")).unwrap();
    assert_eq!(fixture.run(&loose).status, 0);
}

/// A data model of another product is no mistake of the detections that read it.
#[test]
fn data_models_that_nothing_feeds_are_counted() {
    let fixture = Fixture::empty();
    let search = "| tstats count from datamodel=Endpoint.Processes by Processes.dest";
    fixture.detection(1, "Process", "Hunting", search, "");
    let both = format!("{search} | append [{search}] | append [search tag=none | head 1]");
    fixture.detection(2, "Processes", "Hunting", &both, "");
    let search = "| tstats count from datamodel=Change by All_Changes.user";
    fixture.detection(3, "Change", "Hunting", search, "");
    fixture.write("content/macros/okta.yml", "name: okta\ndefinition: eventtype=okta_log\n");
    fixture.detection(4, "Macro", "Hunting", "`okta` | stats count by user", "");
    let run = fixture.run(&["check", "content"]);
    let found = report(&run);
    assert_eq!(
        outcomes(&found),
        ["Process: runs", "Processes: runs SPL2032", "Change: runs", "Macro: runs"]
    );
    assert_eq!(found["counts"]["unfed_data_models"], json!({"Endpoint": 2}));
    let args =
        ["check", "content", "--detection", "Process", "--fail-on", "warning", "--format", "table"];
    let run = fixture.run(&args);
    assert_eq!(run.status, 0, "{}", run.out);
    assert_eq!(
        run.out,
        "note: no event type here feeds the data model `Endpoint` (1 search)\n1 detection: it runs\n"
    );
    // A code whose messages are shown changes nothing about what is counted.
    let of_code = fixture.run(&[&args[..], &["--code", "SPL2025"]].concat());
    assert_eq!(of_code.out, run.out);
    let found = report(&fixture.run(&["check", "content", "--code", "SPL2025"]));
    assert_eq!(found["counts"]["unfed_data_models"], json!({"Endpoint": 2}));
    // A level has no effect on what is set up elsewhere, and that is told.
    for (detection, code) in [("Process", "SPL2025"), ("Macro", "SPL2032")] {
        let args = ["check", "content", "--detection", detection];
        for (level, is_told) in [("error", true), ("allow", false)] {
            let run = fixture.run(&[&args[..], &["--level", &format!("{code}={level}")]].concat());
            assert_eq!(run.status, 0, "{run:?}");
            let told = format!(
                "warning: the level of {code} changes nothing about 1 message on data models"
            );
            assert_eq!(run.err.contains(&told), is_told, "{run:?}");
        }
    }
}

/// A file that is not used because of another one cannot be checked.
#[test]
fn a_file_whose_id_another_has_is_told_with_both() {
    let fixture = content();
    let text = std::fs::read_to_string(fixture.path("content/detections/d1.yml")).unwrap();
    fixture.write("content/detections/z.yml", &text.replace("Sound", "Later"));
    // The folder of the file is known by what else is in it.
    fixture.write("content/macros/ours.yml", "name: ours\ndefinition: eventName=A\n");
    let run = fixture.run_builtin(&["check", "content/detections/d1.yml", "--format", "table"]);
    assert_eq!(run.status, 3, "{run:?}");
    let told = "error[SPL4002]: `content/detections/d1.yml` is not used:";
    assert!(run.out.starts_with(told), "{run:?}");
    assert!(run.out.contains("`content/detections/z.yml` is read later"), "{run:?}");
    let whole = fixture.run(&["check", "content", "--detection", "Later"]);
    assert_eq!(outcomes(&report(&whole)), ["Later: runs SPL4002"], "{whole:?}");
}

#[test]
fn a_detection_without_the_risk_of_its_type_is_told_by_a_check_only() {
    let fixture = Fixture::new();
    let run = fixture.run(&["check", "content"]);
    let found = report(&run);
    let told = outcomes(&found);
    let of = |name: &str| told.iter().find(|line| line.starts_with(name)).unwrap().clone();
    assert!(of("Key Gone").contains("SPL4008") && of("Key Shared").contains("SPL4008"), "{told:?}");
    assert!(!of("Key Made").contains("SPL4008") && !of("Many Lists").contains("SPL4008"));
    let gone = found["detections"].as_array().unwrap().iter().find(|one| one["name"] == "Key Gone");
    let told = &gone.unwrap()["diagnostics"][0];
    assert_eq!((&told["code"], &told["line"]), (&json!("SPL4008"), &json!(7)), "{told}");
    let allowed = fixture.run(&["check", "content", "--allow", "SPL4008"]);
    assert!(!allowed.out.contains("SPL4008"), "{allowed:?}");
    let hunted = fixture.run(&["hunt", "logs", "--all", "--summary"]);
    assert!(!(hunted.out + &hunted.err).contains("SPL4008"));
}

#[test]
fn a_file_has_the_macros_of_its_folder() {
    let fixture = content();
    fixture.write("content/macros/ours.yml", "name: ours\ndefinition: eventName=A\n");
    fixture.detection(6, "Macro", "Hunting", "`ours` | stats count by user", "");
    for path in ["content/detections/d6.yml", "./content/detections/d6.yml"] {
        let run = fixture.run_builtin(&["check", path]);
        let report = report(&run);
        assert_eq!((run.status, outcomes(&report)), (0, vec!["Macro: runs".to_owned()]));
        assert_eq!(report["detections"][0]["file"], path);
    }
    fixture.detection(6, "Macro", "Hunting", "`theirs` | stats count by user", "");
    let run = fixture.run_builtin(&["check", "content/detections/d6.yml"]);
    assert_eq!((run.status, outcomes(&report(&run))), (3, vec!["Macro: error SPL1101".to_owned()]));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let fixture = content();
    fixture.write("content/detections/broken.yml", "name: [\n");
    fixture.write("content/macros/broken.yml", "name: m\n");
    let run = fixture.run(&["check", "content", "--detection", "Sound"]);
    let report = report(&run);
    assert_eq!(run.status, 3);
    assert_eq!(outcomes(&report), ["Sound: runs", "broken: error SPL4001"]);
    assert_eq!(report["detections"][1]["id"], Value::Null);
    assert_eq!(report["files"][0]["file"], "content/macros/broken.yml");
    assert_eq!(report["files"][0]["diagnostics"][0]["severity"], "error");
}

#[test]
fn what_is_not_shown_is_counted() {
    let fixture = content();
    let check = |more: &[&str]| fixture.run(&[&["check", "content"], more].concat());
    let run = check(&["--code", "SPL2023", "--format", "table"]);
    assert_eq!(run.status, 3);
    assert_eq!(run.err, "note: 2 messages of other codes are not shown (1 error)\n");
    let run = check(&["--code", "SPL2023", "--format", "json"]);
    let counts = &report(&run)["counts"];
    assert_eq!((&counts["errors"], &counts["error"]), (&json!(0), &json!(1)), "{counts}");
    assert_eq!(counts["codes"], json!({"SPL2023": 1}));
    assert_eq!(run.err, "note: 2 messages of other codes are not shown (1 error)\n");
    // JUnit says what failed, whatever is shown.
    let run = check(&["--code", "SPL2023", "--format", "junit"]);
    assert!(run.out.contains("failures=\"1\" errors=\"0\" skipped=\"1\""), "{}", run.out);
    for (fail_on, failed) in [("warning", 3), ("unsupported", 2), ("error", 1)] {
        let run = check(&["--fail-on", fail_on, "--format", "junit"]);
        assert_eq!(run.status, 3);
        assert!(run.out.contains(&format!("failures=\"{failed}\"")), "{fail_on}: {}", run.out);
    }
    // Levels are of warnings.
    let run = check(&["--detection", "Wrong", "--allow", "SPL1006"]);
    let told = "warning: the level of SPL1006 changes nothing about 1 message: only warnings have levels\n";
    assert_eq!(run.err, told);
    assert_eq!(check(&["--detection", "Loose", "--allow", "SPL2023"]).err, "");
    for format in ["json", "junit", "sarif", "html"] {
        let run = check(&["--all", "--format", format]);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{run:?}");
        assert!(run.err.contains("`--all` would change nothing"), "{run:?}");
    }
    // Without a format, it means the table, in a pipe, too.
    assert_eq!(check(&["--all"]).out, check(&["--all", "--format", "table"]).out);
}

#[test]
fn no_message_is_left_out() {
    let fixture = Fixture::empty();
    let calls = "| eval x=nosuch(1) ".repeat(250);
    fixture.detection(1, "Long", "Hunting", &format!("{AWS} eventName=A {calls}"), "");
    let run = fixture.run(&["check", "content"]);
    assert_eq!(report(&run)["counts"]["codes"]["SPL2033"], 250, "{}", run.out);
}

#[test]
fn advice_is_told_by_a_check_only() {
    let fixture = Fixture::new();
    let search = format!("{AWS} eventName=CreateKey | stats count by responseElements.a");
    let searched = fixture.run(&["search", &search, "logs"]);
    assert!(!searched.err.contains("SPL20"), "{}", searched.err);
    fixture.detection(9, "Advised", "Hunting", &search, "");
    let hunted = fixture.run(&["hunt", "logs", "--detection", "Advised", "--all", "--summary"]);
    assert!(!(hunted.out + &hunted.err).contains("SPL20"));
    let shown = fixture.run(&["detections", "show", "Advised"]);
    assert!(!(shown.out + &shown.err).contains("SPL20"));
    let checked = fixture.run(&["check", "content", "--detection", "Advised"]);
    assert_eq!(outcomes(&report(&checked)), ["Advised: runs SPL2023 SPL2022"]);
}

#[test]
fn a_field_that_the_search_makes_is_no_slip() {
    let fixture = Fixture::empty();
    for (rest, expected) in [
        ("rename src_ip AS user_arm | stats count by user_arm", ""),
        ("eval user_arm=src_ip | stats count by user_arm", ""),
        ("stats count by user_arm | eval user_arm=1", " SPL2015"),
        ("where user_arm!=\"a\" | eval user_arm=1 | table user_arm", " SPL2015"),
    ] {
        let search = format!("{AWS} eventName=CreateUser eventSource=iam.amazonaws.com | {rest}");
        fixture.detection(1, "Made", "Hunting", &search, "");
        let run = fixture.run(&["check", "content", "--allow", "SPL2022"]);
        assert_eq!(outcomes(&report(&run)), [format!("Made: runs{expected}")], "{search}");
    }
}

#[test]
fn a_lookup_that_fills_a_subsearch_nearly() {
    let fixture = content();
    let rows: Vec<String> = (0..9000).map(|row| format!("user{row}")).collect();
    fixture.write("content/lookups/known.csv", &format!("user\n{}\n", rows.join("\n")));
    for (search, expected) in [
        ("eventName=A [| inputlookup known.csv | fields user] | stats count by user", " SPL2026"),
        ("eventName=A | lookup known.csv user OUTPUT user AS known | where isnotnull(known)", ""),
        ("eventName=A | append [| inputlookup known.csv] | stats count by user", ""),
        (
            "eventName=A | append [| makeresults | union [| makeresults] [| inputlookup known.csv]] \
             | stats count by user",
            "",
        ),
        (
            "eventName=A NOT [| makeresults] [| inputlookup known.csv | fields user] \
             | stats count by user",
            " SPL2026",
        ),
    ] {
        fixture.detection(6, "Known", "Hunting", &format!("{AWS} {search}"), "");
        let run = fixture.run(&["check", "content", "--detection", "Known"]);
        assert_eq!(outcomes(&report(&run)), [format!("Known: runs{expected}")], "{search}");
    }
}

/// A table says nothing about detections that do not read it.
#[test]
fn a_check_of_one_detection_reads_the_tables_of_its_lookups() {
    let fixture = Fixture::empty();
    std::fs::create_dir(fixture.path("content/lookups")).unwrap();
    let large = std::fs::File::create(fixture.path("content/lookups/large.csv")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    for (number, name, lookup) in [(1, "Reader", "| lookup large.csv user"), (2, "Other", "")] {
        let search = format!(
            "{AWS} eventName=CreateKey eventSource=kms.amazonaws.com {lookup} | stats count by user"
        );
        fixture.detection(number, name, "Hunting", &search, "");
    }
    for (chosen, status) in [("Other", 0), ("Reader", 3), ("*", 3)] {
        let run = fixture.run(&["check", "content", "--detection", chosen]);
        assert_eq!(run.status, status, "{chosen}: {run:?}");
        assert_eq!(run.out.contains("SPL5003"), status == 3, "{chosen}: {run:?}");
    }
    assert_eq!(fixture.run(&["check", "content"]).status, 3);
}

#[test]
fn the_text_shows_few_messages_with_their_lines_and_counts_many() {
    let fixture = content();
    let few = fixture.run(&["check", "content", "--format", "table"]).out;
    for part in [
        "warning[SPL2023]: `CreateUser` is a call of several services",
        "--> content/detections/d5.yml:9:",
        "5 detections: 3 run, 1 is unsupported, 1 has errors; 1 warning",
    ] {
        assert!(few.contains(part), "{part}: {few}");
    }
    for number in 6..30_u32 {
        let name = format!("content/detections/more{number}.yml");
        let text = format!(
            "name: More {number}\nid: more-{number}\ntype: Hunting\nsearch: {AWS} eventName=CreateUser\n"
        );
        fixture.write(&name, &text);
    }
    for width in ["60", "100"] {
        let arguments =
            ["check", "content", "--no-builtin", "--content", "content", "--format", "table"];
        let many = fixture.run_at_width(width, &arguments).out;
        let longest = many.lines().map(|line| line.chars().count()).max();
        assert!(longest <= width.parse().ok(), "{longest:?}: {many}");
        assert!(many.contains("    25  call that several services have [SPL2023]"), "{many}");
        assert!(many.lines().count() < 40, "{many}");
    }
    let all = fixture.run(&["check", "content", "--format", "table", "--all"]).out;
    assert_eq!(all.matches("warning[SPL2023]").count(), 25, "{all}");
}

#[test]
fn other_tools_read_the_report() {
    let fixture = content();
    let sarif = report(&fixture.run(&["check", "content", "--format", "sarif"]));
    let run = &sarif["runs"][0];
    assert_eq!(
        (&sarif["version"], &run["tool"]["driver"]["name"]),
        (&json!("2.1.0"), &json!("spilltrail"))
    );
    let results = run["results"].as_array().unwrap();
    let levels: Vec<&str> = results.iter().map(|r| r["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["note", "error", "warning"]);
    let place = &results[2]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "content/detections/d5.yml");
    assert!(place["region"]["startLine"].as_u64() > Some(1), "{place}");
    let rule = usize::try_from(results[2]["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], results[2]["ruleId"]);

    let junit = fixture.run(&["check", "content", "--format", "junit"]).out;
    for part in [
        "tests=\"5\" failures=\"1\" errors=\"0\" skipped=\"1\"",
        "<testcase classname=\"detections\" name=\"Wrong\" file=\"content/detections/d3.yml\"",
        "type=\"error\">content/detections/d3.yml:9:",
    ] {
        assert!(junit.contains(part), "{part}: {junit}");
    }

    let html = fixture.run(&["check", "content", "--format", "html"]).out;
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"), "{html}");
    assert!(html.contains("call that several services have <code>SPL2023</code>"), "{html}");
    assert!(!html.contains("<script"), "{html}");
}

/// What keeps a detection silent is told, with what is meant.
#[test]
fn names_that_are_nearly_right_are_told() {
    let fixture = Fixture::empty();
    fixture.write("content/macros/m.yml", "name: trail\ndefinition: sourcetype=aws:cloudtrial\n");
    fixture.write("content/macros/f.yml", "name: known_filter\ndefinition: search user!=a\n");
    fixture.write("content/logs/a.json", "{}");
    let tests = |data: &str| format!("tests:\n- {{name: T, attack_data: [{{data: '{data}'}}]}}\n");
    let cases = [
        ("| table user | rename usr as u", "", "SPL2015 `usr` `user`"),
        (
            "| table user doc | spath input=doc path=a output=b | where usr=b",
            "",
            "SPL2015 `usr` `user`",
        ),
        ("eventName=ConsoleLogon", "", "SPL2021 `ConsoleLogon` `ConsoleLogin`"),
        ("`trail` | `d4_filter` | `known_filter`", "", "SPL2025 `aws:cloudtrail`?"),
        ("| `dd5_filter` | `quite_another_filter`", "", "SPL1101 `dd5_filter` `d5_filter`"),
        ("| `knwon_filter`", "", "SPL1101 `knwon_filter` `known_filter`"),
        ("", "logs/a.json", ""),
        ("", "logs/b.json", "SPL4006 `logs/b.json` `--datasets`"),
        ("", "htps://example.com/a.json", "SPL4006"),
    ];
    for (number, (search, data, _)) in (1..).zip(cases) {
        let more = if data.is_empty() { String::new() } else { tests(data) };
        fixture.detection(
            number,
            &format!("D{number}"),
            "Hunting",
            &format!("{AWS} {search}"),
            &more,
        );
    }
    let report = report(&fixture.run(&["check", "content"]));
    for ((search, data, expected), detection) in
        cases.iter().zip(report["detections"].as_array().unwrap())
    {
        let told = detection["diagnostics"].as_array().unwrap();
        let text = |told: &Value| format!("{} {} {}", told["code"], told["message"], told["help"]);
        assert!(told.iter().all(|told| told["line"].is_number()), "{told:?}");
        let told: Vec<String> = told.iter().map(text).collect();
        match (told.as_slice(), expected.is_empty()) {
            ([], true) => {}
            ([told], false) => {
                let has = |part: &str| told.contains(part);
                assert!(expected.split(' ').all(has), "{told}");
            }
            _ => panic!("{search} {data}: {told:?}"),
        }
    }
}
