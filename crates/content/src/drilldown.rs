//! Drilldowns: searches that an analyst opens from a finding, with values of its row inserted.
//!
//! An attacker may have written the values, since they come from logs. So each value is inserted as
//! a quoted string, and cannot end the string, add a command or call a macro.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Span;
use spilltrail_spl::time::relative_time;

use crate::detection::Detection;
use crate::template::{NO_VALUE, Segment, Template};
use crate::yaml;

/// The placeholder for the detection's own search.
const ORIGINAL: &str = "%original_detection_search%";

/// The offsets that stand for the bounds of the detection's own search.
const MIN_TIME: &str = "$info_min_time$";
const MAX_TIME: &str = "$info_max_time$";

/// A drilldown as written in content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drilldown {
    /// The title.
    pub name: Template,
    /// The SPL, which may contain `$field$` tokens and `%original_detection_search%`.
    pub search: String,
    /// A time modifier or span, or `$info_min_time$`; empty if content has none.
    pub earliest_offset: String,
    /// A time modifier or span, or `$info_max_time$`; empty if content has none.
    pub latest_offset: String,
}

/// A drilldown of one finding, with the values inserted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilledDrilldown {
    /// The title.
    pub name: String,
    /// The SPL, without tokens.
    pub search: String,
    /// Start of the time range as written in content, with its tokens replaced.
    pub earliest_offset: String,
    /// End of the time range as written in content, with its tokens replaced.
    pub latest_offset: String,
    /// Start of the time range in seconds since the epoch; `None` if it is not bounded.
    #[serde(default)]
    pub earliest: Option<i64>,
    /// End of the time range, exclusive, in seconds since the epoch; `None` if it is not bounded.
    #[serde(default)]
    pub latest: Option<i64>,
}

/// The times from which the time range of a drilldown is computed, in seconds since the epoch.
#[derive(Debug, Clone, Copy, Default)]
pub struct DrilldownTimes {
    /// Start of the time range of the detection's search, `$info_min_time$`; `None` if it has none.
    pub earliest: Option<f64>,
    /// End of the time range of the detection's search, `$info_max_time$`; `None` if it has none.
    pub latest: Option<f64>,
    /// Time of the finding, from which offsets count; `None` if it is not known.
    pub finding: Option<f64>,
}

impl DrilldownTimes {
    /// Returns the start that an offset denotes; `None` if it sets no bound.
    fn earliest(&self, offset: &str) -> Option<i64> {
        match offset.trim() {
            MIN_TIME | "" => self.earliest.map(whole),
            offset => Some(whole(moved(self.finding?, '-', offset)?)),
        }
    }

    /// Returns the end that an offset denotes; `None` if it sets no bound.
    ///
    /// An end that would fall on the finding's last event comes just after it. A search without a
    /// range has seen nothing that the finding does not cover, so `$info_max_time$` ends there, too.
    fn latest(&self, offset: &str) -> Option<i64> {
        let after = |time: f64| whole(time) + 1;
        match offset.trim() {
            MAX_TIME | "" => self.latest.map(whole).or(self.finding.map(after)),
            offset => Some(after(moved(self.finding?, '+', offset)?)),
        }
    }
}

/// Returns the last whole second that is not after the time.
fn whole(time: f64) -> i64 {
    time.floor() as i64
}

/// Returns the time that an offset, such as `7d`, `-1mon@d` or `300`, leads to: before `time` for a
/// `-` sign, else after it. `None` if it is no offset.
fn moved(time: f64, sign: char, offset: &str) -> Option<f64> {
    let offset: String = offset.trim_start_matches(['-', '+']).split_whitespace().collect();
    let is_number = !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit());
    let unit = if is_number { "s" } else { "" };
    relative_time(time, &format!("{sign}{offset}{unit}"), &TimeZone::UTC)
}

