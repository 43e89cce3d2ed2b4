//! Runs the built-in pack over logs that its detections must report, and over harmless logs.

#![expect(clippy::unwrap_used, reason = "a finding without what it must have fails the test")]

use serde_json::Value;
use spilltrail_content::{BuiltinPack, ContentSet, Detection, Expectation, NO_VALUE, TestLogs};

use crate::fixture::Fixture;

/// Name, risk score and expected number of findings of each detection.
const EXPECTED: &[(&str, u64, usize)] = &[
    ("aws_ami_attribute_modification_for_exfiltration", 80, 4),
    ("aws_backup_copied_to_another_account", 64, 2),
    ("aws_bulk_decryption_of_parameter_store_parameters", 64, 4),
    ("aws_bulk_retrieval_of_secrets_manager_secrets", 72, 5),
    ("aws_cloudwatch_logs_forwarded_to_another_account", 49, 2),
    ("aws_data_store_policy_opened", 64, 3),
    ("aws_datasync_location_outside_the_account", 72, 6),
    ("aws_dynamodb_table_exported_to_s3", 56, 2),
    ("aws_ebs_snapshot_read_block_by_block", 49, 1),
    ("aws_ebs_snapshot_shared_outside_the_account", 80, 1),
    ("aws_ecr_replication_to_another_account", 56, 1),
    ("aws_ecr_repository_policy_opened", 56, 3),
    ("aws_exfiltration_via_anomalous_getobject_api_activity", 64, 3),
    ("aws_exfiltration_via_datasync_task", 64, 3),
    ("aws_kms_grant_to_another_account", 64, 3),
    ("aws_kms_key_policy_opened", 64, 3),
    ("aws_lambda_function_policy_opened", 56, 6),
    ("aws_machine_image_or_instance_exported_to_s3", 56, 1),
    ("aws_rds_instance_made_public", 56, 2),
    ("aws_rds_snapshot_exported_to_s3", 56, 1),
    ("aws_rds_snapshot_shared_outside_the_account", 80, 1),
    ("aws_redshift_snapshot_shared_outside_the_account", 72, 3),
    ("aws_resource_share_outside_the_account", 56, 3),
    ("aws_s3_batch_operations_job_created", 49, 3),
    ("aws_s3_bucket_acl_opened", 72, 7),
    ("aws_s3_bucket_policy_opened", 72, 14),
    ("aws_s3_public_access_block_removed", 64, 3),
    ("aws_s3_replication_to_another_account", 64, 3),
    ("aws_vpc_traffic_mirroring_session_created", 56, 2),
];

#[test]
fn every_detection_fires_on_its_logs_and_on_no_others() {
    let (content, problems) = ContentSet::load(&[], BuiltinPack::Included);
    assert_eq!(problems, []);
    let mut tested: Vec<&str> = Vec::new();
    for detection in &content.detections {
        let stem = detection.file_stem.as_str();
        for test in &detection.tests {
            let logs = Fixture::empty();
            for (number, data) in test.attack_data.iter().enumerate() {
                let TestLogs::Embedded(text) = content.test_logs(detection, data) else {
                    panic!("{stem}: `{}` is not part of the pack", data.data);
                };
                logs.write(&format!("logs/{number}.json"), text);
            }
            let run = logs.run_builtin(&[
                "hunt",
                "logs",
                "--detection",
                stem,
                "--summary",
                "--format",
                "ndjson",
            ]);
            assert_eq!((run.status, run.err.as_str()), (0, ""), "{stem}");
            let mut findings = run.lines();
            let summary = findings.pop().unwrap();
            let status = &summary["summary"]["detections"][0]["status"];
            if test.expect == Expectation::None {
                assert!(status == "clean" || status == "no such events", "{stem}: {status}");
                assert_eq!(findings, [] as [Value; 0], "{stem}");
            } else {
                assert_eq!(status, "fired", "{stem}");
                check(detection, &findings);
                findings.iter().for_each(|finding| drill_down(&logs, "logs", finding));
                tested.push(stem);
            }
        }
    }
    tested.sort_unstable();
    let expected: Vec<&str> = EXPECTED.iter().map(|(stem, ..)| *stem).collect();
    assert_eq!(tested, expected);
}

#[test]
fn drilldowns_run_over_the_samples() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples");
    let fixture = Fixture::empty();
    for range in [&[][..], &["--earliest", "2026-03-17", "--latest", "2026-03-18"]] {
        let findings = fixture.run_builtin(&[&["hunt", samples], range].concat()).lines();
        assert!(findings.len() > 3);
        findings.iter().for_each(|finding| drill_down(&fixture, samples, finding));
    }
}

/// Runs the drilldowns of a finding as they are; each must have rows.
fn drill_down(fixture: &Fixture, logs: &str, finding: &Value) {
    let Some(drilldowns) = finding["drilldowns"].as_array() else { return };
    for drilldown in drilldowns {
        let search = drilldown["search"].as_str().unwrap();
        let mut arguments = vec!["search".to_owned(), search.to_owned(), logs.to_owned()];
        for bound in ["earliest", "latest"] {
            if let Some(time) = drilldown[bound].as_i64() {
                arguments.push(format!("--{bound}={time}"));
            }
            let offset = drilldown[format!("{bound}_offset")].as_str().unwrap();
            assert!(!offset.contains('$'), "{drilldown}");
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = fixture.run_builtin(&arguments);
        assert!(run.status == 0 && !run.out.is_empty(), "{drilldown}: {}", run.err);
    }
}

/// Everything that a finding says must be filled in from its row.
fn check(detection: &Detection, findings: &[Value]) {
    let stem = detection.file_stem.as_str();
    let (_, score, count) = EXPECTED.iter().find(|(known, ..)| *known == stem).unwrap();
    assert_eq!(findings.len(), *count, "{stem}");
    let risk = detection.risk.as_ref().unwrap();
    for finding in findings {
        assert_eq!(finding["risk_score"], *score, "{stem}");
        let message = finding["risk_message"].as_str().unwrap();
        assert!(!message.contains('$') && !message.contains(NO_VALUE), "{stem}: {message}");
        for field in risk.message.fields() {
            for value in values(&finding["result"][field]) {
                assert!(message.contains(&value), "{stem}: {field}={value}: {message}");
            }
        }
        let named = |list: &Value| -> Vec<String> {
            let objects = list.as_array().unwrap().iter();
            objects.map(|object| object["field"].as_str().unwrap().to_owned()).collect()
        };
        let risk_objects = named(&finding["risk_objects"]);
        let threat_objects = named(&finding["threat_objects"]);
        for object in &risk.risk_objects {
            assert!(risk_objects.contains(&object.field), "{stem}: {}", object.field);
        }
        for object in &risk.threat_objects {
            assert!(threat_objects.contains(&object.field), "{stem}: {}", object.field);
        }
        assert_ne!(finding["evidence"]["event_ids"], serde_json::json!([]), "{stem}");
    }
}

fn values(value: &Value) -> Vec<String> {
    match value {
        Value::Array(members) => members.iter().flat_map(values).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        other => panic!("a field of the message is {other}"),
    }
}
