//! Which empty lookups make the rows of a detection mean nothing.
//!
//! A detection that asks what it has not seen before finds everything while its lookup of what was
//! seen is empty. One that leaves out exceptions finds the right things while there are none. Both
//! read an empty lookup; the second one only does so under a `NOT`, from a table that somebody gave
//! and that no search fills.

use spilltrail_search::context::{LookupObservation, Purpose};

use crate::analyzed::AnalyzedContent;

/// Returns the names of the empty lookups that the rows of a search depend on.
pub(crate) fn missing(lookups: &[LookupObservation], content: &AnalyzedContent) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for lookup in lookups {
        let is_missing = lookup.rows == 0 && !are_exceptions(lookup, content);
        if is_missing && !names.contains(&lookup.name) {
            names.push(lookup.name.clone());
        }
    }
    names
}

fn are_exceptions(lookup: &LookupObservation, content: &AnalyzedContent) -> bool {
    lookup.purpose == Purpose::Excluded && lookup.is_given && !content.fills_lookup(&lookup.name)
}
