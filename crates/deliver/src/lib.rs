//! Delivers findings to other systems.
//!
//! [`deliver`] makes one attempt to bring one [`Message`] to one [`Output`]: a webhook, Slack, Teams,
//! PagerDuty, syslog, a file, or mail. It keeps nothing. Who calls it has a store of messages and
//! attempts, asks [`Filter::takes`] which messages an output gets, and [`next_attempt`] when an attempt
//! that failed is repeated. Messages are delivered at least once: an attempt whose answer was lost is
//! made again, with the same [`Message::delivery`], by which a receiver can tell.
//!
//! - Texts of a log are inert: none breaks out of its place, mentions people, or is read as markup.
//! - What is sent is smaller than the service's limits, whatever a finding has. Cut texts say so.
//! - Secrets are in the environment or in files, and in no debug output. Errors repeat what a service
//!   answers without them.

mod address;
mod clients;
mod document;
mod error;
mod facts;
mod file;
mod files;
mod filter;
mod hook;
mod http;
#[cfg(test)]
mod loopback;
mod message;
mod missing;
mod output;
mod pagerduty;
mod policy;
#[cfg(test)]
mod properties;
mod redact;
mod secret;
mod slack;
mod smtp;
mod syslog;
mod teams;
mod text;
pub mod webhook;

use jiff::Timestamp;

pub use clients::{Clients, ClientsError, Limits};
pub use document::{DOCUMENT_VERSION, MOST_DOCUMENT};
pub use error::{ConfigError, DeliveryError, Reason};
pub use file::FileOutput;
pub use filter::{Filter, Findings};
pub use message::{Detection, Entity, Message, RiskObject, Severity, State};
pub use missing::MissingSecret;
pub use output::{Output, Target};
pub use pagerduty::PagerDuty;
pub use policy::{LONGEST_BACKOFF, LONGEST_WAIT, MOST_ATTEMPTS, backoff, next_attempt};
pub use slack::Slack;
pub use smtp::{Security, Smtp};
pub use syslog::{Protocol, Syslog};
pub use teams::Teams;
pub use webhook::Webhook;

/// What is known of a message that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Who took it, for people, such as `` `hooks.slack.com` answered 200 ``.
    pub detail: String,
    /// How many bytes were sent, without headers.
    pub bytes: usize,
}

/// Makes one attempt to deliver a message. The filter of the output is not asked. `now` is the time of
/// the attempt. If it is dropped before it ends, the message may still be delivered.
///
/// # Errors
/// Says whether another attempt can succeed; [`next_attempt`] says when.
pub async fn deliver(
    output: &Output,
    message: &Message,
    now: Timestamp,
    clients: &Clients,
) -> Result<Receipt, DeliveryError> {
    output.check().map_err(|error| DeliveryError::permanent(error.into()))?;
    match &output.target {
        Target::Webhook(webhook) => webhook.deliver(message, now, clients).await,
        Target::Slack(slack) => slack.deliver(message, now, clients).await,
        Target::Teams(teams) => teams.deliver(message, now, clients).await,
        Target::PagerDuty(pagerduty) => pagerduty.deliver(message, now, clients).await,
        Target::Syslog(syslog) => syslog.deliver(message, clients).await,
        Target::File(file) => file.deliver(message, clients).await,
        Target::Smtp(smtp) => smtp.deliver(message, now, clients).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::example;

    #[tokio::test]
    async fn deliveries() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f").display().to_string();
        let clients = Clients::for_tests(&[]);
        for (target, expected) in [
            (format!("file = {{ path = '{path}' }}"), Ok(format!("appended to `{path}`"))),
            (
                "file = { path = 'f' }".to_owned(),
                Err(
                    "output `a`: the value of `path` cannot be used: expected the path of a file, \
                     from the root",
                ),
            ),
            (
                "slack = { url_env = 'NONE' }".to_owned(),
                Err("environment variable `NONE` of key `url_env` is not set, or is empty"),
            ),
        ] {
            let output: Output = toml::from_str(&format!("name = 'a'\n{target}")).unwrap();
            let delivered = deliver(&output, &example(), Timestamp::UNIX_EPOCH, &clients).await;
            match delivered {
                Ok(receipt) => assert_eq!(Ok(receipt.detail), expected, "{target}"),
                Err(error) => {
                    assert!(!error.is_retry());
                    assert_eq!(expected, Err(error.to_string().as_str()), "{target}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_hangs_holds_one_thread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "https://127.0.0.1:1/").unwrap();
        let shown = path.display();
        let server = "server = 'localhost', port = 1";
        let mail = "from = 'a@b.example', to = ['c@b.example'], user = 'u'";
        for target in [
            format!("file = {{ path = '{shown}' }}"),
            format!("slack = {{ url_file = '{shown}' }}"),
            format!("teams = {{ url_file = '{shown}' }}"),
            format!("pagerduty = {{ routing_key_file = '{shown}' }}"),
            format!("webhook = {{ url = 'https://127.0.0.1:1/', secret_file = '{shown}' }}"),
            format!("smtp = {{ {server}, {mail}, password_file = '{shown}' }}"),
            format!("syslog = {{ {server}, protocol = 'tls', ca_file = '{shown}' }}"),
        ] {
            let clients = Clients::for_tests(&[]);
            let output: Output = toml::from_str(&format!("name = 'a'\n{target}")).unwrap();
            let hanging = files::tests::hang(&clients, &path).await;
            let now = Timestamp::UNIX_EPOCH;
            let error = deliver(&output, &example(), now, &clients).await.unwrap_err();
            assert!(error.is_retry(), "{target}");
            let expected = format!("an earlier attempt at file `{shown}` has not ended");
            assert_eq!(error.to_string(), expected, "{target}");
            drop(hanging);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "https://127.0.0.1:1/");
    }
}
