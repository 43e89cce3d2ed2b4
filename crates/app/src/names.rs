//! Compares the names that a search asks for with those that are in the logs.

mod required;

use std::collections::BTreeSet;
use std::sync::Arc;

use spilltrail_detect::Status;
use spilltrail_diagnostic::{Code, Diagnostic, Span, edit_distance};
use spilltrail_event::{Demand, Predicate};
use spilltrail_knowledge::is_class;
use spilltrail_search::analysis::{Analysis, Weight};
use spilltrail_search::context::SearchContext;
use spilltrail_source::Logs;
use spilltrail_spl::{CompareOp, Doubt, SearchExpr, parse_search};
use tokio::sync::OnceCell;

use crate::error::blocking;
use crate::missing::count;

/// The largest logs that a hunt reads again to find out which names they have, in bytes as stored.
const MOST_BYTES: u64 = 8 << 20;

/// The most detections of the user for which a hunt does so: with more, it is a library, of which most
/// find nothing.
const MOST_DETECTIONS: usize = 20;

/// The fields whose values are names.
pub(crate) const NAMED: [&str; 2] = ["eventName", "eventSource"];

/// Names of calls that no service has in the other number, so that one `s` more or less is a slip. Of
/// others, such as `GetParameter`, there are both.
const OF_ONE_NUMBER: [&str; 30] = [
    "AssumeRole",
    "AttachGroupPolicy",
    "AttachRolePolicy",
    "AttachUserPolicy",
    "ConsoleLogin",
    "CreateAccessKey",
    "CreateLoginProfile",
    "CreatePolicyVersion",
    "CreateTrail",
    "CreateUser",
    "DeleteBucketPolicy",
    "DeleteTrail",
    "DescribeInstances",
    "DescribeSnapshots",
    "DescribeTrails",
    "GetObject",
    "GetSecretValue",
    "ListAccessKeys",
    "ListBuckets",
    "ListRoles",
    "ListUsers",
    "PutBucketPolicy",
    "PutObject",
    "PutRolePolicy",
    "PutUserPolicy",
    "RunInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
    "UpdateLoginProfile",
];

/// The names in the logs of a hunt, which are looked for once, when a detection found nothing.
pub(crate) struct Names {
    logs: Option<Arc<Logs>>,
    context: SearchContext,
    /// `None` if they could not be read.
    found: OnceCell<Option<Found>>,
}

/// The names that are in logs.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) fields: Vec<String>,
    /// The values of each of [`NAMED`].
    pub(crate) values: Vec<Vec<String>>,
}

impl Names {
    /// `detections` is the number of detections that are not built in. Without `logs`, no names are
    /// known.
    pub(crate) fn new(logs: Option<Arc<Logs>>, context: SearchContext, detections: usize) -> Self {
        let is_small = |logs: &Arc<Logs>| logs.bytes_on_disk().is_some_and(|n| n <= MOST_BYTES);
        let logs = logs.filter(|logs| is_small(logs) && detections <= MOST_DETECTIONS);
        Self { logs, context, found: OnceCell::new() }
    }

    /// Returns warnings about names that a search without findings asks for, and that differ a little
    /// from those in the logs.
    pub(crate) async fn misspelled(&self, status: &Status, analysis: &Analysis) -> Vec<Doubt> {
        let found_nothing =
            matches!(status, Status::Clean | Status::NoSuchEvents | Status::CannotFire(_));
        let (Some(logs), true) = (&self.logs, found_nothing) else { return Vec::new() };
        let found = self.found.get_or_init(|| look(logs.clone(), &self.context)).await;
        let Some(found) = found else { return Vec::new() };
        let mut doubts = match status {
            Status::Clean => Vec::new(),
            _ => found.misspelled(analysis, *status == Status::NoSuchEvents),
        };
        for doubt in required::absent(analysis, &found.fields) {
            if doubts.iter().all(|told| told.diagnostic.span() != doubt.diagnostic.span()) {
                doubts.push(doubt);
            }
        }
        doubts
    }
}

/// Reads the logs again. If they cannot be read, it is not known which names they have.
async fn look(logs: Arc<Logs>, context: &SearchContext) -> Option<Found> {
    let counted = count(context, &NAMED).await.ok()?;
    let names = |counts: Vec<(String, u64)>| counts.into_iter().map(|(name, _)| name).collect();
    let values = counted.into_iter().map(names).collect();
    let discovered = blocking(move || logs.discover(&Predicate::All, &Demand::all())).await;
    let fields = discovered.ok()?.ok()?.into_iter().map(|field| field.name).collect();
    Some(Found { fields, values })
}

