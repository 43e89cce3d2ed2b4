//! The `ingest` command: brings logs into a lake.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use spilltrail_app::{CancellationToken, Ingested};
use spilltrail_source::Progress;

use crate::arguments::IngestOptions;
use crate::report::{self, Detail};
use crate::{progress, status};

pub(crate) async fn run(options: IngestOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let bar = progress::bar();
    let counting = bar.clone();
    let count = Progress(Arc::new(move |bytes| counting.inc(bytes)));
    let listed = {
        let bar = bar.clone();
        move |bytes| bar.set_length(bytes)
    };
    let ingested = spilltrail_app::ingest(&options.ingest(cancel), Some(count), &listed).await;
    bar.finish_and_clear();
    let ingested = ingested?;
    tell(&ingested, &options.index);
    let is_cut = report::limits_met();
    report::unread(&ingested.unread, Detail::Counted);
    Ok(status::of_ingest(&ingested, is_cut))
}

/// Says what came into the lake, and what was there.
fn tell(ingested: &Ingested, index: &str) {
    let Ingested { events, files, known, before, damaged, too_long, .. } = ingested;
    let (events, files) = (report::counted(*events, "event"), report::counted(*files, "file"));
    report::line(format_args!("note: {events} of {files} stored in the index `{index}`"));
    if *known > 0 {
        let known = report::counted(*known, "file");
        report::line(format_args!("note: {known} had been stored before, and not changed since"));
    }
    if *before > 0 {
        let before = report::counted(*before, "event");
        report::line(format_args!("note: {before} of other files had been stored before"));
    }
    if *too_long > 0 {
        let events = report::counted(*too_long, "event");
        report::line(format_args!(
            "warning: {events} left out: longer than any that can be stored"
        ));
    }
    if *damaged > 0 {
        let blocks = report::counted(*damaged, "block");
        report::line(format_args!("warning: {blocks} of stored events damaged, and set aside"));
    }
}
