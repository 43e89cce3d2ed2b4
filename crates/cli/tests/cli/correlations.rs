//! Tests of detections that read the risk that the others raise.

use serde_json::{Value, json};

use crate::fixture::{Fixture, Run, call};

/// Sums up the risk of two detections, by their techniques.
const CORRELATION: &str = "| tstats sum(All_Risk.calculated_risk_score) as score dc(source) as sources values(All_Risk.annotations.mitre_attack.mitre_tactic) as tactic values(All_Risk.annotations.mitre_attack.mitre_tactic_id) as tactic_id values(All_Risk.risk_message) as message from datamodel=Risk.All_Risk where All_Risk.annotations.mitre_attack.mitre_technique_id=T1098 source=AWS* by All_Risk.risk_object All_Risk.risk_object_type | `drop_dm_object_name(All_Risk)` | where sources > 1";

/// Returns a folder with two events of one user, a detection of each, and a correlation.
fn with_correlation(search: &str) -> Fixture {
    let fixture = Fixture::empty();
    let instances = |minute, name| call(minute, "ec2.amazonaws.com", name, json!({}));
    let records = [instances(0, "RunInstances"), instances(1, "TerminateInstances")];
    fixture.write("logs/a.json", &json!({ "Records": records }).to_string());
    let risk = |score: u32| {
        format!(
            "rba:\n  message: $user$ did it\n  risk_objects:\n  - {{field: user, type: user, \
             score: {score}}}\n  threat_objects: []\n"
        )
    };
    let by = "| stats count min(_time) as firstTime max(_time) as lastTime by user";
    // The correlation is first in the order of names, and runs last.
    fixture.detection(1, "AWS All Together", "Correlation", search, "");
    for (number, name, event, score) in [
        (2, "AWS Instance Ended", "TerminateInstances", 30),
        (3, "AWS Started", "RunInstances", 20),
    ] {
        fixture.detection(number, name, "TTP", &format!("eventName={event} {by}"), &risk(score));
    }
    fixture
}

/// Returns the results of the correlation, and its status.
fn correlated(run: &Run) -> (Vec<Value>, String) {
    let lines = run.lines();
    let found = lines.iter().filter(|line| line["detection"]["name"] == "AWS All Together");
    let results = found.map(|line| line["result"].clone()).collect();
    let reports = lines.last().and_then(|line| line["summary"]["detections"].as_array());
    let reports = reports.into_iter().flatten();
    let report = reports.into_iter().find(|report| report["name"] == "AWS All Together");
    let status = report.and_then(|report| report["status"].as_str());
    (results, status.unwrap_or_default().to_owned())
}

#[test]
fn correlations_read_the_risk_of_the_others() {
    let fixture = with_correlation(CORRELATION);
    let run = fixture.run(&["hunt", "logs", "--summary"]);
    let (results, status) = correlated(&run);
    assert_eq!((results.len(), status.as_str()), (1, "fired"), "{}{}", run.out, run.err);
    let result = &results[0];
    assert_eq!(result["risk_object"], "ann", "{result}");
    assert_eq!(result["score"], 50, "{result}");
    assert_eq!(result["tactic"], json!(["persistence", "privilege-escalation"]), "{result}");
    assert_eq!(result["tactic_id"], json!(["TA0003", "TA0004"]), "{result}");
    assert_eq!(result["message"], "ann did it", "{result}");
}

#[test]
fn correlations_without_risk() {
    let fixture = with_correlation(CORRELATION);
    // One of the two is not enough.
    let run = fixture.run(&["hunt", "logs", "--summary", "--exclude", "AWS Started"]);
    assert_eq!(correlated(&run), (Vec::new(), "clean".to_owned()), "{}", run.err);
    // Nothing that runs raises risk.
    let alone = ["hunt", "logs", "--summary", "--detection", "AWS All Together"];
    let run = fixture.run(&alone);
    assert_eq!(correlated(&run), (Vec::new(), "needs another source".to_owned()), "{}", run.err);
    assert!(run.err.contains("the risk that other detections raise"), "{}", run.err);
    // What could raise it finds nothing.
    let other = call(0, "s3.amazonaws.com", "ListBuckets", json!({}));
    fixture.write("logs/a.json", &json!({ "Records": [other] }).to_string());
    let run = fixture.run(&["hunt", "logs", "--summary"]);
    assert_eq!(correlated(&run), (Vec::new(), "no such events".to_owned()), "{}", run.err);
}

/// A mistake in a correlation is no all-clear, whether or not anything raised risk.
#[test]
fn mistakes_in_correlations_are_told() {
    for (search, told) in [
        (CORRELATION.replace("sources > 1", "soucres > 1"), "SPL2015"),
        (format!("{CORRELATION} | statz count"), "SPL2014"),
    ] {
        let fixture = with_correlation(&search);
        let with_risk = fixture.run(&["hunt", "logs", "--summary"]);
        let other = call(0, "s3.amazonaws.com", "ListBuckets", json!({}));
        fixture.write("logs/a.json", &json!({ "Records": [other] }).to_string());
        let without = fixture.run(&["hunt", "logs", "--summary"]);
        for run in [with_risk, without] {
            assert_eq!((correlated(&run).0, run.status), (Vec::new(), 1), "{}", run.err);
            assert!(run.err.contains(told), "{}", run.err);
        }
    }
}

/// A finding that the allow-list hides adds no risk.
#[test]
fn hidden_findings_raise_no_risk() {
    let fixture = with_correlation(CORRELATION);
    fixture.write(
        "c.toml",
        "[[allow]]\ndetection = 'AWS Started'\nfield = 'user'\nvalue = 'ann'\nowner = 'ops'\n\
         reason = 'a planned start'\n",
    );
    let run = fixture.run(&["hunt", "logs", "--summary", "--config", "c.toml"]);
    assert_eq!(correlated(&run), (Vec::new(), "clean".to_owned()), "{}{}", run.out, run.err);
}

/// A search that reads other events, too, would find none of them beside the risk events.
#[test]
fn what_reads_logs_and_risk_is_held_back() {
    for more in [
        "| append [search eventName=RunInstances]",
        "| append [| tstats count where index=* by source]",
        "| map search=\"search index=aws user=$risk_object$\"",
        "| map search=\"search `aws` user=$risk_object$\"",
        "| join type=left risk_object [| tstats count from datamodel=Change by All_Changes.user]",
    ] {
        let fixture = with_correlation(&format!("{CORRELATION} {more}"));
        let run = fixture.run(&["hunt", "logs", "--summary"]);
        let held = (Vec::new(), "needs another source".to_owned());
        assert_eq!(correlated(&run), held, "{more}: {}", run.err);
    }
    let fixture = with_correlation("index=risk risk_object=ann | stats count by risk_object");
    let run = fixture.run(&["hunt", "logs", "--summary"]);
    let found = vec![json!({"risk_object": "ann", "count": 2})];
    assert_eq!(correlated(&run), (found, "fired".to_owned()), "{}", run.err);
}
