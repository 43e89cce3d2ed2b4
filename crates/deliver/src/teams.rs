//! Microsoft Teams: an Adaptive Card, posted to a webhook of Workflows.
//!
//! All texts of a log are text runs, in which an Adaptive Card reads no Markdown. Its functions, such
//! as `{{DATE(…)}}`, begin with two braces, which are kept apart.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::DeliveryError;
use crate::facts::facts;
use crate::hook::Hook;
use crate::text::{self, Place, json_size};
use crate::{Clients, Message, Receipt};

/// The most bytes of a title, as all of these sizes in JSON. Together with the names of the parts, they
/// stay below the 28 KB of a message.
const MOST_TITLE: usize = 1000;
/// The most bytes of the description.
const MOST_DESCRIPTION: usize = 8000;
/// The most bytes of the value of a fact.
const MOST_VALUE: usize = 1200;

const RUN: Place = Place { lines: false, escape, size: json_size };
const RUN_LINES: Place = Place { lines: true, ..RUN };

/// A channel or chat of Teams. The address of its workflow is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teams {
    /// The environment variable that has the address of the workflow.
    pub url_env: Option<String>,
    /// The file that has it.
    pub url_file: Option<PathBuf>,
}

impl Teams {
    pub(crate) fn hook(&self) -> Hook<'_> {
        Hook::new(&self.url_env, &self.url_file)
    }

    pub(crate) async fn deliver(
        &self,
        message: &Message,
        now: Timestamp,
        clients: &Clients,
    ) -> Result<Receipt, DeliveryError> {
        self.hook().post(card(message), now, clients).await
    }
}

/// Returns the body of the request.
fn card(message: &Message) -> Value {
    let block = |runs: Vec<Value>| json!({"type": "RichTextBlock", "inlines": runs});
    let run = |text: String| json!({"type": "TextRun", "text": text});
    let bold = |text: String| json!({"type": "TextRun", "text": text, "weight": "Bolder"});
    let title = text::fit(&message.headline(), MOST_TITLE, RUN);
    let mut body = vec![block(vec![
        json!({"type": "TextRun", "text": title, "weight": "Bolder", "size": "Medium"}),
    ])];
    let description = text::fit(message.description.trim(), MOST_DESCRIPTION, RUN_LINES);
    // A paragraph for each line would be more bytes for each line, and a log chooses the lines.
    if !description.is_empty() {
        body.push(block(vec![run(description)]));
    }
    for (label, value) in facts(message) {
        let value = text::fit(&value, MOST_VALUE, RUN);
        body.push(block(vec![bold(format!("{label}: ")), run(value)]));
    }
    let content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": content,
        }],
    })
}

fn escape(out: &mut String, c: char) {
    if c == '{' && out.ends_with('{') {
        // An invisible character that joins words.
        out.push('\u{2060}');
    }
    out.push(c);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::loopback::{Answer, Server};
    use crate::message::tests::example;
    use crate::secret::tests::assert_no_secret;

    #[test]
    fn shape() {
        let fact = |label: &str, value: &str| {
            json!({"type": "RichTextBlock", "inlines": [
                {"type": "TextRun", "text": format!("{label}: "), "weight": "Bolder"},
                {"type": "TextRun", "text": value},
            ]})
        };
        let expected = json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "msteams": {"width": "Full"},
                    "body": [
                        {"type": "RichTextBlock", "inlines": [
                            {"type": "TextRun", "text": "[high] Keys made for mallory", "weight": "Bolder", "size": "Medium"},
                        ]},
                        {"type": "RichTextBlock", "inlines": [
                            {"type": "TextRun", "text": "mallory made access keys for bob"},
                        ]},
                        fact("State", "new"),
                        fact("Severity", "high"),
                        fact("Detection", "AWS Keys Made (TTP)"),
                        fact("Time", "2023-11-14T22:13:20.250Z"),
                        fact("Risk score", "80"),
                        fact("Risk objects", "mallory (user, 80)"),
                        fact("Entities", "user=mallory"),
                        fact("ATT&CK", "T1098, T1136.003"),
                        fact("Finding", "f-1"),
                    ],
                },
            }],
        });
        assert_eq!(card(&example()), expected);
    }

    #[test]
    fn functions_are_kept_apart() {
        for (text, expected) in [
            ("{{DATE(0)}}", "{\u{2060}{DATE(0)}}"),
            ("{{{", "{\u{2060}{\u{2060}{"),
            ("{a} {b}", "{a} {b}"),
        ] {
            assert_eq!(text::fit(text, 1000, RUN), expected);
        }
    }

    /// Fails if a message of any texts breaks a rule of Teams.
    pub(crate) fn check_rules(message: &Message) {
        let card = card(message);
        let bytes = card.to_string();
        assert!(bytes.len() <= 28 * 1000, "{}", bytes.len());
        assert!(!bytes.chars().any(char::is_control));
        let body = card["attachments"][0]["content"]["body"].as_array().unwrap();
        for block in body {
            assert_eq!(block["type"], "RichTextBlock");
            for run in block["inlines"].as_array().unwrap() {
                assert_eq!(run["type"], "TextRun");
                let text = run["text"].as_str().unwrap();
                assert!(!text.is_empty() && !text.contains("{{"), "{text:?}");
                assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
            }
        }
    }

    #[tokio::test]
    async fn messages_are_posted() {
        let server = Server::start(vec![
            Answer::new(202, "", ""),
            Answer::new(401, "", "signature s1gnature+/ of flow 0f1e2d3c is wrong"),
            Answer::new(401, "", "https://a/workflows%2F0F1E2D3C%3Fsig=S1gnature%2b%2F"),
        ])
        .await;
        let address = format!("{}/workflows/0f1e2d3c?sig=s1gnature%2B%2F", server.url());
        let clients = Clients::for_tests(&[("TEAMS", &address)]);
        let teams: Teams = toml::from_str("url_env = 'TEAMS'").unwrap();
        teams.deliver(&example(), Timestamp::UNIX_EPOCH, &clients).await.unwrap();
        let [request] = &server.requests().await[..] else { panic!("one request") };
        assert!(request.head.starts_with("POST /workflows/0f1e2d3c?sig=s1gnature%2B%2F HTTP/1.1"));
        assert_eq!(request.json(), card(&example()));

        for _ in 0..2 {
            let delivered = teams.deliver(&example(), Timestamp::UNIX_EPOCH, &clients).await;
            let error = delivered.unwrap_err();
            assert!(!error.is_retry());
            assert_no_secret(&error, &["s1gnature", "0f1e2d3c"]);
        }
    }
}
