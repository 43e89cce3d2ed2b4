//! A message as JSON, for receivers that are programs: webhooks and files.

use serde::Serialize;
use serde_json::Value;

use crate::message::{Detection, Entity, RiskObject};
use crate::text::{self, LINE, LINES};
use crate::{Message, Severity, State};

/// The version of the document. It changes when a key is removed or changes its meaning, not when one
/// is added.
pub const DOCUMENT_VERSION: u32 = 1;

/// The most bytes of a document. A larger one is without the finding and with shorter texts.
pub const MOST_DOCUMENT: usize = 1 << 20;

/// The most members of a list in a shortened document.
const MOST_LISTED: usize = 50;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    delivery: &'a str,
    state: State,
    id: &'a str,
    title: &'a str,
    description: &'a str,
    severity: Severity,
    notable: bool,
    risk_score: Option<u32>,
    risk_objects: &'a [RiskObject],
    entities: &'a [Entity],
    detection: &'a Detection,
    time: Option<String>,
    techniques: &'a [String],
    /// Null in a shortened document.
    finding: &'a Value,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    shortened: bool,
}

/// Returns a message as an object of JSON in one line, with at most [`MOST_DOCUMENT`] bytes. Texts are
/// as the log has them: JSON's escapes make them inert.
pub(crate) fn document(message: &Message) -> Vec<u8> {
    let whole = write(message, false);
    if whole.len() <= MOST_DOCUMENT { whole } else { write(&shorten(message), true) }
}

fn write(message: &Message, shortened: bool) -> Vec<u8> {
    let document = Document {
        version: DOCUMENT_VERSION,
        delivery: &message.delivery,
        state: message.state,
        id: &message.id,
        title: &message.title,
        description: &message.description,
        severity: message.severity,
        notable: message.notable,
        risk_score: message.risk_score,
        risk_objects: &message.risk_objects,
        entities: &message.entities,
        detection: &message.detection,
        time: message.time_text(),
        techniques: &message.techniques,
        finding: &message.finding,
        shortened,
    };
    serde_json::to_vec(&document).expect("texts, numbers and lists are JSON")
}

/// Returns a message of which the document is small: 150 values of 1 KB, and some texts.
fn shorten(message: &Message) -> Message {
    let short = |text: &str| text::fit(text, 1000, LINE);
    let long = |text: &str| text::fit(text, 20_000, LINES);
    let objects = message.risk_objects.iter().take(MOST_LISTED).map(|object| RiskObject {
        object_type: text::fit(&object.object_type, 100, LINE),
        value: short(&object.value),
        score: object.score,
    });
    let entities = message.entities.iter().take(MOST_LISTED).map(|entity| Entity {
        field: text::fit(&entity.field, 200, LINE),
        value: short(&entity.value),
    });
    Message {
        delivery: short(&message.delivery),
        id: short(&message.id),
        state: message.state,
        title: short(&message.title),
        description: long(&message.description),
        severity: message.severity,
        notable: message.notable,
        risk_score: message.risk_score,
        risk_objects: objects.collect(),
        entities: entities.collect(),
        detection: Detection {
            id: short(&message.detection.id),
            name: short(&message.detection.name),
            detection_type: short(&message.detection.detection_type),
        },
        time: message.time,
        techniques: message.techniques.iter().take(MOST_LISTED).map(|id| short(id)).collect(),
        finding: Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::example;

    #[test]
    fn the_document_has_every_part() {
        let expected = concat!(
            r#"{"version":1,"delivery":"d-1","state":"new","id":"f-1","title":"Keys made for mallory","#,
            r#""description":"mallory made access keys for bob","severity":"high","notable":true,"#,
            r#""risk_score":80,"risk_objects":[{"type":"user","value":"mallory","score":80}],"#,
            r#""entities":[{"field":"user","value":"mallory"}],"#,
            r#""detection":{"id":"det-1","name":"AWS Keys Made","type":"TTP"},"#,
            r#""time":"2023-11-14T22:13:20.250Z","techniques":["T1098","T1136.003"],"#,
            r#""finding":{"id":"f-1","result":{"count":3}}}"#,
        );
        assert_eq!(String::from_utf8(document(&example())).unwrap(), expected);
    }

    #[test]
    fn large_documents_are_shortened() {
        let large = |size: usize| Message { finding: "\n".repeat(size).into(), ..example() };
        let read = |message: &Message| -> Value {
            let document = document(message);
            assert!(document.len() <= MOST_DOCUMENT);
            assert!(!document.contains(&b'\n'));
            serde_json::from_slice(&document).unwrap()
        };
        let whole = read(&large(500_000));
        assert_eq!(whole["finding"].as_str().unwrap().len(), 500_000);
        assert_eq!(whole["shortened"], Value::Null);
        let short = read(&large(600_000));
        assert_eq!(short["finding"], Value::Null);
        assert_eq!(short["shortened"], true);
        assert_eq!(short["title"], "Keys made for mallory");

        // Everything is as large as it can be.
        let text = "\"".repeat(100_000);
        let entity = Entity { field: text.clone(), value: text.clone() };
        let object = RiskObject { object_type: text.clone(), value: text.clone(), score: u32::MAX };
        let message = Message {
            delivery: text.clone(),
            id: text.clone(),
            title: text.clone(),
            description: text.clone(),
            entities: vec![entity; 200],
            risk_objects: vec![object; 200],
            techniques: vec![text.clone(); 200],
            ..example()
        };
        let short = read(&message);
        assert_eq!(short["entities"].as_array().unwrap().len(), MOST_LISTED);
    }
}
