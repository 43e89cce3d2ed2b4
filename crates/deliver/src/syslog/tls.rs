//! TLS to a syslog server, whose authority is in a file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::address::host;
use crate::error::{DeliveryError, Reason};
use crate::secret::read_file;

/// Returns what connects to servers whose certificate is from an authority in the file.
///
/// It reads the file, and so may hang.
pub(super) fn connector(authorities: &Path) -> Result<TlsConnector, DeliveryError> {
    let failed = |source| {
        let path = authorities.to_owned();
        DeliveryError::retry(Reason::SecretFile { key: "ca_file", path, source })
    };
    let invalid = |message: String| failed(io::Error::new(io::ErrorKind::InvalidData, message));
    let text = read_file(authorities).map_err(failed)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        // The error would repeat a line, and some people have keys in the same file.
        let certificate = certificate.map_err(|_| invalid("it is damaged PEM".to_owned()))?;
        roots.add(certificate).map_err(|error| invalid(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(invalid("there is no certificate in it".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Returns the name that the server's certificate must have.
pub(super) fn server_name(server: &str, peer: &str) -> Result<ServerName<'static>, DeliveryError> {
    ServerName::try_from(host(server).to_owned()).map_err(|error| {
        let (peer, detail) = (peer.to_owned(), error.to_string());
        DeliveryError::permanent(Reason::Network { peer, detail })
    })
}
