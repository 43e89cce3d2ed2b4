//! The certificate that a server makes for itself.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::pki_types::ServerName;

use super::error::TlsError;
use super::wire::read;
use crate::files::{Readable, replace};

/// For how long a certificate is valid. Clients refuse longer ones of public authorities, and some do so
/// for all.
pub const VALID_FOR: Duration = Duration::from_hours(397 * 24);

/// How long before its end a certificate is replaced.
pub const RENEWED_BEFORE: Duration = Duration::from_hours(30 * 24);

/// How long before the present a certificate begins, for clients whose clock is slow.
const BEGINS_BEFORE: Duration = Duration::from_hours(24);

/// The file with the certificate and its key. It is one file, so that they always belong together.
const PAIR: &str = "server.pem";

/// The file with the certificate alone, which clients may be given.
const PUBLIC: &str = "certificate.pem";

/// The latest time of a certificate that fits, in seconds since 1970: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// A certificate that this program has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The file with the certificate and its key, which only its owner may read. It is both arguments of
    /// [`TlsWire::new`](super::TlsWire::new).
    pub pair: PathBuf,
    /// The file with the certificate alone: what clients must trust.
    pub public: PathBuf,
    /// When it ends, in seconds since 1970.
    pub ends: u64,
    /// True if it was made just now.
    pub is_new: bool,
}

/// What the first line of the file says about the certificate, so that it need not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    names: BTreeSet<String>,
    begins: u64,
    ends: u64,
}

/// Returns the certificate in a folder, for host names and IP addresses, which is signed by itself. It is
/// made if there is none, if it is for other names, or if it ends within [`RENEWED_BEFORE`]; it is valid for
/// [`VALID_FOR`]. The folder is made if it is not there.
///
/// `now` is the time in seconds since 1970. A server that runs for long calls this once a day, and then
/// [`TlsWire::reload`](super::TlsWire::reload) if the certificate is new.
///
/// # Errors
/// Fails if a name cannot be that of a server, if the folder cannot be written, or if the file is not one
/// that this function has made.
pub fn own_certificate(
    folder: &Path,
    names: &[String],
    now: u64,
) -> Result<OwnCertificate, TlsError> {
    let names: BTreeSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    if names.is_empty() {
        return Err(TlsError::NoName);
    }
    if let Some(name) = names.iter().find(|name| ServerName::try_from(name.as_str()).is_err()) {
        return Err(TlsError::Name { name: name.clone() });
    }
    fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let (pair, public) = (folder.join(PAIR), folder.join(PUBLIC));
    let (text, ends, is_new) = match existing(&pair)? {
        Some((note, text)) if note.names == names && note.is_good(now) => (text, note.ends, false),
        _ => {
            let (note, text) = made(names, now)?;
            replace(&pair, &text, Readable::ByOwner).map_err(|source| failed(&pair, source))?;
            (text, note.ends, true)
        }
    };
    let certificate = certificate_of(&text);
    // A process that was killed between both files left an old one.
    if fs::read_to_string(&public).ok().as_deref() != Some(certificate) {
        replace(&public, certificate, Readable::ByAll).map_err(|source| failed(&public, source))?;
    }
    Ok(OwnCertificate { pair, public, ends, is_new })
}

impl Note {
    fn is_good(&self, now: u64) -> bool {
        (self.begins..self.ends.saturating_sub(RENEWED_BEFORE.as_secs())).contains(&now)
    }
}

