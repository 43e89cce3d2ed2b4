//! What encrypts connections: a certificate that is named, or one of the server's own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use spilltrail_app::{CancellationToken, DataFolder, ServeSink, Trouble};
use spilltrail_server::tls::{TlsError, TlsWire, own_certificate};

use crate::config::ServeKeys;
use crate::report;

/// How often it is looked whether a certificate has changed, or is about to end.
const EVERY: Duration = Duration::from_mins(1);

/// Where the certificate comes from.
#[derive(Debug, Clone)]
enum Source {
    /// From files that somebody else writes, and may replace.
    Named(PathBuf, PathBuf),
    /// It is made here, for these names, in a folder; the file has both.
    Own { folder: PathBuf, names: Vec<String>, pair: PathBuf },
}

/// The certificate of all addresses on which the server listens.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    source: Source,
    wire: TlsWire,
}

impl Certificate {
    /// Returns the certificate that the configuration names, or that the server makes for addresses that
    /// other machines reach; `None` if there is none of either.
    ///
    /// # Errors
    /// Fails if a certificate cannot be used or made.
    pub(super) fn of(
        file: &ServeKeys,
        folder: &DataFolder,
        addresses: &[SocketAddr],
    ) -> Result<Option<Self>> {
        if let Some((certificate, key)) = named(file)? {
            let wire = TlsWire::new(certificate, key)?;
            let source = Source::Named(certificate.to_owned(), key.to_owned());
            return Ok(Some(Self { source, wire }));
        }
        let reached: Vec<_> = addresses.iter().filter(|at| !at.ip().is_loopback()).collect();
        if reached.is_empty() {
            return Ok(None);
        }
        let mut names = file.host_names.clone();
        names.push("localhost".to_owned());
        let ips = reached.iter().map(|address| address.ip()).filter(|ip| !ip.is_unspecified());
        names.extend(ips.map(|ip| ip.to_string()));
        let folder = folder.path().join("tls");
        let own = own_certificate(&folder, &names, now())?;
        report::line(format_args!(
            "note: connections are encrypted with a certificate of this server's own; clients that \
             check it need {}",
            own.public.display()
        ));
        let wire = TlsWire::new(&own.pair, &own.pair)?;
        Ok(Some(Self { source: Source::Own { folder, names, pair: own.pair }, wire }))
    }

    /// Returns what encrypts connections to an address; `None` for none: one of its own protects nothing
    /// on an address that only this machine reaches.
    pub(super) fn wire_of(&self, address: SocketAddr) -> Option<TlsWire> {
        let is_named = matches!(self.source, Source::Named(..));
        (is_named || !address.ip().is_loopback()).then(|| self.wire.clone())
    }

    /// Takes each certificate that replaces the one before, until the server stops.
    pub(super) async fn follow(self, sink: Arc<dyn ServeSink>, cancel: CancellationToken) {
        let mut trouble = Trouble::new(sink, "network", "certificate");
        let mut seen = self.seen();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let (this, before) = (self.clone(), seen);
            let renewed = tokio::task::spawn_blocking(move || this.renew(before)).await;
            let Ok(renewed) = renewed else { return };
            if let Some(now) = trouble.of(renewed) {
                if now != seen {
                    report::line(format_args!("note: the certificate of the server has changed"));
                }
                seen = now;
            }
        }
    }

    /// Reads the certificate again if it has changed, and makes another one if it is time to.
    fn renew(&self, before: Seen) -> Result<Seen, TlsError> {
        if let Source::Own { folder, names, .. } = &self.source {
            own_certificate(folder, names, now())?;
        }
        let seen = self.seen();
        if seen != before {
            self.wire.reload()?;
        }
        Ok(seen)
    }

    /// Returns when the files were written.
    fn seen(&self) -> Seen {
        let written = |path: &Path| std::fs::metadata(path).and_then(|of| of.modified()).ok();
        match &self.source {
            Source::Named(certificate, key) => [written(certificate), written(key)],
            Source::Own { pair, .. } => [written(pair), None],
        }
    }
}

type Seen = [Option<SystemTime>; 2];

/// Returns the files of the certificate and the key that the configuration names.
///
/// # Errors
/// Fails if it names only one of them.
fn named(file: &ServeKeys) -> Result<Option<(&Path, &Path)>> {
    match (file.tls_certificate.as_deref(), file.tls_key.as_deref()) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (Some(_), None) => bail!("`tls_certificate` needs `tls_key`, the file with its key"),
        (None, Some(_)) => {
            bail!("`tls_key` needs `tls_certificate`, the file with its certificate")
        }
        (None, None) => Ok(None),
    }
}

/// Checks the certificate that the configuration names. None is made.
///
/// # Errors
/// Fails if it cannot be used.
pub(super) fn check(file: &ServeKeys) -> Result<()> {
    if let Some((certificate, key)) = named(file)? {
        TlsWire::new(certificate, key)?;
    }
    Ok(())
}

/// Returns the seconds since the epoch.
fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn keys(text: &str) -> ServeKeys {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn one_certificate_is_for_all_addresses_that_others_reach() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::new(folder.path());
        let keys = keys("host_names = ['siem.example']");
        let of = |list: &[&str]| Certificate::of(&keys, &data, &addresses(list)).unwrap();
        assert!(of(&["127.0.0.1:8088", "[::1]:8089"]).is_none());
        let certificate = of(&["192.0.2.7:8088", "127.0.0.1:8089", "[::]:1"]).unwrap();
        for (address, is_encrypted) in
            [("192.0.2.7:8088", true), ("127.0.0.1:8089", false), ("[::]:1", true)]
        {
            let wire = certificate.wire_of(address.parse().unwrap());
            assert_eq!(wire.is_some(), is_encrypted, "{address}");
        }
        let Source::Own { names, pair, .. } = &certificate.source else { panic!("it is named") };
        assert_eq!(names, &["siem.example", "localhost", "192.0.2.7"]);
        // It is kept as long as the names are the same.
        let text = fs::read(pair).unwrap();
        let seen = certificate.seen();
        assert_eq!(certificate.renew(seen).unwrap(), seen);
        assert_eq!(fs::read(pair).unwrap(), text);
    }

    #[test]
    fn a_named_certificate_that_is_replaced_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let made = |name: &str| {
            let made = own_certificate(&folder.path().join(name), &["localhost".into()], now());
            fs::read(made.unwrap().pair).unwrap()
        };
        let path = folder.path().join("pair.pem");
        let write = |bytes: &[u8], second: u64| {
            fs::write(&path, bytes).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second);
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        write(&made("first"), 0);
        let shown = path.display();
        let named = keys(&format!("tls_certificate = '{shown}'\ntls_key = '{shown}'"));
        let data = DataFolder::new(folder.path());
        let certificate = Certificate::of(&named, &data, &addresses(&["127.0.0.1:1"])).unwrap();
        let certificate = certificate.unwrap();
        assert!(certificate.wire_of("127.0.0.1:1".parse().unwrap()).is_some());
        let first = certificate.seen();
        assert_eq!(certificate.renew(first).unwrap(), first);
        // Somebody is still writing it. The one of before stays, and it is tried again.
        write(b"-----BEGIN", 1);
        certificate.renew(first).unwrap_err();
        check(&named).unwrap_err();
        write(&made("second"), 2);
        assert_ne!(certificate.renew(first).unwrap(), first);
        let only_one = check(&keys(&format!("tls_key = '{shown}'"))).unwrap_err().to_string();
        assert!(only_one.contains("needs `tls_certificate`"), "{only_one}");
    }
}
