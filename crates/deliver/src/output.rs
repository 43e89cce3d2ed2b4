//! The configuration of outputs.

use serde::Deserialize;

use crate::file::FileOutput;
use crate::pagerduty::PagerDuty;
use crate::slack::Slack;
use crate::smtp::Smtp;
use crate::syslog::Syslog;
use crate::teams::Teams;
use crate::webhook::Webhook;
use crate::{ConfigError, Filter};

/// The most characters of the name of an output.
const MOST_NAME: usize = 64;

/// One output: where findings go, and which.
///
/// ```toml
/// [[outputs]]
/// name = "on-call"
/// pagerduty = { routing_key_env = "PAGERDUTY_KEY" }
/// filter = { minimum_severity = "high" }
///
/// [[outputs]]
/// name = "everything"
/// file = { path = "/var/log/spilltrail/findings.ndjson" }
/// filter = { findings = "all" }
/// ```
///
/// Other keys than those documented are mistakes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Output {
    /// The name by which people and the record of deliveries know it.
    pub name: String,
    /// False if nothing is delivered for now. The caller looks at it.
    pub enabled: bool,
    /// Which findings it wants. The caller asks it.
    pub filter: Filter,
    /// Where findings go.
    pub target: Target,
}

/// Where findings go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Webhook(Webhook),
    Slack(Slack),
    Teams(Teams),
    PagerDuty(PagerDuty),
    Syslog(Syslog),
    File(FileOutput),
    Smtp(Smtp),
}

/// The keys of an output. Exactly one of the kinds is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// The name: letters, digits, `-`, `_` and `.`.
    name: String,
    /// `false` delivers nothing for now. By default `true`.
    enabled: Option<bool>,
    /// Which findings. By default, all notables.
    #[serde(default)]
    filter: Filter,
    /// JSON over HTTP, signed.
    webhook: Option<Webhook>,
    /// A channel of Slack.
    slack: Option<Slack>,
    /// A channel of Microsoft Teams.
    teams: Option<Teams>,
    /// Incidents of PagerDuty.
    pagerduty: Option<PagerDuty>,
    /// A syslog server.
    syslog: Option<Syslog>,
    /// A file with a line of JSON for each message.
    file: Option<FileOutput>,
    /// Mail.
    smtp: Option<Smtp>,
}

/// What is wrong with a part of a configuration, before it is known whose part it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Mistake {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }

    /// Returns a mistake in the value of a key.
    pub(crate) fn of_key(key: &str, expected: &str, help: &str) -> Self {
        Self::new(format!("the value of `{key}` cannot be used: expected {expected}"), help)
    }

    fn of(self, output: &str) -> ConfigError {
        ConfigError { output: output.to_owned(), message: self.message, help: self.help }
    }
}

impl TryFrom<Keys> for Output {
    type Error = ConfigError;

    fn try_from(keys: Keys) -> Result<Self, ConfigError> {
        const KINDS: &str = "`webhook`, `slack`, `teams`, `pagerduty`, `syslog`, `file`, `smtp`";
        let kinds = [
            keys.webhook.map(Target::Webhook),
            keys.slack.map(Target::Slack),
            keys.teams.map(Target::Teams),
            keys.pagerduty.map(Target::PagerDuty),
            keys.syslog.map(Target::Syslog),
            keys.file.map(Target::File),
            keys.smtp.map(Target::Smtp),
        ];
        let mut targets = kinds.into_iter().flatten();
        let target = targets.next().ok_or_else(|| {
            let message = "expected a kind of output, found none";
            Mistake::new(message, format!("add one of {KINDS}")).of(&keys.name)
        })?;
        if let Some(second) = targets.next() {
            let message = format!(
                "expected one kind of output, found `{}` and `{}`",
                target.kind(),
                second.kind()
            );
            return Err(Mistake::new(message, "make an output of each").of(&keys.name));
        }
        let enabled = keys.enabled.unwrap_or(true);
        Ok(Self { name: keys.name, enabled, filter: keys.filter, target })
    }
}

