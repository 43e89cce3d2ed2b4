//! What the content around a search tells about it: where its events are from, and when it runs.

use std::collections::BTreeSet;

use spilltrail_content::{ContentSet, Detection};
use spilltrail_decode::{LAKE_SOURCETYPES, SOURCETYPES, field_docs};
use spilltrail_detect::AnalyzedContent;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned, edit_distance, similar};
use spilltrail_event::{CaseRule, Pattern};
use spilltrail_knowledge::is_class;
use spilltrail_search::analysis::Analysis;
use spilltrail_spl::is_time_bound;
use spilltrail_spl::time::USUAL_DELIVERY;

use super::columns::Written;
use crate::names::{Found, OtherField, is_fixed};

/// Sourcetypes that events have besides those that the decoder names.
const OTHERS: &[&str] = &["json", "_json", "csv", "json_no_timestamp", "stash"];

/// The sourcetype of CloudTrail's events, which others begin with.
const CLOUDTRAIL: &str = "aws:cloudtrail";

/// The most edits that make one sourcetype of another by mistake.
const MOST_EDITS: usize = 2;

/// The members of CloudTrail's records, and fields that all events have.
const MEMBERS: &[&str] = &[
    "_raw",
    "_time",
    "addendum",
    "additionalEventData",
    "apiVersion",
    "awsRegion",
    "date_hour",
    "date_mday",
    "date_minute",
    "date_month",
    "date_second",
    "date_wday",
    "date_year",
    "date_zone",
    "edgeDeviceDetails",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "eventVersion",
    "host",
    "index",
    "insightDetails",
    "linecount",
    "managementEvent",
    "punct",
    "readOnly",
    "recipientAccountId",
    "requestID",
    "requestParameters",
    "resources{}.ARN",
    "resources{}.accountId",
    "resources{}.type",
    "responseElements",
    "serviceEventDetails",
    "sessionCredentialFromConsole",
    "sharedEventID",
    "source",
    "sourceIPAddress",
    "sourcetype",
    "splunk_server",
    "splunk_server_group",
    "timeendpos",
    "timestartpos",
    "tlsDetails.cipherSuite",
    "tlsDetails.clientProvidedHostHeader",
    "tlsDetails.tlsVersion",
    "userAgent",
    "userIdentity.accessKeyId",
    "userIdentity.accountId",
    "userIdentity.arn",
    "userIdentity.invokedBy",
    "userIdentity.principalId",
    "userIdentity.sessionContext.attributes.creationDate",
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "userIdentity.sessionContext.sessionIssuer.accountId",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sessionIssuer.principalId",
    "userIdentity.sessionContext.sessionIssuer.type",
    "userIdentity.sessionContext.sessionIssuer.userName",
    "userIdentity.type",
    "userIdentity.userName",
    "vpcEndpointAccountId",
    "vpcEndpointId",
];

/// What is known of the content, once for all of its searches.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// Sourcetypes that something feeds.
    sourcetypes: BTreeSet<String>,
    /// The fields of CloudTrail's events.
    fields: Found,
    /// The lookups that searches of the content write.
    written: Written,
}

impl Surroundings {
    pub(super) fn new(content: &AnalyzedContent) -> Self {
        let set = &content.set;
        let own = SOURCETYPES.iter().chain(&LAKE_SOURCETYPES).chain(OTHERS);
        let own = own.map(|name| (*name).to_owned());
        let sources = set.data_sources.iter().map(|source| source.sourcetype.clone());
        let tests = set.detections.iter().chain(&set.baselines).flat_map(|d| &d.tests);
        let tests =
            tests.flat_map(|test| &test.attack_data).filter_map(|data| data.sourcetype.clone());
        let all = own.chain(sources).chain(tests).filter(|name| !name.is_empty());
        let members = MEMBERS.iter().map(|name| (*name).to_owned());
        let fields = field_docs().into_iter().map(|field| field.name.to_owned()).chain(members);
        let fields = fields.collect();
        Self {
            sourcetypes: all.map(|name| name.to_ascii_lowercase()).collect(),
            fields: Found { fields, values: Vec::new() },
            written: Written::new(content),
        }
    }

    /// Returns what is doubtful about a search. Spans refer to it as written.
    pub(super) fn of_search(&self, analysis: &Analysis, set: &ContentSet) -> Vec<Diagnostic> {
        let mut found = self.not_fed(analysis);
        found.extend(self.written.of_search(analysis, set));
        if analysis.leads_with(CLOUDTRAIL) {
            // Of names that events may have as well, nothing is sure.
            let others = self.fields.other_fields(analysis).into_iter();
            let sure = others.filter(|other| is_fixed(other.meant));
            found.extend(sure.map(|other| unknown_field(analysis, &other)));
            let is_field = |name: &str| self.is_field(name);
            let words = analysis.bare_words(&is_field).into_iter();
            found.extend(words.map(|doubt| analysis.expansion.relocate(doubt.diagnostic)));
        }
        found.extend(self.returned(analysis));
        found
    }

    /// Returns true for a field that CloudTrail's events can have. Calls name their own members.
    fn is_field(&self, name: &str) -> bool {
        name.contains('.') || is_class(name) || self.fields.fields.iter().any(|field| field == name)
    }