/// A field that no event has, while one of a similar name is there.
#[derive(Debug)]
pub(crate) struct OtherField<'a> {
    pub(crate) written: String,
    pub(crate) meant: &'a str,
}

impl Found {
    /// Returns the fields that a search reads of its events and that no event has, while one of a
    /// similar name is there.
    pub(crate) fn other_fields(&self, analysis: &Analysis) -> Vec<OtherField<'_>> {
        let asked: BTreeSet<&String> =
            analysis.facts.fields.union(&analysis.demand.names).collect();
        let other = |name: &String| {
            let meant = self.fields.iter().find(|field| is_same_field(name, field))?;
            (!analysis.is_made_first(name))
                .then(|| OtherField { written: name.clone(), meant: meant.as_str() })
        };
        let unknown =
            asked.into_iter().filter(|name| !self.fields.contains(name) && !is_class(name));
        unknown.filter_map(other).collect()
    }

    /// Returns a warning for each name in the search that is not in the logs, while a similar one is.
    /// With `no_such_events`, only what the first command needs can be why there is no row.
    pub(crate) fn misspelled(&self, analysis: &Analysis, no_such_events: bool) -> Vec<Doubt> {
        let facts = &analysis.facts;
        let mut warnings = Vec::new();
        let leading = required::of_leading(analysis);
        let maybe = |diagnostic| Doubt { diagnostic, weight: Weight::IfNothing };
        for OtherField { written, meant } in self.other_fields(analysis) {
            let explains = !no_such_events || leading.contains(&written);
            let is_sure = explains && is_fixed(meant);
            let weight = if is_sure { Weight::NeverMet } else { Weight::IfNothing };
            let diagnostic = warning(analysis, "field", &written, meant);
            warnings.push(Doubt { diagnostic, weight });
        }
        for (field, value) in unequal(analysis) {
            if !self.fields.contains(&field) {
                warnings.push(maybe(only_with_field(analysis, &field, &value)));
            }
        }
        for (field, known) in NAMED.iter().zip(&self.values) {
            for value in facts.origins.get(*field).into_iter().flatten() {
                let meant = similar_value(value, known);
                warnings.extend(meant.map(|meant| maybe(warning(analysis, field, value, meant))));
            }
        }
        warnings
    }
}

/// Returns the value in the logs that is most likely meant, if the other one is not among them.
pub(crate) fn similar_value<'a>(value: &str, known: &'a [String]) -> Option<&'a String> {
    /// Names of operations differ by their objects, so a longer name may differ no further.
    const MOST: usize = 2;
    if value.contains('*') || known.iter().any(|known| known.eq_ignore_ascii_case(value)) {
        return None;
    }
    let distance = |known: &&String| edit_distance(value, known);
    let meant = known.iter().min_by_key(distance)?;
    let is_near = distance(&meant) <= MOST.min(value.chars().count() / 4);
    // Operations of one object differ by their verbs: `PutObject` is no misspelled `GetObject`.
    let first = |name: &str| name.chars().next().map(|c| c.to_ascii_lowercase());
    let is_same_verb = first(value) == first(meant);
    let may_be_both = is_plural(value, meant) && !OF_ONE_NUMBER.contains(&meant.as_str());
    (is_near && is_same_verb && !may_be_both).then_some(meant)
}

/// Returns true if two names of fields differ only in case, in the brackets of lists, or in a letter.
fn is_same_field(name: &str, field: &str) -> bool {
    /// Shorter names are too often near each other.
    const LEAST: usize = 6;
    let plain = |name: &str| name.replace("{}", "").to_lowercase();
    let (name, field) = (plain(name), plain(field));
    // The members of `userIdentity` are few, and none is near another.
    let is_caller = [&name, &field].iter().all(|name| name.starts_with("useridentity."));
    let is_long = is_caller || name.rsplit('.').next().is_some_and(|last| last.len() >= LEAST);
    let unnumbered = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
    // `address1` is no misspelled `address2`.
    let are_numbered = unnumbered(&name) == unnumbered(&field);
    name == field
        || (is_long
            && !are_numbered
            && !is_plural(&name, &field)
            && edit_distance(&name, &field) <= 1)
}

/// Returns true for a field whose name is the same in all events. Calls name their own arguments and
/// answers, and may have some that differ in a letter.
pub(crate) fn is_fixed(field: &str) -> bool {
    const OF_CALLS: [&str; 4] =
        ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"];
    !OF_CALLS.iter().any(|of| field.starts_with(of))
}

