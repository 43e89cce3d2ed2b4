//! Renders the time and memory costs of a hunt as text.

use std::fmt::Write;

use spilltrail_app::{MemoryUse, Summary};
use spilltrail_diagnostic::visible;

/// Returns the costs of reading the logs, then those of each detection, most expensive first.
pub(super) fn render(summary: &Summary) -> String {
    let mut text = String::new();
    let reading: f64 = summary.passes.iter().map(|pass| pass.cpu_seconds).sum();
    let running: f64 = summary.detections.iter().map(|report| report.cpu_seconds).sum();
    let total = (reading + running + summary.now_cpu_seconds).max(f64::MIN_POSITIVE);
    let share = |seconds: f64| 100.0 * seconds / total;
    let _ = writeln!(text, "     CPU s   share      events        rows");
    if summary.now_cpu_seconds > 0.0 {
        let _ = writeln!(
            text,
            "{:>10.4}  {:>5.1}%  {:>10}  {:>10}  looking for the newest event, which is now",
            summary.now_cpu_seconds,
            share(summary.now_cpu_seconds),
            "-",
            "-",
        );
    }
    for (number, pass) in summary.passes.iter().enumerate() {
        let events = pass.events_left_by_name + pass.events_left_by_needle + pass.events_read;
        let _ = writeln!(
            text,
            "{:>10.4}  {:>5.1}%  {events:>10}  {:>10}  reading, pass {}",
            pass.cpu_seconds,
            share(pass.cpu_seconds),
            pass.rows,
            number + 1,
        );
        let _ = writeln!(
            text,
            "{:>30}  of these left by name, {} for want of a word, {} taken apart",
            pass.events_left_by_name, pass.events_left_by_needle, pass.events_read,
        );
        if pass.bytes_spilled > 0 {
            let _ = writeln!(text, "{:>30}  bytes of rows waited on disk", pass.bytes_spilled);
        }
    }
    let mut reports: Vec<_> = summary.detections.iter().collect();
    reports.sort_by(|one, other| other.cpu_seconds.total_cmp(&one.cpu_seconds));
    for report in reports {
        let matched = report.matched_events.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let _ = writeln!(
            text,
            "{:>10.4}  {:>5.1}%  {matched:>10}  {:>10}  {}",
            report.cpu_seconds,
            share(report.cpu_seconds),
            report.rows,
            visible(&report.name),
        );
    }
    let read = summary.bytes_uncompressed as f64 / 1e6;
    let _ = writeln!(
        text,
        "{read:.0} MB of text in {reading:.3} CPU s of reading: {:.0} MB/s on one core",
        read / reading.max(f64::MIN_POSITIVE),
    );
    text
}

/// Returns the memory limit and the peak memory use of the searches as text.
pub(crate) fn memory(used: MemoryUse) -> String {
    let mebibytes = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    format!(
        "{:.1} of {:.0} MiB held in memory at most\n",
        mebibytes(used.peak),
        mebibytes(used.limit)
    )
}
