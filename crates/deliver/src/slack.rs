//! Slack: blocks, posted to an incoming webhook.
//!
//! Title and description are plain text, in which Slack reads no markup. The facts are code in
//! `mrkdwn`, with `verbatim`, so that no address becomes a link and no name a mention. `&`, `<` and `>`
//! are escaped everywhere, because Slack's links and mentions are made of them.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::DeliveryError;
use crate::facts::facts;
use crate::hook::Hook;
use crate::text::{self, Place, utf16_size};
use crate::{Clients, Message, Receipt};

/// The most characters of a header block.
const MOST_HEADER: usize = 150;
/// The most characters of the text of a section.
const MOST_SECTION: usize = 3000;
/// The most characters of a value, with which a field of a section stays below 2000.
const MOST_VALUE: usize = 1900;
/// The most fields of a section.
const MOST_FIELDS: usize = 10;
/// The most characters of the text that notifications show.
const MOST_TEXT: usize = 1000;

const PLAIN: Place = Place { lines: false, escape, size: utf16_size };
const PLAIN_LINES: Place = Place { lines: true, ..PLAIN };
const CODE: Place = Place { escape: escape_code, ..PLAIN };
const NOTIFICATION: Place = Place { escape: escape_mentions, ..PLAIN };

/// A channel of Slack. The address of its incoming webhook is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// The environment variable that has the address of the incoming webhook.
    pub url_env: Option<String>,
    /// The file that has it.
    pub url_file: Option<PathBuf>,
}

impl Slack {
    pub(crate) fn hook(&self) -> Hook<'_> {
        Hook::new(&self.url_env, &self.url_file)
    }

    pub(crate) async fn deliver(
        &self,
        message: &Message,
        now: Timestamp,
        clients: &Clients,
    ) -> Result<Receipt, DeliveryError> {
        self.hook().post(blocks(message), now, clients).await
    }
}

