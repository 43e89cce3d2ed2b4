//! Decides what comparisons of `index` mean for events without an index, as those of files are.
//!
//! Such an event may be in any log index. If a search asks for an index in one place and excludes
//! one in another, as `index=aws NOT (index=aws user=x)`, no single answer fits all comparisons: the
//! search is compiled once for each index that an event may be in, and an event is found if it
//! matches in one of them.

use spilltrail_event::{Predicate, Record, fields};
use spilltrail_spl::{CompareOp, SearchExpr};

use super::index::is_splunks_own;

/// Most indexes that a search may name if it asks for some and excludes others.
pub(super) const MOST: usize = 64;

/// A character that no name of an index has.
const UNUSED: char = '\u{1}';

/// An index that an event without one may be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct World(String);

impl Record for World {
    fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        field == fields::INDEX && visit(&self.0)
    }
}

impl World {
    /// Returns whether a comparison of `index` holds in this index.
    pub(super) fn outcome(&self, comparison: &Predicate) -> Predicate {
        if comparison.matches(self) { Predicate::All } else { Predicate::Nothing }
    }
}

/// Returns true if an expression asks for an index in one place and excludes one in another.
pub(super) fn are_mixed(expression: &SearchExpr) -> bool {
    let (mut asks, mut excludes) = (false, false);
    signs(expression, true, &mut |is_in| if is_in { asks = true } else { excludes = true });
    asks && excludes
}

/// Tells for each comparison with a log index whether events in it are wanted.
fn signs(expression: &SearchExpr, is_wanted: bool, tell: &mut dyn FnMut(bool)) {
    let mut compare = |field: &str, op: CompareOp, text: &str| {
        let is_any = text.bytes().all(|byte| byte == b'*');
        if field == fields::INDEX && !is_any && !is_splunks_own(text) {
            tell((op != CompareOp::Ne) == is_wanted);
        }
    };
    match expression {
        SearchExpr::Not(part) => signs(part, !is_wanted, tell),
        SearchExpr::Compare { field, op, value } => compare(&field.value, *op, &value.value.text),
        SearchExpr::In { field, values } => {
            values.iter().for_each(|value| compare(&field.value, CompareOp::Eq, &value.value.text));
        }
        other => other.children().iter().for_each(|part| signs(part, is_wanted, tell)),
    }
}

/// Returns the indexes that an event may be in, as far as an expression can tell them apart: those
/// that it names, one for each pattern, and one that it does not name. Indexes of Splunk's own are
/// not among them. `None` if there are too many.
pub(super) fn of(expression: &SearchExpr) -> Option<Vec<World>> {
    let mut worlds = vec![World(UNUSED.to_string())];
    let mut add = |field: &str, text: &str| {
        if field != fields::INDEX || is_splunks_own(text) {
            return;
        }
        let world = World(text.to_ascii_lowercase().replace('*', &UNUSED.to_string()));
        if worlds.len() <= MOST && !worlds.contains(&world) {
            worlds.push(world);
        }
    };
    expression.walk(&mut |part| match part {
        SearchExpr::Compare { field, value, .. } => add(&field.value, &value.value.text),
        SearchExpr::In { field, values } => {
            values.iter().for_each(|value| add(&field.value, &value.value.text));
        }
        _ => {}
    });
    (worlds.len() <= MOST).then_some(worlds)
}

/// Returns a conjunction in which what is certain is left out.
pub(super) fn all(parts: Vec<Predicate>) -> Predicate {
    if parts.contains(&Predicate::Nothing) { Predicate::Nothing } else { Predicate::and(parts) }
}

/// Returns a disjunction in which what is certain is left out.
pub(super) fn any(mut parts: Vec<Predicate>) -> Predicate {
    if parts.contains(&Predicate::All) {
        return Predicate::All;
    }
    parts.retain(|part| *part != Predicate::Nothing);
    if parts.is_empty() { Predicate::Nothing } else { Predicate::any(parts) }
}

/// Returns a negation in which what is certain is left out.
pub(super) fn not(part: Predicate) -> Predicate {
    match part {
        Predicate::All => Predicate::Nothing,
        Predicate::Nothing => Predicate::All,
        part => Predicate::Not(Box::new(part)),
    }
}
