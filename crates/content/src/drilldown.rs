//! Drilldowns: searches that an analyst opens from a finding, with values of its row inserted.
//!
//! An attacker may have written the values, since they come from logs. So each value is inserted as
//! a quoted string, and cannot end the string, add a command or call a macro.

use serde::{Deserialize, Serialize};

use crate::template::{NO_VALUE, Segment, Template};

/// The placeholder for the detection's own search.
const ORIGINAL: &str = "%original_detection_search%";

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
    /// Start of the time range as written in content, with its tokens unchanged.
    pub earliest_offset: String,
    /// End of the time range as written in content, with its tokens unchanged.
    pub latest_offset: String,
}

impl Drilldown {
    /// Returns the drilldown with the values of a row inserted.
    ///
    /// `original` is the detection's search; it is inserted unchanged, and a `$` in it does not
    /// start a token. `value` returns the values of a field, as for [`Template::render`].
    pub fn fill(
        &self,
        original: &str,
        value: impl Fn(&str) -> Option<Vec<String>>,
    ) -> FilledDrilldown {
        let mut search = String::new();
        for (index, part) in self.search.split(ORIGINAL).enumerate() {
            if index > 0 {
                search.push_str(original.trim());
            }
            search.push_str(&fill_search(part, &value));
        }
        FilledDrilldown {
            name: self.name.render(&value),
            search,
            earliest_offset: self.earliest_offset.clone(),
            latest_offset: self.latest_offset.clone(),
        }
    }
}

/// Returns a double-quoted SPL string that contains exactly `text`, apart from the replacements
/// below.
///
/// SPL has no escape for a backtick that reliably prevents a macro call, so a backtick becomes `*`:
/// the search may match more, but never runs anything else. Control characters become blanks.
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
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Replaces the tokens in a piece of SPL.
///
/// A bare token, or one alone within quotes, becomes a quoted string; a token among other text
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

/// Returns true if the end of `literal` is within quotes.
fn quoted_after(literal: &str, mut in_quotes: bool) -> bool {
    let mut escaped = false;
    for c in literal.chars() {
        in_quotes ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    in_quotes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(search: &str) -> String {
        let drilldown = Drilldown {
            name: Template::parse("for $user$"),
            search: search.to_owned(),
            earliest_offset: "$info_min_time$".into(),
            latest_offset: String::new(),
        };
        let filled = drilldown.fill("`cloudtrail` x=y$ | rex \"^$user$\"", |field| match field {
            "user" => Some(vec!["ann".into()]),
            "many" => Some(vec!["a".into(), "b".into()]),
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
        ];
        for (search, expected) in cases {
            assert_eq!(fill(search), expected, "{search}");
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
}
