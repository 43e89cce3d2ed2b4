//! Tests that text from outside cannot control the terminal or forge lines of the program.

use serde_json::json;

use crate::fixture::{Fixture, Run};

/// Text with everything that a terminal obeys, and a line end with a line that looks like ours.
const HOSTILE: &str =
    "x\u{1b}[31m\u{9b}2J\u{202e}\u{2028}\u{200f}\u{7f}\u{7}\u{8}\r\nforged: line\u{1b}]0;t\u{7}";

/// Checks that a run prints nothing that a terminal obeys, and no line that the text forged.
fn check(run: &Run, what: &str) {
    for (name, text) in [("stdout", &run.out), ("stderr", &run.err)] {
        let obeyed = |c: &char| {
            c.is_control() && !matches!(c, '\n' | '\t')
                || matches!(c, '\u{200f}' | '\u{2028}'..='\u{202e}')
        };
        assert_eq!(text.chars().find(obeyed), None, "{what}, {name}: {text:?}");
        let forged = text.lines().find(|line| line.starts_with("forged"));
        assert_eq!(forged, None, "{what}, {name}: {text}");
    }
}

/// As [`check`], for a run that prints the text.
fn check_shown(run: &Run, what: &str) {
    check(run, what);
    assert!(run.out.contains("forged") || run.err.contains("forged"), "{what}: {run:?}");
}

/// Returns text as a YAML string, with escapes: YAML does not allow control characters.
fn quoted(text: &str) -> String {
    let escaped = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c.to_string()
        } else {
            format!("\\u{:04x}", c as u32)
        }
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

#[test]
fn rows_in_every_format() {
    let fixture = Fixture::new();
    let name = HOSTILE;
    fixture.write("rows.ndjson", &json!({ name: "a", "b": "c", "d": HOSTILE }).to_string());
    for format in ["table", "ndjson", "json"] {
        for columns in ["*", "b d"] {
            let search = format!("* | table {columns} | eval d=replace(d, \"\\n\", \" \")");
            let run =
                fixture.run(&["search", &search, "--rows", "rows.ndjson", "--format", format]);
            check_shown(&run, &format!("{format} {columns}"));
        }
    }
    // A line end in a cell is part of CSV; in the name of a column it is not.
    let run =
        fixture.run(&["search", "* | fields - d", "--rows", "rows.ndjson", "--format", "csv"]);
    check_shown(&run, "csv");
    for format in ["table", "csv", "json"] {
        check_shown(&fixture.run(&["fields", "rows.ndjson", "--format", format]), "fields");
    }
}

#[test]
fn findings_and_detections() {
    let fixture = Fixture::new();
    fixture.write(
        "hostile.json",
        &json!({
            "eventVersion": "1.10", "eventTime": "2026-03-10T09:00:00Z",
            "eventSource": "kms.amazonaws.com", "eventName": "CreateKey", "eventID": HOSTILE,
            "sourceIPAddress": HOSTILE, "userIdentity": {"type": "IAMUser", "arn": HOSTILE},
        })
        .to_string(),
    );
    let name = quoted(HOSTILE);
    fixture.detection(
        5,
        &name,
        "TTP",
        "eventName=CreateKey | stats count by user_arn src_ip | lookup nosuch a OUTPUT b",
        &format!("rba:\n  message: {name}\n  risk_objects:\n  - {{field: user_arn, type: user, score: 9}}\n"),
    );
    fixture.detection(6, &quoted(&format!("{HOSTILE} 2")), "TTP", "a=b | frobnicate", "");
    for format in ["table", "ndjson", "json"] {
        let arguments = ["hunt", "hostile.json", "--all", "--summary", "--format", format];
        check_shown(&fixture.run(&arguments), format);
    }
    check_shown(&fixture.run(&["detections", "list", "--format", "table"]), "list");
    check_shown(&fixture.run(&["detections", "show", HOSTILE]), "show");
    check_shown(&fixture.run(&["detections", "show", HOSTILE, "--format", "json"]), "show");
    check_shown(&fixture.run(&["hunt", "hostile.json", "--explain-scan"]), "scan");
    check_shown(&fixture.run(&["hunt", "hostile.json", "--costs"]), "costs");
}

#[test]
fn arguments() {
    let fixture = Fixture::new();
    for arguments in [
        &["search", HOSTILE, "logs"][..],
        &["search", "*", HOSTILE],
        &["search", "*", "--rows", HOSTILE],
        &["search", "*", "logs", "--detection", HOSTILE],
        &["search", "*", "logs", "--tz", HOSTILE],
        &["search", "*", "logs", "--earliest", HOSTILE],
        &["search", "*", "logs", "--macro", HOSTILE],
        &["search", "*", "logs", "--geoip", HOSTILE],
        &["search", "*", "logs", "--format", HOSTILE],
        &["search", "*", "logs", "--s3-endpoint", HOSTILE],
        &["hunt", "logs", "--detection", HOSTILE],
        &["detections", HOSTILE],
        &["fields", HOSTILE],
    ] {
        let run = fixture.run(arguments);
        assert_ne!(run.status, 0, "{arguments:?}");
        check(&run, &format!("{arguments:?}"));
    }
    check(&fixture.run_builtin(&["help", HOSTILE]), "help");
    check(&fixture.run_builtin(&[HOSTILE]), "command");
    check(&fixture.run_builtin(&["hunt", &format!("--{HOSTILE}")]), "option");
}

#[cfg(unix)]
#[test]
fn names_of_files() {
    let fixture = Fixture::new();
    fixture.write(&format!("bad/{HOSTILE}.json"), "{\"Records\":[{\"eventName\":");
    fixture.write(&format!("bad/{HOSTILE}.txt"), "no log");
    for arguments in [&["hunt", "bad"][..], &["search", "*", "bad"], &["fields", "bad"]] {
        check_shown(&fixture.run(arguments), &format!("{arguments:?}"));
    }
    fixture.write(&format!("content/detections/{HOSTILE}.yml"), "name: [");
    fixture.write(&format!("content/lookups/{HOSTILE}.yml"), "name: [");
    check_shown(&fixture.run(&["detections", "list"]), "content");
    let run = fixture.run(&["hunt", "logs", "--content", HOSTILE]);
    check_shown(&run, "folder");
}
