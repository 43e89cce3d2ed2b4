//! Which findings an output wants.

use serde::Deserialize;

use crate::output::Mistake;
use crate::{Message, Severity, State};

/// Which findings an output gets: those that every key allows.
///
/// The filter looks at a message alone. A caller that delivered a finding also delivers its withdrawal,
/// whatever the finding has become meanwhile, or a service would never hear that it is over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// The lowest severity: `informational`, `low`, `medium`, `high` or `critical`. By default, every
    /// severity.
    pub minimum_severity: Severity,
    /// `notables` for notables only, which is the default, or `all` for risk events, too.
    pub findings: Findings,
    /// Names or ids of detections; `*` stands for any text, and case does not matter. By default, every
    /// detection.
    pub detections: Vec<String>,
    /// What happened to a finding: `new`, `changed`, `withdrawn`. By default, all of them. With or
    /// without `withdrawn`, a withdrawal goes where the finding went.
    pub states: Vec<State>,
}

/// Notables, or all findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Findings {
    /// Notables only.
    Notables,
    /// Notables and risk events.
    All,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            minimum_severity: Severity::Informational,
            findings: Findings::Notables,
            detections: vec!["*".to_owned()],
            states: vec![State::New, State::Changed, State::Withdrawn],
        }
    }
}

impl Filter {
    /// Returns true if the output wants the message.
    #[must_use]
    pub fn takes(&self, message: &Message) -> bool {
        let Message { detection, .. } = message;
        let is_named = |pattern: &String| {
            is_match(pattern, &detection.name) || is_match(pattern, &detection.id)
        };
        message.severity >= self.minimum_severity
            && (message.notable || self.findings == Findings::All)
            && self.states.contains(&message.state)
            && self.detections.iter().any(is_named)
    }

    /// Fails if no message can pass.
    pub(crate) fn check(&self) -> Result<(), Mistake> {
        if self.states.is_empty() {
            return Err(Mistake::new(
                "`states` is empty, so that nothing is delivered",
                "name `new`, `changed` or `withdrawn`, or remove the key for all of them",
            ));
        }
        if self.states.iter().all(|state| *state == State::Withdrawn) {
            return Err(Mistake::new(
                "`states` has only `withdrawn`, so that nothing is delivered",
                "add `new` or `changed`: a withdrawal goes only where the finding went, and there \
                 always",
            ));
        }
        if self.detections.is_empty() {
            return Err(Mistake::new(
                "`detections` is empty, so that nothing is delivered",
                "name detections, such as `AWS *`, or remove the key for all of them",
            ));
        }
        if self.detections.iter().any(|name| name.trim().is_empty()) {
            return Err(Mistake::new(
                "a name in `detections` is empty",
                "give a name or an id, in which `*` stands for any text",
            ));
        }
        Ok(())
    }
}

/// Returns true if the pattern covers the whole text, with `*` for any text and without regard to the
/// case of ASCII letters. The time is at most the product of the lengths.
fn is_match(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    // The last `*`, and the text that it does not cover yet: only the last one can be wrong.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, read));
                at += 1;
            }
            (Some(byte), _) if byte.eq_ignore_ascii_case(&text[read]) => {
                at += 1;
                read += 1;
            }
            (_, Some((star_at, covered))) => {
                star = Some((star_at, covered + 1));
                at = star_at + 1;
                read = covered + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::example;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("aws *", "AWS Keys", true),
            ("aws *", "GCP Keys", false),
            ("*keys", "AWS keys keys", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-c-", false),
            ("*aab", "aaab", true),
            ("abc", "abcd", false),
            ("abcd", "abc", false),
            ("é*", "éa", true),
            ("", "", true),
            ("a**", "a", true),
        ] {
            assert_eq!(is_match(pattern, text), expected, "{pattern} {text}");
        }
        // It would never end if every star were tried at every place.
        assert!(!is_match(&"*a".repeat(50), &("a".repeat(5000) + "b")));
    }

    #[test]
    fn messages_pass_if_every_key_allows_them() {
        let filter = |text: &str| toml::from_str::<Filter>(text).unwrap();
        let message = example();
        let anomaly = Message { notable: false, severity: Severity::Low, ..example() };
        let withdrawn = Message { state: State::Withdrawn, ..example() };
        for (keys, expected) in [
            ("", [true, false, true]),
            ("findings = 'all'", [true, true, true]),
            ("minimum_severity = 'high'", [true, false, true]),
            ("minimum_severity = 'critical'", [false, false, false]),
            ("findings = 'all'\nminimum_severity = 'low'", [true, true, true]),
            ("detections = ['aws *']", [true, false, true]),
            ("detections = ['GCP *', 'DET-1']", [true, false, true]),
            ("detections = ['GCP *']", [false, false, false]),
            ("states = ['new']", [true, false, false]),
            ("states = ['changed', 'withdrawn']", [false, false, true]),
        ] {
            let filter = filter(keys);
            filter.check().unwrap();
            let taken = [&message, &anomaly, &withdrawn].map(|message| filter.takes(message));
            assert_eq!(taken, expected, "{keys}");
        }
    }

    #[test]
    fn filters_that_take_nothing_are_mistakes() {
        for (keys, message) in [
            ("states = []", "`states` is empty, so that nothing is delivered"),
            (
                "states = ['withdrawn', 'withdrawn']",
                "`states` has only `withdrawn`, so that nothing is delivered",
            ),
            ("detections = [' ']", "a name in `detections` is empty"),
            ("detections = []", "`detections` is empty, so that nothing is delivered"),
            ("detections = ['']", "a name in `detections` is empty"),
        ] {
            let filter: Filter = toml::from_str(keys).unwrap();
            assert_eq!(filter.check().unwrap_err().message, message, "{keys}");
        }
    }
}