/// Returns what is in the file; `None` if there is no file.
fn existing(pair: &Path) -> Result<Option<(Note, String)>, TlsError> {
    let bytes = match read(pair) {
        Ok(bytes) => bytes,
        Err(TlsError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let not_ours = || TlsError::NotOurs { path: pair.to_owned() };
    let text = String::from_utf8(bytes).map_err(|_| not_ours())?;
    let first = text.lines().next().unwrap_or_default();
    let note = serde_json::from_str(first).map_err(|_| not_ours())?;
    Ok(Some((note, text)))
}

/// Makes a certificate; returns the text of its file.
fn made(names: BTreeSet<String>, now: u64) -> Result<(Note, String), TlsError> {
    let failed = |error: rcgen::Error| TlsError::Make(error.to_string());
    let begins = now.min(LATEST).saturating_sub(BEGINS_BEFORE.as_secs());
    let ends = now.saturating_add(VALID_FOR.as_secs()).min(LATEST);
    let time = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    let subjects: Vec<String> = names.iter().cloned().collect();
    let mut parameters = CertificateParams::new(subjects).map_err(failed)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "Spilltrail");
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.not_before = time(begins);
    parameters.not_after = time(ends);
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    let note = Note { names, begins, ends };
    let first = serde_json::to_string(&note).map_err(|error| TlsError::Make(error.to_string()))?;
    Ok((note, format!("{first}\n{}{}", certificate.pem(), key.serialize_pem())))
}

/// Returns the section of the certificate, which is the first one.
fn certificate_of(text: &str) -> &str {
    const END: &str = "-----END CERTIFICATE-----";
    let begin = text.find("-----BEGIN CERTIFICATE-----").unwrap_or_default();
    let text = text.get(begin..).unwrap_or_default();
    text.find(END).and_then(|end| text.get(..end + END.len())).unwrap_or_default()
}

fn failed(path: &Path, source: io::Error) -> TlsError {
    TlsError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60;
    const NOW: u64 = 1_800_000_000;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_certificate_is_kept_until_it_is_about_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("tls");
        let both = names(&["localhost", "127.0.0.1"]);
        let other = names(&["127.0.0.1", "LOCALHOST"]);
        let mut ends = 0;
        for (at, names, is_new) in [
            (NOW, &both, true),
            (NOW, &both, false),
            // The order of names and their case do not matter.
            (NOW + 300 * DAY, &other, false),
            (NOW + 367 * DAY - 1, &both, false),
            (NOW + 367 * DAY, &both, true),
            (NOW + 367 * DAY, &names(&["localhost"]), true),
            // The clock was wrong before.
            (NOW, &names(&["localhost"]), true),
        ] {
            let own = own_certificate(&folder, names, at).unwrap();
            assert_eq!(own.is_new, is_new, "{at}");
            if is_new {
                ends = at + 397 * DAY;
            }
            assert_eq!(own.ends, ends, "{at}");
            let pair = fs::read_to_string(&own.pair).unwrap();
            let public = fs::read_to_string(&own.public).unwrap();
            assert!(pair.contains(&public) && pair.contains("PRIVATE KEY"), "{public}");
            assert!(
                public.contains("BEGIN CERTIFICATE") && !public.contains("PRIVATE"),
                "{public}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let own = own_certificate(folder.path(), &names(&["localhost"]), NOW).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&own.pair), mode(&own.public) & 0o600), (0o600, 0o600));
    }

    #[test]
    fn what_cannot_be_made_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let own = |list: &[&str]| own_certificate(path, &names(list), NOW).unwrap_err().to_string();
        assert!(own(&[]).contains("at least one name"));
        for bad in ["", "a b", "*", "http://localhost", "localhost:8088", "ä"] {
            let told = own(&["localhost", bad]);
            assert!(told.contains(&format!("cannot be for `{bad}`")), "{told}");
        }
        let pair = path.join("server.pem");
        for text in [&b""[..], b"\xff", b"-----BEGIN CERTIFICATE-----", b"{}"] {
            fs::write(&pair, text).unwrap();
            assert!(own(&["localhost"]).contains("was not made by this program"));
            assert_eq!(fs::read(&pair).unwrap(), text);
        }
        let told = own_certificate(&pair, &names(&["localhost"]), NOW).unwrap_err().to_string();
        assert!(told.starts_with("cannot write"), "{told}");
    }

    /// Times that no clock has do no harm.
    #[test]
    fn absurd_clocks() {
        for now in [0, LATEST, u64::MAX] {
            let folder = tempfile::tempdir().unwrap();
            let own = own_certificate(folder.path(), &names(&["localhost"]), now).unwrap();
            assert!(own.ends <= LATEST, "{now}");
        }
    }
}
