//! Checks the searches and time ranges of drilldowns, which an analyst opens from a finding.

use spilltrail_content::{ContentProblem, ContentSet, Detection, DrilldownTimes};
use spilltrail_diagnostic::{Code, Diagnostic, Few, Severity};
use spilltrail_search::analysis::analyze;

/// What stands for the search of the detection, which is checked by itself.
const ORIGINAL: &str = "*";

/// What stands for the values of a finding: it fits wherever a text or a number does.
const VALUE: &str = "1";

/// Returns what is wrong with the drilldowns of a detection, as warnings: the detection runs without
/// them.
pub(super) fn problems(detection: &Detection, set: &ContentSet) -> Vec<ContentProblem> {
    if detection.drilldowns.is_empty() {
        return Vec::new();
    }
    let Some(source_text) = detection.source_text() else { return Vec::new() };
    let mut found = Few::new("mistakes in drilldowns");
    for (index, drilldown) in detection.drilldowns.iter().enumerate() {
        let name = drilldown.name.source();
        let mut add = |told: Diagnostic, value: &str| {
            found.add(|| {
                let message = format!("the drilldown `{name}`: {}", told.message);
                let warning = Diagnostic::warning(told.code, message);
                let warning = match told.help {
                    Some(help) => warning.help(help),
                    None => warning,
                };
                match detection.drilldown_span(&source_text, index, value) {
                    Some(span) => warning.at(span),
                    None => warning,
                }
            });
        };
        let value = |name: &str| (!name.starts_with("info_")).then(|| vec![VALUE.to_owned()]);
        let filled = drilldown.fill(ORIGINAL, DrilldownTimes::default(), value);
        for told in analyze(&filled.search, &set.macros).diagnostics() {
            if told.severity > Severity::Warning {
                add(told, &drilldown.search);
            }
        }
        for (key, offset) in drilldown.unread_offsets() {
            let message = format!("`{offset}` is no {key}");
            let help = "write `$info_min_time$` or `$info_max_time$`, or how long before or after \
                        the finding, such as `7d`";
            add(Diagnostic::warning(Code::UNKNOWN_VALUE, message).help(help), offset);
        }
    }
    let problem = |diagnostic| ContentProblem {
        path: detection.path.clone(),
        diagnostic,
        source_text: source_text.clone(),
    };
    found.into_vec().into_iter().map(problem).collect()
}
