//! Rules of every service, for messages of any texts.

use proptest::collection::vec;
use proptest::prelude::*;

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
        (mixed.clone(), 1_usize..600).prop_map(|(parts, times)| parts.concat().repeat(times));
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
    let link = prop::option::of(text());
    (texts, lists, severity, state, any::<Option<f64>>(), link).prop_map(
        |(texts, (entities, risk_objects, techniques), severity, state, time, link)| {
            let (delivery, id, title, description, detection_id, name, detection_type) = texts;
            let link = link.map(|path| {
                let mut link = url::Url::parse("https://spilltrail.example/").unwrap();
                link.set_path(&path);
                link.set_query(Some(&path));
                link
            });
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
                link,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_shape_keeps_its_rules(message in message()) {
        slack::tests::check_rules(&message);
        teams::tests::check_rules(&message);
        pagerduty::tests::check_rules(&message);
        syslog::check_rules(&message);
        smtp::tests::check_rules(&message);
        let document = document::document(&message);
        prop_assert!(document.len() <= crate::MOST_DOCUMENT);
        prop_assert!(!document.iter().any(|byte| *byte < b' '));
        let read: serde_json::Value = serde_json::from_slice(&document).unwrap();
        prop_assert_eq!(read["state"].as_str(), Some(message.state.name()));
    }
}
