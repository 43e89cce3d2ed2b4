//! Text that an event must contain for a predicate to hold.
//!
//! Sound by construction: only comparisons for equality with members of the JSON text count, only
//! characters that JSON never has to escape, and an event with a `\u` escape or a character outside
//! of ASCII is never ruled out.

use memchr::memmem;
use spilltrail_event::{Comparison, Pattern, Predicate};

/// A piece of text, looked for without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Needle {
    /// In lower case.
    text: Vec<u8>,
    /// Where its rarest character is, and that in both cases.
    rare_at: usize,
    lower: u8,
    upper: u8,
}

/// An event that contains none of these cannot match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needles(Vec<Needle>);

/// More needles than this cost more than they save.
const MOST: usize = 6;
/// Shorter needles are in every event.
const SHORTEST: usize = 4;

/// Letters from the rarest to the commonest in CloudTrail's text, roughly.
const RARITY: &[u8] = b"zqjxkwvyfhbg97634851_2p0ulmdc-n:osriate.";

impl Needle {
    fn new(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase().into_bytes();
        let rank = |byte: &u8| RARITY.iter().position(|rare| rare == byte).unwrap_or(RARITY.len());
        let rare_at = (0..text.len()).min_by_key(|at| rank(&text[*at]))?;
        let lower = text[rare_at];
        Some(Self { rare_at, lower, upper: lower.to_ascii_uppercase(), text })
    }

    fn is_in(&self, record: &[u8]) -> bool {
        memchr::memchr2_iter(self.lower, self.upper, record).any(|at| {
            at.checked_sub(self.rare_at)
                .and_then(|start| record.get(start..start + self.text.len()))
                .is_some_and(|found| found.eq_ignore_ascii_case(&self.text))
        })
    }
}

impl Needles {
    /// Returns what events must contain, if that can be said; `is_member` tells the fields whose
    /// values stand in the event's text.
    pub(crate) fn of(predicate: &Predicate, is_member: &dyn Fn(&str) -> bool) -> Option<Self> {
        match predicate {
            Predicate::Compare { field, op: Comparison::Eq, value } if is_member(field) => {
                literal(value).map(|needle| Self(vec![needle]))
            }
            Predicate::And(parts) => parts
                .iter()
                .filter_map(|part| Self::of(part, is_member))
                .min_by_key(|needles| needles.0.len()),
            Predicate::Or(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(Self::of(part, is_member)?.0);
                }
                (!all.is_empty() && all.len() <= MOST).then_some(Self(all))
            }
            _ => None,
        }
    }

    /// Returns what events must contain for any of several predicates, if that can be said of each and
    /// there are few enough.
    pub(crate) fn any(all: impl Iterator<Item = Option<Self>>) -> Option<Self> {
        let mut needles = Vec::new();
        for one in all {
            for needle in one?.0 {
                if !needles.contains(&needle) {
                    needles.push(needle);
                }
            }
        }
        (!needles.is_empty() && needles.len() <= MOST).then_some(Self(needles))
    }

    /// Returns the words, in lower case.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|needle| String::from_utf8_lossy(&needle.text).into_owned())
    }

    /// Returns false if the event cannot match.
    pub(crate) fn may_match(&self, record: &str) -> bool {
        let bytes = record.as_bytes();
        self.0.iter().any(|needle| needle.is_in(bytes))
            || !bytes.is_ascii()
            || memmem::find(bytes, b"\\u").is_some()
    }
}

/// Returns the longest piece of a pattern that stands in the text as it is.
fn literal(pattern: &Pattern) -> Option<Needle> {
    if pattern.block.is_some() {
        return None;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_');
    let piece = pattern.text.split(|c| !is_plain(c)).max_by_key(|piece| piece.len())?;
    if piece.len() < SHORTEST {
        return None;
    }
    Needle::new(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spilltrail_event::CaseRule;

    fn equals(field: &str, value: &str) -> Predicate {
        Predicate::Compare {
            field: field.to_owned(),
            op: Comparison::Eq,
            value: Pattern::new(value, CaseRule::Ignore),
        }
    }

    #[test]
    fn what_is_ruled_out() {
        let either = Predicate::Or(vec![equals("eventName", "GetObject"), equals("a", "*Task/x*")]);
        for (predicate, record, may) in [
            (equals("eventName", "CreateTask"), r#"{"eventName":"createTASK"}"#, Some(true)),
            (equals("eventName", "CreateTask"), r#"{"eventName":"ListTasks"}"#, Some(false)),
            (equals("eventName", "CreateTask"), r#"{"eventName":"\u0043reateTask"}"#, Some(true)),
            (equals("eventName", "CreateTask"), r#"{"eventName":"é"}"#, Some(true)),
            (either.clone(), r#"{"a":"my task"}"#, Some(true)),
            (either.clone(), r#"{"a":"mine"}"#, Some(false)),
            (Predicate::And(vec![either, Predicate::All]), r#"{"a":"mine"}"#, Some(false)),
            (equals("a", "*"), "{}", None),
            (equals("user", "somebody"), "{}", None),
            (equals("a", "10.0.0.0/8"), "{}", None),
            (Predicate::Not(Box::new(equals("a", "mine"))), "{}", None),
        ] {
            let needles = Needles::of(&predicate, &|field| field != "user");
            assert_eq!(needles.map(|n| n.may_match(record)), may, "{predicate:?} {record}");
        }
    }
}
