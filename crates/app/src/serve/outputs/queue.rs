//! Decides which entries of the outbox each output is to get.

use std::collections::BTreeSet;

use spilltrail_deliver::Output;
use spilltrail_schedule::Moment;
use spilltrail_store::{
    DeliveryFilter, FindingState, MOST_ENTRIES, OutboxEntry, Store, StoreError,
};

use super::message::message;

/// Queues what each output is to get, and forgets what nobody needs any more.
pub(super) fn queue(store: &mut Store, outputs: &[Output], now: Moment) -> Result<(), StoreError> {
    let end = store.reader().outbox_end()?;
    let known = store.reader().outputs()?;
    let mut least = end;
    for output in outputs.iter().filter(|output| output.enabled) {
        let position = known.iter().find(|(name, _)| *name == output.name).map(|(_, at)| *at);
        let Some(mut position) = position else {
            // What was found before nobody asked for it here is not sent.
            store.queue(&output.name, end, &[], now)?;
            continue;
        };
        while position < end {
            let entries = store.reader().outbox_after(position, MOST_ENTRIES)?;
            let (mut wanted, mut told) = (Vec::new(), BTreeSet::new());
            for entry in &entries {
                if is_for(store, output, entry, &told)? {
                    wanted.push(entry.seq);
                    told.insert(entry.id.as_str());
                }
            }
            // Numbers of entries that were removed are passed over.
            let up_to = entries.last().map_or(end, |entry| entry.seq);
            store.queue(&output.name, up_to, &wanted, now)?;
            position = up_to;
        }
        least = least.min(position);
    }
    // The others get what came meanwhile when they are enabled, or configured, again.
    let is_followed =
        |name: &str| outputs.iter().any(|output| output.enabled && output.name == name);
    let waiting = known.iter().filter(|(name, _)| !is_followed(name));
    least = waiting.map(|(_, position)| *position).fold(least, u64::min);
    store.forget_outbox(least)?;
    Ok(())
}

/// Returns whether an output is to get an entry; `told` are the findings of which it gets an earlier one.
fn is_for(
    store: &Store,
    output: &Output,
    entry: &OutboxEntry,
    told: &BTreeSet<&str>,
) -> Result<bool, StoreError> {
    if entry.state != FindingState::Withdrawn {
        // What cannot be read is queued, so that it is told.
        return Ok(message(entry).map_or(true, |message| output.filter.takes(&message)));
    }
    // Another content of the same finding is there: that is told, and what it is about still stands.
    if let Some(details) = store.reader().finding(&entry.id)?
        && details.listed.state != FindingState::Withdrawn
        && details.listed.suppressed_by.is_none()
    {
        return Ok(false);
    }
    if told.contains(entry.id.as_str()) {
        return Ok(true);
    }
    let sent = DeliveryFilter {
        output: Some(output.name.clone()),
        finding: Some(entry.id.clone()),
        ..DeliveryFilter::default()
    };
    Ok(!store.reader().deliveries(&sent, 1)?.rows.is_empty())
}
