//! Selects detections by name, type, score, story and technique.

use std::collections::BTreeSet;

use spilltrail_content::{ContentSet, Detection, Risk, attack};
use spilltrail_event::{CaseRule, Pattern};

use crate::error::AppError;

/// Most existing values that an error lists.
const MOST_LISTED: usize = 12;

/// Conditions that a detection must meet; an empty list sets none.
///
/// Texts ignore case, and `*` stands for any characters. A detection meets a list if it meets any
/// of its members.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names, ids or file names.
    pub detections: Vec<String>,
    /// Types, such as `TTP`.
    pub types: Vec<String>,
    /// The lowest risk score, which is that of the detection's riskiest risk object. A detection
    /// without risk objects has none and does not meet it.
    pub min_score: Option<u32>,
    /// Names of analytic stories.
    pub stories: Vec<String>,
    /// Ids of ATT&CK techniques; a technique includes its subtechniques.
    pub techniques: Vec<String>,
    /// Names, ids or file names of detections to leave out.
    pub exclude: Vec<String>,
}

/// A list of conditions: how the values that meet it are called, and what a detection has of them.
type Condition<'a> = (&'static str, &'a [String], fn(&Detection) -> Vec<String>);

impl Selection {
    /// Returns true if there is no condition.
    #[must_use]
    pub fn is_all(&self) -> bool {
        let Self { detections, types, min_score, stories, techniques, exclude } = self;
        let lists = [detections, types, stories, techniques, exclude];
        min_score.is_none() && lists.iter().all(|list| list.is_empty())
    }

    /// Returns true if a detection is asked for by itself: a pattern, a type or a story is no such thing.
    #[must_use]
    pub fn names(&self, detection: &Detection) -> bool {
        self.detections.iter().any(|name| !name.contains('*') && is_named(detection, name))
    }

    /// Returns the indexes of the detections that meet the conditions, in the order of the content,
    /// or of the names if there are any.
    ///
    /// # Errors
    /// Fails if a value meets no detection, if no detection meets all conditions, or if the content
    /// has no detections.
    pub fn choose(&self, set: &ContentSet) -> Result<Vec<usize>, AppError> {
        if set.detections.is_empty() {
            return Err(AppError::NoDetections);
        }
        let mut chosen = named(&self.detections, set)?;
        let conditions: [Condition<'_>; 3] = [
            ("type", &self.types, |detection| vec![detection.detection_type.to_string()]),
            ("story", &self.stories, |detection| detection.analytic_story.clone()),
            ("technique", &self.techniques, |detection| with_parents(&detection.mitre_attack_id)),
        ];
        for (what, wanted, values) in conditions {
            check(what, wanted, values, set)?;
            let patterns: Vec<Pattern> = wanted.iter().map(|text| pattern(text)).collect();
            let meets = |detection: &Detection| {
                let values = values(detection);
                patterns.iter().any(|pattern| values.iter().any(|value| pattern.matches(value)))
            };
            chosen.retain(|index| wanted.is_empty() || meets(&set.detections[*index]));
        }
        if let Some(least) = self.min_score {
            chosen.retain(|index| score(&set.detections[*index]) >= Some(least));
        }
        if !self.exclude.is_empty() {
            let left_out = named(&self.exclude, set)?;
            chosen.retain(|index| !left_out.contains(index));
        }
        if chosen.is_empty() { Err(self.nothing_left(set)) } else { Ok(chosen) }
    }

    fn nothing_left(&self, set: &ContentSet) -> AppError {
        let highest = set.detections.iter().filter_map(score).max();
        let help = match (self.min_score, highest) {
            (Some(least), Some(highest)) if highest < least => {
                format!("the highest score is {highest}")
            }
            _ => "each of the filters is met, but not by the same detection".to_owned(),
        };
        AppError::NothingSelected { what: "no detection meets all filters".to_owned(), help }
    }
}

fn score(detection: &Detection) -> Option<u32> {
    detection.risk.as_ref().and_then(Risk::score)
}

/// Returns techniques with those that they are subtechniques of, and with those that have replaced
/// them: who asks for a current technique means detections with its former id, too.
fn with_parents(techniques: &[String]) -> Vec<String> {
    let current = techniques.iter().filter_map(|id| attack::replacement(id).map(str::to_owned));
    let all: Vec<String> = techniques.iter().cloned().chain(current).collect();
    let parents = all.iter().filter_map(|id| Some(id.split_once('.')?.0.to_owned()));
    let parents: Vec<String> = parents.collect();
    all.into_iter().chain(parents).collect()
}

/// Returns the pattern for what a user writes, as in allow-lists.
fn pattern(text: &str) -> Pattern {
    Pattern::new(text.trim(), CaseRule::Ignore)
}

/// Returns the indexes of the named detections without duplicates; those of all if there is no name.
fn named(names: &[String], set: &ContentSet) -> Result<Vec<usize>, AppError> {
    let all = &set.detections;
    if names.is_empty() {
        return Ok((0..all.len()).collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let found: Vec<usize> = if name.contains('*') {
            (0..all.len()).filter(|index| is_named(&all[*index], name)).collect()
        } else {
            let found = set.detection(name);
            let is_found =
                |other: &Detection| found.is_some_and(|found| std::ptr::eq(other, found));
            all.iter().position(is_found).into_iter().collect()
        };
        if found.is_empty() {
            return Err(no_such_detection(name, set));
        }
        for index in found {
            if !chosen.contains(&index) {
                chosen.push(index);
            }
        }
    }
    Ok(chosen)
}

/// Returns true if the name, the id or the file name of a detection fits a pattern.
pub(crate) fn is_named(detection: &Detection, text: &str) -> bool {
    let pattern = pattern(text);
    let known = [&detection.name, &detection.id, &detection.file_stem];
    known.into_iter().any(|known| pattern.matches(known))
}

/// Returns the detections of whose name, id or file name a text is a part, or which it fits as a
/// pattern. The words of the text may be apart.
pub(crate) fn fitting<'a>(text: &str, set: &'a ContentSet) -> Vec<&'a Detection> {
    let words: Vec<String> = text.split_whitespace().map(|word| format!("*{word}*")).collect();
    let fits = |detection: &&Detection| {
        let is_pattern = text.contains('*');
        is_named(detection, text)
            || (!is_pattern
                && !words.is_empty()
                && words.iter().all(|word| is_named(detection, word)))
    };
    set.detections.iter().filter(fits).collect()
}

