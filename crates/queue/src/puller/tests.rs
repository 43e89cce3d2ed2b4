//! A puller at a fake queue, with a clock that only moves when all tasks wait.

mod chaos;

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::notice::SkipReason;
use crate::tests::fake::{Answer, Fake};
use crate::transport::Action;
use crate::{Fault, QueueOptions};

const MINUTE: Duration = Duration::from_mins(1);

/// A puller with what a test looks at.
struct Bench {
    fake: Fake,
    puller: Puller,
    stop: CancellationToken,
    notes: Arc<Mutex<Vec<String>>>,
}

fn queue(fake: &Fake, visibility: Duration) -> Queue {
    let options = QueueOptions {
        visibility,
        ..QueueOptions::new("https://sqs.eu-west-1.amazonaws.com/111122223333/trail")
    };
    Queue::fake(Arc::new(fake.clone()), &options).unwrap()
}

impl Bench {
    fn new() -> Self {
        Self::at(&Fake::default(), PullOptions::default())
    }

    fn at(fake: &Fake, options: PullOptions) -> Self {
        let stop = CancellationToken::new();
        let notes = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&notes);
        let observer = Arc::new(move |note: Note| told.lock().unwrap().push(note.to_string()));
        let puller = Puller::start(queue(fake, MINUTE), options, &stop, observer).unwrap();
        Self { fake: fake.clone(), puller, stop, notes }
    }

    /// Returns the next batch, which must be there within some time.
    async fn next(&mut self) -> Batch {
        let next = timeout(20 * MINUTE, self.puller.next()).await;
        next.expect("a batch comes").unwrap().expect("pulling goes on")
    }

    /// Checks that nothing comes for some time.
    async fn nothing(&mut self, time: Duration) {
        let next = timeout(time, self.puller.next()).await;
        assert!(next.is_err(), "{next:?}");
    }

    async fn error(&mut self) -> QueueError {
        self.puller.next().await.unwrap_err()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

/// Returns a message about objects, each a key and a sequencer.
fn message(objects: &[(&str, &str)]) -> String {
    let records: Vec<Value> = objects
        .iter()
        .map(|(key, sequencer)| {
            let object = json!({"key": key, "size": 1, "sequencer": sequencer});
            json!({
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "b"}, "object": object},
            })
        })
        .collect();
    json!({ "Records": records }).to_string()
}

fn keys(batch: &Batch) -> Vec<&str> {
    batch.objects.iter().map(|object| object.key.as_str()).collect()
}

