//! Rules of every service, for messages of any texts.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::message::tests::example;
use crate::message::{Detection, Entity, RiskObject};
use crate::{Message, Severity, State, document, pagerduty, slack, smtp, syslog, teams};

/// Texts that mean something to one of the services, and others, up to far beyond every limit.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "<!channel>",
        "<@U1>",
        "&amp;",
        "`",
        "```",
        "*",
        "{{DATE(0)}}",
        "{",
        "[x](https://evil)",
        "\"]",
        "\\",
        "\r\n",
        "\n.\n",
        "\0",
        "\u{1b}[2J",
        "\u{202e}",
        "\u{85}",
        "\u{2028}",
        "Bcc: a@b.example",
        "é",
        "漢",
        "🦀",
        "{\"a\":1}",
        " ",
        "]",
        ":",
        "\u{7f}",
        "\u{200b}",
    ]);
    let mixed = vec(prop_oneof![special.prop_map(str::to_owned), any::<String>()], 0..8);
    let repeated =
        (mixed.clone(), 1_usize..60).prop_map(|(parts, times)| parts.concat().repeat(times));
    prop_oneof![4 => mixed.prop_map(|parts| parts.concat()), 1 => repeated]
}

fn message() -> impl Strategy<Value = Message> {
    let texts = (text(), text(), text(), text(), text(), text(), text());
    let entity = (text(), text()).prop_map(|(field, value)| Entity { field, value });
    let object = (text(), text(), any::<u32>())
        .prop_map(|(object_type, value, score)| RiskObject { object_type, value, score });
    let lists = (vec(entity, 0..20), vec(object, 0..20), vec(text(), 0..20));
    let severity = prop::sample::select(Severity::ALL.to_vec());
    let state = prop::sample::select(vec![State::New, State::Changed, State::Withdrawn]);
    (texts, lists, severity, state, any::<Option<f64>>()).prop_map(
        |(texts, (entities, risk_objects, techniques), severity, state, time)| {
            let (delivery, id, title, description, detection_id, name, detection_type) = texts;
            Message {
                finding: serde_json::json!({"a": description.clone(), "b": title.clone()}),
                delivery,
                id,
                state,
                title,
                description,
                severity,
                notable: true,
                risk_score: Some(80),
                risk_objects,
                entities,
                detection: Detection { id: detection_id, name, detection_type },
                time,
                techniques,
            }
        },
    )
}

/// Fails if a message breaks a rule of a service.
fn check_rules(message: &Message) {
    slack::tests::check_rules(message);
    teams::tests::check_rules(message);
    pagerduty::tests::check_rules(message);
    syslog::check_rules(message);
    smtp::tests::check_rules(message);
    let document = document::document(message);
    assert!(document.len() <= crate::MOST_DOCUMENT);
    assert!(!document.iter().any(|byte| *byte < b' '));
    let read: serde_json::Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(read["state"].as_str(), Some(message.state.name()));
}

#[test]
fn the_largest_messages_keep_the_rules() {
    // Each is as large as it can be in one of the services.
    for part in ["\"", "\\", "&", "`", "]", "{", "\n", "é", "漢", "🦀", "\0", "x y"] {
        let text = || part.repeat(60_000);
        let entity = Entity { field: text(), value: text() };
        let object = RiskObject { object_type: text(), value: text(), score: u32::MAX };
        check_rules(&Message {
            delivery: text(),
            id: text(),
            state: State::Changed,
            title: text(),
            description: format!("a{}", text()),
            severity: Severity::Informational,
            notable: false,
            risk_score: Some(u32::MAX),
            risk_objects: vec![object; 20],
            entities: vec![entity; 20],
            detection: Detection { id: text(), name: text(), detection_type: text() },
            time: Some(1_700_000_000.0),
            techniques: vec![text(); 20],
            finding: text().into(),
        });
    }
}

#[test]
fn texts_near_the_limits_keep_the_rules() {
    for size in (130..=160).chain(245..=265).chain(1000..=1030).chain(2990..=3010) {
        let text = "x".repeat(size);
        let message =
            Message { title: text.clone(), description: text.clone(), id: text, ..example() };
        slack::tests::check_rules(&message);
        pagerduty::tests::check_rules(&message);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_shape_keeps_its_rules(message in message()) {
        check_rules(&message);
    }
}
