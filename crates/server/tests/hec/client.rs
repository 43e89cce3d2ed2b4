//! A server on a port of its own, and a client that can send anything.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use spilltrail_server::hec::{Collector, Inbox, Options, Token, Tokens};
use spilltrail_server::{
    Audit, Change, Metrics, Plain, Refusal, Router, ServeOptions, TokenHash, serve,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::store::TestInbox;

/// A channel.
pub(crate) const CHANNEL: &str = "FE0ECFAD-13D5-401B-847D-77833BD77131";

/// The time of arrival of all events.
pub(crate) const NOW: i64 = 1_700_000_000_000_000;

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) collector: Arc<Collector>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refusals: Arc<Mutex<Vec<Refusal>>>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

struct Told(Arc<Mutex<Vec<Refusal>>>);

impl Audit for Told {
    fn refused(&self, refusal: Refusal) {
        self.0.lock().unwrap().push(refusal);
    }

    fn changed(&self, change: Change) {
        panic!("the collector changes nothing: {change:?}");
    }
}

/// The tokens of all tests: each is its own secret.
pub(crate) fn tokens() -> Tokens {
    let token = |name: &str| Token::new(name, TokenHash::of(name), 0);
    Tokens::new(vec![
        token("good"),
        Token { enabled: false, ..token("off") },
        Token { use_ack: true, ..token("ack") },
        Token { query_string: true, ..token("query") },
        Token {
            index: Some("aws".into()),
            sourcetype: Some("aws:cloudtrail".into()),
            source: Some("s3".into()),
            host: Some("h".into()),
            indexes: vec!["aws".into(), "main".into()],
            ..token("aws")
        },
    ])
    .unwrap()
}

pub(crate) fn options() -> Options {
    Options::new(|| NOW)
}

impl Server {
    pub(crate) async fn start(inbox: Arc<dyn Inbox>, options: Options) -> Self {
        Self::start_with(inbox, options, ServeOptions::default()).await
    }

    pub(crate) async fn start_with(
        inbox: Arc<dyn Inbox>,
        options: Options,
        serving: ServeOptions,
    ) -> Self {
        let refusals = Arc::new(Mutex::new(Vec::new()));
        let metrics = Arc::new(Metrics::new());
        let audit = Arc::new(Told(refusals.clone()));
        let collector = Collector::new(inbox, tokens(), audit, metrics.clone(), options);
        let router = collector.router();
        Self::serve(collector, metrics, refusals, router, serving).await
    }

    /// Serves another router than that of a collector.
    pub(crate) async fn of(router: Router, serving: ServeOptions) -> Self {
        let (metrics, refusals) = (Arc::new(Metrics::new()), Arc::default());
        let audit = Arc::new(Told(Arc::clone(&refusals)));
        let inbox = TestInbox::new(&[]);
        let collector = Collector::new(inbox, tokens(), audit, metrics.clone(), options());
        Self::serve(collector, metrics, refusals, router, serving).await
    }

    async fn serve(
        collector: Arc<Collector>,
        metrics: Arc<Metrics>,
        refusals: Arc<Mutex<Vec<Refusal>>>,
        router: Router,
        serving: ServeOptions,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(listener, Plain, router, serving, stopped).await;
        });
        Self { address, collector, metrics, refusals, stop: Some(stop), served }
    }

    /// Stops the server, and returns when it has stopped.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.served.await.unwrap();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, and returns the answer; `None` if there is none.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = self.connect().await;
        // The server may refuse to read on.
        let _ = stream.write_all(bytes).await;
        answer(&mut stream).await
    }

    /// Sends a request and returns the answer.
    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let body = body.as_ref();
        let mut request = head(method, target, headers);
        request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes).await.unwrap()
    }

    /// Posts a body with a token.
    pub(crate) async fn post(&self, token: &str, target: &str, body: impl AsRef<[u8]>) -> Answer {
        let authorization = format!("Splunk {token}");
        let mut headers = vec![("Authorization", authorization.as_str())];
        if token == "ack" {
            headers.push(("X-Splunk-Request-Channel", CHANNEL));
        }
        self.ask("POST", target, &headers, body).await
    }
}

/// Returns the beginning of a request, whose headers may go on.
pub(crate) fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parts(&self) -> (u16, &str) {
        (self.status, &self.body)
    }

    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Reads an answer until the server closes the connection; `None` if it does so without one.
pub(crate) async fn answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    // What came before an error counts.
    let _ = stream.read_to_end(&mut bytes).await;
    parsed(&bytes)
}

pub(crate) fn parsed(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    // What the server says before it reads a body is no answer.
    let text = text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&text);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// Compresses with gzip.
pub(crate) fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}