/// Returns the body of the request.
fn blocks(message: &Message) -> Value {
    let headline = message.headline();
    let plain = |text: String| json!({"type": "plain_text", "text": text, "emoji": false});
    let markup = |text: String| json!({"type": "mrkdwn", "text": text, "verbatim": true});
    let mut blocks =
        vec![json!({"type": "header", "text": plain(text::fit(&headline, MOST_HEADER, PLAIN))})];
    let description = text::fit(message.description.trim(), MOST_SECTION, PLAIN_LINES);
    // Slack refuses a message with an empty text.
    if !description.is_empty() {
        blocks.push(json!({"type": "section", "text": plain(description)}));
    }
    let fields: Vec<Value> = facts(message)
        .into_iter()
        .map(|(label, value)| {
            let label = text::fit(label, 50, PLAIN);
            markup(format!("*{label}*\n`{}`", text::fit(&value, MOST_VALUE, CODE)))
        })
        .collect();
    for fields in fields.chunks(MOST_FIELDS) {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    json!({
        "text": text::fit(&headline, MOST_TEXT, NOTIFICATION),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn escape(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    }
}

/// Escapes text between backticks, which only a backtick ends.
fn escape_code(out: &mut String, c: char) {
    match c {
        '`' => out.push('\''),
        c => escape(out, c),
    }
}

/// Escapes text in which Slack may look for mentions by name, such as `@channel`.
fn escape_mentions(out: &mut String, c: char) {
    escape(out, c);
    if c == '@' || c == '#' {
        // An invisible character that joins words.
        out.push('\u{2060}');
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::State;
    use crate::loopback::{Answer, Server};
    use crate::message::tests::example;
    use crate::secret::tests::assert_no_secret;

    #[test]
    fn shape() {
        let field = |label: &str, value: &str| json!({"type": "mrkdwn", "text": format!("*{label}*\n`{value}`"), "verbatim": true});
        let expected = json!({
            "text": "[high] Keys made for mallory",
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": "[high] Keys made for mallory", "emoji": false}},
                {"type": "section", "text": {"type": "plain_text", "text": "mallory made access keys for bob", "emoji": false}},
                {"type": "section", "fields": [
                    field("State", "new"),
                    field("Severity", "high"),
                    field("Detection", "AWS Keys Made (TTP)"),
                    field("Time", "2023-11-14T22:13:20.250Z"),
                    field("Risk score", "80"),
                    field("Risk objects", "mallory (user, 80)"),
                    field("Entities", "user=mallory"),
                    field("ATT&amp;CK", "T1098, T1136.003"),
                    field("Finding", "f-1"),
                ]},
            ],
            "unfurl_links": false,
            "unfurl_media": false,
        });
        assert_eq!(blocks(&example()), expected);
    }

    #[test]
    fn texts_are_inert() {
        let message = Message {
            title: "<!channel> @here & <https://evil.example|AWS>".to_owned(),
            description: "a\n<@U123> `code` *bold*".to_owned(),
            id: "`*x*` <!here>".to_owned(),
            ..example()
        };
        let blocks = blocks(&message);
        for (pointer, expected) in [
            (
                "/text",
                "[high] &lt;!channel&gt; @\u{2060}here &amp; &lt;https://evil.example|AWS&gt;",
            ),
            (
                "/blocks/0/text/text",
                "[high] &lt;!channel&gt; @here &amp; &lt;https://evil.example|AWS&gt;",
            ),
            ("/blocks/1/text/text", "a\n&lt;@U123&gt; `code` *bold*"),
            ("/blocks/2/fields/8/text", "*Finding*\n`'*x*' &lt;!here&gt;`"),
        ] {
            assert_eq!(blocks.pointer(pointer).unwrap(), expected, "{pointer}");
        }
    }

    /// Fails if a message of any texts breaks a rule of Slack.
    pub(crate) fn check_rules(message: &Message) {
        let body = blocks(message);
        let list = body["blocks"].as_array().unwrap();
        assert!(list.len() <= 50);
        let mut texts = vec![(&body["text"], 4000)];
        for block in list {
            let most = if block["type"] == "header" { 150 } else { 3000 };
            texts.extend(block.get("text").map(|text| (text, most)));
            let fields = block["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
            assert!(fields.len() <= 10);
            texts.extend(fields.iter().map(|field| (field, 2000)));
        }
        for (object, most) in texts {
            let kind = object.get("type").unwrap_or(&Value::Null);
            let text = object.get("text").unwrap_or(object).as_str().unwrap();
            assert!(!text.is_empty());
            assert!(text.encode_utf16().count() <= most, "{}", text.len());
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
            let rest = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(!rest.contains(['&', '<', '>']), "{text:?}");
            if kind == "mrkdwn" {
                assert_eq!(text.matches('`').count(), 2, "{text:?}");
                assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            }
        }
    }

    #[test]
    fn withdrawn_findings_say_so() {
        let message = Message { state: State::Withdrawn, ..example() };
        assert_eq!(blocks(&message)["text"], "[withdrawn] Keys made for mallory");
    }

    #[tokio::test]
    async fn messages_are_posted() {
        let now = Timestamp::UNIX_EPOCH;
        let answers = vec![
            Answer::new(200, "", "ok"),
            Answer::new(404, "", "no_service /T1/B2/s3cret"),
            Answer::new(404, "", "no_service S3cret"),
            Answer::new(500, "", r#"{"at":"\/T1\/B2\/s3cret"}"#),
        ];
        let server = Server::start(answers).await;
        let address = format!("{}/T1/B2/s3cret", server.url());
        let clients = Clients::for_tests(&[("SLACK", &address), ("HTTP", "http://slack.example/")]);
        let slack: Slack = toml::from_str("url_env = 'SLACK'").unwrap();
        slack.deliver(&example(), now, &clients).await.unwrap();
        assert_eq!(server.requests().await[0].json(), blocks(&example()));

        let error = slack.deliver(&example(), now, &clients).await.unwrap_err();
        assert!(!error.is_retry());
        assert!(error.to_string().ends_with("`no_service [secret]`"), "{error}");
        for expected in ["`no_service [secret]`", r#"`{"at":"[secret]"}`"#] {
            let error = slack.deliver(&example(), now, &clients).await.unwrap_err();
            assert!(error.to_string().ends_with(expected), "{error}");
            assert_no_secret(&error, &["s3cret", "B2"]);
        }

        let slack: Slack = toml::from_str("url_env = 'HTTP'").unwrap();
        let error = slack.deliver(&example(), now, &clients).await.unwrap_err();
        assert!(error.to_string().contains("begins with `https://`"), "{error}");
    }
}
