//! Generates the README of the samples from the events, with the contents of the logs and where
//! to find them.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::record::time;
use super::{ANALYTICS, Day, Note, NoteKind, SHOP, STRANGER};

/// Returns the text of the README.
pub(super) fn text(day: &Day) -> String {
    let mut text = format!(
        "# Sample logs\n\n\
         One day ({}) of two AWS accounts, {} CloudTrail events, with a theft of data in it. All of \
         it is made up: no event comes from a real account, and addresses and account numbers are \
         those kept for documentation. `cargo xtask samples` writes the folder, always the same.\n\n\
         - `{SHOP}`: a shop, with its applications, their data and their builds.\n\
         - `{ANALYTICS}`: reports and data pipelines.\n\
         - `{STRANGER}`: an account that belongs to neither, and has no logs here.\n\n\
         Objects are named for the time of delivery, a few minutes after the hour; the last hour's \
         are in the next day's folder, as with CloudTrail itself.\n\n\
         ## What is planted\n\n\
         Each is reported by the built-in detection in the last column.\n\n",
        super::record::DAY,
        day.events.len()
    );
    table(&mut text, day, NoteKind::Planted, "Detection");
    text.push_str(
        "\nThese make four findings: the two calls on the AMI come from one identity and address and \
         are one result.\n\nThe thief also looks around first (GetCallerIdentity, a refused ListUsers, ListBuckets), \
         makes the image and the snapshot, and sets up the locations of the DataSync task: these \
         calls are in the logs beside the ones above and are no exfiltration by themselves.\n\n\
         ## What looks like it and is not\n\n\
         None of these is reported.\n\n",
    );
    table(&mut text, day, NoteKind::Harmless, "Why not");
    text.push_str(
        "\nThe report runner of the analytics account also takes a role in the shop four times: \
         both accounts log it, with the same `sharedEventID`.\n\n\
         ## All events\n\n",
    );
    counts(&mut text, day);
    text
}

fn table(text: &mut String, day: &Day, kind: NoteKind, last: &str) {
    let mut notes: Vec<&Note> = day.notes.iter().filter(|note| note.kind == kind).collect();
    notes.sort_by_key(|note| day.events[note.event].at);
    let _ = writeln!(text, "| Time | Account | What | Event | `eventID` | {last} |");
    text.push_str("|---|---|---|---|---|---|\n");
    for note in notes {
        let event = &day.events[note.event];
        let field = |name: &str| event.record[name].as_str().unwrap_or_default();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | `{}` | {} |",
            time(event.at),
            event.account,
            note.what,
            field("eventName"),
            field("eventID"),
            note.verdict
        );
    }
}

fn counts(text: &mut String, day: &Day) {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for event in &day.events {
        let field = |name: &str| event.record[name].as_str().unwrap_or_default();
        *counts.entry((field("eventSource"), field("eventName"))).or_default() += 1;
    }
    text.push_str("| Source | Event | Count |\n|---|---|---:|\n");
    for ((source, name), count) in counts {
        let _ = writeln!(text, "| {source} | {name} | {count} |");
    }
}