/// Lets the tasks do what is due now.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_is_deleted_when_all_of_it_is_stored() {
    let mut bench =
        Bench::at(&Fake::default(), PullOptions { most_batch: 2, ..PullOptions::default() });
    bench.fake.send(message(&[("a", "1"), ("b", "1"), ("c", "1")]));
    let first = bench.next().await;
    assert_eq!(keys(&first), ["a", "b"]);
    assert_eq!(first.sent, Some(1_773_760_321_000));
    let second = bench.next().await;
    assert_eq!(keys(&second), ["c"]);
    first.stored();
    settle().await;
    assert_eq!(bench.fake.left(), ["m1"]);
    second.stored();
    settle().await;
    assert_eq!(bench.fake.left(), [""; 0]);
    let counts = bench.puller.finish().await;
    assert_eq!((counts.received, counts.objects, counts.stored, counts.deleted), (1, 3, 3, 1));
    assert_eq!((counts.returned, counts.lost, counts.failed), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_names_no_object_is_told_and_deleted() {
    let mut bench = Bench::new();
    bench.fake.send(r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#);
    bench.fake.send(message(&[("AWSLogs/111122223333/CloudTrail-Digest/x/a.json.gz", "1")]));
    bench.fake.send(r#"{"Records":[]}"#);
    bench.nothing(MINUTE).await;
    assert_eq!(bench.fake.left(), [""; 0]);
    assert_eq!(
        bench.notes(),
        [
            "message m1: skipped `b` (test_event)",
            "message m2: skipped `s3://b/AWSLogs/111122223333/CloudTrail-Digest/x/a.json.gz` \
             (digest)",
        ]
    );
    let skipped = bench.puller.counts().skipped;
    assert_eq!(skipped, [(SkipReason::TestEvent, 1), (SkipReason::Digest, 1)].into());
}

#[tokio::test(start_paused = true)]
async fn what_fails_comes_again_later_each_time_and_is_redriven() {
    let mut bench = Bench::new();
    bench.fake.redrive(3);
    bench.fake.send(message(&[("a", "1"), ("b", "1")]));
    for wait in [0, 10, 20] {
        let began = Instant::now();
        let batch = bench.next().await;
        // The first of both was stored before, and is known.
        assert_eq!(keys(&batch), if wait == 0 { vec!["a", "b"] } else { vec!["b"] });
        assert_eq!(began.elapsed().as_secs(), wait);
        batch.failed(&[if wait == 0 { 1 } else { 0 }]);
    }
    bench.nothing(10 * MINUTE).await;
    assert_eq!(bench.fake.dead().len(), 1);
    let counts = bench.puller.counts();
    assert_eq!((counts.failed, counts.stored, counts.returned, counts.deleted), (3, 1, 3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_dropped_or_misjudged_has_failed() {
    let mut bench = Bench::new();
    bench.fake.send(message(&[("a", "1")]));
    drop(bench.next().await);
    bench.next().await.failed(&[7]);
    bench.next().await.failed(&[]);
    settle().await;
    assert_eq!(bench.fake.left(), [""; 0]);
    let counts = bench.puller.counts();
    assert_eq!((counts.failed, counts.stored, counts.deleted), (2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_that_cannot_be_read_is_deleted() {
    let mut bench = Bench::new();
    bench.fake.redrive(2);
    bench.fake.send("hello");
    bench.fake.send(message(&[("good", "1"), ("%zz", "1")]));
    let batch = bench.next().await;
    assert_eq!(keys(&batch), ["good"]);
    batch.stored();
    bench.nothing(10 * MINUTE).await;
    // The object is not handed out again, and yet the message was not deleted.
    assert_eq!(bench.fake.dead().len(), 2);
    let counts = bench.puller.counts();
    assert_eq!((counts.unreadable, counts.damaged, counts.repeated), (2, 2, 1));
    assert_eq!((counts.deleted, counts.returned), (0, 4));
    let notes = bench.notes();
    assert!(
        notes[0].starts_with("message m1, received 1 times: the message is not JSON"),
        "{notes:?}"
    );
    assert!(notes[1].starts_with("message m2: record 2: expected two"), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_held_while_its_objects_are_out() {
    let mut bench = Bench::new();
    bench.fake.send(message(&[("a", "1")]));
    let batch = bench.next().await;
    // Requests that fail are sent again before the time is over.
    bench.fake.fail(Action::Change, Answer::Status(503, "{}".into()));
    bench.fake.fail(Action::Change, Answer::Cut);
    bench.fake.fail(Action::Change, Answer::Lost);
    let other = queue(&bench.fake, MINUTE);
    for _ in 0..30 {
        assert!(other.receive(10).await.unwrap().is_empty());
    }
    let extended = bench.puller.counts().extended;
    assert!((17..=20).contains(&extended), "{extended}");
    assert!(bench.error().await.is_retry());
    batch.stored();
    settle().await;
    assert_eq!(bench.fake.left(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_held_longer_is_told() {
    let mut bench = Bench::new();
    bench.fake.send(message(&[("a", "1")]));
    let batch = bench.next().await;
    // SQS lets nobody hold a message for more than twelve hours.
    sleep(Duration::from_hours(12)).await;
    assert_eq!(bench.notes(), ["message m1 is no longer held: InvalidParameterValue"]);
    assert_eq!(bench.puller.counts().lost, 1);
    // It comes again while the object is still out, which is not handed out twice.
    bench.nothing(MINUTE).await;
    assert_eq!(bench.puller.counts().received, 2);
    batch.stored();
    settle().await;
    assert_eq!(bench.fake.left(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_several_messages_name_is_stored_once() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.fake.send(message(&[("a", "5")]));
    }
    bench.fake.send(message(&[("a", "4")]));
    let batch = bench.next().await;
    assert_eq!(keys(&batch), ["a"]);
    bench.nothing(2 * MINUTE).await;
    assert_eq!(bench.fake.left().len(), 4);
    batch.stored();
    settle().await;
    assert_eq!(bench.fake.left(), [""; 0]);
    // Later, too; only what is newer is another object.
    bench.fake.send(message(&[("a", "5")]));
    bench.fake.send(message(&[("a", "3")]));
    bench.nothing(MINUTE).await;
    assert_eq!(bench.fake.left(), [""; 0]);
    bench.fake.send(message(&[("a", "6")]));
    bench.next().await.stored();
    let counts = bench.puller.finish().await;
    assert_eq!((counts.objects, counts.repeated + counts.older, counts.deleted), (2, 5, 7));
}

#[tokio::test(start_paused = true)]
async fn if_the_first_of_several_fails_all_come_again() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.fake.send(message(&[("a", "5")]));
    }
    bench.next().await.failed(&[0]);
    let batch = bench.next().await;
    assert_eq!(keys(&batch), ["a"]);
    batch.stored();
    bench.nothing(MINUTE).await;
    assert_eq!(bench.fake.left(), [""; 0]);
    assert_eq!(bench.puller.counts().objects, 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_objects_are_out_than_allowed() {
    let options = PullOptions { most_out: 5, most_batch: 2, ..PullOptions::default() };
    let mut bench = Bench::at(&Fake::default(), options);
    for number in 0..40 {
        bench.fake.send(message(&[(&format!("{number}"), "1"), (&format!("{number}b"), "1")]));
    }
    let (mut out, mut seen) = (Vec::new(), BTreeSet::new());
    while seen.len() < 80 {
        match timeout(MINUTE, bench.puller.next()).await {
            Ok(batch) => out.push(batch.unwrap().unwrap()),
            Err(_) => {
                let objects: Vec<&str> = out.iter().flat_map(keys).collect();
                assert_eq!(objects.len(), 5);
                assert!(bench.fake.visible().len() + 10 >= bench.fake.left().len());
                seen.extend(objects.into_iter().map(str::to_owned));
                out.drain(..).for_each(Batch::stored);
            }
        }
        assert!(out.iter().map(|batch| batch.objects.len()).sum::<usize>() <= 5);
    }
    settle().await;
    assert_eq!(bench.fake.left(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn duplicates_without_end_are_bounded() {
    let options = PullOptions { most_out: 5, ..PullOptions::default() };
    let mut bench = Bench::at(&Fake::default(), options);
    for _ in 0..100 {
        bench.fake.send(message(&[("a", "1")]));
    }
    let batch = bench.next().await;
    bench.nothing(MINUTE).await;
    assert_eq!(bench.fake.visible().len(), 80);
    batch.stored();
    bench.nothing(MINUTE).await;
    assert_eq!(bench.fake.left(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_everything_back_within_a_second() {
    let options = PullOptions { most_batch: 1, ..PullOptions::default() };
    let mut bench = Bench::at(&Fake::default(), options);
    for key in ["a", "b", "c", "d"] {
        bench.fake.send(message(&[(key, "1")]));
    }
    let (first, second) = (bench.next().await, bench.next().await);
    assert_eq!(bench.fake.visible(), [""; 0]);
    let began = Instant::now();
    bench.stop.cancel();
    assert!(bench.puller.next().await.unwrap().is_none());
    settle().await;
    // What waits is given back at once; who is about to store has some time for it.
    assert_eq!(bench.fake.visible(), ["m3", "m4"]);
    first.stored();
    let counts = bench.puller.finish().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(bench.fake.visible(), ["m2", "m3", "m4"]);
    assert_eq!(bench.fake.left(), ["m2", "m3", "m4"]);
    assert_eq!((counts.deleted, counts.returned), (1, 3));
    // Too late, and no harm.
    second.stored();
    assert_eq!(bench.fake.left(), ["m2", "m3", "m4"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_no_server() {
    for silent in [Action::Receive, Action::Change, Action::Delete] {
        let mut bench = Bench::new();
        bench.fake.send(message(&[("a", "1")]));
        let batch = bench.next().await;
        for _ in 0..3 {
            bench.fake.fail(silent, Answer::Silence);
        }
        // A request to hold the message longer is due after half a minute.
        bench.nothing(Duration::from_secs(if silent == Action::Change { 32 } else { 5 })).await;
        if silent == Action::Delete {
            batch.stored();
        } else {
            drop(batch);
        }
        settle().await;
        let began = Instant::now();
        bench.puller.finish().await;
        assert!(began.elapsed() < Duration::from_secs(1), "{silent:?} {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_process_held_comes_again() {
    let fake = Fake::default();
    let mut killed = Bench::at(&fake, PullOptions::default());
    fake.send(message(&[("a", "1")]));
    let batch = killed.next().await;
    for task in &killed.puller.tasks {
        task.abort();
    }
    // The tasks end without a word, and the caller waits for nothing.
    assert!(killed.puller.next().await.unwrap().is_none());
    batch.stored();
    let mut bench = Bench::at(&fake, PullOptions::default());
    bench.nothing(Duration::from_secs(50)).await;
    let batch = bench.next().await;
    assert_eq!(keys(&batch), ["a"]);
    batch.stored();
    settle().await;
    assert_eq!(fake.left(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_fails_is_repeated() {
    let mut bench = Bench::new();
    bench.fake.send(message(&[("a", "1")]));
    let batch = bench.next().await;
    for answer in [
        Answer::Status(503, "{}".into()),
        Answer::Status(200, r#"{"Failed":[{"Id":"0","Code":"InternalError"}]}"#.into()),
        Answer::Lost,
    ] {
        bench.fake.fail(Action::Delete, answer);
    }
    batch.stored();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(bench.fake.left(), [""; 0]);
    assert_eq!(bench.fake.calls(Action::Delete).len(), 2);
    let counts = bench.puller.counts();
    assert_eq!((counts.deleted, counts.lost), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_deleted_too_late_is_known() {
    let mut bench = Bench::new();
    bench.fake.send(message(&[("a", "1")]));
    let batch = bench.next().await;
    for _ in 0..7 {
        bench.fake.fail(Action::Delete, Answer::Status(503, "{}".into()));
    }
    batch.stored();
    let mut errors = 0;
    let end = Instant::now() + 5 * MINUTE;
    while let Ok(next) = tokio::time::timeout_at(end, bench.puller.next()).await {
        assert!(next.unwrap_err().is_retry());
        errors += 1;
    }
    assert!(errors > 0);
    assert_eq!(bench.fake.left(), [""; 0]);
    let counts = bench.puller.counts();
    assert_eq!((counts.objects, counts.deleted, counts.received), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn errors_are_told_and_repeated_after_a_while() {
    let denied = || {
        let body = r#"{"__type":"AccessDeniedException","message":"no"}"#;
        Answer::Status(400, body.to_owned())
    };
    let busy = Answer::Status(503, "{}".into());
    // What the server does, and after how many seconds each error is told.
    for (answers, expected) in [
        (vec![Answer::Cut, busy, Answer::Cut], vec![0, 1, 2]),
        (vec![denied(), denied()], vec![0, 60]),
        // The server is given the time of the long poll, and ten seconds.
        (vec![Answer::Silence, Answer::Silence], vec![30, 31]),
    ] {
        let mut bench = Bench::new();
        let is_denied = matches!(answers[0], Answer::Status(400, _));
        for answer in answers {
            bench.fake.fail(Action::Receive, answer);
        }
        for seconds in expected {
            let began = Instant::now();
            let error = bench.error().await;
            assert_eq!(error.is_retry(), !is_denied, "{error}");
            assert_eq!(began.elapsed().as_secs(), seconds, "{error}");
            let is_of_policy = matches!(error, QueueError::Refused { fault: Fault::Denied, .. });
            assert_eq!(is_of_policy, is_denied);
        }
        bench.fake.send(message(&[("a", "1")]));
        bench.next().await.stored();
        settle().await;
        assert_eq!(bench.fake.left(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_received_before_it_is_wanted() {
    let mut bench = Bench::new();
    bench.fake.send(message(&[("a", "1")]));
    sleep(MINUTE).await;
    assert_eq!(bench.fake.calls(Action::Receive).len(), 0);
    bench.next().await.stored();
    // A future that is dropped loses nothing.
    for _ in 0..50 {
        bench.nothing(Duration::from_millis(100)).await;
    }
    bench.fake.send(message(&[("b", "1")]));
    sleep(MINUTE).await;
    assert_eq!(keys(&bench.next().await), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_wait_is_not_asked_all_the_time() {
    let fake = Fake::default();
    let options = QueueOptions {
        wait: Duration::ZERO,
        ..QueueOptions::new("https://sqs.eu-west-1.amazonaws.com/111122223333/trail")
    };
    let queue = Queue::fake(Arc::new(fake.clone()), &options).unwrap();
    let stop = CancellationToken::new();
    let mut puller = Puller::start(queue, PullOptions::default(), &stop, Arc::new(|_| {})).unwrap();
    assert!(timeout(MINUTE, puller.next()).await.is_err());
    let asked = fake.calls(Action::Receive).len();
    assert!((59..=61).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn options_that_cannot_be_used() {
    let fake = Fake::default();
    let good = PullOptions::default();
    for (options, name) in [
        (PullOptions { most_out: 0, ..good }, "most_out"),
        (PullOptions { most_out: 1001, ..good }, "most_out"),
        (PullOptions { most_batch: 0, ..good }, "most_batch"),
        (PullOptions { window: 1_000_001, ..good }, "window"),
        (PullOptions { retry_after: 16 * MINUTE, ..good }, "retry_after"),
    ] {
        let stop = CancellationToken::new();
        let started = Puller::start(queue(&fake, MINUTE), options, &stop, Arc::new(|_| {}));
        assert!(started.unwrap_err().to_string().contains(name));
    }
}
