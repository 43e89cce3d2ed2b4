//! Findings and runs that are serialized and deserialized.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value as Json;
use spilltrail_content::{Annotations, DetectionType, FilledDrilldown, NotableSeverity};
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_event::Value;
use spilltrail_search::analysis::{Need, NeedKind};
use spilltrail_search::rows::Row;

use super::{EVENTS, Written, checker::problems};
use crate::{
    DetectionRef, DetectionRun, Evidence, Finding, Missing, Notable, RiskObjectValue,
    SCHEMA_VERSION, Status, ThreatObjectValue,
};

fn finding_schema() -> Json {
    serde_json::from_str(include_str!("../../../../docs/schema/finding.schema.json")).unwrap()
}

fn run_schema() -> Json {
    serde_json::from_str(include_str!("../../../../docs/schema/detection-run.schema.json")).unwrap()
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("\\PC{0,6}", 0..3)
}

/// A number of at most 15 digits, like the times of events. Longer numbers may be read back with an
/// error in the last bit.
fn number() -> impl Strategy<Value = f64> {
    (any::<i32>(), 0..7i32).prop_map(|(digits, places)| f64::from(digits) / 10f64.powi(places))
}

fn row() -> impl Strategy<Value = Row> {
    let value = prop_oneof![
        "\\PC{0,8}".prop_map(Value::text),
        number().prop_map(Value::Number),
        prop::collection::vec("\\PC{0,4}".prop_map(Into::into), 2..4).prop_map(Value::multi),
    ];
    prop::collection::vec(("[a-z_.{}]{1,8}", value), 0..5)
        .prop_map(|fields| fields.into_iter().collect())
}

fn detection() -> impl Strategy<Value = DetectionRef> {
    ("[a-z0-9-]{0,36}", "\\PC{0,9}", "TTP|Anomaly|Hunting|Correlation|Odd", 0..9u64).prop_map(
        |(id, name, detection_type, version)| DetectionRef {
            id,
            name,
            detection_type: DetectionType::parse(&detection_type),
            version,
        },
    )
}

fn notable() -> impl Strategy<Value = Notable> {
    (texts(), "\\PC{0,9}", 0..100u32).prop_map(|(nes_fields, text, score)| Notable {
        rule_title: text.clone(),
        rule_description: text.clone(),
        security_domain: "threat".to_owned(),
        severity: NotableSeverity::of_score(Some(score)),
        drilldowns: vec![FilledDrilldown {
            name: text.clone(),
            search: text,
            earliest_offset: "7d".to_owned(),
            latest_offset: "0".to_owned(),
            earliest: (score > 9).then_some(1_773_000_000),
            latest: Some(1_773_700_000),
        }],
        nes_fields,
        entities: vec![RiskObjectValue {
            field: "user".to_owned(),
            object_type: "user".to_owned(),
            value: "ann".to_owned(),
            score,
            message: None,
        }],
    })
}

prop_compose! {
    fn finding()(
        id in "[0-9a-f]{32}(-[1-9])?",
        (detection, result) in (detection(), row()),
        (first_seen, last_seen, time) in
            (prop::option::of(number()), prop::option::of(number()), prop::option::of(number())),
        (risk_score, risk_message) in (prop::option::of(0..100u32), prop::option::of("\\PC{0,9}")),
        (value, lists) in ("\\PC{0,9}", prop::collection::vec(texts(), 7)),
        notable in prop::option::of(notable()),
        (search, event_ids, events) in ("\\PC{0,9}", texts(), prop::option::of(0..1_000_000u64)),
    ) -> Finding {
        let mut lists = lists.into_iter();
        let mut list = || lists.next().unwrap_or_default();
        Finding {
            schema_version: SCHEMA_VERSION,
            id,
            run_id: "run-1".to_owned(),
            first_seen,
            last_seen,
            detection,
            result,
            time,
            risk_score,
            risk_message,
            risk_objects: vec![RiskObjectValue {
                field: "user".to_owned(),
                object_type: "user".to_owned(),
                value: value.clone(),
                score: 7,
                message: Some(value.clone()),
            }],
            threat_objects: vec![ThreatObjectValue {
                field: "src_ip".to_owned(),
                object_type: "ip_address".to_owned(),
                value,
            }],
            annotations: Annotations {
                mitre_attack: list(),
                kill_chain_phases: list(),
                nist: list(),
                cis20: list(),
                analytic_story: list(),
                cve: list(),
                data_source: list(),
            },
            notable: notable.is_some(),
            notable_text: notable,
            evidence: Evidence { search, event_ids, events },
        }
    }
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::Fired),
        Just(Status::Clean),
        Just(Status::NoSuchEvents),
        Just(Status::EmptySubsearch),
        (texts(), any::<u32>()).prop_map(|(fields, rows)| {
            Status::CannotFire(Missing { fields, rows: rows.into() })
        }),
        "\\PC{0,9}".prop_map(|name| Status::NeedsSource(Need { kind: NeedKind::EventType, name })),
        texts().prop_map(Status::NoBaseline),
        Just(Status::Unsupported),
        Just(Status::Failed),
    ]
}

