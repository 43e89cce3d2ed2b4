//! PagerDuty: events of its Events API v2. A finding opens an incident, and its withdrawal resolves it.

use std::path::PathBuf;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::address::{self, Scheme};
use crate::error::{DeliveryError, Reason};
use crate::facts::facts;
use crate::http::{self, Post};
use crate::output::Mistake;
use crate::secret::SecretKeys;
use crate::text::{self, LINE, LINES, Place, json_size, utf16_size};
use crate::{Clients, Message, Receipt, Severity, State};

/// The service in the United States. Accounts in Europe have another one.
const DEFAULT_URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// The most characters of a summary.
const MOST_SUMMARY: usize = 1024;
/// The most characters of a key.
const MOST_KEY: usize = 255;
/// The most bytes of an event with the finding in it; the service takes 512 KB.
const MOST_BYTES: usize = 500_000;
/// The most bytes of a description, and of the value of a fact, in JSON.
const MOST_DETAIL: usize = 20_000;
/// The most characters of source, component, group and class, for which no limit is documented.
const MOST_NAME: usize = 255;

const SUMMARY: Place = Place { size: utf16_size, ..LINE };
const DETAIL: Place = Place { size: json_size, ..LINES };

/// A service of PagerDuty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDuty {
    /// The environment variable that has the integration key of the service.
    pub routing_key_env: Option<String>,
    /// The file that has it.
    pub routing_key_file: Option<PathBuf>,
    /// The address of the Events API. By default, the one in the United States; in Europe it is
    /// `https://events.eu.pagerduty.com/v2/enqueue`.
    pub url: Option<String>,
}

impl PagerDuty {
    pub(crate) fn key(&self) -> SecretKeys<'_> {
        let keys = ["routing_key_env", "routing_key_file"];
        SecretKeys::new(keys, &self.routing_key_env, &self.routing_key_file)
    }

    fn url(&self) -> Result<url::Url, &'static str> {
        address::parse(self.url.as_deref().unwrap_or(DEFAULT_URL), Scheme::Encrypted)
    }

    pub(crate) fn check(&self) -> Result<(), Mistake> {
        self.key().check_required()?;
        self.url().map(drop).map_err(|expected| {
            Mistake::of_key(
                "url",
                expected,
                "remove `url`, or give the address of the Events API v2",
            )
        })
    }

    pub(crate) async fn deliver(
        &self,
        message: &Message,
        now: Timestamp,
        clients: &Clients,
    ) -> Result<Receipt, DeliveryError> {
        let url = self.url().map_err(|expected| {
            DeliveryError::permanent(Reason::Secret { key: "url", expected })
        })?;
        let key = self.key().read_required(clients).await?;
        let body = event(message, key.expose()).to_string().into_bytes();
        let post = Post { url, headers: HeaderMap::new(), body, secrets: &[key] };
        http::post(post, now, clients).await
    }
}

/// Returns the body of the request.
fn event(message: &Message, routing_key: &str) -> Value {
    let key = dedup_key(&message.id);
    if message.state == State::Withdrawn {
        return json!({"routing_key": routing_key, "event_action": "resolve", "dedup_key": key});
    }
    let mut details = json!({});
    let description = text::fit(message.description.trim(), MOST_DETAIL, DETAIL);
    if !description.is_empty() {
        details["Description"] = description.into();
    }
    for (label, value) in facts(message) {
        details[label] = text::fit(&value, MOST_DETAIL, DETAIL).into();
    }
    let name = |text: &str| text::fit(text, MOST_NAME, SUMMARY);
    let mut payload = json!({
        "summary": text::fit(&message.headline(), MOST_SUMMARY, SUMMARY),
        "source": name(source(message)),
        "severity": severity(message.severity),
        "component": name(&message.detection.name),
        "class": name(&message.detection.detection_type),
        "custom_details": details,
    });
    if let Some(time) = message.time_text() {
        payload["timestamp"] = time.into();
    }
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": key,
        "client": "Spilltrail",
        "payload": payload,
    });
    // Measured first: a finding can be much larger than what is left.
    let left = MOST_BYTES.saturating_sub(event.to_string().len());
    if message.finding.to_string().len() <= left {
        event["payload"]["custom_details"]["finding"] = message.finding.clone();
    }
    event
}

