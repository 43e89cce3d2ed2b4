//! Finds the empty lookups that make the rows of a detection meaningless.
//!
//! A detection of things not seen before reports everything while its lookup of seen things is
//! empty. A detection with a lookup of exceptions is correct while that lookup is empty. Both read
//! an empty lookup. The second kind is recognized because it excludes the lookup's rows with `NOT`,
//! the table was provided, and no search fills it.

use spilltrail_search::context::{LookupObservation, Purpose};

use crate::analyzed::AnalyzedContent;

/// Returns true if nothing defines a lookup: neither the content nor the store has it, and no search
/// fills it. Its name is then most likely wrong.
pub(crate) fn is_undefined(lookup: &LookupObservation, content: &AnalyzedContent) -> bool {
    let is_defined = lookup.exists
        || content.set.lookup(&lookup.name).is_some()
        || content.fills_lookup(&lookup.name);
    !is_defined
}

/// Returns the names of the empty lookups on which the rows of a search depend.
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
