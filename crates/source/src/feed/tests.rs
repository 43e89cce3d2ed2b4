//! Files on disk and S3 in order, with faults, and with limits on fetching ahead.

use super::*;
use crate::logs::ReadOptions;
use crate::s3::S3Options;
use crate::s3::tests::server::{Fault, Server, read_all};

fn logs(server: &Server, names: &[&str]) -> Logs {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let s3 =
        S3Options { endpoint: Some(server.endpoint()), anonymous: true, ..S3Options::default() };
    let options = ReadOptions { s3, ..ReadOptions::default() };
    let _runtime = crate::s3::tests::runtime().enter();
    let logs = Logs::open(&names, Box::new(std::io::empty()), options);
    assert_eq!(logs.problems().len(), 0, "{:?}", logs.problems());
    logs
}

fn all(logs: &Logs) -> Vec<usize> {
    (0..logs.files().len()).collect()
}

fn bytes(content: Content) -> std::io::Result<Vec<u8>> {
    match content {
        Content::Held(bytes) => Ok(bytes),
        Content::Stream(Input::Stream(reader)) => read_all(reader),
        Content::Stream(Input::Seekable(reader)) => read_all(reader),
    }
}

#[test]
fn files_come_in_order_and_what_cannot_be_read_is_named() {
    let large: Vec<u8> = (0..=MAX_HELD).map(|n| (n / 255) as u8).collect();
    let server = Server::new([
        ("a/1".to_owned(), b"one".to_vec()),
        ("a/2".to_owned(), b"two".to_vec()),
        ("a/3".to_owned(), large.clone()),
        ("a/4".to_owned(), b"four".to_vec()),
        ("a/5".to_owned(), b"five".to_vec()),
    ]);
    server.fail("a/1", &[Fault::SlowDown, Fault::CutAfter(1)]);
    server.fail_always("a/2", Fault::Status(403));
    server.fail("a/4", &[Fault::Reset]);
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.json");
    std::fs::write(&disk, "{}").unwrap();
    let logs = logs(&server, &["s3://logs/a/1", disk.to_str().unwrap(), "s3://logs/a"]);
    let names: Vec<&str> = logs.files().iter().map(|file| file.name.as_ref()).collect();
    let disk = disk.to_str().unwrap();
    let expected = ["1", "1", "2", "3", "4", "5"].map(|key| format!("s3://logs/a/{key}"));
    assert_eq!(names[0], expected[0]);
    assert_eq!(names[1], disk);
    assert_eq!(names[2..], expected[1..]);

    let feed = Feed::new(&logs, all(&logs));
    let mut read = Vec::new();
    while let Some((index, content)) = feed.next() {
        assert_eq!(index, read.len());
        read.push(match content {
            Ok(content) => bytes(content).unwrap(),
            Err(report) => {
                assert_eq!(report.damage_count, 1);
                assert_eq!(report.damages[0].kind, DamageKind::Io);
                report.damages[0].message.clone().into_bytes()
            }
        });
    }
    let denied = b"refused with status 403: AccessDenied, no".as_slice();
    let expected = [b"one".as_slice(), b"{}", b"one", denied, &large, b"four", b"five"];
    assert!(read == expected);
}

#[test]
fn requests_run_together_and_no_more_than_may() {
    const MEBIBYTE: usize = 1 << 20;
    let objects = (0..48).map(|n| (format!("a/{n:02}"), vec![n; MEBIBYTE]));
    let server = Server::new(objects);
    let logs = logs(&server, &["s3://logs/a/"]);
    // The server answers no request before this many are pending.
    server.gather(crate::s3::MAX_REQUESTS);
    let feed = Feed::new(&logs, all(&logs));
    for taken in 1..=48_usize {
        let (index, content) = feed.next().unwrap();
        assert_eq!(bytes(content.unwrap()).unwrap(), vec![index as u8; MEBIBYTE]);
        let asked = server.log().gets.len();
        assert!(asked <= BYTES_AHEAD / MEBIBYTE + taken, "{asked} asked for, {taken} taken");
    }
    assert!(feed.next().is_none());
    assert_eq!(server.log().most_running, crate::s3::MAX_REQUESTS);
}

#[test]
fn small_objects_are_bounded_by_their_number() {
    let objects = (0..300).map(|n| (format!("a/{n:03}"), vec![1]));
    let server = Server::new(objects);
    let logs = logs(&server, &["s3://logs/a/"]);
    let feed = Feed::new(&logs, all(&logs));
    for taken in 1..=100 {
        feed.next().unwrap().1.unwrap();
        let asked = server.log().gets.len();
        // One more request than the queue holds waits to be queued.
        assert!(asked <= OBJECTS_AHEAD + 1 + taken, "{asked} asked for, {taken} taken");
    }
    // Dropping the feed cancels the pending requests.
    drop(feed);
}

#[test]
fn threads_share_the_files() {
    let objects = (0..100_u8).map(|n| (format!("a/{n:03}"), vec![n]));
    let server = Server::new(objects);
    server.fail("a/050", &[Fault::Reset, Fault::SlowDown]);
    let logs = logs(&server, &["s3://logs/a/"]);
    let feed = Feed::new(&logs, all(&logs));
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((index, content)) = feed.next_into(Vec::new()) {
                    assert_eq!(bytes(content.unwrap()).unwrap(), [index as u8]);
                    seen.lock().unwrap().push(index);
                }
            });
        }
    });
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    assert_eq!(seen, all(&logs));
}

#[test]
fn files_of_disk_are_held_or_streamed() {
    let server = Server::new([]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("1"), "small").unwrap();
    std::fs::write(path("2"), vec![7; MAX_OF_DISK as usize + 1]).unwrap();
    std::fs::write(path("3"), "gone").unwrap();
    let logs = logs(&server, &[folder.path().to_str().unwrap()]);
    std::fs::remove_file(path("3")).unwrap();
    let feed = Feed::new(&logs, all(&logs));
    let spare = Vec::with_capacity(1000);
    let place = spare.as_ptr();
    let Some((0, Ok(Content::Held(bytes)))) = feed.next_into(spare) else { panic!("held") };
    assert_eq!(bytes, b"small");
    assert_eq!(bytes.as_ptr(), place, "the buffer is used again");
    let Some((1, Ok(Content::Stream(Input::Seekable(large))))) = feed.next() else {
        panic!("streamed")
    };
    assert_eq!(read_all(large).unwrap().len() as u64, MAX_OF_DISK + 1);
    let Some((2, Err(report))) = feed.next() else { panic!("unreadable") };
    assert_eq!(report.damages[0].kind, DamageKind::Io);
    assert!(feed.next().is_none());
}
