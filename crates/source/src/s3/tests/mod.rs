//! Tests against the server in `server`: listing, faults, limits. `real` uses another server.

mod real;
pub(crate) mod server;

use std::net::TcpListener;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use spilltrail_event::{StopToken, TimeBounds};
use tokio::runtime::{Builder, Handle, Runtime};

use super::failure::{Failure, Patience};
use super::object::{MAX_HELD, ObjectReader, PART};
use super::options::{S3Options, Settled, Variables};
use super::silence::{Limits, Silence};
use super::{Bucket, Io, Listing};
use crate::layout::Reason;
use crate::logs::Notice;
use crate::wanted::Wanted;
use server::{Fault, Server, read_all};

/// Returns a bucket on a server, with short waits between retries.
pub(crate) fn bucket(server: &Server) -> Arc<Bucket> {
    let options =
        S3Options { endpoint: Some(server.endpoint()), anonymous: true, ..S3Options::default() };
    bucket_with(&options)
}

pub(crate) fn bucket_with(options: &S3Options) -> Arc<Bucket> {
    let settled = Settled::new(options, &Variables::default()).unwrap();
    let millisecond = Duration::from_millis(1);
    let patience = Patience { attempts: 4, first: millisecond, longest: millisecond };
    Arc::new(Bucket::new("logs", io(StopToken::new()), settled, patience).unwrap())
}

/// Returns the runtime that all tests share.
pub(crate) fn runtime() -> &'static Handle {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    });
    RUNTIME.handle()
}

pub(crate) fn io(stop: StopToken) -> Arc<Io> {
    Arc::new(Io::new(runtime().clone(), stop, Silence::new(Limits::default(), None)))
}

pub(crate) fn key(account: &str, region: &str, day: &str, hour: &str) -> String {
    let stamp = day.replace('/', "");
    format!(
        "AWSLogs/{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_\
         {stamp}T{hour}00Z_abc.json.gz"
    )
}

/// Returns an account in two regions, another account, digests, and files of another service.
fn trail() -> Vec<(String, Vec<u8>)> {
    let mut keys = vec![
        "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/03/17/digest.json.gz".to_owned(),
        "AWSLogs/111122223333/Config/eu-west-1/2026/3/17/config.json.gz".to_owned(),
    ];
    for day in ["2025/12/31", "2026/03/16", "2026/03/17", "2026/03/18", "2026/03/20", "2026/04/01"]
    {
        keys.push(key("111122223333", "eu-west-1", day, "12"));
        keys.push(key("111122223333", "eu-west-2", day, "12"));
        keys.push(key("444455556666", "eu-west-1", day, "12"));
    }
    keys.into_iter().map(|key| (key, b"{}".to_vec())).collect()
}

fn keys(listing: &Listing) -> Vec<&str> {
    listing.objects.iter().map(|(key, _)| key.as_str()).collect()
}

#[test]
fn everything_of_cloudtrail_is_listed() {
    let server = Server::new(trail());
    server.set_page(2);
    let listing = bucket(&server).list("", &Wanted::default());
    assert_eq!(listing.objects.len(), 18);
    assert!(listing.objects.is_sorted());
    assert_eq!(listing.failures, []);
    assert_eq!(listing.passed, [(Reason::Digest, 1), (Reason::OtherService, 1)].into());
    // The folders of regions are listed recursively, because all days are wanted.
    let listed = server.log().listed;
    assert!(listed.contains(&"AWSLogs/111122223333/CloudTrail/eu-west-1/**".to_owned()));
    assert!(!listed.iter().any(|prefix| prefix.contains("2026")), "{listed:?}");
}

#[test]
fn only_wanted_prefixes_are_listed() {
    let server = Server::new(trail());
    // 2026-03-17 12:00 to 24:00.
    let wanted = Wanted {
        time: TimeBounds { earliest: Some(1_773_748_800.0), latest: Some(1_773_792_000.0) },
        accounts: Some(["111122223333".to_owned()].into()),
        regions: Some(["eu-west-1".to_owned()].into()),
        indexes: None,
    };
    let listing = bucket(&server).list("AWSLogs", &wanted);
    let wanted_keys =
        ["2026/03/17", "2026/03/18"].map(|day| key("111122223333", "eu-west-1", day, "12"));
    assert_eq!(keys(&listing), wanted_keys);
    let mut listed = server.log().listed;
    listed.sort();
    let below = "AWSLogs/111122223333/CloudTrail/eu-west-1/";
    assert_eq!(
        listed,
        [
            "AWSLogs/*".to_owned(),
            "AWSLogs/111122223333/*".to_owned(),
            "AWSLogs/111122223333/CloudTrail/*".to_owned(),
            format!("{below}*"),
            format!("{below}2026/*"),
            format!("{below}2026/03/*"),
            format!("{below}2026/03/17/**"),
            format!("{below}2026/03/18/**"),
        ]
    );
    // 2025, 16 March, 20 March, April.
    let passed = [
        (Reason::TooEarly, 2),
        (Reason::TooLate, 2),
        (Reason::Account, 1),
        (Reason::Region, 1),
        (Reason::Digest, 1),
        (Reason::OtherService, 1),
    ];
    assert_eq!(listing.passed, passed.into());
}

