//! Secrets that an output needs and that are not there, for a server that starts.

use crate::error::Reason;
use crate::{Clients, ConfigError, DeliveryError, Output, Target};

/// A secret that an output needs and that cannot be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSecret {
    /// Which output, what is wrong, and what to do about it.
    pub error: ConfigError,
    /// True if no delivery can succeed while the process runs: a variable is not set, or a secret
    /// cannot be used. False for a file, which can be repaired meanwhile.
    pub is_permanent: bool,
}

impl Output {
    /// Reads every secret that a delivery needs, and forgets it. Returns each that is not there or
    /// cannot be used, and none if all are well: a server that starts can tell what is missing before
    /// there is a finding. It has passed [`Output::check`]. A file takes at most the time limit of the
    /// clients.
    pub async fn check_secrets(&self, clients: &Clients) -> Vec<MissingSecret> {
        let errors = match &self.target {
            Target::Webhook(webhook) => webhook.check_secrets(clients).await,
            Target::Slack(slack) => one(slack.hook().url(clients).await),
            Target::Teams(teams) => one(teams.hook().url(clients).await),
            Target::PagerDuty(pagerduty) => one(pagerduty.key().read_required(clients).await),
            Target::Syslog(syslog) => one(syslog.connector(clients).await),
            Target::File(_) => Vec::new(),
            Target::Smtp(smtp) => one(smtp.password().read(clients).await),
        };
        let missing = |error: DeliveryError| MissingSecret {
            error: ConfigError {
                output: self.name.clone(),
                message: error.to_string(),
                help: help(error.reason()),
            },
            is_permanent: !error.is_retry(),
        };
        errors.into_iter().map(missing).collect()
    }
}

fn one<T>(read: Result<T, DeliveryError>) -> Vec<DeliveryError> {
    read.err().into_iter().collect()
}

/// Returns what to do about a secret that cannot be read or used.
fn help(reason: &Reason) -> String {
    match reason {
        Reason::Variable { key, variable } => {
            format!("set `{variable}` where the server is started, or name another one in `{key}`")
        }
        Reason::Secret { key, .. } => format!("correct what `{key}` names, and start again"),
        Reason::SecretFile { key, .. } => {
            format!("put the file there so that the server can read it, or correct `{key}`")
        }
        _ => "look after the disk or the server that the file is on, or move the file".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_missing_secret_is_told() {
        let clients = Clients::for_tests(&[("URL", "https://a.example/"), ("KEY", "k3y")]);
        let mail = "server = 'm', from = 'a@b.example', to = ['c@b.example'], user = 'u'";
        let mail = |key: &str| format!("smtp = {{ {mail}, password_env = '{key}' }}");
        let unset = |key: &str, variable: &str| {
            let message = format!(
                "environment variable `{variable}` of key `{key}` is not set, or is empty; set \
                 `{variable}` where the server is started, or name another one in `{key}`"
            );
            (message, true)
        };
        let unread = |key: &str| {
            let message = format!(
                "file `/none` of key `{key}` cannot be read: No such file or directory (os error \
                 2); put the file there so that the server can read it, or correct `{key}`"
            );
            (message, false)
        };
        let invalid = (
            "the value of key `url_env` cannot be used: expected an address that begins with \
             `https://`; correct what `url_env` names, and start again"
                .to_owned(),
            true,
        );
        for (text, expected) in [
            ("slack = { url_env = 'URL' }", vec![]),
            ("slack = { url_env = 'KEY' }", vec![invalid]),
            ("teams = { url_env = 'URL' }", vec![]),
            ("teams = { url_file = '/none' }", vec![unread("url_file")]),
            ("pagerduty = { routing_key_env = 'KEY' }", vec![]),
            ("pagerduty = { routing_key_env = 'NONE' }", vec![unset("routing_key_env", "NONE")]),
            (
                "webhook = { url_env = 'URL', secret_env = 'KEY', headers_env = { X = 'KEY' } }",
                vec![],
            ),
            (
                "webhook = { url_env = 'A', secret_env = 'B', headers_env = { X = 'C', Y = 'D' } }",
                vec![
                    unset("url_env", "A"),
                    unset("headers_env", "C"),
                    unset("headers_env", "D"),
                    unset("secret_env", "B"),
                ],
            ),
            (
                "webhook = { url = 'https://a.example/', secret_file = '/none' }",
                vec![unread("secret_file")],
            ),
            ("syslog = { server = 'a.example' }", vec![]),
            (
                "syslog = { server = 'a', protocol = 'tls', ca_file = '/none' }",
                vec![unread("ca_file")],
            ),
            ("file = { path = '/f' }", vec![]),
            (&mail("KEY"), vec![]),
            (&mail("NONE"), vec![unset("password_env", "NONE")]),
        ] {
            let output: Output = toml::from_str(&format!("name = 'a'\n{text}")).unwrap();
            output.check().unwrap();
            let missing = output.check_secrets(&clients).await;
            assert!(missing.iter().all(|missing| missing.error.output == "a"));
            let told: Vec<(String, bool)> = missing
                .into_iter()
                .map(|MissingSecret { error, is_permanent }| {
                    (format!("{}; {}", error.message, error.help), is_permanent)
                })
                .collect();
            assert_eq!(told, expected, "{text}");
        }
    }
}
