//! A fake SQS: one queue with a visibility timeout, redrive, long polling and faults. It can be called
//! directly, with the paused clock of a test, or over a socket.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::QueueError;
use crate::transport::{Action, Transport, refusal};

/// The longest time that a message may be held in all.
const LONGEST: Duration = Duration::from_hours(12);

/// What the fake does instead of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// This status and body.
    Status(u16, String),
    /// The connection ends.
    Cut,
    /// Nothing, for ever.
    Silence,
    /// It does what is asked, and the connection ends before the answer.
    Lost,
    /// It does what is asked, and answers after this time.
    Late(Duration),
}

#[derive(Debug)]
struct Sent {
    id: String,
    body: String,
    visible: Instant,
    first: Option<Instant>,
    receives: u32,
    /// The last of them is the valid one.
    receipt: String,
}

#[derive(Default)]
struct State {
    messages: Vec<Sent>,
    dead: Vec<String>,
    redrive: Option<u32>,
    faults: VecDeque<(Action, Answer)>,
    calls: Vec<(Action, Value)>,
    number: u64,
}

/// The queue. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

impl Fake {
    /// Sends a message.
    pub(crate) fn send(&self, body: impl Into<String>) {
        let mut state = self.state.lock().unwrap();
        state.number += 1;
        let id = format!("m{}", state.number);
        state.messages.push(Sent {
            id,
            body: body.into(),
            visible: Instant::now(),
            first: None,
            receives: 0,
            receipt: String::new(),
        });
        drop(state);
        self.changed.notify_waiters();
    }

    /// Moves messages to the dead ones that were received so many times.
    pub(crate) fn redrive(&self, receives: u32) {
        self.state.lock().unwrap().redrive = Some(receives);
    }

    /// Lets the next request for an action fail. The first of several is the next one.
    pub(crate) fn fail(&self, action: Action, answer: Answer) {
        self.state.lock().unwrap().faults.push_back((action, answer));
    }

    /// Returns the names of the messages that are in the queue, held or not.
    pub(crate) fn left(&self) -> Vec<String> {
        self.state.lock().unwrap().messages.iter().map(|sent| sent.id.clone()).collect()
    }

    /// Returns the names of the messages that anybody can receive now.
    pub(crate) fn visible(&self) -> Vec<String> {
        let now = Instant::now();
        let state = self.state.lock().unwrap();
        let visible = state.messages.iter().filter(|sent| sent.visible <= now);
        visible.map(|sent| sent.id.clone()).collect()
    }

    /// Returns the bodies of the dead messages.
    pub(crate) fn dead(&self) -> Vec<String> {
        self.state.lock().unwrap().dead.clone()
    }

    /// Returns the requests for an action so far.
    pub(crate) fn calls(&self, action: Action) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        state.calls.iter().filter(|call| call.0 == action).map(|call| call.1.clone()).collect()
    }

    fn fault(&self, action: Action) -> Option<Answer> {
        let mut state = self.state.lock().unwrap();
        let at = state.faults.iter().position(|fault| fault.0 == action)?;
        state.faults.remove(at).map(|fault| fault.1)
    }

    /// Does what a request asks for.
    async fn answer(&self, action: Action, request: &Value) -> (u16, String) {
        self.state.lock().unwrap().calls.push((action, request.clone()));
        match action {
            Action::Receive => {
                let wait = request["WaitTimeSeconds"].as_u64().unwrap_or_default();
                let end = Instant::now() + Duration::from_secs(wait);
                loop {
                    let changed = self.changed.notified();
                    let (messages, next) = self.receive(request);
                    if !messages.is_empty() {
                        return (200, json!({ "Messages": messages }).to_string());
                    }
                    if Instant::now() >= end {
                        return (200, "{}".to_owned());
                    }
                    tokio::select! {
                        () = changed => {}
                        () = sleep_until(next.map_or(end, |next| next.min(end))) => {}
                    }
                }
            }
            Action::Delete | Action::Change => self.each(action, request),
            Action::Attributes => self.attributes(),
        }
    }

    /// Returns the messages that can be received now, or when the next one can be.
    fn receive(&self, request: &Value) -> (Vec<Value>, Option<Instant>) {
        let now = Instant::now();
        let most = request["MaxNumberOfMessages"].as_u64().unwrap() as usize;
        let timeout = Duration::from_secs(request["VisibilityTimeout"].as_u64().unwrap());
        let mut state = self.state.lock().unwrap();
        if let Some(redrive) = state.redrive {
            let is_dead = |sent: &Sent| sent.visible <= now && sent.receives >= redrive;
            let (dead, rest) =
                std::mem::take(&mut state.messages).into_iter().partition::<Vec<_>, _>(is_dead);
            state.dead.extend(dead.into_iter().map(|sent| sent.body));
            state.messages = rest;
        }
        let visible = state.messages.iter_mut().filter(|sent| sent.visible <= now).take(most);
        let messages = visible
            .map(|sent| {
                sent.receives += 1;
                sent.visible = now + timeout;
                sent.first.get_or_insert(now);
                sent.receipt = format!("receipt-{}-{}", sent.id, sent.receives);
                json!({
                    "MessageId": sent.id, "ReceiptHandle": sent.receipt, "Body": sent.body,
                    "MD5OfBody": "x",
                    "Attributes": {
                        "ApproximateReceiveCount": sent.receives.to_string(),
                        "SentTimestamp": "1773760321000",
                    },
                })
            })
            .collect();
        (messages, state.messages.iter().map(|sent| sent.visible).min())
    }

    fn each(&self, action: Action, request: &Value) -> (u16, String) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap();
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in request["Entries"].as_array().unwrap() {
            let receipt = entry["ReceiptHandle"].as_str().unwrap();
            let at = state.messages.iter().position(|sent| sent.receipt == receipt);
            let code = match (at, action) {
                // Deleting what is gone is no error.
                (None, Action::Delete) => None,
                (Some(at), Action::Delete) => {
                    state.messages.remove(at);
                    None
                }
                (None, _) => Some("ReceiptHandleIsInvalid"),
                (Some(at), _) => {
                    let sent = &mut state.messages[at];
                    let time = Duration::from_secs(entry["VisibilityTimeout"].as_u64().unwrap());
                    if sent.visible <= now {
                        Some("MessageNotInflight")
                    } else if now + time > sent.first.unwrap() + LONGEST {
                        Some("InvalidParameterValue")
                    } else {
                        sent.visible = now + time;
                        None
                    }
                }
            };
            match code {
                None => successful.push(json!({"Id": entry["Id"]})),
                Some(code) => failed.push(json!({
                    "Id": entry["Id"], "Code": code, "SenderFault": true, "Message": receipt,
                })),
            }
        }
        drop(state);
        self.changed.notify_waiters();
        (200, json!({"Successful": successful, "Failed": failed}).to_string())
    }

    fn attributes(&self) -> (u16, String) {
        let now = Instant::now();
        let state = self.state.lock().unwrap();
        let visible = state.messages.iter().filter(|sent| sent.visible <= now).count();
        let held = state.messages.len() - visible;
        let mut attributes = json!({
            "ApproximateNumberOfMessages": visible.to_string(),
            "ApproximateNumberOfMessagesNotVisible": held.to_string(),
            "ApproximateNumberOfMessagesDelayed": "0",
            "MessageRetentionPeriod": "345600",
        });
        if let Some(receives) = state.redrive {
            let policy = json!({
                "deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111122223333:dead",
                "maxReceiveCount": receives,
            });
            attributes["RedrivePolicy"] = policy.to_string().into();
        }
        (200, json!({ "Attributes": attributes }).to_string())
    }
}

