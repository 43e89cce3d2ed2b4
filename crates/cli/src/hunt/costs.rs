//! Renders the time and memory costs of a hunt as text.

use std::fmt::Write;

use spilltrail_app::{MemoryUse, Summary};
use spilltrail_diagnostic::visible;

use crate::lines::flow;

/// Returns the costs of reading the logs, then those of each detection, most expensive first.
///
/// In lines of at most `width` columns, a name that does not fit behind the figures goes on below.
pub(super) fn render(summary: &Summary, width: usize) -> String {
    let mut text = String::new();
    let reading: f64 = summary.passes.iter().map(|pass| pass.cpu_seconds).sum();
    let running: f64 = summary.detections.iter().map(|report| report.cpu_seconds).sum();
    let total = (reading + running + summary.now_cpu_seconds).max(f64::MIN_POSITIVE);
    let share = |seconds: f64| 100.0 * seconds / total;
    let _ = writeln!(text, "     CPU s   share      events        rows");
    if summary.now_cpu_seconds > 0.0 {
        let (seconds, share) = (summary.now_cpu_seconds, share(summary.now_cpu_seconds));
        let head = format!("{seconds:>10.4}  {share:>5.1}%  {:>10}  {:>10}  ", "-", "-");
        row(&mut text, &head, "looking for the newest event, which is now", width);
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
        let of_these = format!(
            "of these left by name, {} for want of a word, {} taken apart",
            pass.events_left_by_needle, pass.events_read,
        );
        let head = format!("{:>30}  ", pass.events_left_by_name);
        row(&mut text, &head, &of_these, width);
        if pass.bytes_spilled > 0 {
            let _ = writeln!(text, "{:>30}  bytes of rows waited on disk", pass.bytes_spilled);
        }
    }
    let mut reports: Vec<_> = summary.detections.iter().collect();
    reports.sort_by(|one, other| other.cpu_seconds.total_cmp(&one.cpu_seconds));
    for report in reports {
        let matched = report.matched_events.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let (seconds, share) = (report.cpu_seconds, share(report.cpu_seconds));
        let head = format!("{seconds:>10.4}  {share:>5.1}%  {matched:>10}  {:>10}  ", report.rows);
        row(&mut text, &head, &visible(&report.name), width);
    }
    let read = summary.bytes_uncompressed as f64 / 1e6;
    let _ = writeln!(
        text,
        "{read:.0} MB of text in {reading:.3} CPU s of reading: {:.0} MB/s on one core",
        read / reading.max(f64::MIN_POSITIVE),
    );
    text
}

/// Appends figures and what they are of.
fn row(text: &mut String, figures: &str, what: &str, width: usize) {
    // On a narrow terminal, a line below has more room than the column of the names.
    let next = " ".repeat(figures.len().min(width / 3));
    for line in flow(figures, what, &next, width) {
        let _ = writeln!(text, "{}", line.trim_end());
    }
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
