//! Ordinary traffic of a day: applications read and write objects, services assume roles, a
//! monitoring tool lists resources, a build server deploys, and people log in and look around.

use serde_json::{Value, json};

use super::record::{Call, Caller, role_id, time};
use super::{ANALYTICS, Day, GLOBAL_REGION, SHOP};

const JAVA: &str = "aws-sdk-java/2.25.11 Linux/6.1.79-99.164.amzn2023.x86_64 OpenJDK_64-Bit_Server_VM/21.0.2 Java/21.0.2";
const PYTHON: &str =
    "Boto3/1.34.69 md/Botocore#1.34.69 ua/2.0 os/linux#6.1.82 md/arch#x86_64 lang/python#3.12.2";
const GO: &str = "aws-sdk-go-v2/1.26.0 os/linux lang/go#1.22.1 md/GOARCH#amd64 api/s3#1.53.0";
const TERRAFORM: &str =
    "APN/1.0 HashiCorp/1.0 Terraform/1.7.5 (+https://www.terraform.io) aws-sdk-go-v2/1.26.0";
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0";
/// Length in seconds of the time bins of the detection that counts reads.
const TEN_MINUTES: u64 = 600;

/// An application that reads objects throughout the day.
struct Reader {
    caller: Caller,
    bucket: &'static str,
    key: &'static str,
    /// Minimum and maximum number of reads in ten minutes.
    reads: (u64, u64),
}

pub(super) fn add(day: &mut Day) {
    objects(day);
    for account in [SHOP, ANALYTICS] {
        service_roles(day, account);
        monitoring(day, account);
        decryption(day, account);
        people(day, account);
    }
    deployments(day);
    instances(day);
    secrets(day);
    cross_account(day);
}

/// Returns the identity whose key is stolen later. Before that, it copies a few reports in each
/// interval.
pub(super) fn report_sync() -> Caller {
    Caller::user(SHOP, "report-sync", "198.51.100.40", PYTHON)
}

fn objects(day: &mut Day) {
    let readers = [
        Reader {
            caller: Caller::role(
                SHOP,
                ("web-frontend", "i-0a1b2c3d4e5f60001"),
                "198.51.100.11",
                JAVA,
            ),
            bucket: "example-shop-images",
            key: "products",
            reads: (2, 5),
        },
        Reader {
            caller: Caller::role(
                SHOP,
                ("web-frontend", "i-0a1b2c3d4e5f60002"),
                "198.51.100.12",
                JAVA,
            ),
            bucket: "example-shop-images",
            key: "products",
            reads: (2, 5),
        },
        Reader {
            caller: Caller::role(SHOP, ("order-service", "order-service"), "198.51.100.13", GO),
            bucket: "example-shop-invoices",
            key: "2026/03",
            reads: (1, 3),
        },
        Reader {
            caller: Caller::role(ANALYTICS, ("report-runner", "hourly"), "198.51.100.51", PYTHON),
            bucket: "example-analytics-curated",
            key: "orders/day=17",
            reads: (1, 4),
        },
        Reader {
            caller: Caller::user(ANALYTICS, "bi-gateway", "203.0.113.21", PYTHON),
            bucket: "example-analytics-curated",
            key: "dashboards",
            reads: (1, 3),
        },
    ];
    let sync = Reader {
        caller: report_sync(),
        bucket: "example-shop-finance",
        key: "exports",
        reads: (1, 2),
    };
    for reader in readers.iter().chain([&sync]) {
        for bin in 0..144 {
            for _ in 0..day.random.between(reader.reads.0, reader.reads.1) {
                let at = bin * TEN_MINUTES + day.random.between(0, TEN_MINUTES - 1);
                let key = format!("{}/{}.json", reader.key, day.random.hex(6));
                get_object(day, &reader.caller, at, reader.bucket, &key);
            }
        }
    }
    for _ in 0..120 {
        let reader = &readers[day.random.between(2, 3) as usize];
        let at = day.random.between(0, 86_399);
        let key = format!("{}/{}.json", reader.key, day.random.hex(6));
        let call = Call::write(
            &reader.caller,
            at,
            ("s3", "PutObject"),
            object_request(reader.bucket, &key),
            json!({ "x-amz-server-side-encryption": "AES256" }),
        );
        let call = data_call(day, call, reader.bucket, &key);
        day.call(call);
    }
}

