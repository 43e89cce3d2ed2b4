//! Queues of a server of AWS that others made: real notifications of S3, real receipts, real timeouts.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::sync::Arc;
use std::time::Duration;

use object_store::StaticCredentialProvider;
use object_store::aws::AwsCredential;
use serde_json::{Value, json};
use spilltrail_queue::{
    Credentials, Fault, PullOptions, Puller, Queue, QueueError, QueueOptions, client, notice,
};
use tokio_util::sync::CancellationToken;

/// The endpoint of a server as `.ci/s3-server.py` starts it; it has SQS and SNS besides S3.
const ENDPOINT: &str = "SPILLTRAIL_TEST_S3_ENDPOINT";

/// What stands for a signature: the server looks only for the name of the service.
fn signature(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260317/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

/// Returns a name that no run before has used.
fn unique(name: &str) -> String {
    format!("{name}-{:016x}", fastrand::u64(..))
}

/// What prepares a server, which the crate itself never does.
struct Server {
    endpoint: String,
    client: reqwest::Client,
}

impl Server {
    /// Returns the server if there is one.
    #[expect(clippy::print_stderr, reason = "who runs the tests should know what they did not do")]
    fn find() -> Option<Self> {
        let Ok(endpoint) = std::env::var(ENDPOINT) else {
            eprintln!("no foreign server: {ENDPOINT} is not set");
            return None;
        };
        Some(Self { endpoint, client: client().unwrap() })
    }

    async fn sqs(&self, action: &str, body: Value) -> Value {
        let request = self.client.post(&self.endpoint).header("authorization", signature("sqs"));
        let request = request
            .header("x-amz-target", format!("AmazonSQS.{action}"))
            .header("content-type", "application/x-amz-json-1.0");
        let response = request.body(body.to_string()).send().await.unwrap();
        let text = response.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{action}: {error}: {text}"))
    }

    async fn s3(&self, path: &str, body: &str) {
        let request = self.client.put(format!("{}/{path}", self.endpoint));
        let request = request.header("authorization", signature("s3")).body(body.to_owned());
        let response = request.send().await.unwrap();
        let status = response.status();
        assert!(status.is_success(), "{path}: {status} {}", response.text().await.unwrap());
    }

    /// Makes a queue, and returns its address.
    async fn make(&self, name: &str, attributes: Value) -> String {
        let request = json!({"QueueName": name, "Attributes": attributes});
        let made = self.sqs("CreateQueue", request).await;
        made["QueueUrl"].as_str().unwrap().to_owned()
    }

    fn queue(&self, url: &str, visibility: u64) -> Queue {
        let options = QueueOptions {
            region: Some("us-east-1".into()),
            endpoint: Some(self.endpoint.clone()),
            visibility: Duration::from_secs(visibility),
            wait: Duration::from_secs(1),
            ..QueueOptions::new(url)
        };
        let credentials: Credentials = Arc::new(StaticCredentialProvider::new(AwsCredential {
            key_id: "test".into(),
            secret_key: "test".into(),
            token: None,
        }));
        Queue::open(&options, credentials, self.client.clone()).unwrap()
    }
}

#[tokio::test]
async fn objects_of_s3_are_pulled_from_a_foreign_server() {
    let Some(server) = Server::find() else { return };
    let (dead, pull) = (unique("dead"), unique("pull"));
    let arn = |name: &str| format!("arn:aws:sqs:us-east-1:123456789012:{name}");
    let policy = json!({"deadLetterTargetArn": arn(&dead), "maxReceiveCount": 2});
    let dead = server.make(&dead, json!({})).await;
    let url = server.make(&pull, json!({"RedrivePolicy": policy.to_string()})).await;
    let queue = server.queue(&url, 30);
    assert_eq!(queue.standing().await.unwrap().redrive.unwrap().receives, 2);

    // S3 itself writes these messages.
    let bucket = unique("bucket");
    server.s3(&bucket, "").await;
    let rule = format!(
        "<NotificationConfiguration><QueueConfiguration><Queue>{}</Queue>\
         <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>",
        arn(&pull)
    );
    server.s3(&format!("{bucket}?notification"), &rule).await;
    server.s3(&format!("{bucket}/my%20logs/a%2Bb.json.gz"), "{}").await;
    let digest = "AWSLogs/111122223333/CloudTrail-Digest/x/a.json.gz";
    server.s3(&format!("{bucket}/{digest}"), "{}").await;
    server.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": "hello"})).await;

    let stop = CancellationToken::new();
    let options = PullOptions { retry_after: Duration::ZERO, ..PullOptions::default() };
    let mut puller = Puller::start(queue.clone(), options, &stop, Arc::new(|_| {})).unwrap();
    let batch = puller.next().await.unwrap().unwrap();
    let object = &batch.objects[0];
    assert_eq!((&object.bucket, object.key.as_str()), (&bucket, "my logs/a+b.json.gz"));
    assert_eq!(object.size, Some(2));
    batch.stored();
    // The message that cannot be read comes twice, and is set aside then.
    let dead = server.queue(&dead, 30);
    let set_aside = async {
        loop {
            let _ = tokio::time::timeout(Duration::from_millis(200), puller.next()).await;
            if let Some(message) = dead.receive(1).await.unwrap().pop() {
                return message;
            }
        }
    };
    let set_aside = tokio::time::timeout(Duration::from_mins(1), set_aside).await.unwrap();
    assert_eq!(set_aside.body, "hello");
    let counts = puller.finish().await;
    assert_eq!((counts.unreadable, counts.objects, counts.stored), (2, 1, 1));
    assert_eq!(counts.skipped[&notice::SkipReason::Digest], 1);
    let standing = queue.standing().await.unwrap();
    assert_eq!((standing.waiting, standing.held), (0, 0));
}

#[tokio::test]
async fn calls_at_a_foreign_server() {
    let Some(server) = Server::find() else { return };
    let name = unique("calls");
    let url = server.make(&name, json!({})).await;
    let queue = server.queue(&url, 30);
    for number in 0..12 {
        let body = json!({"s3Bucket": "b", "s3ObjectKey": [number.to_string()]});
        let request = json!({"QueueUrl": url, "MessageBody": body.to_string()});
        server.sqs("SendMessage", request).await;
    }
    let messages = queue.receive(10).await.unwrap();
    assert_eq!((messages.len(), messages[0].receives), (10, 1));
    assert!(messages[0].sent.is_some());
    let receipts: Vec<_> = messages.iter().map(|message| message.receipt.clone()).collect();
    let back: Vec<_> =
        receipts[1..3].iter().map(|receipt| (receipt.clone(), Duration::ZERO)).collect();
    assert_eq!(queue.hold(&back).await.unwrap(), []);
    assert_eq!(queue.delete(&receipts[..1]).await.unwrap(), []);
    let standing = queue.standing().await.unwrap();
    assert_eq!((standing.waiting, standing.held, standing.redrive), (4, 7, None));
    // The two that were given back have been received before.
    let again = queue.receive(10).await.unwrap();
    let mut receives: Vec<u32> = again.iter().map(|message| message.receives).collect();
    receives.sort_unstable();
    assert_eq!(receives, [1, 1, 2, 2]);

    let none = server.queue(&url.replace(&name, "none"), 30);
    let error = none.receive(1).await.unwrap_err();
    assert!(matches!(error, QueueError::Refused { fault: Fault::NoQueue, .. }), "{error:?}");
    assert!(!error.is_retry());
    assert!(error.help().is_some());
}
