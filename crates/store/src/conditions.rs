//! Conditions of a query that users choose.

use rusqlite::types::Value;

use crate::error::StoreError;

/// The most wildcards of a pattern. Each more multiplies the work of matching by the length of the text.
const MOST_WILDCARDS: usize = 4;

/// Conditions that are all met, with their parameters in order.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    terms: Vec<String>,
    pub(crate) values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition without parameters.
    pub(crate) fn add(&mut self, term: &str) {
        self.terms.push(term.to_owned());
    }

    /// Adds a condition with a parameter for each `?`.
    pub(crate) fn with<V: Into<Value>>(&mut self, term: &str, values: impl IntoIterator<Item = V>) {
        self.add(term);
        self.values.extend(values.into_iter().map(Into::into));
    }

    /// Adds that one of some terms is true, in each of which `IS_LIKE` follows the text that must be
    /// like a pattern. In this, `*` stands for any text, and upper and lower case of ASCII letters are
    /// the same.
    pub(crate) fn like(&mut self, terms: &[&str], pattern: &str) -> Result<(), StoreError> {
        let like = like(pattern)?;
        let any = terms.join(" OR ").replace("IS_LIKE", "LIKE ? ESCAPE '\\'");
        self.with(&format!("({any})"), terms.iter().map(|_| like.clone()));
        Ok(())
    }

    /// Adds that a column contains a text, in any case.
    pub(crate) fn contains(&mut self, column: &str, text: &str) {
        let like = format!("%{}%", escaped(text));
        self.with(&format!("{column} LIKE ? ESCAPE '\\'"), [like]);
    }

    /// Returns the conditions as SQL.
    pub(crate) fn sql(&self) -> String {
        match self.terms.as_slice() {
            [] => "true".to_owned(),
            terms => terms.join(" AND "),
        }
    }
}

/// Returns a pattern in the form of SQL.
fn like(pattern: &str) -> Result<String, StoreError> {
    let parts: Vec<&str> = pattern.split('*').collect();
    if parts.len() > MOST_WILDCARDS + 1 {
        let (pattern, most) = (pattern.to_owned(), MOST_WILDCARDS);
        return Err(StoreError::Wildcards { pattern, most });
    }
    let parts: Vec<String> = parts.into_iter().map(escaped).collect();
    Ok(parts.join("%"))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