    /// Returns the fields of subsearches that no event has, so that no event is like their rows.
    fn returned(&self, analysis: &Analysis) -> Vec<Diagnostic> {
        let is_cloudtrail = analysis.leads_with(CLOUDTRAIL);
        // Any events can have fields of any name, but hardly one that statistics make.
        let is_absent = |field: &Spanned<String>| {
            let name = &field.value;
            let is_count = name == "count" || name.ends_with(')');
            !is_internal(name)
                && !is_time_bound(name)
                && (is_count || (is_cloudtrail && !self.is_field(name)))
        };
        let (absent, present): (Vec<_>, Vec<_>) =
            analysis.returned().into_iter().partition(is_absent);
        let leaves_any = present.iter().any(|field| !is_internal(&field.value));
        let who = if is_cloudtrail { "no event" } else { "hardly any event" };
        let told = absent.into_iter().map(|field| {
            let name = &field.value;
            let message = format!("a subsearch returns the field `{name}`, and {who} has it");
            let known = self.fields.fields.iter().map(String::as_str);
            let help = match similar(name, known).filter(|_| is_cloudtrail) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if leaves_any => format!("end the subsearch with `| fields - {name}`"),
                None => {
                    format!("end the subsearch with `| rename {name} AS` and a field of events")
                }
            };
            Diagnostic::warning(Code::LOST_FIELD, message).at(field.span).help(help)
        });
        told.map(|told| analysis.expansion.relocate(told)).collect()
    }

    /// Returns the sourcetypes and indexes of a search that nothing feeds.
    fn not_fed(&self, analysis: &Analysis) -> Vec<Diagnostic> {
        let named = |field: &str| analysis.facts.origins.get(field).into_iter().flatten();
        let mut found = Vec::new();
        for written in named("sourcetype") {
            let pattern = Pattern::new(written, CaseRule::Ignore);
            let is_fed = self.sourcetypes.iter().any(|known| pattern.matches(known));
            if is_fed {
                continue;
            }
            let message = format!("nothing feeds the sourcetype `{written}`");
            let Some(span) = place(analysis, written) else {
                found.extend(misspelled_in_macro(analysis, written, message));
                continue;
            };
            let known = self.sourcetypes.iter().map(String::as_str);
            let help = match similar(&written.to_ascii_lowercase(), known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "declare it in a file of `data_sources/`, or name it in the \
                         `attack_data` of a test"
                    .to_owned(),
            };
            found.push(Diagnostic::warning(Code::NOT_FED, message).at(span).help(help));
        }
        for written in named("index").filter(|name| name.starts_with('_')) {
            let Some(span) = place(analysis, written) else { continue };
            let message = format!("nothing feeds the index `{written}`: Splunk writes it itself");
            let help = "search events of a product instead";
            found.push(Diagnostic::warning(Code::NOT_FED, message).at(span).help(help));
        }
        found
    }
}

/// Returns the warning about a sourcetype in a macro if it has nearly the name of one of CloudTrail's: what a
/// macro names is set up where the content is used.
fn misspelled_in_macro(analysis: &Analysis, written: &str, message: String) -> Option<Diagnostic> {
    let own = SOURCETYPES.iter().chain(&LAKE_SOURCETYPES);
    let near = own.map(|own| (edit_distance(written, own), *own));
    let (_, meant) = near.filter(|(edits, _)| *edits <= MOST_EDITS).min()?;
    let span = whole_word(&analysis.expansion.text, written)?;
    let warning = Diagnostic::warning(Code::NOT_FED, message).at(span);
    Some(analysis.expansion.relocate(warning.help(format!("did you mean `{meant}`?"))))
}

/// Returns a diagnostic about the runs of a detection that miss events.
pub(super) fn of_schedule(
    detection: &Detection,
    set: &ContentSet,
    analysis: &Analysis,
) -> Option<Diagnostic> {
    let scheduling = detection.scheduling(set)?;
    if analysis.facts.has_own_times() || !is_of_cloudtrail(analysis) {
        return None;
    }
    let message = scheduling.misses(USUAL_DELIVERY)?;
    let help = "begin earlier than the run before, such as `earliest_time: -70m@m` and \
                `latest_time: -10m@m` for every hour";
    Some(Diagnostic::warning(Code::SHORT_WINDOW, message).help(help))
}

fn is_of_cloudtrail(analysis: &Analysis) -> bool {
    let sourcetypes = analysis.facts.origins.get("sourcetype").into_iter().flatten();
    sourcetypes.into_iter().any(|name| name.to_ascii_lowercase().starts_with(CLOUDTRAIL))
}

/// Returns true for a field that a subsearch does not compare.
fn is_internal(name: &str) -> bool {
    name.starts_with('_')
}

/// Puts a warning to the first place of a value in the search as written, if it has one.
fn placed(warning: Diagnostic, analysis: &Analysis, value: &str) -> Diagnostic {
    match place(analysis, value) {
        Some(span) => warning.at(span),
        None => warning,
    }
}

/// Returns the place of a value in the search as written.
fn place(analysis: &Analysis, value: &str) -> Option<Span> {
    whole_word(&analysis.text, value)
}

/// Returns the first place in a text where a value is no part of a longer name.
pub(super) fn whole_word(text: &str, value: &str) -> Option<Span> {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let is_whole = |start: &usize| {
        let (before, rest) = text.split_at(*start);
        let after = rest.get(value.len()..).unwrap_or_default();
        !before.ends_with(is_of_name) && !after.starts_with(is_of_name)
    };
    let start = text.match_indices(value).map(|(start, _)| start).find(is_whole)?;
    Some(Span::new(start, start + value.len()))
}

/// Returns the warning about a field that no extraction produces.
fn unknown_field(analysis: &Analysis, other: &OtherField<'_>) -> Diagnostic {
    let OtherField { written, meant } = other;
    let message = format!("nothing extracts the field `{written}` from CloudTrail's events");
    let warning = Diagnostic::warning(Code::LOST_FIELD, message);
    placed(warning.help(format!("did you mean `{meant}`?")), analysis, written)
}
