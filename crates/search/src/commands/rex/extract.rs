//! Extraction of fields with the named groups of a regular expression.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Span;
use spilltrail_eval::limits;
use spilltrail_eval::regex::{Captures, Regex};
use spilltrail_event::Value;

use crate::operators::RowFunction;
use crate::rows::state::state_of;

/// A regular expression whose named groups become fields.
#[derive(Debug, Deserialize)]
#[serde(try_from = "State")]
pub(super) struct Extract {
    pattern: String,
    regex: Regex,
    /// The group numbers of each field: with `(?J)`, several groups may have the same name.
    groups: Vec<Vec<usize>>,
    fields: Vec<String>,
    max_matches: usize,
    has_offsets: bool,
}

/// The serialized form of [`Extract`].
#[derive(Debug, Serialize, Deserialize)]
struct State {
    pattern: String,
    max_matches: usize,
    offset_field: Option<String>,
}

impl TryFrom<State> for Extract {
    type Error = String;

    fn try_from(State { pattern, max_matches, offset_field }: State) -> Result<Self, String> {
        let regex = Regex::compile(&pattern, Span::default()).map_err(|error| error.message)?;
        Ok(Self::new(pattern, regex, max_matches, offset_field))
    }
}

impl Extract {
    /// Returns the extraction. At most `max_matches` matches of a value are used; 0 means all.
    pub(super) fn new(
        pattern: String,
        regex: Regex,
        max_matches: usize,
        offset_field: Option<String>,
    ) -> Self {
        let mut fields: Vec<String> = Vec::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (number, name) in regex.group_names().iter().enumerate() {
            let Some(name) = name else { continue };
            match fields.iter().position(|known| known == name) {
                Some(index) => groups[index].push(number),
                None => {
                    fields.push(name.clone());
                    groups.push(vec![number]);
                }
            }
        }
        let offset_field = offset_field.filter(|_| !fields.is_empty());
        let has_offsets = offset_field.is_some();
        fields.extend(offset_field);
        Self { pattern, regex, groups, fields, max_matches, has_offsets }
    }

    /// Returns the fields that the extraction sets: those of the groups, then the offset field if
    /// there is one.
    pub(super) fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Returns true if one input value can give several values of a field.
    pub(super) fn is_multiple(&self) -> bool {
        self.max_matches != 1
    }

    /// Returns the values of each field, which has none if no match includes its group.
    fn found<'a>(&self, values: &[Cow<'a, str>]) -> Vec<Vec<Cow<'a, str>>> {
        let mut found: Vec<Vec<Cow<'a, str>>> = vec![Vec::new(); self.fields.len()];
        // Groups in lookaheads may overlap, so the extracted texts can be far larger than the input
        // and their size is limited.
        let mut bytes = 0;
        for value in values {
            let mut left = if self.max_matches == 0 { usize::MAX } else { self.max_matches };
            self.regex.each_match(value, |groups| {
                for (slot, numbers) in self.groups.iter().enumerate() {
                    if let Some(text) = numbers.iter().find_map(|number| groups.get(*number)) {
                        bytes += text.len() + limits::MEMBER;
                        found[slot].push(Cow::Owned(text.to_owned()));
                    }
                }
                if self.has_offsets {
                    let offsets = self.offsets(value, groups);
                    found[self.groups.len()].push(Cow::Owned(offsets));
                }
                left -= 1;
                left > 0 && limits::allows("rex", bytes)
            });
        }
        found
    }

    /// Returns the positions of a match's groups as `name=first-last&…`, in characters from 0.
    fn offsets(&self, value: &str, groups: &Captures<'_>) -> String {
        let characters = |end: usize| value.get(..end).map_or(0, |before| before.chars().count());
        let places = self.fields.iter().zip(&self.groups).filter_map(|(name, numbers)| {
            let range = numbers.iter().find_map(|number| groups.range(*number))?;
            let (start, end) = (characters(range.start), characters(range.end));
            Some(format!("{name}={start}-{}", end.saturating_sub(1)))
        });
        places.collect::<Vec<_>>().join("&")
    }
}

impl RowFunction for Extract {
    fn name(&self) -> &'static str {
        "rex"
    }

    fn state(&self) -> String {
        let offset_field = self.fields.last().filter(|_| self.has_offsets).cloned();
        let (pattern, max_matches) = (self.pattern.clone(), self.max_matches);
        state_of(&State { pattern, max_matches, offset_field })
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let found = self.found(&inputs[0].members());
        for (output, members) in outputs.iter_mut().zip(found) {
            if !members.is_empty() {
                let owned = members.into_iter().map(|text| Cow::Owned(text.into_owned()));
                *output = Value::multi(owned.collect());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pattern: &str, max_matches: usize, values: &[&str]) -> Vec<Vec<String>> {
        let regex = Regex::new(pattern).unwrap();
        let offsets = Some("at".to_owned());
        let extract = Extract::new(pattern.to_owned(), regex, max_matches, offsets);
        let values: Vec<Cow<'_, str>> = values.iter().map(|value| Cow::Borrowed(*value)).collect();
        let owned = |list: Vec<Cow<'_, str>>| list.into_iter().map(Cow::into_owned).collect();
        extract.found(&values).into_iter().map(owned).collect()
    }

    #[test]
    fn groups_and_offsets() {
        assert_eq!(run("(?<x>b+)(?P<y>c)?", 1, &["äbbd"]), [vec!["bb"], vec![], vec!["x=1-2"]]);
        assert_eq!(run("(?<x>a)(?<y>b)", 1, &["ab"])[2], ["x=0-0&y=1-1"]);
        assert_eq!(run("(?<x>z)", 1, &["ab"]), [Vec::<String>::new(), vec![]]);
    }

    #[test]
    fn limits_count_for_each_value() {
        assert_eq!(run(r"(?<x>\d)", 2, &["123", "45"])[0], ["1", "2", "4", "5"]);
        assert_eq!(run(r"(?<x>\d)", 0, &["123"])[0], ["1", "2", "3"]);
        assert_eq!(run(r"(?J)a(?<x>\d)|b(?<x>\d)", 0, &["a1b2"])[0], ["1", "2"]);
    }
}
