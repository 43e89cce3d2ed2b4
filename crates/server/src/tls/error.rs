//! What can be wrong with certificates and keys.

use std::io;
use std::path::PathBuf;

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is too large to be a certificate or a key.
    #[error("`{}` has more than {most} bytes, and cannot be a certificate or a key", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that are read.
        most: u64,
    },
    /// A file has no certificate.
    #[error(
        "there is no certificate in `{}`; expected PEM with a line `-----BEGIN CERTIFICATE-----`",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file has no key.
    #[error(
        "there is no private key in `{}`; expected PEM with a line `-----BEGIN PRIVATE KEY-----`, and \
         a key without a password",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A file is not PEM.
    #[error("`{}` is damaged: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The key is not that of the certificate.
    #[error(
        "the key in `{}` does not belong to the first certificate in `{}`; the certificate of the \
         server comes first, and those that signed it come after it",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The certificate or the key is of no kind that is supported.
    #[error("cannot use `{}` with `{}`: {reason}", certificate.display(), key.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        reason: String,
    },
    /// A certificate cannot be for such a name.
    #[error(
        "a certificate cannot be for `{name}`; expected a host name such as `logs.example.com`, or \
         an IP address"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A certificate is to be made for nobody.
    #[error("a certificate must be for at least one name, such as `localhost`")]
    NoName,
    /// A certificate cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Make(String),
    /// A file is in the place of the certificate that this program makes.
    #[error(
        "`{}` was not made by this program, and is not replaced; move it away, or name it as the \
         certificate and the key of the server",
        path.display()
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
