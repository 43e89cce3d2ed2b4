//! Requests and answers over a socket.

use std::sync::Arc;
use std::time::Duration;

use object_store::StaticCredentialProvider;
use object_store::aws::AwsCredential;
use serde_json::{Value, json};

use super::fake::{Answer, Fake, Server};
use crate::transport::{Action, Credentials, MOST_ANSWER};
use crate::{Queue, QueueError, QueueOptions, Receipt, Redrive, Standing, client};

const SECRET: &str = "wJalrXUtnFEMI/EXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLE//token==";

fn credentials(key_id: &str, secret: &str, token: Option<&str>) -> Credentials {
    Arc::new(StaticCredentialProvider::new(AwsCredential {
        key_id: key_id.to_owned(),
        secret_key: secret.to_owned(),
        token: token.map(str::to_owned),
    }))
}

fn options(server: &Server) -> QueueOptions {
    QueueOptions {
        region: Some("eu-west-1".into()),
        wait: Duration::ZERO,
        ..QueueOptions::new(server.queue_url())
    }
}

fn queue(server: &Server) -> Queue {
    let credentials = credentials("AKIDEXAMPLE", SECRET, Some(TOKEN));
    Queue::open(&options(server), credentials, client().unwrap()).unwrap()
}

#[tokio::test]
async fn a_message_is_received_held_and_deleted() {
    let fake = Fake::default();
    fake.send("one \"body\"\n");
    fake.send("two");
    fake.redrive(5);
    let server = Server::start(fake.clone()).await;
    let queue = queue(&server);
    let standing = queue.standing().await.unwrap();
    assert_eq!(
        standing,
        Standing {
            waiting: 2,
            held: 0,
            delayed: 0,
            retention: Some(345_600),
            redrive: Some(Redrive {
                target: "arn:aws:sqs:eu-west-1:111122223333:dead".into(),
                receives: 5,
            }),
        }
    );
    let messages = queue.receive(99).await.unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!((messages[0].id.as_str(), messages[0].body.as_str()), ("m1", "one \"body\"\n"));
    assert_eq!((messages[0].receives, messages[0].sent), (1, Some(1_773_760_321_000)));
    assert!(queue.receive(1).await.unwrap().is_empty());
    let receipts: Vec<Receipt> = messages.into_iter().map(|message| message.receipt).collect();
    // One is held longer, one is given back, and one was never received.
    let rejected = queue
        .hold(&[
            (receipts[0].clone(), Duration::from_mins(1)),
            (receipts[1].clone(), Duration::ZERO),
            (Receipt("other".into()), Duration::from_mins(1)),
        ])
        .await
        .unwrap();
    assert_eq!(rejected.len(), 1);
    assert_eq!((rejected[0].index, rejected[0].code.as_str()), (2, "ReceiptHandleIsInvalid"));
    assert!(rejected[0].is_final);
    assert_eq!(fake.visible(), ["m2"]);
    assert_eq!(queue.delete(&receipts[..1]).await.unwrap(), []);
    assert_eq!(fake.left(), ["m2"]);
    assert_eq!(queue.delete(&[]).await.unwrap(), []);
    let again = queue.receive(1).await.unwrap();
    assert_eq!((again[0].id.as_str(), again[0].receives), ("m2", 2));
    assert_ne!(again[0].receipt, receipts[1]);
}

