//! Renders as text how a hunt would read the logs for its detections.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use spilltrail_app::ScanPlan;
use spilltrail_diagnostic::visible;

use crate::lines::{flow, hang, pad};
use crate::report::counted;

/// Width of the names of events, beside the detections that look for them.
const EVENT: usize = 40;

/// Width from which on detections are beside the events that they look for, instead of below.
const WIDE: usize = 100;

/// Returns the plan of the first pass over the logs as text in lines of at most `width` columns.
pub(super) fn render(plan: &ScanPlan, width: usize) -> String {
    let text = plain(plan, width);
    text.lines().flat_map(|line| hang(line, width, below(line))).map(|line| line + "\n").collect()
}

/// Returns how much what goes on below a line is indented: as its text behind its title.
fn below(line: &str) -> usize {
    if ["  by name: ", "  needles: ", "  fields:  "].iter().any(|title| line.starts_with(title)) {
        9
    } else {
        2
    }
}

fn plain(plan: &ScanPlan, width: usize) -> String {
    let mut text =
        format!("{} detections ask for {} sets of events\n", plan.detections.len(), plan.sets);
    let mut by_name: BTreeMap<Cow<'_, str>, BTreeSet<Cow<'_, str>>> = BTreeMap::new();
    let mut fields: BTreeSet<&str> = BTreeSet::new();
    let mut each = String::new();
    for detection in &plan.detections {
        let name = visible(&detection.name);
        let _ = writeln!(each, "\n{name}");
        if detection.asked.is_empty() {
            let _ = writeln!(each, "  reads no events in this pass");
        }
        for asked in &detection.asked {
            match &asked.event_names {
                Some(events) => {
                    for event in events {
                        by_name.entry(visible(event)).or_default().insert(name.clone());
                    }
                }
                None => {
                    by_name.entry("(any)".into()).or_default().insert(name.clone());
                }
            }
            let _ =
                writeln!(each, "  by name: {}", joined(asked.event_names.iter().flatten(), "any"));
            let _ = writeln!(each, "  needles: {}", joined(asked.needles.iter().flatten(), "none"));
            let read = if asked.is_whole {
                "the whole event".to_owned()
            } else {
                joined(&asked.fields, "none")
            };
            let _ = writeln!(each, "  fields:  {read}");
            fields.extend(asked.fields.iter().map(String::as_str));
        }
        if detection.is_waiting {
            let _ = writeln!(
                each,
                "  falls back: it can be planned only when these events are read; what it asks for \
                 then and was not read takes another pass"
            );
        }
    }
    let _ = writeln!(text, "{} fields are read of them in all\n", fields.len());
    for (event, names) in &by_name {
        let names = joined(names, "");
        if width < WIDE {
            let _ = writeln!(text, "{event}\n  {names}");
            continue;
        }
        let next = " ".repeat(EVENT + 1);
        for line in flow(&format!("{} ", pad(event, EVENT)), &names, &next, width) {
            let _ = writeln!(text, "{line}");
        }
    }
    if !plan.correlations.is_empty() {
        let count = counted(plan.correlations.len() as u64, "detection");
        let _ = writeln!(each, "\n{count} to run after these, over the risk that they raise:");
        for name in &plan.correlations {
            let _ = writeln!(each, "  {}", visible(name));
        }
    }
    if !plan.held.is_empty() {
        let count = counted(plan.held.len() as u64, "detection");
        let _ = writeln!(each, "\n{count} held back, for want of what these logs cannot have:");
        for (name, need) in &plan.held {
            let _ = writeln!(each, "  {}: {}", visible(name), visible(&need.to_string()));
        }
    }
    text + &each
}

fn joined(texts: impl IntoIterator<Item = impl AsRef<str>>, none: &str) -> String {
    let texts: Vec<String> =
        texts.into_iter().map(|text| visible(text.as_ref()).into_owned()).collect();
    if texts.is_empty() { none.to_owned() } else { texts.join(", ") }
}
