//! Finds misspelled names of filter macros: where nothing defines such a macro, it is empty.

use spilltrail_content::{ContentSet, Detection};
use spilltrail_diagnostic::{Code, Diagnostic, Span, edit_distance};
use spilltrail_search::analysis::Analysis;

/// What the names of filter macros end with.
const END: &str = "_filter";

/// The most edits that make one name of another by mistake.
const MOST_EDITS: usize = 2;

/// Returns warnings about filter macros that nothing defines, and that have nearly the name of the
/// detection's own one or of one that is defined. Spans refer to the search as written.
pub(super) fn misspelled(
    detection: &Detection,
    set: &ContentSet,
    analysis: &Analysis,
) -> Vec<Diagnostic> {
    let own = detection.filter_macro();
    let defined = set.macros.iter().filter(|one| one.name.ends_with(END));
    let defined: Vec<&str> = defined.map(|one| one.name.as_str()).collect();
    let of_name = filter_of(&detection.name);
    let is_right = |name: &str| name == own || name == of_name || defined.contains(&name);
    let mut found = Vec::new();
    for (name, span) in called(&analysis.text).into_iter().filter(|(name, _)| !is_right(name)) {
        let names = [own.as_str(), of_name.as_str()].into_iter().chain(defined.iter().copied());
        let near = names.map(|other| (edit_distance(name, other), other));
        let Some((_, meant)) = near.filter(|(edits, _)| *edits <= MOST_EDITS).min() else {
            continue;
        };
        let message = format!("nothing defines the macro `{name}`, and it filters nothing");
        let help = format!("did you mean `{meant}`?");
        found.push(Diagnostic::warning(Code::UNKNOWN_MACRO, message).at(span).help(help));
    }
    found
}

/// Returns the filter macro of a detection of this name, as Splunk's tool makes it.
fn filter_of(name: &str) -> String {
    let plain = |c: char| if matches!(c, ' ' | '-' | '.' | '/') { '_' } else { c };
    format!("{}{END}", name.to_lowercase().chars().map(plain).collect::<String>())
}

/// Returns the calls of filter macros without arguments, with the places of their names.
fn called(search: &str) -> Vec<(&str, Span)> {
    let mut found = Vec::new();
    let mut start = 0;
    for (place, piece) in search.split('`').enumerate() {
        let name = piece.trim();
        if place % 2 == 1 && name.len() > END.len() && name.ends_with(END) {
            let at = start + piece.len() - piece.trim_start().len();
            found.push((name, Span::new(at, at + name.len())));
        }
        start += piece.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_names_of_filters() {
        let search = "`cloudtrail` a=1 | `security_content_ctime(t)` | ` b_filter ` | `_filter`";
        let names = called(search);
        assert_eq!(names, [("b_filter", Span::new(51, 59))]);
        assert_eq!(&search[51..59], "b_filter");
        assert_eq!(filter_of("AWS - New/Login v1.0"), "aws___new_login_v1_0_filter");
    }
}
