//! Recognizes YAML, as the AWS command line writes it on request.
//!
//! Events in it are found like those in any text, if each is on one line. What is around them is then
//! no damage of a log.

use crate::report::{Damage, DamageKind};

/// What is said about YAML with events in it.
const MESSAGE: &str = "this is YAML, of which only the events that are on one line each are read; write \
                       it as JSON instead (`--output json`)";

/// Whether a text is YAML.
#[derive(Debug, Default)]
pub(super) struct Yaml {
    is_recognized: bool,
    is_reported: bool,
}

impl Yaml {
    /// Looks at the beginning of a text.
    pub(super) fn look(&mut self, head: &[u8]) {
        self.is_recognized = begins(head);
    }

    /// Returns damage as it is to be reported. In YAML every line between two events is no JSON; all of
    /// them together are reported once.
    pub(super) fn judge(&mut self, damage: Damage) -> Option<Damage> {
        let is_no_json =
            matches!(damage.kind, DamageKind::InvalidJson | DamageKind::TruncatedDocument);
        if !self.is_recognized || !is_no_json {
            return Some(damage);
        }
        let is_first = !std::mem::replace(&mut self.is_reported, true);
        is_first.then(|| Damage { message: MESSAGE.to_owned(), ..damage })
    }
}

/// Returns true if a text begins like a mapping or a list of mappings.
fn begins(head: &[u8]) -> bool {
    let lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut lines = lines.filter(|line| !line.is_empty() && *line != b"---");
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    let shows_nesting = first.ends_with(b":") || first.starts_with(b"- ");
    shows_nesting && is_pair(first) && is_pair(second)
}

/// Returns true for a line such as `- Key: value` or `Key:`.
fn is_pair(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let line = line.strip_prefix(b"- ").unwrap_or(line).trim_ascii_start();
    let length =
        line.iter().take_while(|b| b.is_ascii_alphanumeric() || b"_-@".contains(b)).count();
    let rest = &line[length..];
    length > 0 && (rest == b":" || rest.starts_with(b": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_recognized() {
        for (text, is_yaml) in [
            ("Events:\n- CloudTrailEvent: '{}'\n", true),
            ("---\nEvents:\r\n  - EventId: a\r\n", true),
            ("- CloudTrailEvent: '{}'\n  EventId: a\n", true),
            ("Events:\n", false),
            ("Events: 5\nOthers: 6\n", false),
            ("Mar 17 10:00:00 host cloudtrail: {}\nMar 17 10:00:01 host: {}\n", false),
            ("- a note\n- another: one\n", false),
            ("", false),
        ] {
            assert_eq!(begins(text.as_bytes()), is_yaml, "{text}");
        }
    }
}
