//! Warns of types and techniques that do not exist, which are usually misspelled.

use std::collections::BTreeSet;

use spilltrail_diagnostic::{Code, Diagnostic, Few, Span, similar};

use crate::detection::{Detection, DetectionType, Status, TestType};
use crate::yaml;

/// The types that Splunk has.
const TYPES: &[&str] = &["TTP", "Anomaly", "Hunting", "Correlation", "Baseline"];

/// The statuses of detections; whoever has others means them, unless they are near one of these.
const STATUSES: &[&str] = &["production", "experimental", "deprecated", "removed", "validation"];

/// The types of entities that can have risk.
const OBJECT_TYPES: [&str; 3] = ["user", "system", "other"];

/// The types of tests.
const TEST_TYPES: &[&str] = &["unit", "experimental", "manual"];

/// Returns warnings about the values of a detection, whose file is `text`.
pub(crate) fn warnings(detection: &Detection, text: &str) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    if let DetectionType::Other(name) = &detection.detection_type {
        let help = match similar(name, TYPES.iter().copied()) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!("expected one of {}", TYPES.join(", ")),
        };
        let message = format!("unknown type `{name}`: its results raise neither risk nor notables");
        warnings.push(at_value(message, text, "type", name).help(help));
    }
    if let Status::Other(name) = &detection.status
        && !STATUSES.iter().any(|known| known.eq_ignore_ascii_case(name))
        && let Some(similar) = similar(name, STATUSES.iter().copied())
    {
        let warning = at_value(format!("unknown status `{name}`"), text, "status", name);
        warnings.push(warning.help(format!("did you mean `{similar}`?")));
    }
    warnings.extend(object_types(detection, text));
    let mut few = Few::new("texts that are not the id of a technique");
    for technique in detection.mitre_attack_id.iter().filter(|id| !is_technique(id)) {
        let message = || format!("`{technique}` is not the id of an ATT&CK technique");
        let help = "expected an id such as `T1537` or `T1078.004`";
        few.add(|| at_value(message(), text, "mitre_attack_id", technique).help(help));
    }
    warnings.extend(few.into_vec());
    let mut few = Few::new("unknown types of tests");
    for test in &detection.tests {
        let TestType::Other(name) = &test.test_type else { continue };
        few.add(|| {
            let help = match similar(name, TEST_TYPES.iter().copied()) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => format!("expected one of {}", TEST_TYPES.join(", ")),
            };
            let message = format!("unknown type of test `{name}`: it does not run by itself");
            at_value(message, text, "test_type", name).help(help)
        });
    }
    warnings.extend(few.into_vec());
    warnings
}

/// Returns warnings about misspelled types of entities. Other types than Splunk's may be meant.
fn object_types(detection: &Detection, text: &str) -> Vec<Diagnostic> {
    let of_risk = detection.risk.iter().flat_map(|risk| &risk.risk_objects);
    let of_finding = detection.finding.iter().flat_map(|finding| &finding.entities);
    let types: BTreeSet<&String> =
        of_risk.chain(of_finding).map(|object| &object.object_type).collect();
    let unknown = types
        .into_iter()
        .filter(|name| OBJECT_TYPES.iter().all(|known| !known.eq_ignore_ascii_case(name)));
    let mut few = Few::new("unknown types of entities");
    for name in unknown {
        let Some(similar) = similar(name, OBJECT_TYPES) else { continue };
        few.add(|| {
            let message = format!("unknown type `{name}` of an entity");
            let warning = Diagnostic::warning(Code::UNKNOWN_VALUE, message);
            let warning = warning.help(format!("did you mean `{similar}`?"));
            match entity_type_span(text, name) {
                Some(span) => warning.at(span),
                None => warning,
            }
        });
    }
    few.into_vec()
}

/// Returns the place of an entity's type.
fn entity_type_span(text: &str, name: &str) -> Option<Span> {
    const KEY: &str = "type:";
    text.match_indices(KEY).find_map(|(start, _)| {
        let value = text.get(start + KEY.len()..)?.trim_start().trim_start_matches(['"', '\'']);
        let start = text.len() - value.len();
        let rest = value.strip_prefix(name)?;
        let ends =
            rest.starts_with(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | '"' | '\''));
        (ends || rest.is_empty()).then(|| Span::new(start, start + name.len()))
    })
}

/// Returns true for `T1234` and `T1234.001`.
fn is_technique(id: &str) -> bool {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    id.strip_prefix('T').is_some_and(|number| match number.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(number, 4),
    })
}

fn at_value(message: String, text: &str, key: &str, value: &str) -> Diagnostic {
    let diagnostic = Diagnostic::warning(Code::UNKNOWN_VALUE, message);
    match yaml::value_span(text, key, value) {
        Some(span) => diagnostic.at(span),
        None => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_values_are_told_at_their_places() {
        let entity = |kind: &str| {
            format!("rba: {{message: m, risk_objects: [{{field: u, type: {kind}, score: 1}}]}}\n")
        };
        let finding =
            "finding:\n  title: t\n  entity:\n    field: u\n    type: usr\n    score: 1\n";
        for (more, expected) in [
            ("status: prodution\n", "prodution: did you mean `production`?"),
            ("status: draft\n", ""),
            ("status: Removed\n", ""),
            (&entity("usr"), "usr: did you mean `user`?"),
            (&entity("'sytem'"), "sytem: did you mean `system`?"),
            (finding, "usr: did you mean `user`?"),
            (&entity("role"), ""),
            (&entity("User"), ""),
        ] {
            let text = format!("name: A\nid: a\ntype: TTP\nsearch: x\n{more}");
            let mut told = Vec::new();
            let path = std::path::Path::new("a.yml");
            crate::schema::read(&text, path, None, &mut told).unwrap();
            let told = told.iter().filter(|told| told.code == Code::UNKNOWN_VALUE).map(|told| {
                let span = told.span().unwrap();
                format!("{}: {}", &text[span.start..span.end], told.help.as_deref().unwrap())
            });
            assert_eq!(told.collect::<Vec<_>>().join(", "), expected, "{text}");
        }
    }

    #[test]
    fn ids_of_techniques() {
        for (id, is_right) in [
            ("T1537", true),
            ("T1078.004", true),
            ("T15370", false),
            ("t1537", false),
            ("T1078.4", false),
            ("1537", false),
            ("TA0010", false),
        ] {
            assert_eq!(is_technique(id), is_right, "{id}");
        }
    }
}
