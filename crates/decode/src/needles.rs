//! Finds words that an event must contain for a predicate to hold.
//!
//! A needle never excludes a matching event. Only equality comparisons with members of the JSON
//! text give needles, and only by characters that JSON never has to escape; an event with a `\u`
//! escape or a non-ASCII character is never excluded.

use memchr::memmem;
use spilltrail_event::{Comparison, Pattern, Predicate};

/// A piece of text, found without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Needle {
    /// The text in lowercase.
    text: Vec<u8>,
    /// The index of its rarest character, which `lower` and `upper` hold in both cases.
    rare_at: usize,
    lower: u8,
    upper: u8,
}

/// Needles of which a matching event contains at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needles(Vec<Needle>);

/// The maximum number of needles; searching for more costs more than it saves.
const MOST: usize = 6;
/// The minimum length of a needle; nearly every event contains shorter ones.
const SHORTEST: usize = 4;

/// Characters of CloudTrail's text, roughly from the rarest to the most common.
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
    /// Returns the needles of a predicate, or `None` if events without any known word may match.
    ///
    /// `is_member` returns true for fields whose values appear in the event's text.
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

    /// Returns the needles of several predicates together, or `None` if one of them has none or
    /// there are too many.
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

    /// Returns the words in lowercase.
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

/// Returns the longest piece of a pattern that appears unchanged in the text of a matching event.
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
