//! Tests the add-on's fields, record by record.

use super::*;
use crate::paths::{Arrays, Paths, Slots};

/// Evaluates a field on a record, with only these inputs picked.
fn value(record: &str, field: &Derived, inputs: &[Input]) -> Option<String> {
    let mut paths = Paths::new();
    let mut slot_of = [usize::MAX; Input::COUNT];
    for input in inputs {
        slot_of[*input as usize] = paths.add(input.path());
    }
    let mut slots = Slots::default();
    paths.pick(record, Arrays::Braced, None, &mut slots);
    let inputs = Inputs { record, slots: &slots, slot_of: &slot_of };
    match field.values(&inputs) {
        Values::None => None,
        Values::One(value) => Some(value.into_owned()),
        Values::Many(values) => Some(values.join("|")),
    }
}

fn check(record: &str, profile: Profile, expected: &[(&str, &str)]) {
    for (name, expected) in expected {
        let field = derived_field(name, profile).unwrap();
        let got = value(record, field, field.inputs());
        assert_eq!(got.as_deref().unwrap_or("-"), *expected, "{name} of {record}");
    }
}

const ROLE: &str = r#"{"eventName":"CreateKey","eventSource":"kms.amazonaws.com","eventType":"AwsApiCall",
  "recipientAccountId":"222233334444","userIdentity":{"type":"AssumedRole","accountId":"111122223333",
  "principalId":"AROAEXAMPLE:ada","arn":"arn:aws:sts::111122223333:assumed-role/builder/ada",
  "sessionContext":{"sessionIssuer":{"type":"Role","userName":"builder"},
  "attributes":{"mfaAuthenticated":"false"}}}}"#;

#[test]
fn callers_with_a_role() {
    check(
        ROLE,
        Profile::Superset,
        &[
            ("user", "builder"),
            ("user_name", "builder"),
            ("userName", "builder"),
            ("user_id", "AROAEXAMPLE"),
            ("user_type", "AssumedRole"),
            ("user_arn", "arn:aws:sts::111122223333:assumed-role/builder/ada"),
            ("aws_account_id", "111122223333"),
            ("src_user", "-"),
            ("action", "-"),
            ("errorCode", "success"),
            ("dest", "kms.amazonaws.com"),
        ],
    );
    check(
        ROLE,
        Profile::Ta70,
        &[("user", "-"), ("user_name", "builder"), ("user_id", "-"), ("user_type", "AssumedRole")],
    );
}

#[test]
fn callers_without_identity() {
    let record = r#"{"eventName":"ConsoleLogin","userIdentity":{"type":"IAMUser","userName":"HIDDEN",
      "accountId":"111122223333"},"responseElements":{"ConsoleLogin":"Failure"},
      "errorMessage":"Failed authentication"}"#;
    check(
        record,
        Profile::Superset,
        &[
            ("user", "-"),
            ("user_name", "HIDDEN"),
            ("userName", "-"),
            ("errorCode", "failure"),
            ("msg", "success"),
            ("result_id", "-"),
            ("action", "failure"),
            ("status", "failure"),
            ("reason", "Failed authentication"),
        ],
    );
}

#[test]
fn services_and_roots() {
    let service = r#"{"eventName":"AssumeRole","recipientAccountId":"1","userIdentity":{
      "type":"AWSService","invokedBy":"ec2.amazonaws.com"},
      "requestParameters":{"roleArn":"arn:aws:iam::1:role/service-role/worker"}}"#;
    check(
        service,
        Profile::Superset,
        &[
            ("aws_account_id", "1"),
            ("vendor_account", "1"),
            ("user_arn", "arn:aws:iam::1:role/service-role/worker"),
            ("user", "-"),
            ("user_role", "-"),
        ],
    );
    check(service, Profile::Ta70, &[("userName", "worker"), ("user_name", "worker")]);
    let root = r#"{"eventName":"DeleteVirtualMFADevice","userIdentity":{"type":"Root",
      "principalId":"1","arn":"arn:aws:iam::1:root"}}"#;
    check(root, Profile::Superset, &[("user", "root"), ("user_name", "root"), ("user_id", "1")]);
}

#[test]
fn subjects_of_user_calls() {
    let record = r#"{"eventName":"CreateUser","userIdentity":{"type":"IAMUser","userName":"ada",
      "principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::1:user/ada"},
      "responseElements":{"user":{"userName":"new","userId":"AIDANEW"}}}"#;
    check(
        record,
        Profile::Superset,
        &[("user", "new"), ("userName", "ada"), ("src_user_name", "ada"), ("object", "new")],
    );
    check(record, Profile::Ta70, &[("user", "new"), ("user_id", "AIDANEW"), ("user_type", "-")]);
    let denied = r#"{"eventName":"ListAccessKeys","errorCode":"AccessDenied",
      "errorMessage":"ada is not authorized on resource: user ben"}"#;
    check(denied, Profile::Ta70, &[("user", "ben"), ("action", "read"), ("status", "failure")]);
}