/// Adds one read of an object.
pub(super) fn get_object(day: &mut Day, caller: &Caller, at: u64, bucket: &str, key: &str) {
    let call = Call::read(caller, at, ("s3", "GetObject"), object_request(bucket, key));
    let call = data_call(day, call, bucket, key);
    day.call(call);
}

fn object_request(bucket: &str, key: &str) -> Value {
    json!({
        "bucketName": bucket,
        "Host": format!("{bucket}.s3.eu-central-1.amazonaws.com"),
        "key": key,
    })
}

fn data_call<'a>(day: &mut Day, call: Call<'a>, bucket: &str, key: &str) -> Call<'a> {
    let bytes = day.random.between(900, 400_000);
    let (inward, outward) = if call.read_only { (0, bytes) } else { (bytes, 0) };
    let account = call.caller.account;
    Call {
        is_data: true,
        additional: Some(json!({
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": inward,
            "SSEApplied": "Default_SSE_S3",
            "AuthenticationMethod": "AuthHeader",
            "bytesTransferredOut": outward,
        })),
        resources: Some(json!([
            { "type": "AWS::S3::Object", "ARN": format!("arn:aws:s3:::{bucket}/{key}") },
            { "accountId": account, "type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{bucket}") },
        ])),
        host: Some(format!("{bucket}.s3.eu-central-1.amazonaws.com")),
        ..call
    }
}

fn service_roles(day: &mut Day, account: &'static str) {
    let roles: &[(&str, &str)] = if account == SHOP {
        &[("ec2", "web-frontend"), ("ecs-tasks", "order-service"), ("lambda", "thumbnails")]
    } else {
        &[("glue", "etl-nightly"), ("ecs-tasks", "report-runner")]
    };
    for (service, role) in roles {
        let caller = Caller::service(account, service);
        for hour in 0..24 {
            let at = hour * 3600 + day.random.between(0, 3599);
            let session = format!("{role}-{}", day.random.hex(8));
            let response = credentials(day, account, role, &session, at);
            let arn = format!("arn:aws:iam::{account}:role/{role}");
            let mut call = Call::write(
                &caller,
                at,
                ("sts", "AssumeRole"),
                json!({ "roleArn": arn, "roleSessionName": session }),
                response,
            );
            call.read_only = true;
            call.shared_event_id = Some(day.random.uuid());
            call.resources =
                Some(json!([{ "accountId": account, "type": "AWS::IAM::Role", "ARN": arn }]));
            day.call(call);
        }
    }
}

fn credentials(day: &mut Day, account: &str, role: &str, session: &str, at: u64) -> Value {
    let id = role_id(account, role);
    json!({
        "credentials": {
            "accessKeyId": format!("ASIAEXAMPLE{}", day.random.upper(9)),
            "sessionToken": "HIDDEN",
            "expiration": time((at + 3600).min(86_399)),
        },
        "assumedRoleUser": {
            "assumedRoleId": format!("{id}:{session}"),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
        },
    })
}

fn monitoring(day: &mut Day, account: &'static str) {
    let agent = "aws-sdk-go/1.51.6 (go1.22.1; linux; amd64) metrics-collector";
    let caller = Caller::role(account, ("metrics-collector", "collector"), "203.0.113.9", agent);
    let calls = [
        (
            "ec2",
            "DescribeInstances",
            json!({ "maxResults": 1000, "instancesSet": {}, "filterSet": {} }),
        ),
        ("ec2", "DescribeVolumes", json!({ "maxResults": 500, "volumeSet": {}, "filterSet": {} })),
        (
            "ec2",
            "DescribeSnapshots",
            json!({
                "snapshotSet": {}, "ownersSet": { "items": [{ "owner": "self" }] },
                "sharedUsersSet": {}, "filterSet": {},
            }),
        ),
        ("rds", "DescribeDBInstances", json!({ "maxRecords": 100 })),
        ("monitoring", "DescribeAlarms", json!({ "maxRecords": 100 })),
        ("s3", "ListBuckets", json!({ "Host": "s3.eu-central-1.amazonaws.com" })),
        ("lambda", "ListFunctions20150331", Value::Null),
        ("datasync", "ListTasks", json!({ "maxResults": 100 })),
    ];
    for round in 0..48 {
        let start = round * 1800 + day.random.between(0, 300);
        for (offset, (service, name, request)) in calls.iter().enumerate() {
            if offset >= 4 && round % 2 == 1 {
                continue;
            }
            let at = start + offset as u64 * 2;
            day.call(Call::read(&caller, at, (service, name), request.clone()));
        }
    }
}

