//! What all deliveries share: connections, time limits, and the environment.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

use crate::error::{DeliveryError, Reason};
use crate::files::Files;

/// How long each part of an attempt may take: each file that has a secret, and sending or writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection is there.
    pub connect: Duration,
    /// Until the service answers, with the time for the connection, or the file is written or read.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), answer: Duration::from_secs(30) }
    }
}

/// Reads an environment variable.
type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What all deliveries share. It is made once.
pub struct Clients {
    pub(crate) http: reqwest::Client,
    pub(crate) limits: Limits,
    pub(crate) files: Files,
    environment: Environment,
}

/// The HTTP client cannot be set up.
#[derive(Debug, Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct ClientsError(#[source] reqwest::Error);

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Clients {
    /// Sets up what deliveries share. `environment` reads an environment variable; it is asked with
    /// every delivery that needs one. HTTP goes through the proxy that the variables of the process
    /// name, if they name one, and trusts the certificates of the system.
    ///
    /// # Errors
    /// Fails if the certificates of the system cannot be used.
    pub fn new(
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        limits: Limits,
    ) -> Result<Self, ClientsError> {
        let http = Self::http(limits).build().map_err(ClientsError)?;
        Ok(Self { http, limits, files: Files::default(), environment: Box::new(environment) })
    }

    fn http(limits: Limits) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .user_agent(concat!("spilltrail/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            // A message has a secret address, a signature or a key, and goes where the configuration
            // says.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
    }

    /// Reads an environment variable.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }

    /// Waits for a part of an attempt, up to the time limit.
    pub(crate) async fn within<T>(
        &self,
        part: impl Future<Output = Result<T, DeliveryError>>,
    ) -> Result<T, DeliveryError> {
        let waited = timeout(self.limits.answer, part).await;
        waited.unwrap_or_else(|_| Err(DeliveryError::retry(Reason::Time)))
    }

    /// Does work on a file, up to the time limit: see [`Files::run`].
    pub(crate) async fn on_file<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Result<T, DeliveryError> {
        self.files.run(path, self.limits.answer, work).await
    }

    /// Sets up what deliveries of a test share: no proxy, and these variables.
    #[cfg(test)]
    pub(crate) fn for_tests(variables: &[(&str, &str)]) -> Self {
        let variables: std::collections::BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let limits = Limits::default();
        let http = Self::http(limits).no_proxy().build().unwrap();
        let environment = Box::new(move |name: &str| variables.get(name).cloned());
        Self { http, limits, files: Files::default(), environment }
    }
}
