//! The one registry of diagnostic codes. A number is never reused.
//!
//! 1xxx lex and parse, 2xxx names and planning, 3xxx execution, 4xxx content, 5xxx reading and
//! decoding, 6xxx findings.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A registered code, printed as `SPL1001`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Code(u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SPL{:04}", self.0)
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.to_string()
    }
}

impl TryFrom<String> for Code {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        by_name(&text).map(|entry| entry.0).ok_or_else(|| format!("`{text}` is not a code"))
    }
}

/// Returns the registry's entry for a name such as `SPL1001`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static (Code, &'static str, &'static str)> {
    REGISTRY.iter().find(|entry| entry.0.to_string().eq_ignore_ascii_case(name))
}

macro_rules! codes {
    ($($name:ident = $number:literal, $title:literal, $explanation:literal;)*) => {
        impl Code {
            $(#[doc = $title] pub const $name: Self = Self($number);)*
        }
        /// Every code with its title and what to do about it, in numeric order.
        pub static REGISTRY: &[(Code, &str, &str)] = &[$((Code::$name, $title, $explanation),)*];
    };
}

codes! {
    UNBALANCED = 1001, "unbalanced quote, bracket or backtick",
        "A quote, a parenthesis, a square bracket or a macro's backtick was opened and never closed, or closed without being opened. Inside double quotes a quote is written `\\\"` and a backslash `\\\\`.";
    SYNTAX = 1002, "syntax error",
        "The text does not follow the grammar of its command. The label shows where reading stopped and what was expected there.";
    EMPTY_COMMAND = 1003, "empty pipeline stage",
        "Two pipes follow each other, or the search ends with a pipe.";
    BAD_TIME_MODIFIER = 1004, "invalid time modifier",
        "A time modifier is a signed number with a unit and optional snap (`-70m@m`, `@d`, `-1mon@mon+2d`), `now`, an epoch number, or a date such as `10/19/2026:00:00:00`.";
    TOO_DEEP = 1005, "search too long or nested too deeply",
        "A search may have 500 commands, those of its subsearches and expanded macros included, and its plan 6000 steps. Subsearches nest 50 levels deep, expressions 200. Go on in a second search: `outputlookup` keeps rows, `inputlookup` reads them again.";
    UNKNOWN_MACRO = 1101, "unknown macro",
        "No macro with this name and number of arguments is known. Macros come from the content folder's `macros/`, from `--macro 'name=definition'`, and from the built-in set; a name ending in `_filter` defaults to `search *`.";
    MACRO_ARGUMENT = 1102, "invalid macro argument",
        "The call names an argument that the macro does not have, gives one twice, or its validation failed.";
    MACRO_DEPTH = 1103, "macros nested too deeply",
        "Macros may nest 100 levels; a macro that calls itself never ends.";
    UNSUPPORTED_COMMAND = 2001, "unsupported command",
        "The command is not known, or known and not there yet. `spilltrail help` lists what is.";
    UNSUPPORTED_FUNCTION = 2002, "unsupported function",
        "The eval or statistics function is not known, or known and not there yet.";
    UNSUPPORTED_OPTION = 2003, "unsupported option",
        "The command has this option in Splunk, and this version does not honour it. Nothing is ignored silently.";
    BAD_OPTION = 2004, "invalid option",
        "The command has no such option, or the value is not one that it takes.";
    BAD_ARGUMENT = 2005, "invalid argument",
        "The number or the kind of arguments is not what the command or function takes.";
    NOT_GENERATING = 2006, "generating command out of place",
        "A generating command must be the first of its pipeline, after a leading pipe; any other command needs input.";
    BAD_REGEX = 2007, "invalid regular expression",
        "The pattern is not valid in PCRE2's syntax; the message is PCRE2's own.";
    DOTTED_NAME = 2008, "dotted name in an eval expression",
        "In eval and where, `a.b` joins the fields `a` and `b`. A field with a dot in its name needs single quotes: `'a.b'`.";
    MISSING_LOOKUP = 2009, "lookup without data",
        "The lookup is named but has no rows here: it reads as empty.";
    NO_EFFECT = 2010, "option without effect",
        "The command has this option in Splunk, and here, or in this search, it changes nothing; the help line says why. The rows are the same without it.";
    LIMIT = 3001, "limit reached",
        "A documented limit cut a result short; the message says which.";
    EXECUTION = 3002, "the search failed while running",
        "An operator failed; the message says why.";
    NO_GEOIP = 3003, "no GeoIP database",
        "iplocation adds no fields without a MaxMind database; give one with `--geoip FILE`.";
    YAML = 4001, "invalid YAML",
        "The file is not valid YAML or does not have the keys of its kind.";
    DUPLICATE_CONTENT = 4002, "content defined twice",
        "Two files define the same id or name; the later one wins.";
    RISK_FIELD = 4003, "risk field is missing from the results",
        "A risk object, threat object or message token names a field that the search's results do not have.";
    NO_CONTENT = 4004, "no content in the folder",
        "A content folder has YAML files in `detections/`, `macros/`, `lookups/`, `stories/` and `deployments/`, or is a plain folder of such files.";
    DAMAGED_INPUT = 5001, "damaged input",
        "A part of a file could not be read; the rest of the file and all others were.";
    NOT_CLOUDTRAIL = 5002, "not CloudTrail",
        "The file holds neither CloudTrail events nor JSON rows; it was skipped.";
    UNREADABLE = 5003, "unreadable file",
        "The file could not be opened or read.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_named() {
        assert!(REGISTRY.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(by_name("spl1001").map(|entry| entry.0), Some(Code::UNBALANCED));
    }
}