fn decryption(day: &mut Day, account: &'static str) {
    let (role, context) = if account == SHOP {
        ("order-service", "arn:aws:dynamodb:eu-central-1:111122223333:table/orders")
    } else {
        ("report-runner", "arn:aws:s3:::example-analytics-curated")
    };
    let caller = Caller::role(account, (role, role), "198.51.100.13", JAVA);
    let key =
        format!("arn:aws:kms:eu-central-1:{account}:key/5d2f1a70-6b3c-4e89-9a41-7c0de2f5b618");
    for _ in 0..110 {
        let at = day.random.between(0, 86_399);
        let request = json!({
            "encryptionContext": { "aws:resource:arn": context },
            "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        });
        let mut call = Call::read(&caller, at, ("kms", "Decrypt"), request);
        call.resources =
            Some(json!([{ "accountId": account, "type": "AWS::KMS::Key", "ARN": key }]));
        day.call(call);
    }
}

fn people(day: &mut Day, account: &'static str) {
    let people = [
        (
            "AWSReservedSSO_PlatformAdmin_4f1c0a9be27d5836",
            "anna.keller@example.com",
            "192.0.2.14",
            8,
        ),
        ("AWSReservedSSO_Developer_93be07ad1c5f2e64", "ben.ortiz@example.com", "192.0.2.31", 9),
        ("AWSReservedSSO_Developer_93be07ad1c5f2e64", "chiara.lund@example.com", "192.0.2.77", 12),
    ];
    let looks = [
        ("ec2", "DescribeInstances", json!({ "instancesSet": {}, "filterSet": {} })),
        (
            "ec2",
            "DescribeImages",
            json!({
                "imagesSet": {}, "ownersSet": { "items": [{ "owner": "self" }] }, "filterSet": {},
            }),
        ),
        ("ec2", "DescribeSecurityGroups", json!({ "securityGroupSet": {}, "filterSet": {} })),
        ("logs", "DescribeLogGroups", json!({ "limit": 50 })),
        (
            "logs",
            "StartQuery",
            json!({ "logGroupName": "/ecs/order-service", "queryString": "HIDDEN" }),
        ),
        ("cloudformation", "DescribeStacks", Value::Null),
        ("s3", "GetBucketLocation", json!({ "bucketName": "example-shop-images", "location": "" })),
        ("iam", "ListRoles", Value::Null),
        ("rds", "DescribeDBSnapshots", json!({ "snapshotType": "manual" })),
        ("lambda", "GetFunction20150331v2", json!({ "functionName": "thumbnails" })),
    ];
    for (role, session, ip, hour) in people {
        let caller = Caller::role(account, (role, session), ip, BROWSER);
        let login = hour * 3600 + day.random.between(60, 2400);
        console_login(day, &caller, login);
        for _ in 0..45 {
            let at = login + day.random.between(30, 7 * 3600);
            let (service, name, request) = day.random.pick(&looks).clone();
            let mut call = Call::read(&caller, at, (service, name), request);
            if service == "iam" {
                call.region = GLOBAL_REGION;
                call.host = Some("iam.amazonaws.com".into());
            }
            if name == "ListRoles" && day.random.one_in(2) {
                let message = "User is not authorized to perform: iam:ListRoles";
                call = call.refused("AccessDenied", message);
            }
            day.call(call);
        }
    }
}

fn console_login(day: &mut Day, caller: &Caller, at: u64) {
    let mut call = Call::write(
        caller,
        at,
        ("signin", "ConsoleLogin"),
        Value::Null,
        json!({ "ConsoleLogin": "Success" }),
    );
    call.region = GLOBAL_REGION;
    call.host = Some("us-east-1.signin.aws.amazon.com".into());
    call.additional = Some(json!({ "MobileVersion": "No", "MFAUsed": "No" }));
    day.call(call);
    if let Some(event) = day.events.last_mut() {
        event.record["eventType"] = json!("AwsConsoleSignIn");
    }
}

fn deployments(day: &mut Day) {
    let caller = Caller::user(SHOP, "deploy-ci", "203.0.113.60", TERRAFORM);
    for number in 0..9 {
        let start = 7 * 3600 + number * 4500 + day.random.between(0, 1200);
        let image = format!(
            "{SHOP}.dkr.ecr.eu-central-1.amazonaws.com/order-service:{}",
            day.random.hex(7)
        );
        let steps = [
            ("ecr", "GetAuthorizationToken", Value::Null, true),
            (
                "ecr",
                "PutImage",
                json!({ "repositoryName": "order-service", "registryId": SHOP }),
                false,
            ),
            (
                "ecs",
                "RegisterTaskDefinition",
                json!({
                    "family": "order-service", "containerDefinitions": [{ "name": "app", "image": image }],
                }),
                false,
            ),
            (
                "ecs",
                "UpdateService",
                json!({ "cluster": "shop", "service": "order-service" }),
                false,
            ),
            (
                "lambda",
                "UpdateFunctionCode20150331v2",
                json!({
                    "functionName": "thumbnails", "publish": false, "dryRun": false,
                }),
                false,
            ),
            (
                "s3",
                "PutBucketTagging",
                json!({ "bucketName": "example-shop-images", "tagging": "" }),
                false,
            ),
        ];
        for (offset, (service, name, request, read_only)) in steps.into_iter().enumerate() {
            let mut call = Call::write(
                &caller,
                start + offset as u64 * 21,
                (service, name),
                request,
                Value::Null,
            );
            call.read_only = read_only;
            day.call(call);
        }
    }
}

fn instances(day: &mut Day) {
    let caller = Caller::service(SHOP, "autoscaling");
    for (hour, name) in [(7, "RunInstances"), (11, "RunInstances"), (18, "TerminateInstances")] {
        let instance = format!("i-{}", day.random.hex(17));
        let items = json!({ "items": [{ "instanceId": instance, "instanceType": "m6i.large" }] });
        let at = hour * 3600 + day.random.between(0, 900);
        let request = json!({ "instancesSet": { "items": [{ "instanceId": instance }] } });
        day.call(Call::write(
            &caller,
            at,
            ("ec2", name),
            request,
            json!({ "instancesSet": items }),
        ));
    }
}

/// Adds services that read the few secrets that they need.
fn secrets(day: &mut Day) {
    let caller = Caller::role(SHOP, ("order-service", "order-service"), "198.51.100.13", GO);
    for hour in 0..24 {
        for (offset, secret) in ["shop/orders-db", "shop/payment-api"].iter().enumerate() {
            let at = hour * 3600 + 40 + offset as u64;
            let request = json!({ "secretId": secret });
            day.call(Call::read(&caller, at, ("secretsmanager", "GetSecretValue"), request));
        }
    }
}

/// Adds the analytics account assuming a role in the shop account. Both accounts log the call, with
/// the same shared id.
fn cross_account(day: &mut Day) {
    let runner = Caller::role(ANALYTICS, ("report-runner", "hourly"), "198.51.100.51", PYTHON);
    let id = runner.identity["principalId"].clone();
    for hour in [2, 8, 14, 20] {
        let at = hour * 3600 + day.random.between(0, 600);
        let session = format!("orders-{hour:02}");
        let arn = format!("arn:aws:iam::{SHOP}:role/orders-reader");
        let response = credentials(day, SHOP, "orders-reader", &session, at);
        let shared = day.random.uuid();
        let outside = Caller {
            account: SHOP,
            identity: json!({ "type": "AWSAccount", "principalId": id, "accountId": ANALYTICS }),
            ..runner.clone()
        };
        for caller in [&runner, &outside] {
            let mut call = Call::write(
                caller,
                at,
                ("sts", "AssumeRole"),
                json!({ "roleArn": arn, "roleSessionName": session }),
                response.clone(),
            );
            call.read_only = true;
            call.shared_event_id = Some(shared.clone());
            call.resources =
                Some(json!([{ "accountId": SHOP, "type": "AWS::IAM::Role", "ARN": arn }]));
            day.call(call);
        }
    }
}
