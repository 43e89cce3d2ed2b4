//! The text of a message of RFC 5424.
//!
//! ```text
//! <131>1 2023-11-14T22:13:20.250Z - spilltrail - finding-new [finding@32473 id="…" …] BOM title: description
//! ```

use crate::text::{self, LINE, Place};
use crate::{Message, Severity};

/// The most bytes of a datagram: what every receiver of RFC 5424 should take, and what fits into few
/// packets.
pub(super) const MOST_DATAGRAM: usize = 2048;

/// The most bytes of a message over a connection: what common servers take without being told.
pub(super) const MOST_FRAME: usize = 8192;

/// The name of the structured data. The number is the one that IANA keeps for examples, as this
/// program has none of its own.
const DATA: &str = "finding@32473";

const VALUE: Place = Place { escape, ..LINE };

/// Returns a message of at most `most` bytes, which is at least [`MOST_DATAGRAM`], in one line.
pub(super) fn format(
    message: &Message,
    facility: u8,
    hostname: Option<&str>,
    most: usize,
) -> String {
    // The sizes below fit into a datagram; a frame has room for more.
    let room = most / MOST_DATAGRAM;
    let priority = u16::from(facility) * 8 + severity(message.severity);
    let time = message.time_text().unwrap_or_else(|| "-".to_owned());
    let hostname = hostname.unwrap_or("-");
    let kind = message.state.name();
    let mut line = format!("<{priority}>1 {time} {hostname} spilltrail - finding-{kind} [{DATA}");
    let mut parameter = |name: &str, value: &str, most: usize| {
        if !value.is_empty() {
            line.push_str(&format!(" {name}=\"{}\"", text::fit(value, most, VALUE)));
        }
    };
    let detection = &message.detection;
    parameter("id", &message.id, 128);
    parameter("delivery", &message.delivery, 128);
    parameter("severity", message.severity.name(), 20);
    parameter("detection", &detection.name, 160 * room);
    parameter("detection_id", &detection.id, 64);
    parameter("type", &detection.detection_type, 32);
    parameter("notable", if message.notable { "true" } else { "false" }, 5);
    parameter(
        "risk_score",
        &message.risk_score.map(|score| score.to_string()).unwrap_or_default(),
        10,
    );
    parameter("techniques", &message.techniques.join(","), 100 * room);
    let entities =
        message.entities.iter().map(|entity| format!("{}={}", entity.field, entity.value));
    parameter("entities", &entities.collect::<Vec<_>>().join(", "), 300 * room);
    line.push_str("] \u{feff}");
    let description = message.description.trim();
    let separator = if description.is_empty() { "" } else { ": " };
    let words = format!("{}{separator}{description}", message.title);
    line.push_str(&text::fit(&words, most.saturating_sub(line.len()), LINE));
    line
}

fn severity(severity: Severity) -> u16 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
        Severity::Informational => 6,
    }
}

/// Escapes a value of structured data.
fn escape(out: &mut String, c: char) {
    if matches!(c, '"' | '\\' | ']') {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::message::tests::example;
    use crate::{Entity, State};

    #[test]
    fn shape() {
        let expected = "<131>1 2023-11-14T22:13:20.250Z - spilltrail - finding-new \
            [finding@32473 id=\"f-1\" delivery=\"d-1\" severity=\"high\" \
            detection=\"AWS Keys Made\" detection_id=\"det-1\" type=\"TTP\" notable=\"true\" \
            risk_score=\"80\" \
            techniques=\"T1098,T1136.003\" entities=\"user=mallory\"] \
            \u{feff}Keys made for mallory: mallory made access keys for bob";
        assert_eq!(format(&example(), 16, None, MOST_DATAGRAM), expected);
    }

    #[test]
    fn parts_that_are_not_there() {
        let message = Message {
            state: State::Withdrawn,
            severity: Severity::Low,
            notable: false,
            risk_score: None,
            time: None,
            techniques: vec![],
            entities: vec![],
            description: String::new(),
            ..example()
        };
        let expected = "<5>1 - soc.example spilltrail - finding-withdrawn \
            [finding@32473 id=\"f-1\" delivery=\"d-1\" severity=\"low\" \
            detection=\"AWS Keys Made\" detection_id=\"det-1\" type=\"TTP\" notable=\"false\"] \
            \u{feff}Keys made for mallory";
        assert_eq!(format(&message, 0, Some("soc.example"), MOST_DATAGRAM), expected);
    }

    #[test]
    fn values_are_escaped() {
        let value = "a\"] [x@1 y=\"z\\\n".to_owned();
        let message =
            Message { entities: vec![Entity { field: "f".to_owned(), value }], ..example() };
        let line = format(&message, 16, None, MOST_DATAGRAM);
        assert!(line.contains(r#"entities="f=a\"\] [x@1 y=\"z\\ "] "#), "{line}");
        assert_eq!(check_rules(&message), 10);
    }

    /// Fails if a message of any texts breaks a rule of RFC 5424. Returns the number of parameters.
    pub(crate) fn check_rules(message: &Message) -> usize {
        for most in [MOST_DATAGRAM, MOST_FRAME] {
            let line = format(message, 23, None, most);
            assert!(line.len() <= most, "{}", line.len());
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        let line = format(message, 23, None, MOST_DATAGRAM);
        let (head, rest) = line.split_once(" [finding@32473").unwrap();
        assert_eq!(head.split(' ').count(), 6, "{head}");
        let mut count = 0;
        let mut rest = rest;
        while let Some(parameter) = rest.strip_prefix(' ') {
            let (name, value) = parameter.split_once("=\"").unwrap();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            let mut is_escaped = false;
            let end = value.find(|c| {
                assert!(is_escaped || c != ']', "{value}");
                let is_end = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                is_end
            });
            rest = &value[end.unwrap() + 1..];
            count += 1;
        }
        assert!(rest.starts_with("] \u{feff}"), "{rest}");
        count
    }
}