#[test]
fn one_object_and_other_folders() {
    let objects = ["odd/deep/er/1.json", "odd/2.json", "odd/2.json.bak/3.json"];
    let server = Server::new(objects.map(|key| (key.to_owned(), b"{}".to_vec())));
    let bucket = bucket(&server);
    let everything = Wanted::default();
    assert_eq!(keys(&bucket.list("odd/2.json", &everything)), ["odd/2.json"]);
    let all = ["odd/2.json", "odd/2.json.bak/3.json", "odd/deep/er/1.json"];
    assert_eq!(keys(&bucket.list("odd", &everything)), all);
    assert_eq!(keys(&bucket.list("", &everything)), all);
    let nothing = bucket.list("other", &everything);
    assert_eq!(nothing.failures, [("other".to_owned(), Failure::NothingThere)]);
}

#[test]
fn a_folder_that_cannot_be_listed_is_named_and_the_others_are_listed() {
    let server = Server::new(trail());
    let denied = "AWSLogs/444455556666/";
    server.fail_always(&format!("list {denied}"), Fault::Status(403));
    server.fail("list AWSLogs/", &[Fault::SlowDown, Fault::Status(500)]);
    let listing = bucket(&server).list("AWSLogs/", &Wanted::default());
    assert_eq!(listing.objects.len(), 12);
    assert_eq!(listing.failures.len(), 1);
    assert_eq!(listing.failures[0].0, denied);
    let message = listing.failures[0].1.to_string();
    assert_eq!(message, "refused with status 403: AccessDenied, no");
}

#[test]
fn faults_are_overcome_from_where_they_came() {
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    let server = Server::new([("a".to_owned(), bytes.clone())]);
    server.fail(
        "a",
        &[
            Fault::SlowDown,
            Fault::Reset,
            Fault::CutAfter(40_000),
            Fault::CutAfter(10_000),
            Fault::Status(500),
        ],
    );
    let part = bucket(&server).read_blocking("a", bytes.len() as u64);
    assert_eq!(part.failure, None);
    assert_eq!(part.bytes, bytes);
    // The network decides how much of a broken body arrives; the last request asks for the rest.
    let gets = server.log().gets;
    assert_eq!(gets.len(), 6);
    assert!(gets[3].starts_with("a bytes=") && gets[5].ends_with("-99999"), "{gets:?}");
}

#[test]
fn what_cannot_be_read_says_why() {
    let server = Server::new([("a".to_owned(), vec![7; 100])]);
    let bucket = bucket(&server);
    for (fault, message) in [
        (Fault::Status(403), "refused with status 403: AccessDenied, no"),
        (Fault::Status(404), "the object does not exist"),
        (Fault::SlowDown, "refused with status 503: SlowDown, no; tried 4 times"),
    ] {
        server.fail_always("a", fault);
        let part = bucket.read_blocking("a", 100);
        assert_eq!(part.failure.map(|failure| failure.to_string()).as_deref(), Some(message));
    }
    server.fail("a", &[]);
    let part = bucket.read_blocking("a", 99);
    assert_eq!(part.failure, Some(Failure::Replaced));
    assert_eq!(bucket.io.throttle.limit(), 1, "a server that asks to slow down is heard");
}

#[test]
fn large_objects_come_in_parts() {
    let size = MAX_HELD as usize + 12_345;
    let bytes: Vec<u8> = (0..size).map(|n| (n / 251) as u8).collect();
    let server = Server::new([("a".to_owned(), bytes.clone())]);
    server.fail("a", &[Fault::CutAfter(5), Fault::SlowDown]);
    let bucket = bucket(&server);
    let read = read_all(ObjectReader::new(bucket.clone(), "a".to_owned(), size as u64)).unwrap();
    assert!(read == bytes);
    let gets = server.log().gets;
    let expected = size.div_ceil(PART as usize) + 2;
    assert_eq!(gets.len(), expected, "{gets:?}");
    assert_eq!(server.log().most_running, 1, "one part at a time");

    server.fail_always("a", Fault::Status(403));
    let mut reader = ObjectReader::new(bucket, "a".to_owned(), size as u64);
    let error = read_all(&mut reader).unwrap_err().to_string();
    assert_eq!(error, "refused with status 403: AccessDenied, no");
    assert_eq!(read_all(&mut reader).unwrap_err().to_string(), error, "again and again");
}

