//! The detection pack that is embedded in the program.

/// Embeds files of the pack at compile time.
macro_rules! pack {
    ($($path:literal,)*) => {
        &[$(($path, include_str!(concat!("../../../packs/aws-exfiltration/", $path))),)*]
    };
}

/// The files of `packs/aws-exfiltration/`, as paths within the pack and texts.
pub static BUILTIN: &[(&str, &str)] = pack![
    "detections/cloud/aws_ami_attribute_modification_for_exfiltration.yml",
    "detections/cloud/aws_backup_copied_to_another_account.yml",
    "detections/cloud/aws_bulk_decryption_of_parameter_store_parameters.yml",
    "detections/cloud/aws_bulk_retrieval_of_secrets_manager_secrets.yml",
    "detections/cloud/aws_cloudwatch_logs_forwarded_to_another_account.yml",
    "detections/cloud/aws_data_store_policy_opened.yml",
    "detections/cloud/aws_datasync_location_outside_the_account.yml",
    "detections/cloud/aws_dynamodb_table_exported_to_s3.yml",
    "detections/cloud/aws_ebs_snapshot_read_block_by_block.yml",
    "detections/cloud/aws_ebs_snapshot_shared_outside_the_account.yml",
    "detections/cloud/aws_ecr_replication_to_another_account.yml",
    "detections/cloud/aws_ecr_repository_policy_opened.yml",
    "detections/cloud/aws_exfiltration_via_anomalous_getobject_api_activity.yml",
    "detections/cloud/aws_exfiltration_via_datasync_task.yml",
    "detections/cloud/aws_kms_grant_to_another_account.yml",
    "detections/cloud/aws_kms_key_policy_opened.yml",
    "detections/cloud/aws_lambda_function_policy_opened.yml",
    "detections/cloud/aws_machine_image_or_instance_exported_to_s3.yml",
    "detections/cloud/aws_rds_instance_made_public.yml",
    "detections/cloud/aws_rds_snapshot_exported_to_s3.yml",
    "detections/cloud/aws_rds_snapshot_shared_outside_the_account.yml",
    "detections/cloud/aws_redshift_snapshot_shared_outside_the_account.yml",
    "detections/cloud/aws_resource_share_outside_the_account.yml",
    "detections/cloud/aws_s3_batch_operations_job_created.yml",
    "detections/cloud/aws_s3_bucket_acl_opened.yml",
    "detections/cloud/aws_s3_bucket_policy_opened.yml",
    "detections/cloud/aws_s3_public_access_block_removed.yml",
    "detections/cloud/aws_s3_replication_to_another_account.yml",
    "detections/cloud/aws_vpc_traffic_mirroring_session_created.yml",
    "macros/bulk_retrieval_threshold.yml",
    "macros/cloudtrail.yml",
    "macros/identify_caller.yml",
    "macros/is_own_account.yml",
    "macros/is_own_organization.yml",
    "macros/own_accounts.yml",
    "macros/own_organizations.yml",
    "macros/own_values.yml",
    "macros/resource_policy_grantees.yml",
    "macros/security_content_ctime.yml",
    "stories/aws_data_exfiltration.yml",
    "tests/aws_ami_attribute_modification_for_exfiltration.negative.json",
    "tests/aws_ami_attribute_modification_for_exfiltration.positive.json",
    "tests/aws_backup_copied_to_another_account.negative.json",
    "tests/aws_backup_copied_to_another_account.positive.json",
    "tests/aws_bulk_decryption_of_parameter_store_parameters.negative.json",
    "tests/aws_bulk_decryption_of_parameter_store_parameters.positive.json",
    "tests/aws_bulk_retrieval_of_secrets_manager_secrets.negative.json",
    "tests/aws_bulk_retrieval_of_secrets_manager_secrets.positive.json",
    "tests/aws_cloudwatch_logs_forwarded_to_another_account.negative.json",
    "tests/aws_cloudwatch_logs_forwarded_to_another_account.positive.json",
    "tests/aws_data_store_policy_opened.negative.json",
    "tests/aws_data_store_policy_opened.positive.json",
    "tests/aws_datasync_location_outside_the_account.negative.json",
    "tests/aws_datasync_location_outside_the_account.positive.json",
    "tests/aws_dynamodb_table_exported_to_s3.negative.json",
    "tests/aws_dynamodb_table_exported_to_s3.positive.json",
    "tests/aws_ebs_snapshot_read_block_by_block.negative.json",
    "tests/aws_ebs_snapshot_read_block_by_block.positive.json",
    "tests/aws_ebs_snapshot_shared_outside_the_account.negative.json",
    "tests/aws_ebs_snapshot_shared_outside_the_account.positive.json",
    "tests/aws_ecr_replication_to_another_account.negative.json",
    "tests/aws_ecr_replication_to_another_account.positive.json",
    "tests/aws_ecr_repository_policy_opened.negative.json",
    "tests/aws_ecr_repository_policy_opened.positive.json",
    "tests/aws_exfiltration_via_anomalous_getobject_api_activity.negative.json",
    "tests/aws_exfiltration_via_anomalous_getobject_api_activity.positive.json",
    "tests/aws_exfiltration_via_datasync_task.negative.json",
    "tests/aws_exfiltration_via_datasync_task.positive.json",
    "tests/aws_kms_grant_to_another_account.negative.json",
    "tests/aws_kms_grant_to_another_account.positive.json",
    "tests/aws_kms_key_policy_opened.negative.json",
    "tests/aws_kms_key_policy_opened.positive.json",
    "tests/aws_lambda_function_policy_opened.negative.json",
    "tests/aws_lambda_function_policy_opened.positive.json",
    "tests/aws_machine_image_or_instance_exported_to_s3.negative.json",
    "tests/aws_machine_image_or_instance_exported_to_s3.positive.json",
    "tests/aws_rds_instance_made_public.negative.json",
    "tests/aws_rds_instance_made_public.positive.json",
    "tests/aws_rds_snapshot_exported_to_s3.negative.json",
    "tests/aws_rds_snapshot_exported_to_s3.positive.json",
    "tests/aws_rds_snapshot_shared_outside_the_account.negative.json",
    "tests/aws_rds_snapshot_shared_outside_the_account.positive.json",
    "tests/aws_redshift_snapshot_shared_outside_the_account.negative.json",
    "tests/aws_redshift_snapshot_shared_outside_the_account.positive.json",
    "tests/aws_resource_share_outside_the_account.negative.json",
    "tests/aws_resource_share_outside_the_account.positive.json",
    "tests/aws_s3_batch_operations_job_created.negative.json",
    "tests/aws_s3_batch_operations_job_created.positive.json",
    "tests/aws_s3_bucket_acl_opened.negative.json",
    "tests/aws_s3_bucket_acl_opened.positive.json",
    "tests/aws_s3_bucket_policy_opened.negative.json",
    "tests/aws_s3_bucket_policy_opened.positive.json",
    "tests/aws_s3_public_access_block_removed.negative.json",
    "tests/aws_s3_public_access_block_removed.positive.json",
    "tests/aws_s3_replication_to_another_account.negative.json",
    "tests/aws_s3_replication_to_another_account.positive.json",
    "tests/aws_vpc_traffic_mirroring_session_created.negative.json",
    "tests/aws_vpc_traffic_mirroring_session_created.positive.json",
];

