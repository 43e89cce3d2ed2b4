//! The stream between TCP and HTTP, with the certificate of the server.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::error::TlsError;
use crate::files;
use crate::serve::Wire;

/// The most bytes of a file with certificates or a key.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Encrypts connections with TLS 1.2 or 1.3. Clones share their certificate.
#[derive(Clone)]
pub struct TlsWire {
    certificate: PathBuf,
    key: PathBuf,
    acceptor: Arc<RwLock<TlsAcceptor>>,
}

impl fmt::Debug for TlsWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, key, .. } = self;
        f.debug_struct("TlsWire").field("certificate", certificate).field("key", key).finish()
    }
}

impl TlsWire {
    /// Reads a certificate and its key from files with PEM, which may be the same one. The certificate of
    /// the server comes first, and those that signed it come after it.
    ///
    /// # Errors
    /// Fails if a file cannot be read, or if both cannot be used together.
    pub fn new(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let acceptor = acceptor(certificate, key)?;
        let acceptor = Arc::new(RwLock::new(acceptor));
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), acceptor })
    }

    /// Reads both files again. Connections that are open go on as they are.
    ///
    /// # Errors
    /// Fails as [`new`](Self::new) does. Then the certificate stays the one that was read before.
    pub fn reload(&self) -> Result<(), TlsError> {
        let acceptor = acceptor(&self.certificate, &self.key)?;
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }
}

impl Wire for TlsWire {
    type Stream = TlsStream<TcpStream>;

    async fn open(&self, tcp: TcpStream) -> io::Result<Self::Stream> {
        let acceptor = self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone();
        acceptor.accept(tcp).await
    }
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let certificates = certificates(certificate)?;
    let secret = private_key(key)?;
    let unusable = |error: rustls::Error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() }
        }
        other => TlsError::Unusable {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            reason: other.to_string(),
        },
    };
    // The default of the process may be another one, or none.
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
    let builder = builder.with_no_client_auth();
    let mut config = builder.with_single_cert(certificates, secret).map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|error| damaged(path, &error))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.to_owned() },
        error => damaged(path, &error),
    })
}

fn damaged(path: &Path, error: &pem::Error) -> TlsError {
    // The error of the library may show bytes of the file, which can be those of a key.
    let reason = match error {
        pem::Error::MissingSectionEnd { .. } => "a section does not end",
        pem::Error::IllegalSectionStart { .. } => "a line that begins a section is not complete",
        pem::Error::Base64Decode(_) => "a section is not base64",
        _ => "it cannot be read as PEM",
    };
    TlsError::Pem { path: path.to_owned(), reason: reason.to_owned() }
}

/// Reads a file of limited size.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    let bytes = files::read(path, MAX_FILE_BYTES).map_err(failed)?;
    bytes.ok_or_else(|| TlsError::TooLarge { path: path.to_owned(), most: MAX_FILE_BYTES })
}
