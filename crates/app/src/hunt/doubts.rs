//! Adds what is most likely a mistake in a detection's search to its outcome.

use spilltrail_detect::{DetectionRun, Missing, Status};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_search::analysis::{Analysis, Weight};
use spilltrail_spl::Doubt;

/// Adds the doubts about a search to the messages of its run. `named` are those that follow from the
/// logs. Returns the mistake with which the search can return no row, if that is why it has none; the
/// status then says that it cannot fire.
pub(crate) fn add(
    run: &mut DetectionRun,
    analysis: &Analysis,
    named: Vec<Doubt>,
) -> Option<String> {
    let found_nothing =
        matches!(run.status, Status::Clean | Status::NoSuchEvents | Status::CannotFire(_));
    if !found_nothing && run.status != Status::Fired {
        return None;
    }
    // Planning warns of these names. In a condition, or where a group lacks its field, they are why
    // there is no row.
    let explains = matches!(run.status, Status::CannotFire(_)) || analysis.has_dotted_condition();
    let is_dotted = |message: &&Diagnostic| explains && message.code == Code::DOTTED_NAME;
    let mut mistake = run.messages.iter().find(is_dotted).map(|message| message.message.clone());
    for doubt in analysis.doubts() {
        if !doubt.weight.is_told(found_nothing) {
            continue;
        }
        if doubt.weight == Weight::NeverMet {
            mistake.get_or_insert_with(|| doubt.diagnostic.message.clone());
        }
        run.messages.push(doubt.diagnostic);
    }
    for doubt in named.iter().filter(|doubt| doubt.weight == Weight::NeverMet) {
        mistake.get_or_insert_with(|| doubt.diagnostic.message.clone());
    }
    let is_told = |warning: &Diagnostic| {
        warning.span().is_some() && run.messages.iter().any(|told| told.span() == warning.span())
    };
    let named = named.into_iter().map(|doubt| doubt.diagnostic);
    let named: Vec<Diagnostic> = named.filter(|warning| !is_told(warning)).collect();
    run.messages.extend(named);
    let mistake = mistake.filter(|_| found_nothing)?;
    if !matches!(run.status, Status::CannotFire(_)) {
        let rows = run.matched_events.unwrap_or_default();
        run.status = Status::CannotFire(Missing { fields: Vec::new(), rows });
    }
    Some(mistake)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use spilltrail_content::{BuiltinPack, ContentSet};
    use spilltrail_diagnostic::Severity;
    use spilltrail_search::analysis::analyze;

    use super::*;

    /// Every search is expanded and read to its end; what is not supported is named.
    #[test]
    fn published_searches_are_read() {
        let folders: Vec<PathBuf> =
            std::env::var_os("SPILLTRAIL_TEST_CONTENT").into_iter().map(PathBuf::from).collect();
        let (set, _) = ContentSet::load(&folders, BuiltinPack::Included);
        let wrong = |search: &str| -> Vec<String> {
            let diagnostics = analyze(search, &set.macros).diagnostics();
            let errors = diagnostics.into_iter().filter(|found| found.severity == Severity::Error);
            errors.map(|found| format!("{} {}", found.code, found.message)).collect()
        };
        assert_eq!(wrong("a=1 | stats count by b)").len(), 1, "a mistake is found");
        let mut found = Vec::new();
        for detection in set.detections.iter().chain(&set.baselines) {
            let wrong = wrong(&detection.search);
            found.extend(wrong.into_iter().map(|wrong| format!("{}: {wrong}", detection.name)));
        }
        assert_eq!(found, Vec::<String>::new());
    }

    /// The built-in searches, and published ones if `SPILLTRAIL_TEST_CONTENT` names their folder, are
    /// taken as right.
    #[test]
    fn published_searches_raise_no_doubt() {
        let folders: Vec<PathBuf> =
            std::env::var_os("SPILLTRAIL_TEST_CONTENT").into_iter().map(PathBuf::from).collect();
        let (set, _) = ContentSet::load(&folders, BuiltinPack::Included);
        // The lints are there: a mistake beside a built-in search is found.
        let mistaken = format!("{} | search a='b'", set.detections[0].search);
        assert!(!analyze(&mistaken, &set.macros).doubts().is_empty());
        let mut found = Vec::new();
        for detection in set.detections.iter().chain(&set.baselines) {
            for doubt in analyze(&detection.search, &set.macros).doubts() {
                if doubt.weight > Weight::IfNothing {
                    let (code, message) = (doubt.diagnostic.code, &doubt.diagnostic.message);
                    found.push(format!("{code} {}: {message}", detection.name));
                }
            }
        }
        assert_eq!(found, Vec::<String>::new());
    }
}