impl Drilldown {
    /// Returns the bounds of the time range that are neither those of the search of the detection nor
    /// offsets, each with what it should be.
    #[must_use]
    pub fn unread_offsets(&self) -> Vec<(&'static str, &str)> {
        let bounds = [
            ("start of a time range", '-', self.earliest_offset.as_str()),
            ("end of a time range", '+', self.latest_offset.as_str()),
        ];
        let is_unread = |(_, sign, offset): &(&str, char, &str)| {
            let offset = offset.trim();
            let is_known =
                offset.is_empty() || [MIN_TIME, MAX_TIME, "now", "now()"].contains(&offset);
            !is_known && moved(0.0, *sign, offset).is_none()
        };
        let unread = bounds.into_iter().filter(is_unread);
        unread.map(|(what, _, offset)| (what, offset)).collect()
    }

    /// Returns the drilldown with the values of a row inserted.
    ///
    /// `original` is the detection's search; it is inserted unchanged, and a `$` in it does not
    /// start a token. `value` returns the values of a field, as for [`Template::render`].
    pub fn fill(
        &self,
        original: &str,
        times: DrilldownTimes,
        value: impl Fn(&str) -> Option<Vec<String>>,
    ) -> FilledDrilldown {
        let (earliest, latest) =
            (times.earliest(&self.earliest_offset), times.latest(&self.latest_offset));
        // `addinfo` gives 0 for the start of a search without a range.
        let info = |name: &str| match name {
            "info_min_time" => Some(times.earliest(MIN_TIME).unwrap_or(0).to_string()),
            "info_max_time" => {
                Some(times.latest(MAX_TIME).map_or_else(|| "now".to_owned(), |t| t.to_string()))
            }
            _ => None,
        };
        let value = |name: &str| value(name).or_else(|| Some(vec![info(name)?]));
        let offset = |offset: &str| Template::parse(offset).render(value);
        let mut search = String::new();
        for (index, part) in self.search.split(ORIGINAL).enumerate() {
            if index > 0 {
                search.push_str(original.trim());
            }
            search.push_str(&fill_search(part, &value));
        }
        FilledDrilldown {
            name: self.name.render(value),
            search,
            earliest_offset: offset(&self.earliest_offset),
            latest_offset: offset(&self.latest_offset),
            earliest,
            latest,
        }
    }
}