/// The files of `packs/risk/`: rules that add up the risk which a server's findings raise, as those of Splunk
/// Enterprise Security do.
pub(crate) static RISK_RULES: &[(&str, &str)] = &[
    (
        "detections/risk_threshold_exceeded_for_object_over_24_hour_period.yml",
        include_str!(
            "../../../packs/risk/detections/risk_threshold_exceeded_for_object_over_24_hour_period.yml"
        ),
    ),
    (
        "detections/attack_tactic_threshold_exceeded_for_object_over_previous_7_days.yml",
        include_str!(
            "../../../packs/risk/detections/attack_tactic_threshold_exceeded_for_object_over_previous_7_days.yml"
        ),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use spilltrail_diagnostic::Diagnostic;

    use super::*;
    use crate::set::TestLogs;
    use crate::{ContentSet, DetectionType, Expectation, Status};

    /// The commands that the searches of the pack may use.
    const COMMANDS: &[&str] = &[
        "search",
        "stats",
        "eval",
        "where",
        "rename",
        "bin",
        "spath",
        "mvexpand",
        "rex",
        "convert",
        "anomalydetection",
    ];

    #[test]
    fn every_file_of_the_pack_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/aws-exfiltration");
        let found: BTreeSet<String> = walkdir::WalkDir::new(&root)
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let inside = entry.path().strip_prefix(&root).unwrap();
                inside.to_string_lossy().replace('\\', "/")
            })
            .collect();
        let named: BTreeSet<String> = BUILTIN.iter().map(|file| file.0.to_owned()).collect();
        assert_eq!(named, found);
    }

    #[test]
    fn the_pack_is_complete() {
        let (set, problems) = ContentSet::from_embedded(BUILTIN);
        assert_eq!(problems, []);
        assert!(set.detections.len() >= 15);
        for detection in &set.detections {
            let name = &detection.name;
            let stem = name.to_lowercase().replace([' ', '-', '.', '/'], "_");
            assert_eq!(detection.file_stem, stem);
            assert!(
                detection.search.contains(&format!("`{}`", detection.filter_macro())),
                "{name}"
            );
            assert_eq!(detection.status, Status::Production, "{name}");
            assert_eq!(detection.analytic_story, ["AWS Data Exfiltration"], "{name}");
            assert!(!detection.kill_chain_phases.is_empty(), "{name}");
            assert!(detection.drilldowns.len() >= 2, "{name}");
            let risk = detection.risk.as_ref().unwrap();
            for field in risk.message.fields() {
                assert!(detection.search.contains(field), "{name}: {field}");
            }
            let expected: Vec<Expectation> =
                detection.tests.iter().map(|test| test.expect).collect();
            assert_eq!(expected, [Expectation::Results, Expectation::None], "{name}");
            for data in detection.tests.iter().flat_map(|test| &test.attack_data) {
                let logs = set.test_logs(detection, data);
                assert!(matches!(logs, TestLogs::Embedded(_)), "{name}: {logs:?}");
            }
        }
        assert!(set.stories.contains_key("AWS Data Exfiltration"));
    }

    #[test]
    fn the_three_that_the_program_began_with() {
        let (set, _) = ContentSet::from_embedded(BUILTIN);
        let cases = [
            ("AWS AMI Attribute Modification for Exfiltration", DetectionType::Ttp, 80),
            ("AWS Exfiltration via DataSync Task", DetectionType::Ttp, 64),
            ("AWS Exfiltration via Anomalous GetObject API Activity", DetectionType::Anomaly, 64),
        ];
        for (name, detection_type, score) in cases {
            let detection = set.detection(name).unwrap();
            assert_eq!(detection.detection_type, detection_type);
            assert_eq!(detection.risk.as_ref().unwrap().score(), Some(score));
        }
    }

    #[test]
    fn every_search_parses() {
        let (set, _) = ContentSet::from_embedded(BUILTIN);
        for detection in &set.detections {
            let drilldowns = detection.drilldowns.iter().map(|drilldown| {
                drilldown
                    .fill(&detection.search, crate::DrilldownTimes::default(), |_| {
                        Some(vec!["a\" | delete `x` [".to_owned()])
                    })
                    .search
            });
            for search in std::iter::once(detection.search.clone()).chain(drilldowns) {
                let (expansion, problems) = spilltrail_spl::expand_macros(&search, &set.macros);
                assert_eq!(problems, [], "{}: {search}", detection.name);
                let (pipeline, problems) = spilltrail_spl::parse(&expansion.text);
                assert_eq!(problems, [], "{}: {search}", detection.name);
                for command in &pipeline.commands {
                    let name = command.name.value.as_str();
                    assert!(COMMANDS.contains(&name), "{}: {name}", detection.name);
                    let arguments = read_arguments(command);
                    assert_eq!(arguments, Ok(()), "{}: {name}", detection.name);
                }
            }
        }
    }

    /// Parses the arguments of commands whose grammar the parser knows.
    fn read_arguments(command: &spilltrail_spl::Command) -> Result<(), Diagnostic> {
        let mut arguments = spilltrail_spl::Arguments::new(command);
        match command.name.value.as_str() {
            "search" => arguments.search().map(drop)?,
            "eval" => arguments.assignments().map(drop)?,
            "where" => arguments.eval().map(drop)?,
            "stats" => arguments.stats().map(drop)?,
            _ => return Ok(()),
        }
        arguments.finish()
    }
}