prop_compose! {
    fn detection_run()(
        detection in detection(),
        status in status(),
        (findings, rows) in (0..10_000u64, any::<u32>()),
        (risk_score, matched_events) in
            (prop::option::of(0..100u32), prop::option::of(0..1_000_000u64)),
        (elapsed, cpu) in (0..10_000_000u64, 0..10_000_000u64),
        message in "\\PC{0,9}",
    ) -> DetectionRun {
        DetectionRun {
            schema_version: SCHEMA_VERSION,
            run_id: "run-1".to_owned(),
            detection,
            status,
            findings,
            risk_score,
            rows: rows.into(),
            matched_events,
            elapsed: Duration::from_micros(elapsed),
            cpu: Duration::from_micros(cpu),
            messages: vec![
                Diagnostic::warning(Code::LIMIT, message.clone()).at(Span::new(3, 5)).note("a note"),
                Diagnostic::error(Code::BAD_OPTION, message.clone()).help(message),
            ],
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_finding_is_read_as_it_was_written(finding in finding()) {
        let text = serde_json::to_string(&finding).unwrap();
        let read: Finding = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &finding, "{}", text);
        let json = serde_json::to_value(&finding).unwrap();
        prop_assert_eq!(problems(&finding_schema(), &json), Vec::<String>::new());
    }

    #[test]
    fn a_run_is_read_as_it_was_written(run in detection_run()) {
        let text = serde_json::to_string(&run).unwrap();
        let read: DetectionRun = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &run, "{}", text);
        let json = serde_json::to_value(&run).unwrap();
        prop_assert_eq!(problems(&run_schema(), &json), Vec::<String>::new());
    }
}

#[test]
fn what_runs_give_is_as_the_schemas_say() {
    for detection_type in ["TTP", "Anomaly", "Hunting"] {
        for search in [
            "eventName=Get | stats count max(_time) as lastTime values(src_ip) as src_ip by user",
            "eventName=Get",
            "eventName=Get | stats count by nothing",
            "eventName=Get | lookup empty user OUTPUT known",
            "| makeresults | eval user=\"ann\", big=1e300, odd=0/0",
            "eventName=Get | stats",
        ] {
            let run = Written { detection_type, search, ..Written::default() }.run(EVENTS);
            let json = serde_json::to_value(&run.outcome).unwrap();
            assert_eq!(problems(&run_schema(), &json), [""; 0], "{search}: {json}");
            for finding in &run.findings {
                let json = serde_json::to_value(finding).unwrap();
                assert_eq!(problems(&finding_schema(), &json), [""; 0], "{search}: {json}");
                let read: Finding = serde_json::from_value(json.clone()).unwrap();
                assert_eq!(serde_json::to_value(&read).unwrap(), json, "{search}");
            }
        }
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let good = serde_json::to_value(&Written::default().run(EVENTS).findings[0]).unwrap();
    for (pointer, wrong) in [
        ("/schema_version", serde_json::json!(2)),
        ("/id", serde_json::json!("x")),
        ("/time", serde_json::json!("now")),
        ("/severity", serde_json::json!("grave")),
        ("/evidence/events", serde_json::json!(-1)),
        ("/risk_objects/0/score", serde_json::json!(0.5)),
        ("/result/count", serde_json::json!({})),
        ("/detection", serde_json::json!({"id": "", "name": "", "type": "", "extra": 1})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = wrong;
        assert!(!problems(&finding_schema(), &bad).is_empty(), "{pointer}");
    }
    let mut bad = good;
    bad.as_object_mut().unwrap().remove("nes_fields");
    assert!(!problems(&finding_schema(), &bad).is_empty());
}
