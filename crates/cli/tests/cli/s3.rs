//! Tests of the binary on logs in S3.

use serde_json::json;

use crate::fixture::Fixture;
use server::{Fault, Server};

#[expect(clippy::unwrap_used, dead_code, reason = "what the tests of the crate `source` share")]
#[path = "../../../source/src/s3/tests/server.rs"]
pub(crate) mod server;

fn object(account: &str, day: u32, user: &str) -> (String, Vec<u8>) {
    let key = format!(
        "AWSLogs/{account}/CloudTrail/eu-west-1/2026/03/{day:02}/{account}_CloudTrail_eu-west-1_\
         202603{day:02}T1200Z_abc.json.gz"
    );
    let event = json!({
        "eventVersion": "1.10",
        "eventTime": format!("2026-03-{day:02}T11:58:00Z"),
        "eventSource": "kms.amazonaws.com",
        "eventName": "CreateKey",
        "awsRegion": "eu-west-1",
        "recipientAccountId": account,
        "sourceIPAddress": "192.0.2.1",
        "userIdentity": {
            "type": "IAMUser",
            "userName": user,
            "arn": format!("arn:aws:iam::{account}:user/{user}"),
        },
    });
    (key, json!({ "Records": [event] }).to_string().into_bytes())
}

#[test]
fn a_bucket_is_searched_and_what_cannot_be_read_is_named() {
    let objects = [
        object("111122223333", 1, "old"),
        object("111122223333", 10, "ann"),
        object("111122223333", 11, "bob"),
        object("444455556666", 10, "eve"),
        object("444455556666", 11, "fay"),
    ];
    let denied = objects[3].0.clone();
    let slow = objects[1].0.clone();
    let server = Server::new(objects);
    server.fail_always(&denied, Fault::Status(403));
    server.fail(&slow, &[Fault::SlowDown, Fault::CutAfter(20)]);
    let endpoint = server.endpoint();
    let options = ["--s3-endpoint", &endpoint, "--s3-anonymous", "--earliest", "2026-03-05"];
    let search = "eventName=CreateKey | sort _time userName | table userName source";
    let run =
        Fixture::new().run(&[&["search", search, "s3://logs/AWSLogs"], &options[..]].concat());
    assert_eq!(run.status, 1, "{}", run.err);
    let rows = run.lines();
    let users: Vec<_> = rows.iter().map(|row| row["userName"].clone()).collect();
    assert_eq!(users, ["ann", "bob", "fay"]);
    assert_eq!(rows[0]["source"], json!(format!("s3://logs/{slow}")));
    let named = format!(
        "warning[SPL5005]: s3://logs/{denied}: byte 0: refused with status 403: AccessDenied"
    );
    assert!(run.err.contains(&named), "{}", run.err);
    let log = server.log();
    assert!(!log.gets.iter().any(|key| key.contains("20260301")), "{:?}", log.gets);

    // A search for one account does not read the logs of other accounts.
    let one = format!("recipientAccountId=111122223333 {search}");
    let run = Fixture::new().run(&[&["search", &one, "s3://logs/AWSLogs"], &options[..]].concat());
    assert_eq!((run.status, run.lines().len()), (0, 2), "{}", run.err);
}

#[test]
fn a_hunt_counts_what_it_left_alone() {
    let objects = [object("111122223333", 1, "old"), object("111122223333", 10, "ann")];
    let server = Server::new(objects);
    let endpoint = server.endpoint();
    let run = Fixture::new().run(&[
        "hunt",
        "s3://logs",
        "--s3-endpoint",
        &endpoint,
        "--s3-anonymous",
        "--earliest",
        "2026-03-05T00:00:00Z",
        "--now",
        "2026-03-20T00:00:00Z",
        "--summary",
    ]);
    let lines = run.lines();
    let (summary, findings) = lines.split_last().unwrap_or_else(|| panic!("{}", run.err));
    assert_eq!(findings.len(), 1, "{}", run.err);
    // The first of March, as a folder that was not even listed.
    assert_eq!(summary["summary"]["skipped_by_path"]["too_early"]["folders"], 1);
    assert!(!server.log().gets.iter().any(|key| key.contains("20260301")));
}

#[test]
fn what_is_wrong_with_a_name_is_said() {
    let server = Server::new([]);
    let endpoint = server.endpoint();
    for (name, message) in [
        ("s3://logs/none", "error[SPL5003]: s3://logs/none: no object has this name"),
        (
            "s3://no bucket/",
            "error[SPL5003]: s3://no bucket/: `no bucket` is not the name of a bucket",
        ),
    ] {
        let options = ["search", "a=b", name, "--s3-endpoint", &endpoint, "--s3-anonymous"];
        let run = Fixture::new().run(&options);
        assert_eq!(run.status, 2, "{}", run.err);
        assert!(run.err.contains(message), "{}", run.err);
    }
}

#[test]
fn texts_in_a_bucket_are_replayed() {
    let texts = [("texts/a.log", "first\nsecond\n"), ("texts/README.md", "what this is")];
    let server = Server::new(texts.map(|(key, text)| (key.to_owned(), text.as_bytes().to_vec())));
    let endpoint = server.endpoint();
    let options = ["--s3-endpoint", &endpoint, "--s3-anonymous"];
    let run =
        Fixture::empty().run_builtin(&[&["replay", "s3://logs/texts"], &options[..]].concat());
    assert_eq!((run.status, run.out.as_str()), (0, "first\nsecond\n"), "{}", run.err);
}