#[test]
fn who_pays_and_signs() {
    let server = Server::new([("a".to_owned(), vec![7; 100])]);
    bucket(&server).read_blocking("a", 100);
    assert_eq!((server.log().payers, server.log().signed), (0, 0));
    let options = S3Options {
        endpoint: Some(server.endpoint()),
        requester_pays: true,
        ..S3Options::default()
    };
    let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let variables = Variables(keys.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let settled = Settled::new(&options, &variables).unwrap();
    let io = io(StopToken::new());
    let signing = Arc::new(Bucket::new("logs", io, settled, Patience::default()).unwrap());
    assert_eq!(signing.read_blocking("a", 100).failure, None);
    assert_eq!((server.log().payers, server.log().signed), (1, 1));
}

#[test]
fn a_stop_ends_what_waits_for_a_server_that_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Some(format!("http://{}", silent.local_addr().unwrap()));
    let options = S3Options { endpoint, anonymous: true, ..S3Options::default() };
    let settled = Settled::new(&options, &Variables::default()).unwrap();
    let stop = StopToken::new();
    let silent_bucket =
        Arc::new(Bucket::new("logs", io(stop.clone()), settled, Patience::default()).unwrap());
    let mut large = ObjectReader::new(silent_bucket.clone(), "large".to_owned(), 2 * PART);
    let waiting = {
        let bucket = silent_bucket.clone();
        std::thread::spawn(move || bucket.read_blocking("a", 100).failure)
    };
    // The requests have arrived once their connections are accepted.
    let _connections = [silent.accept().unwrap(), silent.accept().unwrap()];
    stop.set();
    assert_eq!(waiting.join().unwrap(), Some(Failure::Stopped));
    let error = std::io::Read::read(&mut large, &mut [0; 8]).unwrap_err();
    assert_eq!(error.to_string(), Failure::Stopped.to_string());
    let listing = silent_bucket.list("", &Wanted::default());
    assert_eq!(listing.failures, [(String::new(), Failure::Stopped)]);
}

/// Returns a bucket that waits for a silent server for a short time, and the notices of the wait.
fn impatient_bucket(server: &Server) -> (Arc<Bucket>, Arc<Mutex<Vec<String>>>) {
    let options =
        S3Options { endpoint: Some(server.endpoint()), anonymous: true, ..S3Options::default() };
    let settled = Settled::new(&options, &Variables::default()).unwrap();
    let notices: Arc<Mutex<Vec<String>>> = Arc::default();
    let taken = notices.clone();
    let notice = Notice(Arc::new(move |line: &str| taken.lock().unwrap().push(line.to_owned())));
    let limits = Limits { notice: Duration::from_millis(10), longest: Duration::from_millis(900) };
    let io = Io::new(runtime().clone(), StopToken::new(), Silence::new(limits, Some(notice)));
    let bucket = Bucket::new("logs", Arc::new(io), settled, Patience::default()).unwrap();
    (Arc::new(bucket), notices)
}

#[test]
fn a_silent_server_is_given_up_on_for_all_later_requests() {
    let server = Server::new([("a.json".to_owned(), b"{}".to_vec())]);
    server.fail_always("list ", Fault::Silence);
    let (bucket, notices) = impatient_bucket(&server);
    let listing = bucket.list("", &Wanted::default());
    assert_eq!(listing.failures, [(String::new(), Failure::Silent { seconds: 0 })]);
    let told = notices.lock().unwrap().clone();
    assert!(told.iter().all(|line| line.starts_with("s3://logs: no answer for")), "{told:?}");
    assert!(!told.is_empty());
    // The server is known to be silent, so the next request does not even begin.
    let part = bucket.read_blocking("a.json", 2);
    assert_eq!(part.failure, Some(Failure::Silent { seconds: 0 }));
    assert!(server.log().gets.is_empty());
}

#[test]
fn one_silent_object_does_not_end_the_others() {
    let server = Server::new(["a.json", "b.json"].map(|key| (key.to_owned(), b"{}".to_vec())));
    server.fail_always("a.json", Fault::Silence);
    let (bucket, _) = impatient_bucket(&server);
    // Something is heard after the request for the silent object begins.
    let (sender, receiver) = std::sync::mpsc::channel();
    let other = bucket.clone();
    let silent = std::thread::spawn(move || {
        sender.send(()).unwrap();
        other.read_blocking("a.json", 2)
    });
    receiver.recv().unwrap();
    while !silent.is_finished() {
        assert_eq!(bucket.read_blocking("b.json", 2).failure, None);
    }
    assert!(matches!(silent.join().unwrap().failure, Some(Failure::Silent { .. })));
    assert_eq!(bucket.read_blocking("b.json", 2).failure, None);
}