#[tokio::test]
async fn requests_are_signed_and_in_the_protocol_of_json() {
    let fake = Fake::default();
    let server = Server::start(fake).await;
    queue(&server).receive(3).await.unwrap();
    let requests = server.requests();
    let request = &requests[0];
    assert!(request.head.starts_with("POST / HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(request.header("content-type"), Some("application/x-amz-json-1.0"));
    assert_eq!(request.header("x-amz-target"), Some("AmazonSQS.ReceiveMessage"));
    assert_eq!(request.header("x-amz-security-token"), Some(TOKEN));
    let signature = request.header("authorization").unwrap();
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signature}");
    assert!(signature.contains("/eu-west-1/sqs/aws4_request"), "{signature}");
    for header in ["host", "x-amz-content-sha256", "x-amz-date", "x-amz-target"] {
        assert!(signature.contains(header), "{signature}");
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body,
        json!({
            "QueueUrl": server.queue_url(), "MaxNumberOfMessages": 3, "WaitTimeSeconds": 0,
            "VisibilityTimeout": 300,
            "AttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
        })
    );
}

#[tokio::test]
async fn failures_have_a_class_and_no_secret() {
    let fake = Fake::default();
    let server = Server::start(fake.clone()).await;
    let queue = queue(&server);
    let refusal =
        |code: &str, message: &str| json!({"__type": code, "message": message}).to_string();
    let echoed =
        format!("should have been x-amz-security-token:{TOKEN} AKIDEXAMPLE {SECRET}\u{1b}");
    // What the server does, whether that can pass, and a part of the message.
    for (answer, is_retry, part) in [
        (
            Answer::Status(400, refusal("com.amazonaws.sqs#QueueDoesNotExist", "no such queue")),
            false,
            "with status 400: QueueDoesNotExist: `no such queue`",
        ),
        (
            Answer::Status(
                403,
                refusal("com.amazon.coral.service#AccessDeniedException", "User: a is not"),
            ),
            false,
            "with status 403: AccessDeniedException: `User: a is not`",
        ),
        (
            Answer::Status(403, refusal("InvalidSignatureException", &echoed)),
            false,
            "`should have been x-amz-security-token:[secret] [secret] [secret]\\u{1b}`",
        ),
        (
            Answer::Status(403, refusal("ExpiredTokenException", "it has ended")),
            true,
            "ExpiredTokenException",
        ),
        (Answer::Status(400, refusal("RequestThrottled", "")), true, "RequestThrottled"),
        (Answer::Status(503, "<html>busy\r\n</html>".into()), true, "503: `<html>busy\\r\\n"),
        (Answer::Status(500, "{}".into()), true, "refused ReceiveMessage with status 500"),
        (Answer::Status(302, String::new()), false, "with status 302"),
        (Answer::Status(413, "x".repeat(1 << 20)), false, "with status 413: `xxx"),
        (Answer::Status(200, "<html>".into()), true, "is not one of SQS: expected value"),
        (Answer::Status(200, r#"{"Messages":[{"MessageId":1}]}"#.into()), true, "invalid type"),
        (Answer::Status(200, " ".repeat(MOST_ANSWER + 1)), false, "has more than 25165824 bytes"),
        (Answer::Cut, true, "cannot be reached"),
    ] {
        fake.fail(Action::Receive, answer.clone());
        let error = queue.receive(1).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains(part), "{message}");
        assert_eq!(error.is_retry(), is_retry, "{message}");
        assert!(message.contains("127.0.0.1"), "{message}");
        for secret in ["AKIDEXAMPLE", SECRET, TOKEN] {
            assert!(!format!("{error:?}").contains(secret), "{error:?}");
        }
    }
    for answer in ["", "{}", r#"{"Messages":null}"#] {
        fake.fail(Action::Receive, Answer::Status(200, answer.into()));
        assert!(queue.receive(1).await.unwrap().is_empty(), "{answer}");
    }
    // What an answer does not tell of is not known to be done.
    fake.fail(Action::Delete, Answer::Status(200, r#"{"Successful":[{"Id":"1"}]}"#.into()));
    let receipts = [Receipt("a".into()), Receipt("b".into())];
    let rejected = queue.delete(&receipts).await.unwrap();
    assert_eq!(rejected.len(), 1);
    assert_eq!((rejected[0].index, rejected[0].is_final), (0, false));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let server = Server::start(Fake::default()).await;
    let queue = queue(&server);
    drop(server);
    // The socket may still be open, and then the connection ends.
    let error = queue.standing().await.unwrap_err();
    assert!(matches!(error, QueueError::Network { .. }), "{error:?}");
    assert!(error.is_retry());
}

#[tokio::test]
async fn options_and_credentials_that_cannot_be_used() {
    let fake = Fake::default();
    let server = Server::start(fake).await;
    let seconds = Duration::from_secs;
    for (visibility, wait, option) in [
        (seconds(1), seconds(20), "visibility"),
        (seconds(12 * 3600 + 1), seconds(20), "visibility"),
        (Duration::from_millis(2500), seconds(20), "visibility"),
        (seconds(300), seconds(21), "wait"),
        (seconds(300), Duration::from_millis(1), "wait"),
    ] {
        let options = QueueOptions { visibility, wait, ..options(&server) };
        let opened = Queue::open(&options, credentials("a", "b", None), client().unwrap());
        assert!(opened.unwrap_err().to_string().contains(option));
    }
    for (key_id, secret, token) in [
        ("AKID\n", "s", None),
        ("", "s", None),
        ("AKIDÄ", "s", None),
        ("AKID", "", None),
        ("AKID", "s", Some("to\0ken")),
        ("AKID", "s", Some("")),
    ] {
        let credentials = credentials(key_id, secret, token);
        let queue = Queue::open(&options(&server), credentials, client().unwrap()).unwrap();
        let error = queue.receive(1).await.unwrap_err();
        assert!(matches!(error, QueueError::CredentialForm { .. }), "{error:?}");
    }
    assert!(server.requests().is_empty());
}
