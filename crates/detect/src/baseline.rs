//! Finds the empty lookups that make the rows of a detection meaningless.
//!
//! A detection of things not seen before reports everything while its lookup of seen things is
//! empty. A detection with a lookup of exceptions is correct while that lookup is empty. Both read
//! an empty lookup. The second kind is recognized because it excludes the lookup's rows with `NOT`,
//! the table was provided, and no search fills it.

use spilltrail_diagnostic::edit_distance;
use spilltrail_search::context::{LookupObservation, Purpose};

use crate::analyzed::AnalyzedContent;

/// The most mistakes in a name that is taken for another one.
const MISTAKES: usize = 2;

/// Returns true if nothing defines a lookup, neither the content nor the store nor a search that fills
/// it, and its name is nearly that of one that the content defines.
///
/// Published detections also name lookups that only some installations have: these are a missing
/// baseline.
pub(crate) fn is_misspelled(lookup: &LookupObservation, content: &AnalyzedContent) -> bool {
    let mut known = content.set.lookups.keys();
    !lookup.exists
        && content.set.lookup(&lookup.name).is_none()
        && !content.fills_lookup(&lookup.name)
        && known.any(|known| edit_distance(known, &lookup.name) <= MISTAKES)
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