/// Returns true if one name is the other one with an `s` at its end.
fn is_plural(one: &str, other: &str) -> bool {
    let is = |one: &str, other: &str| {
        one.strip_suffix(['s', 'S']).is_some_and(|one| one.eq_ignore_ascii_case(other))
    };
    is(one, other) || is(other, one)
}

/// Returns the fields, with their values, that the first command compares by `!=`, so that it matches
/// only events with the field.
pub(crate) fn unequal(analysis: &Analysis) -> Vec<(String, String)> {
    let Some(expression) = analysis.leading.as_deref().and_then(|text| parse_search(text).ok())
    else {
        return Vec::new();
    };
    let parts = match &expression {
        SearchExpr::And(parts) => parts.as_slice(),
        single => std::slice::from_ref(single),
    };
    let unequal = parts.iter().filter_map(|part| match part {
        SearchExpr::Compare { field, op: CompareOp::Ne, value } => {
            Some((field.value.clone(), value.value.text.clone()))
        }
        _ => None,
    });
    unequal.collect()
}

fn only_with_field(analysis: &Analysis, field: &str, value: &str) -> Diagnostic {
    let message = format!("`!=` matches only events that have `{field}`, and none of these has it");
    let help = format!("write `NOT {field}=\"{value}\"` to match events without it, too");
    let warning = Diagnostic::warning(Code::NEVER_MET, message).help(help);
    match analysis.text.find(&format!("{field}!=")) {
        Some(start) => warning.at(Span::new(start, start + field.len() + 2)),
        None => warning,
    }
}

fn warning(analysis: &Analysis, kind: &str, written: &str, meant: &str) -> Diagnostic {
    let message = format!("no event has the {kind} `{written}`");
    let warning =
        Diagnostic::warning(Code::OTHER_NAME, message).help(format!("did you mean `{meant}`?"));
    match analysis.text.find(written) {
        Some(start) => warning.at(Span::new(start, start + written.len())),
        None => warning,
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_search::analysis::analyze;
    use spilltrail_spl::MacroSet;

    use super::*;

    #[test]
    fn names_that_differ_a_little() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let found = Found {
            fields: texts(&[
                "eventName",
                "user_arn",
                "userIdentity.type",
                "eventType",
                "address2",
                "requestParameters.items{}.group",
            ]),
            values: vec![
                texts(&["GetObject", "ListUsers", "GetParameter"]),
                texts(&["s3.amazonaws.com"]),
            ],
        };
        for (search, expected) in [
            ("eventName=GetObjekt", "GetObjekt: did you mean `GetObject`?"),
            ("eventName IN (GetObject, GetObjekct)", "GetObjekct: did you mean `GetObject`?"),
            ("eventName=GetObjects", "GetObjects: did you mean `GetObject`?"),
            ("eventName=ListUser", "ListUser: did you mean `ListUsers`?"),
            ("eventSource=s3.amazonaw.com", "s3.amazonaw.com: did you mean `s3.amazonaws.com`?"),
            ("userIdentity.typ=Root", "userIdentity.typ: did you mean `userIdentity.type`?"),
            ("eventname=GetObject", "eventname: did you mean `eventName`?"),
            (
                "requestParameters.items.group=all",
                "requestParameters.items.group: did you mean `requestParameters.items{}.group`?",
            ),
            ("eventName=A | stats count by User_arn", "User_arn: did you mean `user_arn`?"),
            ("eventName=A | stats count by user_arm", "user_arm: did you mean `user_arn`?"),
            (
                "eventName=A errorMessage!=denied",
                "errorMessage!=: write `NOT errorMessage=\"denied\"` to match events without it, too",
            ),
            ("eventName=A | rename user as user_arm | stats count by user_arm", ""),
            (
                "eventName=A | stats count by user_arm | rename user as user_arm",
                "user_arm: did you mean `user_arn`?",
            ),
            ("eventName=getobject user_arn!=a NOT errorMessage=b", ""),
            ("eventName=Get* eventName=PutObject eventName=GetParameters", ""),
            ("requestParameters.items{}.groups=all errorCode=a address1=b", ""),
            ("NOT eventtype=a tag=b", ""),
        ] {
            let warnings = found.misspelled(&analyze(search, &MacroSet::builtin()), true);
            let shown: Vec<String> = warnings
                .iter()
                .map(|Doubt { diagnostic: warning, .. }| {
                    let span = warning.span().unwrap();
                    let help = warning.help.as_deref().unwrap_or_default();
                    format!("{}: {help}", &search[span.start..span.end])
                })
                .collect();
            assert_eq!(shown.join(", "), expected, "{search}");
        }
    }
}
