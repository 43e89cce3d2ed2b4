//! One record's text, with its members in CloudTrail's order.

use std::fmt::Write;

use super::calls::{Call, Shape};
use super::world::{Account, Person};
use super::{Event, time_text};
use crate::random::Random;

/// Request, response and what else depends on the call, as JSON.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) request: String,
    pub(super) response: String,
    additional: String,
    resources: String,
    host: String,
    is_data: bool,
}

impl Body {
    /// Returns the body of a call that only has these; both are JSON.
    pub(super) fn of(request: &str, response: &str) -> Self {
        Self { request: request.to_owned(), response: response.to_owned(), ..Self::default() }
    }

    /// Makes up what a call would have.
    pub(super) fn make(call: &Call, account: &Account, region: &str, random: &mut Random) -> Self {
        match call.shape {
            Shape::Object => object(call, account, region, random),
            Shape::Bucket => {
                let bucket = random.pick(&account.buckets);
                let host = format!("{bucket}.s3.{region}.amazonaws.com");
                let request = format!(r#"{{"bucketName":"{bucket}","Host":"{host}"}}"#);
                Self { host, ..Self::of(&request, "null") }
            }
            Shape::Key => key(account, region, random),
            Shape::Role => role(account, random),
            Shape::Nothing => Self::of("null", "null"),
            Shape::Instances => {
                let mut request = r#"{"instancesSet":{"items":["#.to_owned();
                for number in 0..=random.below(3) {
                    request.push_str(if number == 0 { "" } else { "," });
                    request.push_str(r#"{"instanceId":"i-"#);
                    random.push_hex(&mut request, 17);
                    request.push_str("\"}");
                }
                request.push_str(r#"]},"filterSet":{}}"#);
                Self::of(&request, "null")
            }
            Shape::Filters => {
                let mut request = format!(
                    r#"{{"maxResults":{},"filterSet":{{"items":[{{"name":"vpc-id","valueSet":{{"items":[{{"value":"vpc-"#,
                    random.below(900) + 100
                );
                random.push_hex(&mut request, 17);
                request.push_str(r#""}]}}]}}"#);
                Self::of(&request, "null")
            }
            Shape::Launch => launch(random),
            Shape::Named => named(call, random),
            Shape::Listed => listed(call, random),
            Shape::Policy => policy(account, random),
        }
    }
}

fn object(call: &Call, account: &Account, region: &str, random: &mut Random) -> Body {
    let bucket = random.pick(&account.buckets);
    let mut key = format!("v{}/day={}/part-", random.below(4), random.below(28) + 1);
    random.push_hex(&mut key, 12);
    let host = format!("{bucket}.s3.{region}.amazonaws.com");
    let (inward, outward) = match call.name.as_str() {
        "PutObject" => (random.below(900_000), 0),
        "GetObject" => (0, random.below(900_000)),
        _ => (0, 0),
    };
    Body {
        request: format!(r#"{{"bucketName":"{bucket}","Host":"{host}","key":"{key}"}}"#),
        response: "null".to_owned(),
        additional: format!(
            r#"{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":{inward},"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{}","bytesTransferredOut":{outward}}}"#,
            random.upper(64)
        ),
        resources: format!(
            r#"[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{bucket}/{key}"}},{{"accountId":"{}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}}]"#,
            account.id
        ),
        host,
        is_data: true,
    }
}

fn key(account: &Account, region: &str, random: &mut Random) -> Body {
    let id = random.pick(&account.keys);
    let bucket = random.pick(&account.buckets);
    Body {
        resources: format!(
            r#"[{{"accountId":"{0}","type":"AWS::KMS::Key","ARN":"arn:aws:kms:{region}:{0}:key/{id}"}}]"#,
            account.id
        ),
        ..Body::of(
            &format!(
                r#"{{"encryptionContext":{{"aws:s3:arn":"arn:aws:s3:::{bucket}"}},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}}"#
            ),
            "null",
        )
    }
}

fn role(account: &Account, random: &mut Random) -> Body {
    let account = &account.id;
    let name = random.pick(&["orders-reader", "etl", "deploy", "audit"]);
    let session = random.hex(16);
    let arn = format!("arn:aws:iam::{account}:role/{name}");
    let response = format!(
        r#"{{"credentials":{{"accessKeyId":"ASIA{}","sessionToken":"{}","expiration":"Mar 2, 2026, 11:59:59 PM"}},"assumedRoleUser":{{"assumedRoleId":"AROA{}:{session}","arn":"arn:aws:sts::{account}:assumed-role/{name}/{session}"}}}}"#,
        random.upper(16),
        random.upper(120),
        random.upper(17)
    );
    Body {
        resources: format!(
            r#"[{{"accountId":"{account}","type":"AWS::IAM::Role","ARN":"{arn}"}}]"#
        ),
        ..Body::of(&format!(r#"{{"roleArn":"{arn}","roleSessionName":"{session}"}}"#), &response)
    }
}

fn launch(random: &mut Random) -> Body {
    let image = random.hex(17);
    let request = format!(
        r#"{{"instancesSet":{{"items":[{{"imageId":"ami-{image}","minCount":1,"maxCount":1}}]}},"instanceType":"m7g.large","monitoring":{{"enabled":false}}}}"#
    );
    let response = format!(
        r#"{{"reservationId":"r-{}","instancesSet":{{"items":[{{"instanceId":"i-{}","imageId":"ami-{image}","instanceState":{{"code":0,"name":"pending"}},"instanceType":"m7g.large","subnetId":"subnet-{}","privateIpAddress":"10.0.{}.{}","tagSet":{{"items":[{{"key":"team","value":"shop"}}]}}}}]}}}}"#,
        random.hex(17),
        random.hex(17),
        random.hex(17),
        random.below(256),
        random.below(256)
    );
    Body::of(&request, &response)
}

fn named(call: &Call, random: &mut Random) -> Body {
    let mut request = r#"{"name":"prod/shop/"#.to_owned();
    random.push_hex(&mut request, 8);
    let _ =
        write!(request, r#"","withDetails":{},"limit":{}}}"#, call.read_only, random.below(500));
    if call.read_only {
        return Body::of(&request, "null");
    }
    let mut response = r#"{"requestToken":""#.to_owned();
    random.push_uuid(&mut response);
    response.push_str("\"}");
    Body::of(&request, &response)
}

/// Now and then one of these is many kilobytes long.
fn listed(call: &Call, random: &mut Random) -> Body {
    let many = if random.chance(100) { 120 } else { 6 };
    let mut request = r#"{"ids":["#.to_owned();
    for number in 0..=random.below(many) {
        request.push_str(if number == 0 { "\"" } else { ",\"" });
        random.push_uuid(&mut request);
        request.push('"');
    }
    request.push_str("]}");
    let response = if call.read_only { "null" } else { r#"{"failed":[],"failedCount":0}"# };
    Body::of(&request, response)
}

fn policy(account: &Account, random: &mut Random) -> Body {
    let bucket = random.pick(&account.buckets);
    let request = format!(
        r#"{{"name":"inline-{}","policyDocument":"{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\"],\"Resource\":\"arn:aws:s3:::{bucket}\\u002f*\"}}]}}"}}"#,
        random.hex(6)
    );
    Body::of(&request, "null")
}

/// Appends the record of an event.
pub(super) fn write(
    text: &mut String,
    event: &Event,
    (call, body): (&Call, &Body),
    (account, person, region): (&Account, &Person, &str),
    random: &mut Random,
) {
    let version = if body.is_data || call.service == "ec2" { "1.10" } else { "1.09" };
    let identity = random.pick(&person.identities);
    let _ = write!(
        text,
        r#"{{"eventVersion":"{version}","userIdentity":{identity},"eventTime":"{}","eventSource":"{}.amazonaws.com","eventName":"{}","awsRegion":"{region}","sourceIPAddress":"{}","userAgent":{},"#,
        time_text(event.at),
        call.service,
        call.name,
        person.addresses[event.address],
        person.agents[event.agent].json,
    );
    let failed = event.error.is_some();
    if let Some((code, message)) = event.error {
        let _ = write!(text, r#""errorCode":"{code}","errorMessage":"{message}","#);
    }
    let response = if failed { "null" } else { &body.response };
    let _ = write!(text, r#""requestParameters":{},"responseElements":{response},"#, body.request);
    if !body.additional.is_empty() {
        let _ = write!(text, r#""additionalEventData":{},"#, body.additional);
    }
    text.push_str(r#""requestID":""#);
    if call.service == "s3" {
        random.push_upper(text, 16);
    } else {
        random.push_uuid(text);
    }
    text.push_str(r#"","eventID":""#);
    random.push_uuid(text);
    let _ = write!(text, r#"","readOnly":{},"#, call.read_only);
    if !body.resources.is_empty() {
        let _ = write!(text, r#""resources":{},"#, body.resources);
    }
    let category = if body.is_data { "Data" } else { "Management" };
    let _ = write!(
        text,
        r#""eventType":"AwsApiCall","managementEvent":{},"recipientAccountId":"{}","eventCategory":"{category}""#,
        !body.is_data, account.id
    );
    if person.kind != "AWSService" {
        text.push_str(
            r#","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":""#,
        );
        if body.host.is_empty() {
            let _ = write!(text, "{}.{region}.amazonaws.com", call.service);
        } else {
            text.push_str(&body.host);
        }
        text.push_str("\"}");
    }
    text.push('}');
}
