//! Finds the empty lookups that make the rows of a detection meaningless.
//!
//! A detection of things not seen before reports everything while its lookup of seen things is
//! empty. A detection with a lookup of exceptions is correct while that lookup is empty. Both read
//! an empty lookup. The second kind is recognized because it excludes the lookup's rows with `NOT`,
//! the table was provided, and no search fills it. A detection that excludes what it wrote itself before
//! has its own list, which is empty at first.

use indexmap::IndexMap;
use spilltrail_content::{Lookup, lookup_stem};
use spilltrail_diagnostic::{Code, Diagnostic, edit_distance, similar};
use spilltrail_search::analysis::Analysis;
use spilltrail_search::context::{LookupObservation, Purpose};

use crate::analyzed::AnalyzedContent;

/// Returns the lookup of which a name is most likely a misspelling, without the extension of its table.
#[must_use]
pub fn lookup_meant<'a>(name: &str, lookups: &'a IndexMap<String, Lookup>) -> Option<&'a str> {
    /// The most mistakes in a name that is taken for another one.
    const MISTAKES: usize = 2;
    let stem = lookup_stem(name);
    let found = similar(stem, lookups.keys().map(|known| lookup_stem(known)))?;
    (edit_distance(found, stem) <= MISTAKES).then_some(found)
}

/// A lookup that nothing defines: neither the content nor the store nor a search that fills it.
#[derive(Debug)]
pub(crate) struct Undefined {
    /// The error, at the place that names the lookup. A warning if Splunk's apps have the lookup, and no
    /// content.
    pub(crate) error: Diagnostic,
    /// True if the name is nearly that of a lookup that the content defines. Otherwise the lookup may be
    /// one that only some installations have.
    pub(crate) is_misspelled: bool,
}

/// The app of Splunk's that fills the lookups of assets and identities.
const ENTERPRISE_SECURITY: &str = "Splunk Enterprise Security";

/// The lookups that detections read, and that Splunk's apps have, with the app. They are not part of any
/// content, so that a library of detections is complete without them.
const OF_APPS: [(&str, &str); 6] = [
    ("asset_lookup_by_cidr", ENTERPRISE_SECURITY),
    ("asset_lookup_by_str", ENTERPRISE_SECURITY),
    ("cim_corporate_email_domain_lookup", "the Common Information Model add-on"),
    ("cim_corporate_web_domain_lookup", "the Common Information Model add-on"),
    ("identity_lookup_expanded", ENTERPRISE_SECURITY),
    ("ut_shannon_lookup", "the URL Toolbox"),
];

/// Returns the app of Splunk's that has a lookup.
fn app_of(name: &str) -> Option<&'static str> {
    OF_APPS.iter().find(|(lookup, _)| *lookup == name).map(|(_, app)| *app)
}

/// Returns those of the `missing` lookups that nothing defines.
pub(crate) fn undefined(
    missing: &[String],
    lookups: &[LookupObservation],
    content: &AnalyzedContent,
) -> Vec<Undefined> {
    let is_undefined = |lookup: &&LookupObservation| {
        !lookup.exists
            && missing.contains(&lookup.name)
            && content.set.lookup(&lookup.name).is_none()
            // Asked last, because the answer needs all searches of the content.
            && !content.fills_lookup(&lookup.name)
    };
    let of = |lookup: &LookupObservation| {
        let nearest = lookup_meant(&lookup.name, &content.set.lookups);
        let message = format!("there is no lookup `{}`", lookup.name);
        if let (None, Some(app)) = (nearest, app_of(&lookup.name)) {
            let warning = Diagnostic::warning(Code::MISSING_LOOKUP, message);
            let error = lookup.span.into_iter().fold(warning, Diagnostic::at).help(format!(
                "it is one of {app}: export its rows there as CSV, and give them with `--lookups`"
            ));
            return Undefined { error, is_misspelled: false };
        }
        let error = Diagnostic::error(Code::MISSING_LOOKUP, message);
        let error = lookup.span.into_iter().fold(error, Diagnostic::at);
        let is_misspelled = nearest.is_some();
        let help = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "put its CSV and its definition into the content folder's `lookups/`".into(),
        };
        Undefined { error: error.help(help), is_misspelled }
    };
    lookups.iter().filter(is_undefined).map(of).collect()
}

/// Returns the names of the empty lookups on which the rows of a search depend.
pub(crate) fn missing(
    lookups: &[LookupObservation],
    content: &AnalyzedContent,
    analysis: &Analysis,
) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for lookup in lookups.iter().filter(|lookup| !is_own_list(lookup, content, analysis)) {
        // One that nothing defines may be misspelled, and is told whatever it is for.
        let is_unread = lookup.purpose == Purpose::Unread && lookup.exists;
        let is_missing = lookup.rows == 0 && !is_unread && !are_exceptions(lookup, content);
        if is_missing && !names.contains(&lookup.name) {
            names.push(lookup.name.clone());
        }
    }
    names
}

/// Returns true for the empty list of what the search itself found before.
fn is_own_list(lookup: &LookupObservation, content: &AnalyzedContent, analysis: &Analysis) -> bool {
    lookup.purpose == Purpose::Excluded
        && lookup.rows == 0
        && content.is_own_list(&lookup.name, analysis)
}

/// Returns a warning for each list of what the search itself found before that has no rows yet.
pub(crate) fn own_lists(
    lookups: &[LookupObservation],
    content: &AnalyzedContent,
    analysis: &Analysis,
) -> Vec<Diagnostic> {
    let own = lookups.iter().filter(|lookup| is_own_list(lookup, content, analysis));
    let own = own.map(|lookup| {
        let name = &lookup.name;
        let message =
            format!("the lookup `{name}` is empty: no baseline fills it, and this search does");
        let warning = Diagnostic::warning(Code::MISSING_LOOKUP, message);
        let help = "with `--lookups DIR`, later runs know what this one found";
        lookup.span.into_iter().fold(warning, Diagnostic::at).help(help)
    });
    own.collect()
}

fn are_exceptions(lookup: &LookupObservation, content: &AnalyzedContent) -> bool {
    lookup.purpose == Purpose::Excluded && lookup.is_given && !content.fills_lookup(&lookup.name)
}