#[test]
fn rules_of_the_network() {
    let acl = r#"{"eventName":"CreateNetworkAclEntry","requestParameters":{"networkAclId":"acl-1",
      "egress":false,"ruleAction":"allow","aclProtocol":"6","cidrBlock":"10.0.0.0/8",
      "portRange":{"from":22,"to":23}}}"#;
    check(
        acl,
        Profile::Superset,
        &[
            ("direction", "inbound"),
            ("protocol", "tcp"),
            ("protocol_code", "6"),
            ("rule_action", "allow"),
            ("src_ip_range", "10.0.0.0/8"),
            ("dest_ip_range", "-"),
            ("dest_port_range", "22-23"),
            ("src_port_range", "-"),
            ("object", "acl-1"),
        ],
    );
    let removed = r#"{"eventName":"DeleteNetworkAclEntry","eventSource":"ec2.amazonaws.com",
      "requestParameters":{"networkAclId":"acl-1","egress":false,"ruleNumber":100}}"#;
    check(removed, Profile::Superset, &[("dest", "ec2.amazonaws.com"), ("object", "-")]);
    check(removed, Profile::Ta70, &[("dest", "-")]);
    let group = r#"{"eventName":"AuthorizeSecurityGroupEgress","requestParameters":{"groupId":"sg-1",
      "ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":1,"toPort":2,"ipRanges":{"items":[
      {"cidrIp":"0.0.0.0/0"},{"cidrIp":"10.0.0.0/8"}]}}]}}}"#;
    check(
        group,
        Profile::Superset,
        &[
            ("direction", "outbound"),
            ("protocol_code", "6"),
            ("dest_ip_range", "0.0.0.0/0|10.0.0.0/8"),
            ("src_port_range", "1-2"),
            ("object_id", "sg-1"),
        ],
    );
}

#[test]
fn instances_are_multivalue() {
    let record = r#"{"eventName":"TerminateInstances","eventSource":"ec2.amazonaws.com",
      "requestParameters":{"instancesSet":{"items":[{"instanceId":"i-1"},{"instanceId":"i-2"}]}}}"#;
    check(record, Profile::Superset, &[("dest", "i-1|i-2"), ("object", "i-1|i-2")]);
    assert_eq!(kind_of("dest", Profile::Superset), Kind::Multi);
    assert_eq!(kind_of("resources{}.ARN", Profile::Superset), Kind::Multi);
    assert_eq!(kind_of("user", Profile::Superset), Kind::Text);
    assert_eq!(kind_of("_time", Profile::Superset), Kind::Number);
}

/// Every field must give the same value with only its declared inputs as with all inputs.
#[test]
fn named_inputs_are_all_that_is_read() {
    let names = derived_fields(Profile::Superset).iter().chain(derived_fields(Profile::Ta70));
    let mut every = Vec::new();
    for field in names.clone() {
        every.extend_from_slice(field.inputs());
    }
    let calls = ["AssumeRole", "CreateUser", "ConsoleLogin", "RunInstances", "PutBucketAcl"];
    let more =
        ["CreateAccessKey", "ListRoles", "CreateVolume", "GetUser", "UpdateUser", "CheckMfa"];
    for call in calls.into_iter().chain(more) {
        for record in [ROLE.replace("CreateKey", call), RICH.replace("CreateKey", call)] {
            for field in names.clone() {
                let narrow = value(&record, field, field.inputs());
                assert_eq!(narrow, value(&record, field, &every), "{} of {call}", field.name);
            }
        }
    }
}

const RICH: &str = r#"{"eventName":"CreateKey","eventSource":"iam.amazonaws.com","eventType":"AwsApiCall",
  "errorMessage":"no resource: user eve","recipientAccountId":"1","userAgent":"cli",
  "userIdentity":{"type":"IAMUser","userName":"ada","accountId":"1","arn":"arn:aws:iam::1:user/ada",
  "principalId":"AIDA:s","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA:x",
  "userName":"builder"}}},"additionalEventData":{"LoginTo":"https://console","MFAUsed":"Yes"},
  "requestParameters":{"userName":"u","newUserName":"n","roleArn":"arn:aws:iam::1:role/r",
  "bucketName":"b","Host":"h","host":["h1"],"volumeId":"v","instanceId":"i","sourceIdentity":"si",
  "instancesSet":{"items":[{"instanceId":"i-1","imageId":"ami-1"}]}},
  "responseElements":{"user":{"userName":"cu","userId":"cid"},"volumeId":"rv",
  "accessKey":{"userName":"ak"},"loginProfile":{"userName":"lp"},
  "instancesSet":{"items":[{"instanceId":"i-9"}]},
  "assumedRoleUser":{"arn":"arn:aws:sts::1:assumed-role/r/s","assumedRoleId":"AROA:s"}},
  "resources":[{"type":"AWS::IAM::Role"},{"type":"T2"}]}"#;
