//! The collector and the API on one listener.

use std::sync::Arc;

use spilltrail_lake::{Wal, WalOptions};
use spilltrail_server::hec::{Collector, Options, Tokens, WalInbox};
use spilltrail_server::{Plain, ServeOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_and_the_api_share_a_listener() {
    let folder = tempfile::tempdir().unwrap();
    let wal = Wal::open(&folder.path().join("wal"), WalOptions::default()).unwrap();
    let inbox = Arc::new(WalInbox::new(Arc::new(wal)));
    let server = Server::new();
    let (audit, metrics) = (server.told.clone(), server.metrics.clone());
    let collector = Collector::new(inbox, Tokens::default(), audit, metrics, Options::new(|| 0));
    let router = collector.router().merge(server.api.router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        serve(listener, Plain, router, ServeOptions::default(), stopped).await;
    });
    for (head, status, expected) in [
        ("GET /services/collector/health HTTP/1.1", 200, "HEC is healthy"),
        ("POST /services/collector/raw HTTP/1.1", 401, "Token is required"),
        ("GET /nothing HTTP/1.1", 404, "not found on this server"),
        ("GET /api/v1/nothing HTTP/1.1", 401, "the token is missing"),
        ("GET /api/v1/indexes HTTP/1.1\r\nAuthorization: Bearer secret", 200, "\"main\""),
        ("GET http://evil.example/metrics HTTP/1.1", 403, "wrong_host"),
        // The client is a program of this machine.
        ("GET /metrics HTTP/1.1", 200, "spilltrail_hec_requests_total{code=\"2\"} 1"),
        ("GET /metrics HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1", 401, "the token is missing"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{head}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
        assert!(answer.contains(expected), "{head}: {answer}");
    }
    drop(stop);
    served.await.unwrap();
}
