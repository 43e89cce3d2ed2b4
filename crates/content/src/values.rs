//! Warns of types and techniques that do not exist, which are usually misspelled.

use spilltrail_diagnostic::{Code, Diagnostic, similar};

use crate::detection::{Detection, DetectionType, TestType};
use crate::yaml;

/// The types that Splunk has.
const TYPES: &[&str] = &["TTP", "Anomaly", "Hunting", "Correlation", "Baseline"];

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
    for technique in detection.mitre_attack_id.iter().filter(|id| !is_technique(id)) {
        let message = format!("`{technique}` is not the id of an ATT&CK technique");
        let help = "expected an id such as `T1537` or `T1078.004`";
        warnings.push(at_value(message, text, "mitre_attack_id", technique).help(help));
    }
    for test in &detection.tests {
        let TestType::Other(name) = &test.test_type else { continue };
        let help = match similar(name, TEST_TYPES.iter().copied()) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!("expected one of {}", TEST_TYPES.join(", ")),
        };
        let message = format!("unknown type of test `{name}`: it does not run by itself");
        warnings.push(at_value(message, text, "test_type", name).help(help));
    }
    warnings
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
