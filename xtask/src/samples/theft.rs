//! The planted theft, and harmless events that look similar.

use serde_json::{Value, json};

use super::NoteKind::{Harmless, Planted};
use super::record::{Call, Caller};
use super::{ANALYTICS, Day, GLOBAL_REGION, SHOP, STRANGER, traffic};

const CLI: &str = "aws-cli/2.15.30 Python/3.11.8 Linux/6.5.0-26-generic exe/x86_64.ubuntu.22";
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0";
/// Source address of the thief.
const THIEF: &str = "203.0.113.200";
/// Number of objects that the burst reads.
const BURST: u64 = 400;

pub(super) const GET_OBJECT: &str = "AWS Exfiltration via Anomalous GetObject API Activity";
const DATASYNC: &str = "AWS Exfiltration via DataSync Task";
const AMI: &str = "AWS AMI Attribute Modification for Exfiltration";
const SNAPSHOT: &str = "AWS EBS Snapshot Shared Outside the Account";

pub(super) fn add(day: &mut Day) {
    burst(day);
    shares(day);
    datasync(day);
    harmless_shares(day);
    harmless_buckets(day);
}

fn hms(hours: u64, minutes: u64, seconds: u64) -> u64 {
    hours * 3600 + minutes * 60 + seconds
}

/// Adds the use of a stolen key: it explores the account, then reads all objects of a bucket.
fn burst(day: &mut Day) {
    // The same user as in the ordinary traffic, with another address and another tool.
    let thief =
        Caller { source_ip: THIEF.into(), user_agent: CLI.into(), ..traffic::report_sync() };
    let mut hello = Call::read(&thief, hms(13, 4, 11), ("sts", "GetCallerIdentity"), Value::Null);
    hello.region = GLOBAL_REGION;
    day.call(hello);
    let denied = Call::read(&thief, hms(13, 4, 52), ("iam", "ListUsers"), Value::Null);
    day.call(
        Call { region: GLOBAL_REGION, ..denied }
            .refused("AccessDenied", "User is not authorized to perform: iam:ListUsers"),
    );
    let host = json!({ "Host": "s3.eu-central-1.amazonaws.com" });
    day.call(Call::read(&thief, hms(13, 5, 30), ("s3", "ListBuckets"), host));
    let first = day.events.len();
    for number in 0..BURST {
        let at = hms(13, 20, 5) + number * 580 / BURST;
        let key = format!("exports/2025/ledger-{number:04}.parquet");
        traffic::get_object(day, &thief, at, "example-shop-finance", &key);
    }
    day.notes.push(super::Note {
        kind: Planted,
        what: format!(
            "the key of `report-sync`, used from {THIEF}, reads {BURST} objects of \
             `example-shop-finance` in ten minutes"
        ),
        verdict: GET_OBJECT.into(),
        event: first,
    });
}

/// Adds the hijacked session of an administrator, which shares disks with other accounts.
fn shares(day: &mut Day) {
    let admin = Caller::role(SHOP, ("infrastructure-admin", "ops-session"), THIEF, CLI);
    let image = json!("ami-0c4f7a1d92be83560");
    day.call(Call::write(
        &admin,
        hms(13, 41, 10),
        ("ec2", "CreateImage"),
        json!({ "instanceId": "i-0a1b2c3d4e5f60002", "name": "backup-0317", "noReboot": true }),
        json!({ "requestId": "5b7e2c90-13fd-4a68-8e0b-c1d94f27a6e3", "imageId": image }),
    ));
    let add = |entry: Value| {
        json!({
            "imageId": image,
            "launchPermission": { "add": { "items": [entry] } },
            "attributeType": "launchPermission",
        })
    };
    let done = || json!({ "requestId": "b06d8f3a-57c2-4e19-a4d7-09e1c85b2f6d", "_return": true });
    day.noted(
        Call::write(
            &admin,
            hms(13, 49, 27),
            ("ec2", "ModifyImageAttribute"),
            add(json!({ "userId": STRANGER })),
            done(),
        ),
        Planted,
        &format!("an AMI of a web server is shared with account {STRANGER}"),
        AMI,
    );
    day.noted(
        Call::write(
            &admin,
            hms(13, 52, 3),
            ("ec2", "ModifyImageAttribute"),
            add(json!({ "group": "all" })),
            done(),
        ),
        Planted,
        "the same AMI is made public",
        AMI,
    );
    let snapshot = json!("snap-03d9e5b8a7164c2f0");
    day.call(Call::write(
        &admin,
        hms(13, 57, 40),
        ("ec2", "CreateSnapshot"),
        json!({ "volumeId": "vol-0f8a6c3e91b7d2450", "description": "backup" }),
        json!({ "snapshotId": snapshot, "status": "pending", "volumeSize": "200" }),
    ));
    let request = json!({
        "snapshotId": snapshot,
        "createVolumePermission": { "add": { "items": [{ "userId": STRANGER }] } },
        "attributeType": "CREATE_VOLUME_PERMISSION",
    });
    day.noted(
        Call::write(&admin, hms(14, 6, 15), ("ec2", "ModifySnapshotAttribute"), request, done()),
        Planted,
        &format!("a snapshot of the database's volume is shared with account {STRANGER}"),
        SNAPSHOT,
    );
}