/// Returns a double-quoted SPL string that contains exactly `text`, apart from the replacements
/// below.
///
/// SPL has no escape for a backtick that reliably prevents a macro call, and none for a control
/// character, so these become `*`: the search may match more, but never runs anything else.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("\"{}\"", escape(text))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            '`' => escaped.push('*'),
            c if c.is_control() => escaped.push('*'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Replaces the tokens in a piece of SPL.
///
/// A bare token becomes a number if the value is one, so that `where` compares it as a number. Any
/// other bare token, or one alone within quotes, becomes a quoted string; a token among other text
/// within quotes becomes the inside of one. Several values become a list, and `field=$token$` then
/// becomes `field IN (…)`.
fn fill_search(text: &str, value: &impl Fn(&str) -> Option<Vec<String>>) -> String {
    let segments = Template::parse(text).segments;
    let mut filled = String::new();
    let mut in_quotes = false;
    let mut quote_taken = false;
    for (index, segment) in segments.iter().enumerate() {
        let name = match segment {
            Segment::Text(literal) => {
                let literal = if quote_taken {
                    literal.strip_prefix('"').unwrap_or(literal)
                } else {
                    literal
                };
                quote_taken = false;
                in_quotes = quoted_after(literal, in_quotes);
                filled.push_str(literal);
                continue;
            }
            Segment::Field(name) => name,
        };
        let values = match value(name) {
            Some(values) if !values.is_empty() => values,
            _ => vec![NO_VALUE.to_owned()],
        };
        let opened = in_quotes && filled.ends_with('"') && !filled.ends_with("\\\"");
        let closes =
            matches!(segments.get(index + 1), Some(Segment::Text(next)) if next.starts_with('"'));
        if opened && closes {
            filled.pop();
            in_quotes = false;
            quote_taken = true;
        }
        if in_quotes {
            filled.push_str(&escape(&values.join(", ")));
        } else if !quote_taken && values.len() == 1 && is_number(&values[0]) {
            filled.push_str(&values[0]);
        } else {
            push_values(&mut filled, &values);
        }
    }
    filled
}

fn push_values(filled: &mut String, values: &[String]) {
    let before = filled.trim_end();
    let compares = before.ends_with(['=', '<', '>']);
    let other = ["!=", "<=", ">=", "=="].iter().any(|operator| before.ends_with(operator));
    let equals = before.ends_with('=') && !other;
    if values.len() == 1 || !compares {
        let list: Vec<String> = values.iter().map(|value| quote(value)).collect();
        filled.push_str(&list.join(", "));
    } else if equals {
        let list: Vec<String> = values.iter().map(|value| quote(value)).collect();
        filled.truncate(before.len() - 1);
        filled.push_str(if filled.ends_with(' ') { "IN (" } else { " IN (" });
        filled.push_str(&list.join(", "));
        filled.push(')');
    } else {
        filled.push_str(&quote(&values.join(", ")));
    }
}

/// Returns true for plain decimal digits, which mean the same with and without quotes in `search`.
fn is_number(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    // A number with leading zeros is an id, which `where` would change.
    let is_padded = whole.len() > 1 && whole.starts_with('0');
    text.len() <= 15 && !is_padded && is_digits(whole) && is_digits(fraction)
}

/// Returns true if the end of `literal` is within quotes.
fn quoted_after(literal: &str, mut in_quotes: bool) -> bool {
    let mut escaped = false;
    for c in literal.chars() {
        in_quotes ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    in_quotes
}

impl Detection {
    /// Returns the place of a value of the drilldown at index `index`; that of the list if the file
    /// writes it in another way.
    #[must_use]
    pub fn drilldown_span(&self, text: &str, index: usize, value: &str) -> Option<Span> {
        let list = yaml::key_span(text, "drilldown_searches")?;
        let first = value.lines().next().map(str::trim).filter(|line| !line.is_empty());
        let from = list.start + "drilldown_searches".len();
        let rest = text.get(from..)?;
        // The names of drilldowns are where one begins.
        let of_name = self.drilldowns.get(index).map_or("", |drilldown| drilldown.name.source());
        let begin = rest.find(of_name).unwrap_or_default();
        let found = first.and_then(|line| {
            let start = from + begin + rest.get(begin..)?.find(line)?;
            Some(Span::new(start, start + line.len()))
        });
        found.or(Some(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_folder::TestFolder;
    use crate::{BuiltinPack, ContentSet};

    const TIMES: DrilldownTimes =
        DrilldownTimes { earliest: None, latest: None, finding: Some(1_000_000.5) };

    fn fill(search: &str) -> String {
        let drilldown = Drilldown {
            name: Template::parse("for $user$"),
            search: search.to_owned(),
            earliest_offset: "$info_min_time$".into(),
            latest_offset: String::new(),
        };
        let filled =
            drilldown.fill("`cloudtrail` x=y$ | rex \"^$user$\"", TIMES, |field| match field {
                "user" => Some(vec!["ann".into()]),
                "many" => Some(vec!["a".into(), "b".into()]),
                "n" => Some(vec!["12.5".into()]),
                "id" => Some(vec!["0012".into()]),
                "lines" => Some(vec!["a\nb".into()]),
                "evil" => Some(vec!["x\" | delete [search `all`] \\".into()]),
                _ => None,
            });
        assert_eq!(filled.name, "for ann");
        filled.search
    }

    #[test]
    fn values_are_quoted_where_they_stand() {
        let cases = [
            ("search user=$user$", "search user=\"ann\""),
            ("search user = \"$user$\" x=1", "search user = \"ann\" x=1"),
            ("search m=\"to $user$ now\"", "search m=\"to ann now\""),
            ("search f=$many$", "search f IN (\"a\", \"b\")"),
            ("search f = \"$many$\" g=2", "search f IN (\"a\", \"b\") g=2"),
            ("search f!=$many$", "search f!=\"a, b\""),
            ("search f IN ($many$, $user$)", "search f IN (\"a\", \"b\", \"ann\")"),
            ("search f IN (\"$many$\")", "search f IN (\"a\", \"b\")"),
            ("search m=\"all of $many$\"", "search m=\"all of a, b\""),
            ("search f=$gone$", "search f=\"(no value)\""),
            ("search f=\"\\\"$user$\"", "search f=\"\\\"ann\""),
            ("where count>$n$ AND id=$id$", "where count>12.5 AND id=\"0012\""),
            ("search n=\"$n$\"", "search n=\"12.5\""),
            ("search f=$lines$", "search f=\"a*b\""),
            (
                "search earliest=$info_min_time$ latest=$info_max_time$",
                "search earliest=0 latest=1000001",
            ),
        ];
        for (search, expected) in cases {
            assert_eq!(fill(search), expected, "{search}");
        }
    }

    #[test]
    fn time_ranges_are_instants() {
        let bounded = DrilldownTimes { earliest: Some(10.0), latest: Some(2_000_000.0), ..TIMES };
        let unknown = DrilldownTimes::default();
        let cases = [
            (
                TIMES,
                "$info_min_time$",
                "$info_max_time$",
                (None, Some(1_000_001)),
                ("0", "1000001"),
            ),
            (
                bounded,
                "$info_min_time$",
                "$info_max_time$",
                (Some(10), Some(2_000_000)),
                ("10", "2000000"),
            ),
            (TIMES, "7d", "0", (Some(395_200), Some(1_000_001)), ("7d", "0")),
            (TIMES, "300", "1h", (Some(999_700), Some(1_003_601)), ("300", "1h")),
            (unknown, "$info_min_time$", "$info_max_time$", (None, None), ("0", "now")),
            (unknown, "7d", "0", (None, None), ("7d", "0")),
            // The finding is of 1970-01-12 13:46:40.
            (TIMES, "1mon", "2q", (Some(-1_678_400), Some(16_638_401)), ("1mon", "2q")),
            (TIMES, "-1d@d", "1 hour", (Some(864_000), Some(1_003_601)), ("-1d@d", "1 hour")),
            (TIMES, "a week", "", (None, Some(1_000_001)), ("a week", "")),
        ];
        for (times, earliest, latest, range, texts) in cases {
            let drilldown = Drilldown {
                name: Template::parse("x"),
                search: String::new(),
                earliest_offset: earliest.into(),
                latest_offset: latest.into(),
            };
            let filled = drilldown.fill("", times, |_| None);
            assert_eq!((filled.earliest, filled.latest), range, "{earliest} {latest}");
            let offsets = (filled.earliest_offset.as_str(), filled.latest_offset.as_str());
            assert_eq!(offsets, texts, "{earliest} {latest}");
        }
    }

    #[test]
    fn a_value_cannot_change_the_search() {
        let inside = "x\\\" | delete [search *all*] \\\\";
        assert_eq!(fill("search f=$evil$ y=1"), format!("search f=\"{inside}\" y=1"));
        assert_eq!(fill("search f=\"$evil$\" y=1"), format!("search f=\"{inside}\" y=1"));
        assert_eq!(fill("search f=\"a $evil$ b\""), format!("search f=\"a {inside} b\""));
    }

    #[test]
    fn the_original_search_is_put_in_untouched() {
        assert_eq!(
            fill("%original_detection_search% | search user=$user$"),
            "`cloudtrail` x=y$ | rex \"^$user$\" | search user=\"ann\""
        );
    }

    #[test]
    fn places_of_drilldowns() {
        let text = "name: A\nid: a\ntype: TTP\nsearch: x\ndrilldown_searches:\n- name: one\n  \
                    search: y | z\n  earliest_offset: 7d\n- {name: two, search: \"y | z\"}\n";
        let folder = TestFolder::new("drilldowns", &[("detections/a.yml", text)]);
        let (set, _) = ContentSet::load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
        let detection = &set.detections[0];
        for (index, value, line, shown) in
            [(0, "y | z", 7, "y | z"), (1, "y | z", 9, "y | z"), (0, "7d", 8, "7d")]
        {
            let span = detection.drilldown_span(text, index, value).unwrap();
            let place = (text[..span.start].matches('\n').count() + 1, &text[span.start..span.end]);
            assert_eq!(place, (line, shown));
        }
    }
}
