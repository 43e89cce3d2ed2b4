//! Finds the empty lookups that make the rows of a detection meaningless.
//!
//! A detection of things not seen before reports everything while its lookup of seen things is
//! empty. A detection with a lookup of exceptions is correct while that lookup is empty. Both read
//! an empty lookup. The second kind is recognized because it excludes the lookup's rows with `NOT`,
//! the table was provided, and no search fills it.

use spilltrail_diagnostic::{Code, Diagnostic, edit_distance, similar};
use spilltrail_search::context::{LookupObservation, Purpose};

use crate::analyzed::AnalyzedContent;

/// The most mistakes in a name that is taken for another one.
const MISTAKES: usize = 2;

/// Returns an error for each of the `missing` lookups that nothing defines, neither the content nor
/// the store nor a search that fills it, and whose name is nearly that of one that the content defines.
///
/// Published detections also name lookups that only some installations have: these are a missing
/// baseline.
pub(crate) fn misspelled(
    missing: &[String],
    lookups: &[LookupObservation],
    content: &AnalyzedContent,
) -> Vec<Diagnostic> {
    let is_undefined = |lookup: &&LookupObservation| {
        !lookup.exists
            && missing.contains(&lookup.name)
            && content.set.lookup(&lookup.name).is_none()
    };
    let error = |lookup: &LookupObservation| {
        let known = content.set.lookups.keys().map(String::as_str);
        let nearest = similar(&lookup.name, known)
            .filter(|known| edit_distance(known, &lookup.name) <= MISTAKES)?;
        // Asked last, because the answer needs all searches of the content.
        if content.fills_lookup(&lookup.name) {
            return None;
        }
        let message = format!("there is no lookup `{}`", lookup.name);
        let error = Diagnostic::error(Code::MISSING_LOOKUP, message);
        let error = lookup.span.into_iter().fold(error, Diagnostic::at);
        Some(error.help(format!("did you mean `{nearest}`?")))
    };
    lookups.iter().filter(is_undefined).filter_map(error).collect()
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
