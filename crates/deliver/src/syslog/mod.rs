//! Syslog: messages of RFC 5424 over UDP, TCP with octet counting (RFC 6587) and TLS (RFC 5425).
//!
//! The protocol has no answers. Over UDP, what is sent is delivered. Over TCP and TLS, each message has
//! a connection of its own, which ends when the server has closed it, too: a server that is gone is
//! noticed, which it is not on a connection that stays open.

mod format;
mod tls;

#[cfg(test)]
pub(crate) use format::tests::check_rules;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::address::{check_server, host};
use crate::error::DeliveryError;
use crate::output::Mistake;
use crate::{Clients, Message, Receipt};

/// How long a server may take to close a connection after a message. Those that never do have it.
const CLOSING: Duration = Duration::from_secs(2);

/// A syslog server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Syslog {
    /// The name or IP address of the server, without a port.
    pub server: String,
    /// The port. By default 514, and 6514 with `tls`.
    pub port: Option<u16>,
    /// `udp`, which is the default, `tcp` or `tls`.
    #[serde(default)]
    pub protocol: Protocol,
    /// With `tls`, the file with the certificates of the authorities that the server's certificate can
    /// be from, in PEM. Those of the system are not used.
    pub ca_file: Option<PathBuf>,
    /// The facility, from 0 to 23. By default 16, which is `local0`.
    #[serde(default = "default_facility")]
    pub facility: u8,
    /// The name of this machine in messages. By default there is none.
    pub hostname: Option<String>,
}

/// How messages go to a syslog server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A datagram for each message.
    #[default]
    Udp,
    /// A connection for each message, which begins with its length.
    Tcp,
    /// As with TCP, encrypted.
    Tls,
}

fn default_facility() -> u8 {
    16
}

