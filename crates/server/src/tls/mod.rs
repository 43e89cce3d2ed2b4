//! TLS between TCP and HTTP.
//!
//! [`TlsWire`] takes a certificate and its key from files, and reads them again when it is told to.
//! [`own_certificate`] makes a certificate for a server that has none.
//!
//! The cryptography is that of `ring`, whatever the process uses elsewhere.

mod error;
mod own;
#[cfg(test)]
mod tests;
mod wire;

pub use error::TlsError;
pub use own::{OwnCertificate, RENEWED_BEFORE, VALID_FOR, own_certificate};
pub use wire::TlsWire;
