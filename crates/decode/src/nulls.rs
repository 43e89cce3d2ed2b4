//! Knows how programs write a value that is missing, where a table has no null of its own.
//!
//! Databases, data frames and exporters each have a spelling. In members that are codes, numbers or
//! documents none of them is a value, so that they are missing there. Elsewhere a user may have chosen
//! such a text: it is missing only if the same row writes a missing code in the same way.

/// The longest spelling, with its brackets.
const LONGEST: usize = 11;
/// The words, without case.
const WORDS: [&str; 8] = ["null", "none", "nan", "nil", "na", "n/a", "nat", "undefined"];
/// What the loaders of PostgreSQL, MySQL and Hive write, which no user ever does.
const LOADER: &str = "\\N";

/// Members of records whose values are free text, although they are not documents.
const FREE: [&str; 2] = ["userAgent", "resourceName"];
/// The same for keys inside `userIdentity`.
const FREE_OF_IDENTITY: [&str; 3] = ["userName", "sourceIdentity", "credentialId"];

/// Returns true for a text that is no value but says that there is none.
pub(crate) fn is_null(text: &str) -> bool {
    let text = text.trim();
    if text.len() > LONGEST {
        return false;
    }
    if matches!(text, "" | LOADER | "-" | "--" | "#N/A") {
        return true;
    }
    let brackets = [('(', ')'), ('<', '>'), ('[', ']'), ('{', '}'), ('"', '"'), ('\'', '\'')];
    let inner = brackets.iter().find_map(|(open, close)| {
        text.strip_prefix(*open).and_then(|text| text.strip_suffix(*close))
    });
    let word = inner.unwrap_or(text);
    let is_bracketed = inner.is_some() && (word.is_empty() || word.eq_ignore_ascii_case("empty"));
    is_bracketed || WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Returns true for a member of records, by its keys, whose text is a code, a number or a name that
/// AWS gives.
pub(crate) fn is_code(path: &[String]) -> bool {
    match path {
        [member] => !FREE.contains(&member.as_str()),
        [member, .., key] if matches!(&**member, "userIdentity" | "tlsDetails") => {
            !FREE_OF_IDENTITY.contains(&key.as_str())
        }
        _ => false,
    }
}

/// The spellings of a missing value that a row shows in its codes.
#[derive(Debug, Default)]
pub(crate) struct Spellings(Vec<String>);

impl Spellings {
    /// The most spellings of a row; programs have one, seldom another one for numbers or times.
    const MOST: usize = 4;

    /// Adds the text of a code if it is such a spelling.
    pub(crate) fn see(&mut self, code: &str) {
        if is_null(code)
            && !code.is_empty()
            && self.0.len() < Self::MOST
            && !self.0.iter().any(|known| known == code)
        {
            self.0.push(code.to_owned());
        }
    }

    /// Returns true if a text that anyone may have chosen is missing.
    pub(crate) fn are_of(&self, text: &str) -> bool {
        text == LOADER || self.0.iter().any(|known| known == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for text in [
            "",
            " ",
            "\\N",
            "NULL",
            "null",
            "None",
            "NaN",
            "nan",
            "NA",
            "N/A",
            "n/a",
            "-",
            "(null)",
            "<null>",
            "[NULL]",
            "<NA>",
            "NaT",
            "\"\"",
            "''",
            "{}",
            "[]",
            "\"null\"",
            "#N/A",
            "undefined",
            "(empty)",
        ] {
            assert!(is_null(text), "{text}");
        }
        for text in ["0", "false", "AccessDenied", "Nothing", "{\"a\":1}", "(a)", "empty", "é", "("]
        {
            assert!(!is_null(text), "{text}");
        }
    }

    #[test]
    fn codes() {
        for (path, expected) in [
            ("errorCode", true),
            ("errorMessage", true),
            ("userAgent", false),
            ("resourceName", false),
            ("userIdentity arn", true),
            ("userIdentity userName", false),
            ("userIdentity sessionContext sessionIssuer userName", false),
            ("userIdentity sessionContext attributes mfaAuthenticated", true),
            ("requestParameters name", false),
        ] {
            let path: Vec<String> = path.split(' ').map(str::to_owned).collect();
            assert_eq!(is_code(&path), expected, "{path:?}");
        }
    }
}
