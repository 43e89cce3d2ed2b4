//! Text with `$field$` tokens, which are replaced by the values of a result row.
//!
//! Enterprise Security replaces the tokens in risk messages, finding titles and drilldowns. Values
//! are inserted literally: a token inside a value is not replaced.

use std::fmt;

use serde::{Serialize, Serializer};

/// The text that replaces the token of a field that the row lacks.
pub const NO_VALUE: &str = "(no value)";

/// The most values of a field that a text lists.
pub(crate) const MOST_VALUES: usize = 10;

/// The most bytes of a name with blanks.
const MOST_BYTES: usize = 64;

/// A parsed template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    source: String,
    pub(crate) segments: Vec<Segment>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Text(String),
    Field(String),
}

impl Template {
    /// Parses a template; every text is valid.
    ///
    /// A token is `$name$`, with no quotes in the name; `$name|s$` and the other dashboard filters are
    /// treated like `$name$`. A name with blanks inside, such as `$Src Host$`, begins with a letter.
    /// `$$` is a literal `$`, and so is a `$` outside a token.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut segments = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(position) = rest.find('$') {
            let (before, from) = rest.split_at(position);
            literal.push_str(before);
            let after = from.strip_prefix('$').unwrap_or(from);
            if let Some(next) = after.strip_prefix('$') {
                literal.push('$');
                rest = next;
            } else if let Some((name, next)) = token(after) {
                if !literal.is_empty() {
                    segments.push(Segment::Text(std::mem::take(&mut literal)));
                }
                segments.push(Segment::Field(name.to_owned()));
                rest = next;
            } else {
                literal.push('$');
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            segments.push(Segment::Text(literal));
        }
        Self { source: text.to_owned(), segments }
    }

    /// Returns the text as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the names of the fields, without duplicates, in order of first appearance.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        let mut fields: Vec<&str> = Vec::new();
        for segment in &self.segments {
            if let Segment::Field(name) = segment
                && !fields.contains(&name.as_str())
            {
                fields.push(name);
            }
        }
        fields
    }

    /// Returns the text with the tokens replaced by values.
    ///
    /// `value` returns the values of a field: [`NO_VALUE`] replaces `None` or an empty list, and
    /// several values are joined with `, `. Of more than ten values, the first ten are listed, with
    /// the number of the others.
    pub fn render(&self, value: impl Fn(&str) -> Option<Vec<String>>) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Text(literal) => text.push_str(literal),
                Segment::Field(name) => match value(name) {
                    Some(values) if !values.is_empty() => text.push_str(&listed(&values)),
                    _ => text.push_str(NO_VALUE),
                },
            }
        }
        text
    }
}

/// Returns the first values with the number of the others.
fn listed(values: &[String]) -> String {
    match values.len().saturating_sub(MOST_VALUES) {
        0 => values.join(", "),
        more => format!("{} … and {more} more", values[..MOST_VALUES].join(", ")),
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl From<&str> for Template {
    fn from(text: &str) -> Self {
        Self::parse(text)
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

/// Splits `name$rest` or `name|s$rest` into name and rest.
fn token(after: &str) -> Option<(&str, &str)> {
    let (inside, rest) = after.split_once('$')?;
    let name = match inside.rsplit_once('|') {
        Some((name, "s" | "h" | "u" | "n")) => name,
        _ => inside,
    };
    let plain = |c: char| {
        c == ' ' || !c.is_whitespace() && !matches!(c, '"' | '\'' | '`' | '|' | '$' | '%')
    };
    // Text between two amounts of dollars has blanks, too.
    let is_name = !name.contains(' ')
        || name.len() <= MOST_BYTES
            && !name.ends_with(' ')
            && name.starts_with(char::is_alphabetic);
    (!name.is_empty() && is_name && name.chars().all(plain)).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str) -> String {
        Template::parse(template).render(|field| match field {
            "user" => Some(vec!["ann".into()]),
            "a.b{}" => Some(vec!["1".into(), "2".into()]),
            "trick" => Some(vec!["$user$".into()]),
            "none" => Some(Vec::new()),
            "Src Host" => Some(vec!["h1".into()]),
            _ => None,
        })
    }

    #[test]
    fn tokens_become_values() {
        let cases = [
            ("by $user$.", "by ann."),
            ("$user$$user$", "annann"),
            ("to $a.b{}$", "to 1, 2"),
            ("$user|s$", "ann"),
            ("$gone$ $none$", "(no value) (no value)"),
            ("$trick$", "$user$"),
            ("$$user$$", "$user$"),
            ("costs 5$ or 6$", "costs 5$ or 6$"),
            ("$", "$"),
            ("$user", "$user"),
            ("5$ for $user$", "5$ for ann"),
            ("on $Src Host$ by $user$", "on h1 by ann"),
            ("$Src Host|s$", "h1"),
            ("$5 or 6$ and $ x$ and $x $", "$5 or 6$ and $ x$ and $x $"),
            ("$a\nb$", "$a\nb$"),
            ("", ""),
        ];
        for (template, expected) in cases {
            assert_eq!(render(template), expected, "{template}");
        }
    }

    #[test]
    fn a_long_list_is_cut_with_its_number() {
        let many = |count: usize| Some((0..count).map(|n| n.to_string()).collect());
        let text = |count| Template::parse("to $n$.").render(|_| many(count));
        assert_eq!(text(10), "to 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.");
        assert_eq!(text(22), "to 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 … and 12 more.");
    }

    #[test]
    fn fields_are_listed_once() {
        assert_eq!(Template::parse("$b$ $a$ $b$").fields(), ["b", "a"]);
    }
}
