//! A server brings in what a queue tells of, and a message is deleted only when all of it is stored.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::s3::server::Server;
use crate::served::{PATIENCE, Served};

/// A queue that hands out each message once, and remembers what became of it.
struct Queue {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The messages that were not received yet: their names and texts.
    waiting: Vec<(String, String)>,
    deleted: BTreeSet<String>,
    returned: BTreeSet<String>,
}

impl Queue {
    /// Starts a queue with a message for each of these objects of the bucket `logs`.
    fn of(keys: &[&str]) -> Self {
        let message = |key: &&str| {
            let object = json!({ "bucket": { "name": "logs" }, "object": { "key": key } });
            let record = json!({
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "eventTime": "2026-03-10T12:00:00.000Z",
                "s3": object,
            });
            ((*key).to_owned(), json!({ "Records": [record] }).to_string())
        };
        let waiting = keys.iter().map(message).collect();
        let state = Arc::new(Mutex::new(State { waiting, ..State::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                std::thread::spawn(move || while answer(&stream, &shared).is_some() {});
            }
        });
        Self { address, state }
    }

    fn url(&self) -> String {
        format!("http://{}/111122223333/trail", self.address)
    }
}

/// Answers a request of a connection; `None` at its end.
fn answer(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut action, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some(("x-amz-target", name)) => action = name.to_owned(),
            Some(("content-length", text)) => length = text.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let asked: Value = serde_json::from_slice(&body).ok()?;
    let text = outcome(&action, &asked, &mut state.lock().unwrap()).to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0";
    write!(&mut &*stream, "{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len()).ok()
}

fn outcome(action: &str, asked: &Value, state: &mut State) -> Value {
    let entries = asked["Entries"].as_array().cloned().unwrap_or_default();
    let names = entries.iter().map(|entry| entry["ReceiptHandle"].as_str().unwrap().to_owned());
    match action {
        "amazonsqs.receivemessage" => {
            let messages = state.waiting.drain(..).map(|(name, text)| {
                json!({ "MessageId": name, "ReceiptHandle": name, "Body": text, "Attributes": {
                    "ApproximateReceiveCount": "1",
                } })
            });
            return json!({ "Messages": messages.collect::<Vec<_>>() });
        }
        "amazonsqs.deletemessagebatch" => state.deleted.extend(names),
        "amazonsqs.changemessagevisibilitybatch" => state.returned.extend(names),
        _ => return json!({ "Attributes": { "ApproximateNumberOfMessages": "0" } }),
    }
    let done = entries.iter().map(|entry| json!({ "Id": entry["Id"] }));
    json!({ "Successful": done.collect::<Vec<_>>(), "Failed": [] })
}

#[test]
fn a_message_is_deleted_when_its_object_is_stored() {
    let whole = |id: &str| json!({ "Records": [crate::serve::event(id)] }).to_string();
    let cut = |id: &str| whole(id).trim_end_matches(['}', ']']).to_owned();
    let server = Server::new([
        ("good 1.json".to_owned(), whole("1").into_bytes()),
        ("cut.json".to_owned(), cut("2").into_bytes()),
        // It was read, and there is no event in it.
        ("other.json".to_owned(), b"[]".to_vec()),
    ]);
    let queue = Queue::of(&["good+1.json", "cut.json", "other.json", "gone.json"]);
    let fixture = Fixture::empty();
    let config = format!(
        "[[serve.input]]\nname = 'trail'\nqueue = '{}'\ns3_region = 'eu-west-1'\n\
         s3_endpoint = '{}'\n",
        queue.url(),
        server.endpoint()
    );
    fixture.write("spilltrail.toml", &config);
    let arguments = ["serve", "--data", "data", "--hec", "off", "--api", "off"];
    let mut command = fixture.bare(&[&arguments[..], &["--config", "spilltrail.toml"]].concat());
    command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret");
    let mut served = Served::spawn(command);
    served.wait_for("trail: s3://logs/");
    let begun = Instant::now();
    loop {
        {
            let State { deleted, returned, .. } = &*queue.state.lock().unwrap();
            if deleted.len() + returned.len() == 4 {
                let names = |found: &BTreeSet<String>| found.iter().cloned().collect::<Vec<_>>();
                assert_eq!(names(deleted), ["good+1.json", "other.json"], "{returned:?}");
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{deleted:?} {returned:?}");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(served);
    let search = "index=main | stats count by eventID";
    let found = fixture.run_builtin(&["search", search, "--lake", "data"]);
    let expected = [json!({ "eventID": "1", "count": 1 })];
    assert!(found.lines().starts_with(&expected), "{}{}", found.out, found.err);
}