/// Adds a DataSync task in the other account that copies the curated data.
fn datasync(day: &mut Day) {
    let analyst = Caller::role(ANALYTICS, ("data-engineer", "notebook-7"), THIEF, CLI);
    let location =
        |id: &str| format!("arn:aws:datasync:eu-central-1:{ANALYTICS}:location/loc-{id}");
    let (from, to) = (location("0a93c7e15b2d48f60"), location("06f1b8d24e7a9c035"));
    let buckets = [("example-analytics-curated", &from), ("eu-central-archive-0317", &to)];
    for (offset, (bucket, arn)) in buckets.into_iter().enumerate() {
        let request = json!({
            "s3BucketArn": format!("arn:aws:s3:::{bucket}"),
            "s3StorageClass": "STANDARD",
            "s3Config": {
                "bucketAccessRoleArn": format!("arn:aws:iam::{ANALYTICS}:role/datasync-s3"),
            },
            "subdirectory": "/",
        });
        let at = hms(14, 22, 8) + offset as u64 * 35;
        let response = json!({ "locationArn": arn });
        day.call(Call::write(&analyst, at, ("datasync", "CreateLocationS3"), request, response));
    }
    let task = format!("arn:aws:datasync:eu-central-1:{ANALYTICS}:task/task-08c5d1f7b3e6a2940");
    day.noted(
        Call::write(
            &analyst,
            hms(14, 24, 31),
            ("datasync", "CreateTask"),
            json!({
                "sourceLocationArn": from,
                "destinationLocationArn": to,
                "name": "curated-archive",
                "options": { "verifyMode": "NONE", "overwriteMode": "ALWAYS", "logLevel": "OFF" },
            }),
            json!({ "taskArn": task }),
        ),
        Planted,
        "a DataSync task copies the curated data to the bucket `eu-central-archive-0317`",
        DATASYNC,
    );
    day.call(Call::write(
        &analyst,
        hms(14, 25, 2),
        ("datasync", "StartTaskExecution"),
        json!({ "taskArn": task }),
        json!({ "taskExecutionArn": format!("{task}/execution/exec-0b4d7e92a6c1f3850") }),
    ));
    let request = json!({ "taskArn": task });
    day.call(Call::read(&analyst, hms(14, 40, 19), ("datasync", "DescribeTask"), request));
}

