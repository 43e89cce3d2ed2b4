//! Finds words that an event must contain for a predicate to hold.
//!
//! A needle never excludes a matching event. Only terms, and equality comparisons with members of the
//! JSON text, give needles, and only by characters that JSON never has to escape; an event with a `\u`
//! escape or a non-ASCII character is never excluded.

use memchr::memmem;
use spilltrail_event::{CaseRule, Comparison, Needle, Predicate};

use crate::cloudtrail::{Profile, Rule, derived_field};
use crate::event_view::BUILTINS;
use crate::record::Format;

/// Needles of which a matching event contains at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needles(Vec<Needle>);

/// The maximum number of needles; searching for more costs more than it saves.
const MOST: usize = 6;
/// The minimum length of a needle; nearly every event contains shorter ones.
const SHORTEST: usize = 4;

impl Needles {
    /// Returns the needles of a predicate, or `None` if events without any known word may match.
    ///
    /// `is_member` returns true for fields whose values appear in the event's text.
    fn of(predicate: &Predicate, is_member: &dyn Fn(&str) -> bool) -> Option<Self> {
        match predicate {
            Predicate::Compare { field, op: Comparison::Eq, value }
                if is_member(field) && value.block.is_none() =>
            {
                literal(&value.text).map(|needle| Self(vec![needle]))
            }
            Predicate::Keyword(keyword) => literal(&keyword.text).map(|needle| Self(vec![needle])),
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

    /// Returns the needles of several predicates on events of a format together, or `None` if one of them
    /// has none or there are too many.
    pub(crate) fn of_all<'p>(
        predicates: impl IntoIterator<Item = &'p Predicate>,
        format: Format,
        profile: Profile,
    ) -> Option<Self> {
        let is_member = |name: &str| {
            let is_builtin = BUILTINS.iter().any(|(builtin, _)| *builtin == name);
            let derived = (format == Format::CloudTrail).then(|| derived_field(name, profile));
            match derived.flatten() {
                Some(field) => matches!(field.rule, Rule::Alias(_)),
                None => !is_builtin,
            }
        };
        let mut needles = Vec::new();
        for predicate in predicates {
            for needle in Self::of(predicate, &is_member)?.0 {
                if !needles.contains(&needle) {
                    needles.push(needle);
                }
            }
        }
        (!needles.is_empty() && needles.len() <= MOST).then_some(Self(needles))
    }

    /// Returns the words in lowercase.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|needle| String::from_utf8_lossy(needle.bytes()).into_owned())
    }

    /// Returns false if the event cannot match.
    pub(crate) fn may_match(&self, record: &str) -> bool {
        let bytes = record.as_bytes();
        self.0.iter().any(|needle| needle.is_in(bytes, CaseRule::Ignore))
            || !bytes.is_ascii()
            || memmem::find(bytes, b"\\u").is_some()
    }
}

/// Returns the longest piece of a pattern that appears unchanged in the text of a matching event.
fn literal(pattern: &str) -> Option<Needle> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_');
    let piece = pattern.split(|c| !is_plain(c)).max_by_key(|piece| piece.len())?;
    (piece.len() >= SHORTEST).then(|| Needle::new(piece.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use spilltrail_event::{Keyword, KeywordKind, Pattern};

    use super::*;

    fn equals(field: &str, value: &str) -> Predicate {
        Predicate::Compare {
            field: field.to_owned(),
            op: Comparison::Eq,
            value: Pattern::new(value, CaseRule::Ignore),
        }
    }

    #[test]
    fn what_is_ruled_out() {
        let term =
            |text: &str, case| Predicate::Keyword(Keyword::new(text, KeywordKind::Plain, case));
        let either = Predicate::Or(vec![equals("eventName", "GetObject"), equals("a", "*Task/x*")]);
        for (predicate, record, may) in [
            (equals("eventName", "CreateTask"), r#"{"eventName":"createTASK"}"#, Some(true)),
            (equals("eventName", "CreateTask"), r#"{"eventName":"ListTasks"}"#, Some(false)),
            (equals("eventName", "CreateTask"), r#"{"eventName":"\u0043reateTask"}"#, Some(true)),
            (equals("eventName", "CreateTask"), r#"{"eventName":"é"}"#, Some(true)),
            (either.clone(), r#"{"a":"my task"}"#, Some(true)),
            (either.clone(), r#"{"a":"mine"}"#, Some(false)),
            (Predicate::And(vec![either, Predicate::All]), r#"{"a":"mine"}"#, Some(false)),
            (term("*a \"Create*Task", CaseRule::Exact), r#"{"a":"a CREATE"}"#, Some(true)),
            (term("*a \"Create*Task", CaseRule::Exact), r#"{"a":"a Task"}"#, Some(false)),
            (term("aé*b", CaseRule::Ignore), "{}", None),
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
