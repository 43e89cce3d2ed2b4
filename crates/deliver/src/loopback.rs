//! A small HTTP server for tests: it answers as it is told, and records requests. And a certificate
//! that nobody trusts.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

/// What the server does with one connection.
#[derive(Debug)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    is_kept_open: bool,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// A server for as many connections as it has answers. It closes the connection after those.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Answer {
    /// Returns an answer with a body. `headers` has further headers in lines.
    pub(crate) fn new(status: u16, headers: &str, body: &str) -> Self {
        let mut head = format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n");
        if !headers.is_empty() {
            head.push_str(&format!("{headers}\r\n"));
        }
        if !headers.contains("Content-Length") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        Self { bytes: format!("{head}\r\n{body}").into_bytes(), is_kept_open: false }
    }

    /// Returns no answer: the connection stays open.
    pub(crate) fn silence() -> Self {
        Self { bytes: Vec::new(), is_kept_open: true }
    }

    /// Returns the answer with the connection left open.
    pub(crate) fn kept_open(self) -> Self {
        Self { is_kept_open: true, ..self }
    }
}

impl Request {
    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Server {
    /// Starts a server on a free port.
    pub(crate) async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            let mut open = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                recorded.lock().await.push(request);
                stream.write_all(&answer.bytes).await.unwrap();
                if answer.is_kept_open {
                    open.push(stream);
                } else {
                    stream.shutdown().await.unwrap();
                }
            }
            if open.is_empty() {
                return;
            }
            std::future::pending::<()>().await;
        });
        Self { port, requests, task }
    }

    /// Returns the address, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the requests so far.
    pub(crate) async fn requests(&self) -> Vec<Request> {
        self.requests.lock().await.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        stream.read_buf(&mut bytes).await.unwrap();
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            break (head, bytes[end + 4..].to_vec());
        }
    };
    let mut request = Request { head, body };
    let length: usize = request.header("content-length").unwrap_or("0").parse().unwrap();
    while request.body.len() < length {
        stream.read_buf(&mut request.body).await.unwrap();
    }
    request
}

/// Returns what accepts TLS as `localhost` with a new certificate, and the certificate in PEM.
pub(crate) fn tls_acceptor() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}
