//! Secrets: read from the environment or a file when they are needed, and never printed.
//!
//! A configuration file names where a secret is, as `url_env` or `url_file`, and never has it itself,
//! so that configurations can be shown, stored and shared.

use std::fmt;
use std::fs::{File, metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use url::Url;

use crate::error::{DeliveryError, Reason};
use crate::output::Mistake;
use crate::{Clients, address, redact};

/// The most bytes of a file with a secret.
const MOST_BYTES: u64 = 64 << 10;

/// A secret. It is neither shown nor compared by accident.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the secret, for the one place that sends it or signs with it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where a secret is: the two keys of a configuration that can name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretKeys<'a> {
    /// The keys that name a variable and a file, such as `url_env` and `url_file`.
    pub(crate) keys: [&'static str; 2],
    pub(crate) variable: Option<&'a str>,
    pub(crate) file: Option<&'a Path>,
}

impl<'a> SecretKeys<'a> {
    pub(crate) fn new(
        keys: [&'static str; 2],
        variable: &'a Option<String>,
        file: &'a Option<PathBuf>,
    ) -> Self {
        Self { keys, variable: variable.as_deref(), file: file.as_deref() }
    }

    /// Returns true if no key is there.
    pub(crate) fn is_absent(self) -> bool {
        self.variable.is_none() && self.file.is_none()
    }

    /// Fails unless exactly one key is there.
    pub(crate) fn check_required(self) -> Result<(), Mistake> {
        let [variable, file] = self.keys;
        if self.is_absent() {
            return Err(Mistake::new(
                format!("neither `{variable}` nor `{file}` is there"),
                format!("name an environment variable in `{variable}`, or a file in `{file}`"),
            ));
        }
        self.check_optional()
    }

    /// Fails if both keys are there, or the one that is there is empty.
    pub(crate) fn check_optional(self) -> Result<(), Mistake> {
        let [variable, file] = self.keys;
        if self.variable.is_some() && self.file.is_some() {
            return Err(Mistake::new(
                format!("both `{variable}` and `{file}` are there"),
                "remove one of them",
            ));
        }
        if let Some(name) = self.variable {
            check_variable(variable, name)?;
        }
        if self.file.is_some_and(|path| path.as_os_str().is_empty()) {
            return Err(Mistake::new(
                format!("`{file}` is empty"),
                "give the path of a file that has only the secret",
            ));
        }
        Ok(())
    }

    /// Reads the secret; `None` if no key is there. White space around it is removed, because editors
    /// end files with a line break.
    ///
    /// # Errors
    /// A variable that is not set stays so while the process runs, so that the error is permanent. A
    /// file can be repaired.
    pub(crate) async fn read(self, clients: &Clients) -> Result<Option<Secret>, DeliveryError> {
        let [variable_key, file_key] = self.keys;
        if let Some(name) = self.variable {
            return read_variable(variable_key, name, clients).map(Some);
        }
        let Some(path) = self.file else { return Ok(None) };
        let text = clients.on_file(path, read_file).await?.map_err(|source| {
            DeliveryError::retry(Reason::SecretFile {
                key: file_key,
                path: path.to_owned(),
                source,
            })
        })?;
        Ok(Some(Secret(text)))
    }

    /// Reads a secret that must be there.
    pub(crate) async fn read_required(self, clients: &Clients) -> Result<Secret, DeliveryError> {
        let secret = self.read(clients).await?;
        secret.ok_or_else(|| {
            let [variable, _] = self.keys;
            let (key, variable) = (variable, variable.to_owned());
            DeliveryError::permanent(Reason::Variable { key, variable })
        })
    }

    /// Reads a secret that is an address. Also returns what no error may repeat: the address and its
    /// parts.
    pub(crate) async fn read_url(
        self,
        clients: &Clients,
        scheme: address::Scheme,
    ) -> Result<(Url, Vec<Secret>), DeliveryError> {
        let secret = self.read_required(clients).await?;
        let url = address::parse(secret.expose(), scheme).map_err(|expected| {
            let [variable, file] = self.keys;
            let key = if self.variable.is_some() { variable } else { file };
            DeliveryError::permanent(Reason::Secret { key, expected })
        })?;
        let mut secrets = redact::parts(&url);
        secrets.push(secret);
        Ok((url, secrets))
    }
}

/// Fails if a name cannot be one of an environment variable. A secret that was put there by mistake is
/// not repeated.
pub(crate) fn check_variable(key: &str, name: &str) -> Result<(), Mistake> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.is_empty() && name.bytes().all(is_name) {
        return Ok(());
    }
    Err(Mistake::new(
        format!("`{key}` is not the name of an environment variable"),
        "give the name of a variable that has the secret, such as `SPILLTRAIL_SECRET`, and not the \
         secret itself",
    ))
}

/// Reads an environment variable. An empty one counts as not set.
pub(crate) fn read_variable(
    key: &'static str,
    name: &str,
    clients: &Clients,
) -> Result<Secret, DeliveryError> {
    let text = clients.variable(name).map(|text| text.trim().to_owned());
    text.filter(|text| !text.is_empty()).map(Secret).ok_or_else(|| {
        DeliveryError::permanent(Reason::Variable { key, variable: name.to_owned() })
    })
}

/// Reads a small file that is not empty, without the white space around its text.
pub(crate) fn read_file(path: &Path) -> io::Result<String> {
    let other = |message| io::Error::new(io::ErrorKind::InvalidData, message);
    // Opening a pipe would wait for whoever writes to it.
    if !metadata(path)?.is_file() {
        return Err(other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(other("it is too large for a secret"));
    }
    let text = String::from_utf8(bytes).map_err(|_| other("it is not UTF-8"))?;
    match text.trim() {
        "" => Err(other("it is empty")),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Fails if an error shows one of the secrets, in any case of its letters.
    pub(crate) fn assert_no_secret(error: &DeliveryError, secrets: &[&str]) {
        let shown = format!("{error} {error:?}").to_lowercase();
        for secret in secrets {
            assert!(!shown.contains(&secret.to_lowercase()), "{secret}: {shown}");
        }
    }

    fn keys<'a>(variable: &'a Option<String>, file: &'a Option<PathBuf>) -> SecretKeys<'a> {
        SecretKeys::new(["key_env", "key_file"], variable, file)
    }

    #[test]
    fn keys_are_checked() {
        let some = |text: &str| Some(text.to_owned());
        let path = |text: &str| Some(PathBuf::from(text));
        for (variable, file, required, optional) in [
            (None, None, Some("neither `key_env` nor `key_file` is there"), None),
            (some("A_1"), None, None, None),
            (None, path("/x"), None, None),
            (
                some("A"),
                path("/x"),
                Some("both `key_env` and `key_file` are there"),
                Some("both `key_env` and `key_file` are there"),
            ),
            (
                some("https://hooks"),
                None,
                Some("`key_env` is not the name of an environment variable"),
                Some("`key_env` is not the name of an environment variable"),
            ),
            (None, path(""), Some("`key_file` is empty"), Some("`key_file` is empty")),
        ] {
            let keys = keys(&variable, &file);
            let message = |result: Result<(), Mistake>| result.err().map(|error| error.message);
            assert_eq!(message(keys.check_required()).as_deref(), required, "{keys:?}");
            assert_eq!(message(keys.check_optional()).as_deref(), optional, "{keys:?}");
        }
    }

    #[tokio::test]
    async fn secrets_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            Some(path)
        };
        let clients = Clients::for_tests(&[("SET", " s3cret\n"), ("EMPTY", "")]);
        let some = |text: &str| Some(text.to_owned());
        for (variable, file, expected) in [
            (some("SET"), None, Ok("s3cret")),
            (some("EMPTY"), None, Err(("is not set, or is empty", false))),
            (some("UNSET"), None, Err(("`UNSET` of key `key_env` is not set", false))),
            (None, write("good", b"s3cret\r\n"), Ok("s3cret")),
            (None, write("empty", b"\n"), Err(("it is empty", true))),
            (None, write("bytes", b"\xff"), Err(("it is not UTF-8", true))),
            (None, write("large", &[b'a'; 70_000]), Err(("too large for a secret", true))),
            (None, Some(folder.path().to_owned()), Err(("not a regular file", true))),
            (None, Some(folder.path().join("none")), Err(("cannot be read", true))),
        ] {
            let read = keys(&variable, &file).read_required(&clients).await;
            match (read, expected) {
                (Ok(secret), Ok(expected)) => {
                    assert_eq!(secret.expose(), expected);
                    assert_eq!(format!("{secret:?}"), "[secret]");
                }
                (Err(error), Err((part, retry))) => {
                    assert!(error.to_string().contains(part), "{error}");
                    assert_eq!(error.is_retry(), retry, "{error}");
                }
                (read, _) => panic!("{variable:?} {file:?} {read:?}"),
            }
        }
    }
}
