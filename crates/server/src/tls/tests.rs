//! Handshakes over loopback, and files that cannot be used.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;
use crate::serve::{ServeOptions, serve};

/// The time of clients, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(NOW)))
    }
}

fn own(folder: &Path, names: &[&str]) -> OwnCertificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    own_certificate(folder, &names, NOW).unwrap()
}

/// Asks for `/` as a client that trusts only the certificate in a file; returns the answer.
async fn ask(address: SocketAddr, trusted: &Path, name: &str) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
    let config =
        ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(Clock))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, tcp).await.map_err(|error| error.to_string())?;
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_trust_the_certificate_get_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let first = own(&one, &["localhost", "127.0.0.1"]);
    let second = own(&two, &["localhost"]);
    let wire = TlsWire::new(&first.pair, &first.pair).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(|| async { "hello" }));
    let served = serve(
        listener,
        wire.clone(),
        router,
        ServeOptions::default(),
        std::future::pending::<()>(),
    );
    let served = tokio::spawn(served);
    // Whoever speaks no TLS harms nobody.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    for name in ["localhost", "127.0.0.1"] {
        let answer = ask(address, &first.public, name).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
    }
    let wrong_name = ask(address, &first.public, "example.com").await.unwrap_err();
    assert!(wrong_name.contains("not valid for name"), "{wrong_name}");
    assert!(ask(address, &second.public, "localhost").await.is_err());
    // Another certificate comes into the place of the first, without a restart.
    fs::copy(&second.pair, &first.pair).unwrap();
    assert!(ask(address, &first.public, "localhost").await.is_ok());
    wire.reload().unwrap();
    assert!(ask(address, &first.public, "localhost").await.is_err());
    assert!(ask(address, &second.public, "localhost").await.is_ok());
    // What cannot be read leaves the last one in place.
    fs::write(&first.pair, "nothing").unwrap();
    assert!(wire.reload().is_err());
    assert!(ask(address, &second.public, "localhost").await.is_ok());
    served.abort();
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let first = own(&path("one"), &["localhost"]);
    let second = own(&path("two"), &["localhost"]);
    let public = fs::read_to_string(&first.public).unwrap();
    let write = |name: &str, text: &str| {
        fs::write(path(name), text).unwrap();
        path(name)
    };
    let empty = write("empty", "");
    let cut = write("cut", &public[..public.len() / 2]);
    let no_base64 = write("no_base64", &public.replace("MII", "M I!"));
    let no_certificate =
        write("no_certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let no_key = write("no_key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let long = write("long", &"a".repeat((1 << 20) + 1));
    let absent = path("absent");
    for (certificate, key, expected) in [
        (&absent, &first.pair, "cannot read `"),
        (&first.public, &absent, "cannot read `"),
        (&empty, &first.pair, "there is no certificate in `"),
        (&first.public, &empty, "there is no private key in `"),
        (&first.public, &first.public, "there is no private key in `"),
        (&cut, &first.pair, "a section does not end"),
        (&no_base64, &first.pair, "a section is not base64"),
        (&no_certificate, &first.pair, "cannot use `"),
        (&first.public, &no_key, "cannot use `"),
        (&first.public, &second.pair, "does not belong to the first certificate in `"),
        (&long, &first.pair, "has more than 1048576 bytes"),
    ] {
        let told = TlsWire::new(certificate, key).unwrap_err().to_string();
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(told.contains(folder.path().to_str().unwrap()), "{told}");
    }
    TlsWire::new(&first.public, &first.pair).unwrap();
}
