//! Writes findings to standard output.

use std::io::{BufWriter, Result, Stdout, Write};

use jiff::tz::TimeZone;
use serde_json::json;
use spilltrail_app::Summary;
use spilltrail_detect::Finding;
use spilltrail_spl::time::strftime;

use super::digest::Digest;
use crate::arguments::{Format, HuntOptions};
use crate::json;
use crate::output::{csv_line, csv_record};

const CSV_COLUMNS: &[&str] = &[
    "id",
    "time",
    "detection",
    "type",
    "risk_score",
    "severity",
    "notable",
    "risk_message",
    "risk_objects",
    "threat_objects",
    "mitre_attack",
    "analytic_story",
    "evidence_search",
    "event_ids",
    "detection_id",
    "run_id",
    "first_seen",
    "last_seen",
    "events",
];

/// Writes findings as they arrive, except in text format, which sorts them by risk at the end.
pub(super) struct FindingWriter {
    format: Format,
    zone: TimeZone,
    out: BufWriter<Stdout>,
    digest: Digest,
    written: u64,
}

impl FindingWriter {
    pub(super) fn new(format: Format, unfolded: bool, zone: &TimeZone) -> Self {
        Self {
            format,
            zone: zone.clone(),
            out: BufWriter::new(std::io::stdout()),
            digest: Digest::new(unfolded),
            written: 0,
        }
    }

    /// Returns true if the output ends with a summary that says which detections were not run.
    pub(super) fn shows_causes(&self) -> bool {
        matches!(self.format, Format::Table)
    }

    pub(super) fn write(&mut self, finding: &Finding) -> Result<()> {
        match self.format {
            Format::Ndjson => {
                json::write(&mut self.out, finding)?;
                self.out.write_all(b"\n")?;
            }
            Format::Json => {
                self.begin_element()?;
                json::write(&mut self.out, finding)?;
            }
            Format::Csv => {
                if self.written == 0 {
                    self.out.write_all(header()?.as_bytes())?;
                }
                let cells = cells(finding, &self.zone);
                self.out.write_all(csv_record(cells.iter().map(String::as_str))?.as_bytes())?;
            }
            Format::Table => self.digest.add(finding),
        }
        self.written += 1;
        Ok(())
    }

    /// Writes the remaining findings and the summary.
    pub(super) fn finish(mut self, summary: &Summary, options: &HuntOptions) -> Result<()> {
        match self.format {
            Format::Ndjson if options.summary => {
                json::write(&mut self.out, &json!({ "summary": summary }))?;
                self.out.write_all(b"\n")?;
            }
            Format::Ndjson => {}
            Format::Json => {
                if options.summary {
                    self.begin_element()?;
                    json::write(&mut self.out, &json!({ "summary": summary }))?;
                    self.written += 1;
                }
                self.out.write_all(if self.written == 0 { b"[]\n" } else { b"\n]\n" })?;
            }
            Format::Csv => {
                if self.written == 0 {
                    self.out.write_all(header()?.as_bytes())?;
                }
            }
            Format::Table => {
                let is_detailed = options.all || options.summary;
                let text = super::text::render(self.digest, summary, is_detailed, &self.zone);
                self.out.write_all(text.as_bytes())?;
            }
        }
        self.out.flush()?;
        Ok(())
    }

    /// Writes the remaining findings of a hunt that was stopped before its end.
    pub(super) fn give_up(mut self) -> Result<()> {
        match self.format {
            Format::Json if self.written > 0 => self.out.write_all(b"\n]\n")?,
            Format::Table => {
                let text = super::text::render_findings(self.digest, &self.zone);
                self.out.write_all(text.as_bytes())?;
            }
            Format::Json | Format::Ndjson | Format::Csv => {}
        }
        self.out.flush()
    }

    fn begin_element(&mut self) -> Result<()> {
        self.out.write_all(if self.written == 0 { b"[\n" } else { b",\n" })?;
        Ok(())
    }
}

fn header() -> Result<String> {
    csv_line(CSV_COLUMNS.iter().copied())
}

/// Returns the CSV cells of a finding in the order of [`CSV_COLUMNS`], with lists joined by
/// semicolons.
fn cells(finding: &Finding, zone: &TimeZone) -> Vec<String> {
    let risk_objects: Vec<&str> =
        finding.risk_objects.iter().map(|object| object.value.as_str()).collect();
    let threats: Vec<&str> =
        finding.threat_objects.iter().map(|object| object.value.as_str()).collect();
    let notable = finding.notable_text.as_ref();
    let instant = |time: Option<f64>| {
        time.map(|time| strftime(time, "%Y-%m-%dT%H:%M:%S%:z", zone)).unwrap_or_default()
    };
    vec![
        finding.id.clone(),
        instant(finding.time),
        finding.detection.name.clone(),
        finding.detection.detection_type.to_string(),
        finding.risk_score.map(|score| score.to_string()).unwrap_or_default(),
        notable.map(|notable| notable.severity.to_string()).unwrap_or_default(),
        finding.notable.to_string(),
        finding.risk_message.clone().unwrap_or_default(),
        risk_objects.join("; "),
        threats.join("; "),
        finding.annotations.mitre_attack.join("; "),
        finding.annotations.analytic_story.join("; "),
        finding.evidence.search.clone(),
        finding.evidence.event_ids.join("; "),
        finding.detection.id.clone(),
        finding.run_id.clone(),
        instant(finding.first_seen),
        instant(finding.last_seen),
        finding.evidence.events.map(|events| events.to_string()).unwrap_or_default(),
    ]
}
