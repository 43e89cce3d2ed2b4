//! The token of the API, of which only the hash is kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::{self, Readable};
use crate::secret::{SecretError, TokenHash, new_token};

/// The most bytes of the file.
const MAX_FILE_BYTES: u64 = 1024;

/// The token of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its hash.
    pub hash: TokenHash,
    /// The token itself if it was made just now: the only time at which it can be shown.
    pub made: Option<String>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum ApiTokenError {
    /// The file cannot be read or written.
    #[error("cannot use `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has no hash of a token.
    #[error(
        "`{}` is not the hash of a token; remove the file to get a new token",
        path.display()
    )]
    NoHash {
        /// The file.
        path: PathBuf,
    },
    /// A token cannot be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl ApiToken {
    /// Returns the token whose hash is in a file. If there is no file, a token is made; only the owner of
    /// the file may read it. Whoever removes the file gets a new token with the next call.
    ///
    /// # Errors
    /// Fails if the file has something else, or cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, ApiTokenError> {
        let failed = |source| ApiTokenError::File { path: path.to_owned(), source };
        match files::read(path, MAX_FILE_BYTES) {
            Ok(bytes) => {
                let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                let hash = text.and_then(|text| TokenHash::try_from(text.trim().to_owned()).ok());
                let hash = hash.ok_or_else(|| ApiTokenError::NoHash { path: path.to_owned() })?;
                Ok(Self { hash, made: None })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = new_token()?;
                let hash = TokenHash::of(&token);
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder).map_err(failed)?;
                }
                let text = format!("{}\n", String::from(hash));
                files::replace(path, &text, Readable::ByOwner).map_err(failed)?;
                Ok(Self { hash, made: Some(token) })
            }
            Err(error) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server").join("api-token");
        let first = ApiToken::open(&path).unwrap();
        let token = first.made.unwrap();
        assert!(first.hash.is(&TokenHash::of(&token)));
        assert_eq!(ApiToken::open(&path).unwrap(), ApiToken { hash: first.hash, made: None });
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&token), "{text}");
        for bad in [String::new(), "x".repeat(64), "a".repeat(2000), format!("{text}{text}")] {
            fs::write(&path, bad).unwrap();
            let told = ApiToken::open(&path).unwrap_err().to_string();
            assert!(told.contains("is not the hash of a token"), "{told}");
        }
        fs::remove_file(&path).unwrap();
        assert_ne!(ApiToken::open(&path).unwrap().hash, first.hash);
        assert!(ApiToken::open(folder.path()).is_err());
    }
}
