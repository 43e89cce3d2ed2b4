//! Incoming webhooks of chats: an address that is the only secret, and a body of JSON.

use std::path::PathBuf;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

use crate::address::Scheme;
use crate::error::DeliveryError;
use crate::http::{self, Post};
use crate::output::Mistake;
use crate::secret::{Secret, SecretKeys};
use crate::{Clients, Receipt};

/// Where the address of an incoming webhook is: in the keys `url_env` or `url_file`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hook<'a>(SecretKeys<'a>);

impl<'a> Hook<'a> {
    pub(crate) fn new(variable: &'a Option<String>, file: &'a Option<PathBuf>) -> Self {
        Self(SecretKeys::new(["url_env", "url_file"], variable, file))
    }

    pub(crate) fn check(self) -> Result<(), Mistake> {
        self.0.check_required()
    }

    /// Reads the address. Also returns what no error may repeat.
    pub(crate) async fn url(self, clients: &Clients) -> Result<(Url, Vec<Secret>), DeliveryError> {
        self.0.read_url(clients, Scheme::Encrypted).await
    }

    /// Posts a body once.
    pub(crate) async fn post(
        self,
        body: Value,
        now: Timestamp,
        clients: &Clients,
    ) -> Result<Receipt, DeliveryError> {
        let (url, secrets) = self.url(clients).await?;
        let body = body.to_string().into_bytes();
        let post = Post { url, headers: HeaderMap::new(), body, secrets: &secrets };
        http::post(post, now, clients).await
    }
}