impl Target {
    /// Returns the name of the kind, as it is in configuration files.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::PagerDuty(_) => "pagerduty",
            Self::Syslog(_) => "syslog",
            Self::File(_) => "file",
            Self::Smtp(_) => "smtp",
        }
    }
}

impl Output {
    /// Checks what can be checked without reading secrets and talking to anyone. A configuration that
    /// passes can still name a secret or a service that is not there.
    ///
    /// # Errors
    /// The first mistake, with what to do about it.
    pub fn check(&self) -> Result<(), ConfigError> {
        let target = || match &self.target {
            Target::Webhook(webhook) => webhook.check(),
            Target::Slack(slack) => slack.hook().check(),
            Target::Teams(teams) => teams.hook().check(),
            Target::PagerDuty(pagerduty) => pagerduty.check(),
            Target::Syslog(syslog) => syslog.check(),
            Target::File(file) => file.check(),
            Target::Smtp(smtp) => smtp.check(),
        };
        let checked =
            check_name(&self.name).and_then(|()| self.filter.check()).and_then(|()| target());
        checked.map_err(|mistake| mistake.of(&self.name))
    }
}

fn check_name(name: &str) -> Result<(), Mistake> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=MOST_NAME).contains(&name.len()) && name.bytes().all(is_allowed) {
        return Ok(());
    }
    let expected = format!("1 to {MOST_NAME} letters, digits, `-`, `_` and `.`");
    Err(Mistake::of_key("name", &expected, "give a short name, such as `on-call`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Output, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn outputs_are_read() {
        let output = parse("name = 'a'\nslack = { url_env = 'S' }").unwrap();
        assert!(output.enabled);
        assert_eq!(output.filter, Filter::default());
        assert_eq!(output.target.kind(), "slack");
        let text = "name = 'a'\nenabled = false\nfile = { path = '/f' }\nfilter.states = ['new']";
        let output = parse(text).unwrap();
        assert!(!output.enabled);
        assert_eq!(output.filter.states, [crate::State::New]);
        assert_eq!(output.target.kind(), "file");
    }

    #[test]
    fn mistakes_of_form_are_told() {
        for (text, expected) in [
            ("name = 'a'", "output `a`: expected a kind of output, found none"),
            (
                "name = 'a'\nslack = { url_env = 'S' }\nteams = { url_env = 'T' }",
                "output `a`: expected one kind of output, found `slack` and `teams`",
            ),
            ("slack = { url_env = 'S' }", "missing field `name`"),
            ("name = 'a'\nslak = { url_env = 'S' }", "unknown field `slak`"),
            ("name = 'a'\nslack = { url = 'S' }", "unknown field `url`"),
            ("name = 'a'\nfilter.severity = 'high'", "unknown field `severity`"),
            ("name = 'a'\nfilter.minimum_severity = 'severe'", "unknown variant `severe`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn configurations_are_checked() {
        for (text, expected) in [
            ("slack = { url_env = 'S' }", None),
            ("slack = { }", Some("neither `url_env` nor `url_file` is there")),
            ("teams = { }", Some("neither `url_env` nor `url_file` is there")),
            ("teams = { url_file = '/s' }", None),
            ("pagerduty = { }", Some("neither `routing_key_env` nor `routing_key_file` is there")),
            ("pagerduty = { routing_key_env = 'K' }", None),
            (
                "pagerduty = { routing_key_env = 'K', url = 'http://a.example/' }",
                Some(
                    "the value of `url` cannot be used: expected an address that begins with `https://`",
                ),
            ),
            ("webhook = { url = 'https://a.example/' }", None),
            ("webhook = { url = 'http://a.example/', secret_env = 'K' }", None),
            (
                "webhook = { url = 'a.example' }",
                Some(
                    "the value of `url` cannot be used: expected an address that begins with `https://` or `http://`",
                ),
            ),
            ("webhook = { }", Some("none of `url`, `url_env` and `url_file` is there")),
            (
                "webhook = { url = 'https://a.example/', url_env = 'U' }",
                Some("`url` and another key for the address are there"),
            ),
            (
                "webhook = { url_env = 'U', headers = { 'X-A' = 'b', 'X B' = 'c' } }",
                Some("`X B` in `headers` is not the name of a header that can be set"),
            ),
            (
                "webhook = { url_env = 'U', headers = { 'Content-Length' = '1' } }",
                Some("`Content-Length` in `headers` is not the name of a header that can be set"),
            ),
            (
                "webhook = { url_env = 'U', headers = { Authorization = 'b' } }",
                Some("`Authorization` in `headers` is a secret"),
            ),
            (
                "webhook = { url_env = 'U', headers = { X-A = \"b\\nX-C: d\" } }",
                Some("the value of `X-A` in `headers` cannot be used"),
            ),
            ("webhook = { url_env = 'U', headers_env = { Authorization = 'TOKEN' } }", None),
            (
                "webhook = { url_env = 'U', headers_env = { Authorization = 'Bearer x' } }",
                Some("`headers_env.Authorization` is not the name of an environment variable"),
            ),
            ("syslog = { server = 'a.example' }", None),
            ("syslog = { server = '' }", Some("the value of `server` cannot be used")),
            ("syslog = { server = 'a.example:514' }", Some("the value of `server` cannot be used")),
            (
                "syslog = { server = 'a.example', port = 0 }",
                Some("the value of `port` cannot be used"),
            ),
            (
                "syslog = { server = 'a.example', facility = 24 }",
                Some("the value of `facility` cannot be used"),
            ),
            (
                "syslog = { server = 'a.example', hostname = 'a b' }",
                Some("the value of `hostname` cannot be used"),
            ),
            ("file = { path = '/var/log/f' }", None),
            ("file = { path = '' }", Some("the value of `path` cannot be used")),
            ("file = { path = 'findings.ndjson' }", Some("the value of `path` cannot be used")),
            ("smtp = { server = 'm', from = 'a@b.example', to = ['C <c@b.example>'] }", None),
            (
                "smtp = { server = 'm', from = 'a', to = ['c@b.example'] }",
                Some("the value of `from` cannot be used"),
            ),
            (
                "smtp = { server = 'm', from = 'a@b.example', to = [] }",
                Some("the value of `to` cannot be used"),
            ),
            (
                "smtp = { server = 'm', from = 'a@b.example', to = ['c@b.example', 'd'] }",
                Some("the value of `to` cannot be used"),
            ),
            (
                "smtp = { server = 'm', from = 'a@b.example', to = ['c@b.example'], user = 'u' }",
                Some("neither `password_env` nor `password_file` is there"),
            ),
            (
                "smtp = { server = 'm', from = 'a@b.example', to = ['c@b.example'], password_env = 'P' }",
                Some("a password is there, but no `user`"),
            ),
            (
                "smtp = { server = 'm', from = 'a@b.example', to = ['c@b.example'], user = 'u', \
                 password_env = 'P', security = 'none' }",
                Some("a password would be sent unencrypted"),
            ),
        ] {
            let output = parse(&format!("name = 'a'\n{text}")).unwrap();
            let error = output.check().err();
            match (expected, &error) {
                (None, None) => {}
                (Some(expected), Some(error)) => {
                    assert!(error.message.starts_with(expected), "{text}: {}", error.message);
                    assert!(!error.help.is_empty(), "{text}");
                }
                _ => panic!("{text}: {error:?}"),
            }
        }
    }

    #[test]
    fn names_are_checked() {
        let long = "a".repeat(65);
        for (name, is_valid) in
            [("on-call_2.a", true), ("", false), ("a b", false), ("ü", false), (&long, false)]
        {
            let text = format!("name = '{name}'\nfile = {{ path = '/f' }}");
            assert_eq!(parse(&text).unwrap().check().is_ok(), is_valid, "{name}");
        }
    }

    #[test]
    fn debugging_shows_no_secrets() {
        let text = "name = 'a'\nwebhook = { url = 'https://a.example/s3cret', \
                    headers = { X-Key = 's3cret' }, headers_env = { X-Token = 'TOKEN' } }";
        let shown = format!("{:?}", parse(text).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("a.example") && shown.contains("TOKEN"), "{shown}");
    }
}