/// Returns the key that all events about a finding share.
fn dedup_key(id: &str) -> String {
    let is_plain = id.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && (1..=MOST_KEY).contains(&id.len()) {
        return id.to_owned();
    }
    // A cut id could be that of another finding.
    Sha256::digest(id).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns what the finding is about, which PagerDuty calls the source.
fn source(message: &Message) -> &str {
    let entity = message.entities.first().map(|entity| &entity.value);
    let object = message.risk_objects.first().map(|object| &object.value);
    entity
        .or(object)
        .filter(|value| !value.trim().is_empty())
        .map_or("AWS CloudTrail", |value| value)
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "info",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::loopback::{Answer, Server};
    use crate::message::tests::example;
    use crate::secret::tests::assert_no_secret;

    #[test]
    fn shape() {
        let expected = json!({
            "routing_key": "k3y",
            "event_action": "trigger",
            "dedup_key": "f-1",
            "client": "Spilltrail",
            "payload": {
                "summary": "[high] Keys made for mallory",
                "source": "mallory",
                "severity": "error",
                "component": "AWS Keys Made",
                "class": "TTP",
                "timestamp": "2023-11-14T22:13:20.250Z",
                "custom_details": {
                    "Description": "mallory made access keys for bob",
                    "State": "new",
                    "Severity": "high",
                    "Detection": "AWS Keys Made (TTP)",
                    "Time": "2023-11-14T22:13:20.250Z",
                    "Risk score": "80",
                    "Risk objects": "mallory (user, 80)",
                    "Entities": "user=mallory",
                    "ATT&CK": "T1098, T1136.003",
                    "Finding": "f-1",
                    "finding": {"id": "f-1", "result": {"count": 3}},
                },
            },
        });
        assert_eq!(event(&example(), "k3y"), expected);
    }

    #[test]
    fn states() {
        let of = |state| event(&Message { state, ..example() }, "k3y");
        let resolve = json!({"routing_key": "k3y", "event_action": "resolve", "dedup_key": "f-1"});
        assert_eq!(of(State::Withdrawn), resolve);
        let changed = of(State::Changed);
        assert_eq!(changed["event_action"], "trigger");
        assert_eq!(changed["dedup_key"], "f-1");
    }

    #[test]
    fn keys() {
        let long = "a".repeat(256);
        for (id, is_kept) in
            [("f-1", true), (&long[..255], true), (&long, false), ("a b", false), ("", false)]
        {
            let key = dedup_key(id);
            assert_eq!(key == id, is_kept, "{id}");
            assert!(is_kept || key.len() == 64);
        }
        assert_ne!(dedup_key(&long), dedup_key(&"a".repeat(257)));
    }

    #[test]
    fn large_findings_are_left_out() {
        for (size, is_kept) in [(490_000, true), (500_000, false)] {
            let message = Message { finding: "x".repeat(size).into(), ..example() };
            let event = event(&message, "k3y");
            let details = &event["payload"]["custom_details"];
            assert_eq!(details.get("finding").is_some(), is_kept, "{size}");
            check_rules(&message);
        }
    }

    /// Fails if a message of any texts breaks a rule of PagerDuty.
    pub(crate) fn check_rules(message: &Message) {
        let event = event(message, "k3y");
        let bytes = event.to_string();
        assert!(bytes.len() <= 512_000, "{}", bytes.len());
        assert!(!bytes.chars().any(|c| c < ' '));
        let key = event["dedup_key"].as_str().unwrap();
        assert!((1..=255).contains(&key.len()));
        if message.state == State::Withdrawn {
            return;
        }
        for (name, most) in [("summary", 1024), ("source", 255), ("component", 255), ("class", 255)]
        {
            let text = event["payload"][name].as_str().unwrap();
            assert!(text.encode_utf16().count() <= most, "{name}");
            assert!(!text.chars().any(char::is_control), "{name}");
        }
        for name in ["summary", "source", "severity"] {
            assert_ne!(event["payload"][name], "", "{name}");
        }
    }

    #[tokio::test]
    async fn events_are_posted() {
        let answer = r#"{"status":"invalid event","message":"k3y-1 (K3Y-1) is wrong"}"#;
        let server =
            Server::start(vec![Answer::new(202, "", "{}"), Answer::new(400, "", answer)]).await;
        let keys = format!("routing_key_env = 'KEY'\nurl = '{}/v2/enqueue'", server.url());
        let pagerduty: PagerDuty = toml::from_str(&keys).unwrap();
        pagerduty.check().unwrap();
        let clients = Clients::for_tests(&[("KEY", "k3y-1")]);
        let now = Timestamp::UNIX_EPOCH;
        pagerduty.deliver(&example(), now, &clients).await.unwrap();
        assert_eq!(server.requests().await[0].json(), event(&example(), "k3y-1"));
        let error = pagerduty.deliver(&example(), now, &clients).await.unwrap_err();
        assert!(!error.is_retry());
        assert!(error.to_string().contains("[secret] ([secret]) is wrong"), "{error}");
        assert_no_secret(&error, &["k3y-1"]);
    }
}
