//! The report as one HTML page, without scripts or anything from elsewhere.

use std::fmt::Write;

use indexmap::IndexMap;
use spilltrail_app::check::{CheckReport, CheckStatus, CheckedSearch, Told};
use spilltrail_diagnostic::{Code, Severity, visible};

use super::text::{file_of, place, summary, title, unfed};
use crate::report::separated;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}\
.counts{display:flex;flex-wrap:wrap;gap:1rem;padding:0;list-style:none}\
.counts li{border:1px solid #8886;border-radius:6px;padding:.5rem 1rem}\
.counts b{display:block;font-size:1.4rem}\
details{border-top:1px solid #8884;padding:.4rem 0}\
summary{cursor:pointer}summary b{display:inline-block;min-width:3.5rem;text-align:right;margin-right:.8rem}\
ul{margin:.4rem 0 .6rem 4.3rem;padding:0}li{margin:.2rem 0;overflow-wrap:anywhere}\
code,.place{font:13px/1.4 ui-monospace,monospace}.place,.help{opacity:.75}\
.error{color:#c62828}.unsupported{color:#8d6e00}.runs{color:#2e7d32}\
@media(prefers-color-scheme:dark){.error{color:#ff8a80}.unsupported{color:#ffd54f}.runs{color:#a5d6a7}}";

/// Returns the page.
pub(super) fn page(report: &CheckReport) -> String {
    let mut page = String::new();
    let summary = escaped(&summary(report));
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>Check of detections</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>Check of detections</h1>\n<p>{summary}</p>\n"
    );
    counts(report, &mut page);
    for (severity, heading) in [
        (Severity::Error, "Errors"),
        (Severity::Unsupported, "What is not supported"),
        (Severity::Warning, "Warnings"),
    ] {
        section(report, severity, heading, &mut page);
    }
    if let Some(note) = unfed(report) {
        let _ = writeln!(page, "<p>Note: {}</p>", escaped(&note));
    }
    detections(report, &mut page);
    page.push_str("</body>\n</html>\n");
    page
}

fn counts(report: &CheckReport, page: &mut String) {
    let counts = &report.counts;
    page.push_str("<ul class=\"counts\">\n");
    for (name, count) in [
        ("runs", counts.runs),
        ("unsupported", counts.unsupported),
        ("error", counts.error),
        ("warnings", counts.warnings),
    ] {
        let count = separated(count);
        let _ = writeln!(page, "<li class=\"{name}\"><b>{count}</b> {name}</li>");
    }
    page.push_str("</ul>\n");
}

/// Adds the messages of a severity, by what they say. Warnings of a code are together, because each
/// names a field or a call of its own.
fn section(report: &CheckReport, severity: Severity, heading: &str, page: &mut String) {
    let mut causes: IndexMap<(Code, &str), Vec<&Told>> = IndexMap::new();
    for told in report.told().filter(|told| told.diagnostic.severity == severity) {
        let diagnostic = &told.diagnostic;
        let cause = match severity {
            Severity::Unsupported => diagnostic.message.as_str(),
            Severity::Warning | Severity::Error => title(diagnostic.code),
        };
        causes.entry((diagnostic.code, cause)).or_default().push(told);
    }
    if causes.is_empty() {
        return;
    }
    causes.sort_by(|a, m, b, n| n.len().cmp(&m.len()).then(a.cmp(b)));
    let _ = writeln!(page, "<h2>{heading}</h2>");
    for ((code, cause), all) in causes {
        let (count, cause) = (separated(all.len() as u64), escaped(cause));
        let _ = writeln!(
            page,
            "<details><summary><b>{count}</b>{cause} <code>{code}</code></summary>\n<ul>"
        );
        all.into_iter().for_each(|told| message(told, page));
        page.push_str("</ul></details>\n");
    }
}

fn message(told: &Told, page: &mut String) {
    let diagnostic = &told.diagnostic;
    let help = diagnostic
        .help
        .as_ref()
        .map(|help| format!("<br><span class=\"help\">{}</span>", escaped(help)));
    let _ = writeln!(
        page,
        "<li>{} <code>{}</code><br><span class=\"place\">{}</span>{}</li>",
        escaped(&diagnostic.message),
        diagnostic.code,
        escaped(&place(told)),
        help.unwrap_or_default()
    );
}

/// Adds the detections, those with errors first.
fn detections(report: &CheckReport, page: &mut String) {
    page.push_str("<h2>Detections</h2>\n");
    for status in [CheckStatus::Error, CheckStatus::Unsupported, CheckStatus::Runs] {
        let all: Vec<&CheckedSearch> =
            report.detections.iter().filter(|detection| detection.status == status).collect();
        if all.is_empty() {
            continue;
        }
        let (count, name) = (separated(all.len() as u64), status.name());
        let _ = writeln!(
            page,
            "<details><summary><b>{count}</b><span class=\"{name}\">{name}</span></summary>\n<ul>"
        );
        for detection in all {
            let file = escaped(&file_of(detection.file.as_deref()));
            let name = escaped(&detection.name);
            let _ = writeln!(page, "<li>{name}<br><span class=\"place\">{file}</span></li>");
        }
        page.push_str("</ul></details>\n");
    }
}

/// Returns text as HTML shows it.
fn escaped(text: &str) -> String {
    quick_xml::escape::escape(visible(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escaped("<b a='1' b=\"2\">&"), "&lt;b a=&apos;1&apos; b=&quot;2&quot;&gt;&amp;");
    }
}