#[async_trait]
impl Transport for Fake {
    async fn post(
        &self,
        action: Action,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>, QueueError> {
        let peer = || "fake".to_owned();
        let lost = || QueueError::Network { peer: peer(), detail: "the connection broke".into() };
        let request: Value = serde_json::from_slice(&body).unwrap();
        let work = async {
            match self.fault(action) {
                None => Ok(self.answer(action, &request).await),
                Some(Answer::Status(status, body)) => Ok((status, body)),
                Some(Answer::Cut) => Err(lost()),
                Some(Answer::Silence) => std::future::pending().await,
                Some(Answer::Lost) => {
                    self.answer(action, &request).await;
                    Err(lost())
                }
                Some(Answer::Late(time)) => {
                    let answer = self.answer(action, &request).await;
                    sleep(time).await;
                    Ok(answer)
                }
            }
        };
        let work = tokio::time::timeout(limit, work).await;
        let (status, body) = work.unwrap_or_else(|_| Err(QueueError::Time { peer: peer() }))?;
        if status == 200 {
            return Ok(body.into_bytes());
        }
        Err(refusal("fake", action, status, None, body.as_bytes(), &[]))
    }
}

/// A request as it arrived over the socket.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A socket in front of a fake.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(fake: Fake) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, fake.clone(), Arc::clone(&recorded)));
            }
        });
        Self { port, requests, task }
    }

    /// Returns the address of a queue at this server.
    pub(crate) fn queue_url(&self) -> String {
        format!("http://127.0.0.1:{}/111122223333/trail", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers the one request of a connection.
async fn serve(mut stream: TcpStream, fake: Fake, recorded: Arc<Mutex<Vec<Request>>>) {
    let Some(request) = read(&mut stream).await else { return };
    let action = match request.header("x-amz-target") {
        Some("AmazonSQS.ReceiveMessage") => Action::Receive,
        Some("AmazonSQS.DeleteMessageBatch") => Action::Delete,
        Some("AmazonSQS.ChangeMessageVisibilityBatch") => Action::Change,
        Some("AmazonSQS.GetQueueAttributes") => Action::Attributes,
        other => panic!("{other:?}"),
    };
    let body = serde_json::from_slice(&request.body).unwrap();
    recorded.lock().unwrap().push(request);
    let (status, body) = match fake.fault(action) {
        None => fake.answer(action, &body).await,
        Some(Answer::Status(status, body)) => (status, body),
        Some(Answer::Cut) => return,
        Some(Answer::Silence) => std::future::pending().await,
        Some(Answer::Lost) => {
            fake.answer(action, &body).await;
            return;
        }
        Some(Answer::Late(time)) => {
            let answer = fake.answer(action, &body).await;
            sleep(time).await;
            answer
        }
    };
    let head = format!(
        "HTTP/1.1 {status} Status\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // The client may be gone.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            break (head, bytes[end + 4..].to_vec());
        }
    };
    let mut request = Request { head, body };
    let length: usize = request.header("content-length").unwrap_or("0").parse().unwrap();
    while request.body.len() < length {
        stream.read_buf(&mut request.body).await.ok()?;
    }
    Some(request)
}