/// Returns the error that no detection has a name, with the nearest name: one with few other
/// letters, or the shortest that has all of the words.
pub(crate) fn no_such_detection(name: &str, set: &ContentSet) -> AppError {
    let known = || set.detections.iter().map(|detection| detection.name.as_str());
    let plain = name.replace('*', " ");
    let similar = spilltrail_diagnostic::similar(name, known()).or_else(|| {
        let fitting = fitting(&plain, set).into_iter().map(|detection| detection.name.as_str());
        fitting.min_by_key(|name| (name.len(), *name))
    });
    // At last, one with a word that differs in few letters.
    let similar = similar.or_else(|| {
        let word = plain.split_whitespace().max_by_key(|word| word.len())?.to_lowercase();
        let words: Vec<String> =
            known().flat_map(str::split_whitespace).map(str::to_lowercase).collect();
        let word = spilltrail_diagnostic::similar(&word, words.iter().map(String::as_str))?;
        known().find(|name| name.to_lowercase().split_whitespace().any(|other| other == word))
    });
    AppError::NoSuchDetection { name: name.to_owned(), similar: similar.map(str::to_owned) }
}

/// Checks that each wanted value is one that a detection has.
fn check(
    what: &str,
    wanted: &[String],
    values: fn(&Detection) -> Vec<String>,
    set: &ContentSet,
) -> Result<(), AppError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let known: BTreeSet<String> = set.detections.iter().flat_map(values).collect();
    for wanted in wanted {
        let pattern = pattern(wanted);
        if known.iter().any(|value| pattern.matches(value)) {
            continue;
        }
        let similar = spilltrail_diagnostic::similar(wanted, known.iter().map(String::as_str));
        let help = match similar {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!("there are {}", listed(&known)),
        };
        let what = format!("no detection has the {what} `{wanted}`");
        return Err(AppError::NothingSelected { what, help });
    }
    Ok(())
}

/// Returns the first values of a list, with the number of the others.
fn listed(values: &BTreeSet<String>) -> String {
    let shown: Vec<String> =
        values.iter().take(MOST_LISTED).map(|value| format!("`{value}`")).collect();
    match values.len().saturating_sub(MOST_LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_content::BuiltinPack;

    use super::*;

    fn names(selection: &Selection) -> Result<Vec<String>, String> {
        let (set, _) = ContentSet::load(&[], BuiltinPack::Included);
        let chosen = selection.choose(&set).map_err(|error| error.to_string())?;
        Ok(chosen.iter().map(|index| set.detections[*index].name.clone()).collect())
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn filters_are_met_together() {
        let all = names(&Selection::default()).unwrap();
        let snapshots =
            names(&Selection { detections: texts(&["*snapshot*"]), ..Selection::default() })
                .unwrap();
        assert!(snapshots.len() > 1 && snapshots.len() < all.len(), "{snapshots:?}");
        assert!(snapshots.iter().all(|name| name.contains("Snapshot")), "{snapshots:?}");
        let exclude = texts(&["AWS EBS*"]);
        let fewer = names(&Selection {
            detections: texts(&["*snapshot*"]),
            exclude: exclude.clone(),
            types: texts(&["ttp"]),
            min_score: Some(1),
            ..Selection::default()
        })
        .unwrap();
        assert!(fewer.len() < snapshots.len(), "{fewer:?}");
        let parents = Selection { techniques: texts(&["t1555"]), ..Selection::default() };
        let with_parents = names(&parents).unwrap();
        assert!(with_parents.contains(&"AWS Bulk Retrieval of Secrets Manager Secrets".to_owned()));
    }

    #[test]
    fn a_filter_that_nothing_meets_names_what_is_near() {
        let none = Selection::default;
        let cases = [
            (
                Selection { types: texts(&["TPT"]), ..none() },
                "no detection has the type `TPT`; did you mean `TTP`?",
            ),
            (
                Selection { techniques: texts(&["T1538"]), ..none() },
                "no detection has the technique `T1538`; did you mean `T1530`?",
            ),
            (
                Selection { min_score: Some(101), ..none() },
                "no detection meets all filters; the highest score is ",
            ),
            (
                Selection { exclude: texts(&["*"]), ..none() },
                "no detection meets all filters; each of the filters is met",
            ),
            (
                Selection {
                    detections: texts(&["AWS EBS Snapshot Shared Outside the Acount"]),
                    ..none()
                },
                "there is no detection `AWS EBS Snapshot Shared Outside the Acount`; did you mean `AWS EBS",
            ),
            (
                Selection { exclude: texts(&["nothing*"]), ..none() },
                "there is no detection `nothing*`",
            ),
            (
                Selection { stories: texts(&["Zzz"]), ..none() },
                "no detection has the story `Zzz`; there are `",
            ),
        ];
        for (selection, expected) in cases {
            let error = names(&selection).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