impl Syslog {
    pub(crate) fn check(&self) -> Result<(), Mistake> {
        check_server(&self.server, self.port)?;
        if self.facility > 23 {
            let help = "give the number of a facility, such as 16 for `local0`";
            return Err(Mistake::of_key("facility", "a number from 0 to 23", help));
        }
        let is_name = |name: &str| {
            (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if self.hostname.as_deref().is_some_and(|name| !is_name(name)) {
            let expected = "1 to 255 characters of ASCII without spaces";
            return Err(Mistake::of_key("hostname", expected, "give the name of this machine"));
        }
        match (self.protocol, &self.ca_file) {
            (Protocol::Tls, None) => Err(Mistake::new(
                "`protocol` is `tls`, but there is no `ca_file`",
                "name the file with the certificate of the authority of the server, in PEM",
            )),
            (Protocol::Udp | Protocol::Tcp, Some(_)) => Err(Mistake::new(
                "`ca_file` is there, but `protocol` is not `tls`",
                "set `protocol = \"tls\"`, or remove `ca_file`",
            )),
            _ => Ok(()),
        }
    }

    pub(crate) async fn deliver(
        &self,
        message: &Message,
        clients: &Clients,
    ) -> Result<Receipt, DeliveryError> {
        let most = match self.protocol {
            Protocol::Udp => format::MOST_DATAGRAM,
            Protocol::Tcp | Protocol::Tls => format::MOST_FRAME,
        };
        let hostname = self.hostname.as_deref();
        let text = format::format(message, self.facility, hostname, most);
        let port = self.port.unwrap_or(if self.protocol == Protocol::Tls { 6514 } else { 514 });
        let peer = format!("{}:{port}", self.server);
        let failed = |error: std::io::Error| DeliveryError::network(&peer, error.to_string());
        let connector = self.connector(clients).await?;
        let sent = clients.within(async {
            if self.protocol == Protocol::Udp {
                return self.datagram(port, &text).await.map_err(failed);
            }
            let frame = format!("{} {text}", text.len());
            let mut stream = self.connect(port, clients).await.map_err(failed)?;
            let Some(connector) = connector else {
                return send(&mut stream, frame.as_bytes()).await.map_err(failed);
            };
            let name = tls::server_name(&self.server, &peer)?;
            let mut stream = connector.connect(name, stream).await.map_err(failed)?;
            send(&mut stream, frame.as_bytes()).await.map_err(failed)
        });
        sent.await?;
        Ok(Receipt { detail: format!("sent to `{peer}`"), bytes: text.len() })
    }

    /// Returns what encrypts, within the time limit; `None` if messages go unencrypted.
    pub(crate) async fn connector(
        &self,
        clients: &Clients,
    ) -> Result<Option<TlsConnector>, DeliveryError> {
        match (self.protocol, &self.ca_file) {
            (Protocol::Tls, Some(authorities)) => {
                clients.on_file(authorities, tls::connector).await?.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn connect(&self, port: u16, clients: &Clients) -> std::io::Result<TcpStream> {
        let connecting = TcpStream::connect((host(&self.server), port));
        timeout(clients.limits.connect, connecting).await?
    }

    async fn datagram(&self, port: u16, text: &str) -> std::io::Result<()> {
        let mut last = std::io::Error::other("the name has no address");
        for address in lookup_host((host(&self.server), port)).await? {
            match send_datagram(address, text).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

async fn send_datagram(address: SocketAddr, text: &str) -> std::io::Result<()> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    socket.send(text.as_bytes()).await.map(drop)
}

/// Sends a message over a connection of its own, and waits until the server closes it.
async fn send(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    bytes: &[u8],
) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    let closed = async {
        let mut ignored = [0; 512];
        loop {
            match stream.read(&mut ignored).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // Many programs end TLS without a word.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    };
    // A server that keeps the connection open has not refused the message.
    timeout(CLOSING, closed).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::loopback::tls_acceptor;
    use crate::message::tests::example;
    use crate::secret::tests::assert_no_secret;

    fn syslog(keys: &str) -> Syslog {
        let syslog: Syslog = toml::from_str(keys).unwrap();
        syslog.check().unwrap();
        syslog
    }

    fn expected(most: usize) -> String {
        format::format(&example(), 16, None, most)
    }

    #[test]
    fn authorities_are_for_tls() {
        for (keys, expected) in [
            ("server = 'a'\nprotocol = 'tls'", "`protocol` is `tls`, but there is no `ca_file`"),
            ("server = 'a'\nca_file = '/c'", "`ca_file` is there, but `protocol` is not `tls`"),
        ] {
            let syslog: Syslog = toml::from_str(keys).unwrap();
            assert_eq!(syslog.check().unwrap_err().message, expected);
        }
    }

    #[tokio::test]
    async fn datagrams() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let syslog = syslog(&format!("server = '127.0.0.1'\nport = {port}"));
        let receipt = syslog.deliver(&example(), &Clients::for_tests(&[])).await.unwrap();
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).await.unwrap();
        assert_eq!(
            std::str::from_utf8(&buffer[..length]).unwrap(),
            expected(format::MOST_DATAGRAM)
        );
        assert_eq!(receipt.bytes, length);
    }

    #[tokio::test]
    async fn frames_over_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let syslog = syslog(&format!("server = '127.0.0.1'\nport = {port}\nprotocol = 'tcp'"));
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut received = String::new();
            stream.read_to_string(&mut received).await.unwrap();
            received
        });
        syslog.deliver(&example(), &Clients::for_tests(&[])).await.unwrap();
        let text = expected(format::MOST_FRAME);
        assert_eq!(server.await.unwrap(), format!("{} {text}", text.len()));

        // Nobody listens any more.
        let error = syslog.deliver(&example(), &Clients::for_tests(&[])).await.unwrap_err();
        assert!(error.is_retry(), "{error}");
        assert!(error.to_string().starts_with("`127.0.0.1:"), "{error}");
    }

    #[tokio::test]
    async fn frames_over_tls() {
        let (acceptor, authority) = tls_acceptor();
        let (_, other) = tls_acceptor();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let good = write("good.pem", &authority);
        let wrong = write("wrong.pem", &other);
        let empty = write("empty.pem", "no certificate");
        let damaged = write("damaged.pem", "-----BEGIN s3cret\n");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut received = String::new();
            stream.read_to_string(&mut received).await.unwrap();
            // It ends without a word.
            drop(stream);
            // The second client does not trust the certificate.
            let (stream, _) = listener.accept().await.unwrap();
            assert!(acceptor.accept(stream).await.is_err());
            received
        });
        let clients = Clients::for_tests(&[]);
        let with = |authorities: &str| {
            syslog(&format!(
                "server = 'localhost'\nport = {port}\nprotocol = 'tls'\nca_file = '{authorities}'"
            ))
        };
        with(&good).deliver(&example(), &clients).await.unwrap();
        let error = with(&wrong).deliver(&example(), &clients).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
        let text = expected(format::MOST_FRAME);
        assert_eq!(server.await.unwrap(), format!("{} {text}", text.len()));

        for (file, part) in [
            (empty.as_str(), "no certificate in it"),
            (&damaged, "it is damaged PEM"),
            ("/none", "cannot be read"),
        ] {
            let error = with(file).deliver(&example(), &clients).await.unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.is_retry());
            assert_no_secret(&error, &["s3cret"]);
        }
    }
}
