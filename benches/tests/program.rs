//! The program as it is called: logs are written and read, and a session judges what it ran.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use spilltrail_bench::answers::Expected;
use spilltrail_bench::report;
use spilltrail_bench::session::{Progress, Session};
use spilltrail_bench::subjects::{Output as Printed, Subject};
use spilltrail_bench::table::Format;

const PROGRAM: &str = env!("CARGO_BIN_EXE_spilltrail-bench");

fn call(arguments: &[&str]) -> Result<Output> {
    Command::new(PROGRAM).args(arguments).output().context("the program cannot be started")
}

fn logs(folder: &Path) -> Result<Value> {
    let out = folder.to_str().context("a path that is text")?;
    let options = ["generate", "--out", out, "--events", "1000", "--files-of", "300"];
    let output = call(&options)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[derive(Debug)]
struct Silent;

impl Progress for Silent {
    fn step(&self, _: &str) {}
}

#[test]
fn logs_are_written_and_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let totals = logs(folder.path())?;
    let output = call(&["floor", folder.path().to_str().context("a path that is text")?])?;
    let counts: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(totals["records"], 1000);
    assert_eq!(counts["records"], 1000);
    assert_eq!(counts["bytes_inflated"], totals["bytes_json"]);
    Ok(())
}

#[test]
fn mistakes_end_with_a_message() -> Result<()> {
    for (arguments, message) in [
        (&["--evens"] as &[&str], "error: `--evens` is not known here"),
        (&["floor", "not-there"], "error: listing the logs"),
        (&["measure", "out"], "error: no command to measure"),
        (&["generate", "--out", "x", "--events", "1"], "error: `--events` must be at least"),
    ] {
        let output = call(arguments)?;
        assert!(!output.status.success());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.starts_with(message), "{errors}");
    }
    assert!(String::from_utf8(call(&["--help"])?.stdout)?.starts_with("usage: cargo xtask bench"));
    Ok(())
}

/// A right answer, a wrong one and none: each has its line.
#[test]
fn a_session_judges_answers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    logs(folder.path())?;
    let truth: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("ground_truth.json"))?)?;
    let right = json!({
        "datasync": truth["datasync"]["rows"], "ami": truth["ami"]["rows"],
        "flagged": truth["getobject"]["planted_bursts"],
    });
    let mut wrong = right.clone();
    wrong["ami"][0]["count"] = json!(99);
    let says = |name: &str, text: &Value| -> Result<Subject> {
        let path = folder.path().join(name);
        std::fs::write(&path, text.to_string())?;
        let command = vec!["cat".to_owned(), path.to_string_lossy().into_owned()];
        Ok(Subject { command, ..Subject::new(name, Printed::Peer) })
    };
    let broken = Subject {
        command: ["sh", "-c", "echo out of luck >&2; exit 1"].map(str::to_owned).into(),
        ..Subject::new("broken", Printed::Peer)
    };
    let floor = Subject {
        command: [PROGRAM, "floor", &folder.path().to_string_lossy()].map(str::to_owned).into(),
        ..Subject::new("floor", Printed::Floor)
    };
    let mut groups = says("groups", &right)?;
    groups.groups = Some(vec!["echo".into(), "no|such|group".into()]);
    let subjects = vec![floor, says("right", &right)?, says("wrong", &wrong)?, groups, broken];
    let scratch = folder.path().join("outputs");
    let session =
        Session { runs: 2, meter: Path::new(PROGRAM), scratch: &scratch, progress: &Silent };
    let measured = session.measure(subjects, &Expected::read(folder.path())?)?;
    let verdicts: Vec<String> = measured.iter().map(|one| one.verdict.to_string()).collect();
    assert_eq!(verdicts[..3], ["right", "right", "AMI: 3 of 4 rows, 1 others"]);
    assert!(verdicts[3].starts_with("1 of ") && verdicts[3].contains("groups of reads"));
    assert_eq!(measured[0].runs.len(), 2);
    assert!(measured[0].peak() > Some(1 << 20));
    let text = report::render(&measured, 1000, &[], Format::Text);
    assert!(text.contains("wrong: WRONG: AMI: 3 of 4 rows, 1 others\n"), "{text}");
    assert!(text.contains("broken: failed: status 1: out of luck\n"));
    Ok(())
}
