//! How the logs are read for all detections of a hunt, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use spilltrail_decode::needed_words;
use spilltrail_detect::hunt::{self, Job};
use spilltrail_event::{Comparison, Predicate, ScanRequest};
use spilltrail_search::events::shared::{SharedEvents, whole_events};

use super::unreadable;
use crate::environment::Environment;

/// Prints the scan of the first pass; nothing is read.
pub(super) async fn print(
    environment: &Environment,
    chosen: &[usize],
    shared: &Arc<SharedEvents>,
) -> Result<ExitCode> {
    let jobs = hunt::plan(&environment.content, chosen, shared, &|| environment.context())
        .await
        .map_err(unreadable)?;
    let text = render(environment, &jobs, shared.requests().len());
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn render(environment: &Environment, jobs: &[Job], scans: usize) -> String {
    let mut text = format!("{} detections ask for {scans} sets of events\n", jobs.len());
    let mut by_name: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut fields: BTreeSet<String> = BTreeSet::new();
    let mut each = String::new();
    for job in jobs {
        let name = environment.content.detections[job.place].name.as_str();
        let _ = writeln!(each, "\n{name}");
        let requests = job.requests();
        if requests.is_empty() {
            let _ = writeln!(each, "  reads no events in this pass");
        }
        for request in &requests {
            let names = event_names(&request.predicate);
            for event in names.clone().unwrap_or_else(|| BTreeSet::from(["(any)".to_owned()])) {
                by_name.entry(event).or_default().insert(name);
            }
            let _ = writeln!(each, "  by name: {}", joined(names.iter().flatten(), "any"));
            let words = needed_words(request, environment.profile);
            let _ = writeln!(each, "  needles: {}", joined(words.iter().flatten(), "none"));
            let _ = writeln!(each, "  fields:  {}", fields_of(request));
            fields.extend(request.fields.iter().map(|field| field.name.clone()));
        }
        if job.is_waiting() {
            let _ = writeln!(
                each,
                "  falls back: it can be planned only when these events are read; what it asks for \
                 then and was not read takes another pass"
            );
        }
    }
    let _ = writeln!(text, "{} fields are read of them in all\n", fields.len());
    for (event, names) in &by_name {
        let _ = writeln!(text, "{event:<40} {}", joined(names.iter(), ""));
    }
    text + &each
}

fn fields_of(request: &ScanRequest) -> String {
    let whole = whole_events();
    if whole.iter().all(|field| request.fields.contains(field)) {
        return "the whole event".to_owned();
    }
    joined(request.fields.iter().map(|field| &field.name), "none")
}

fn joined(texts: impl Iterator<Item = impl AsRef<str>>, none: &str) -> String {
    let texts: Vec<String> = texts.map(|text| text.as_ref().to_owned()).collect();
    if texts.is_empty() { none.to_owned() } else { texts.join(", ") }
}

/// Returns the names, or patterns of names, that matching events have; none if they can have any.
fn event_names(predicate: &Predicate) -> Option<BTreeSet<String>> {
    match predicate {
        Predicate::Compare { field, op: Comparison::Eq, value } if field == "eventName" => {
            Some(BTreeSet::from([value.text.clone()]))
        }
        Predicate::And(parts) => parts.iter().find_map(event_names),
        Predicate::Or(parts) => {
            let names: Option<Vec<_>> = parts.iter().map(event_names).collect();
            Some(names?.into_iter().flatten().collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_event::{CaseRule, Pattern};

    use super::*;

    #[test]
    fn names_of_events() {
        let named = |name: &str| Predicate::Compare {
            field: "eventName".to_owned(),
            op: Comparison::Eq,
            value: Pattern::new(name, CaseRule::Ignore),
        };
        let other = || Predicate::Exists("errorCode".to_owned());
        let names = |predicate: Predicate| event_names(&predicate).map(|n| joined(n.iter(), ""));
        let either = Predicate::Or(vec![named("B"), named("A*")]);
        assert_eq!(names(Predicate::And(vec![other(), either])).as_deref(), Some("A*, B"));
        assert_eq!(names(Predicate::Or(vec![named("B"), other()])), None);
        assert_eq!(names(Predicate::Not(Box::new(named("B")))), None);
    }
}