fn harmless_shares(day: &mut Day) {
    let admin = Caller::role(
        SHOP,
        ("AWSReservedSSO_PlatformAdmin_4f1c0a9be27d5836", "anna.keller@example.com"),
        "192.0.2.14",
        BROWSER,
    );
    let done = || json!({ "requestId": "e47a1c05-9d3b-4f82-b6e0-7a5c2d18f934", "_return": true });
    let image = json!("ami-07e2b9c4d5f1a6830");
    day.noted(
        Call::write(
            &admin,
            hms(9, 14, 50),
            ("ec2", "ModifyImageAttribute"),
            json!({
                "imageId": image,
                "launchPermission": { "remove": { "items": [{ "userId": STRANGER }, { "group": "all" }] } },
                "attributeType": "launchPermission",
            }),
            done(),
        ),
        Harmless,
        "an old AMI's sharing is taken back",
        "nothing is added",
    );
    day.noted(
        Call::write(
            &admin,
            hms(9, 16, 12),
            ("ec2", "ModifyImageAttribute"),
            json!({
                "imageId": image,
                "description": { "value": "base image for all teams" },
                "attributeType": "description",
            }),
            done(),
        ),
        Harmless,
        "an AMI's description is changed, and has the word \"all\" in it",
        "a description is no permission",
    );
    day.noted(
        Call::write(
            &admin,
            hms(10, 2, 33),
            ("ec2", "ModifySnapshotAttribute"),
            json!({
                "snapshotId": "snap-0b1e7d6c5a4f39280",
                "createVolumePermission": { "add": { "items": [{ "userId": SHOP }] } },
                "attributeType": "CREATE_VOLUME_PERMISSION",
            }),
            done(),
        ),
        Harmless,
        "a snapshot is shared with the account that owns it",
        "no other account gets anything",
    );
    let developer = Caller::role(
        SHOP,
        ("AWSReservedSSO_Developer_93be07ad1c5f2e64", "ben.ortiz@example.com"),
        "192.0.2.31",
        BROWSER,
    );
    let request = json!({
        "snapshotId": "snap-0b1e7d6c5a4f39280",
        "createVolumePermission": { "add": { "items": [{ "userId": ANALYTICS }] } },
        "attributeType": "CREATE_VOLUME_PERMISSION",
    });
    day.noted(
        Call::write(
            &developer,
            hms(11, 37, 5),
            ("ec2", "ModifySnapshotAttribute"),
            request,
            Value::Null,
        )
        .refused(
            "Client.UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        ),
        Harmless,
        "a developer may not share a snapshot with the analytics account",
        "the call was refused",
    );
}

fn harmless_buckets(day: &mut Day) {
    let pipeline = Caller::user(SHOP, "deploy-ci", "203.0.113.60", "APN/1.0 Terraform/1.7.5");
    let bucket = "example-shop-finance";
    let host = format!("{bucket}.s3.eu-central-1.amazonaws.com");
    day.noted(
        Call::write(
            &pipeline,
            hms(12, 10, 44),
            ("s3", "PutBucketReplication"),
            json!({
                "bucketName": bucket,
                "Host": host,
                "replication": "",
                "ReplicationConfiguration": {
                    "xmlns": "http://s3.amazonaws.com/doc/2006-03-01/",
                    "Role": format!("arn:aws:iam::{SHOP}:role/replication"),
                    "Rule": {
                        "ID": "second-region",
                        "Status": "Enabled",
                        "Destination": {
                            "Bucket": "arn:aws:s3:::example-shop-finance-dr",
                            "Account": SHOP,
                        },
                    },
                },
            }),
            Value::Null,
        ),
        Harmless,
        "a bucket is replicated to another one of the same account",
        "the destination is the account's own",
    );
    day.noted(
        Call::write(
            &pipeline,
            hms(12, 11, 20),
            ("s3", "PutBucketPolicy"),
            json!({
                "bucketPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "OnlyEncrypted",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": format!("arn:aws:s3:::{bucket}/*"),
                            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
                        },
                        {
                            "Sid": "Reports",
                            "Effect": "Allow",
                            "Principal": { "AWS": format!("arn:aws:iam::{SHOP}:user/report-sync") },
                            "Action": "s3:GetObject",
                            "Resource": format!("arn:aws:s3:::{bucket}/exports/*"),
                        },
                    ],
                },
                "bucketName": bucket,
                "Host": host,
                "policy": "",
            }),
            Value::Null,
        ),
        Harmless,
        "a bucket policy names everyone, to deny unencrypted reads",
        "it opens nothing",
    );
}
