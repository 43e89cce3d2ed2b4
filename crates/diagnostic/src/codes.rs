//! The registry of diagnostic codes. Numbers are never reused: [`RETIRED`] lists those of removed
//! codes.
//!
//! The first digit is the topic: 1xxx lexing and parsing, 2xxx names and planning, 3xxx execution,
//! 4xxx content, 5xxx reading and decoding, 6xxx findings.

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
        by_name(&text).map(|entry| entry.code).ok_or_else(|| format!("`{text}` is not a code"))
    }
}

impl Code {
    /// Returns the class of problems that the code reports.
    #[must_use]
    pub fn class(self) -> Class {
        // Only the registry creates codes, so every code has an entry.
        REGISTRY
            .iter()
            .find(|entry| entry.code == self)
            .map_or(Class::Internal, |entry| entry.class)
    }
}

/// The class of a problem: its cause, and so who can fix it. Exit statuses depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A search, an option or a content file is wrong, and its author can correct it.
    User,
    /// Splunk supports it, but this version does not.
    Unsupported,
    /// Events or lookups are damaged, or exceed a documented limit.
    Data,
    /// Memory, disk, files or the network are insufficient or unavailable.
    Environment,
    /// A bug in Spilltrail.
    Internal,
    /// The run was canceled.
    Canceled,
}

impl Class {
    /// Returns the name of the class, and advice on how to resolve its diagnostics.
    #[must_use]
    pub fn meaning(self) -> (&'static str, &'static str) {
        match self {
            Self::User => ("user", "change the search, the option or the content"),
            Self::Unsupported => {
                ("unsupported", "write it another way, or wait for a later version")
            }
            Self::Data => ("data", "look at the events or lookups that it names"),
            Self::Environment => {
                ("environment", "give the run what it lacks: memory, disk, access to files")
            }
            Self::Internal => ("internal", "report it: it is a bug"),
            Self::Canceled => ("canceled", "run it again"),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning().0)
    }
}

/// The registry's entry for a code.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// Class of the problem.
    pub class: Class,
    /// Short description of the problem.
    pub title: &'static str,
    /// Meaning of the code, and how to resolve the problem.
    pub explanation: &'static str,
}

/// Returns the registry's entry for a name such as `SPL1001`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    REGISTRY.iter().find(|entry| entry.code.to_string().eq_ignore_ascii_case(name))
}

/// Numbers of removed codes, which must not be reused.
pub const RETIRED: &[u16] = &[1002, 3002, 5001, 5002];

macro_rules! codes {
    ($($name:ident = $number:literal, $class:ident, $title:literal, $explanation:literal;)*) => {
        impl Code {
            $(#[doc = $title] pub const $name: Self = Self($number);)*
        }
        /// Every code, in numeric order.
        pub static REGISTRY: &[Entry] = &[$(Entry {
            code: Code::$name,
            class: Class::$class,
            title: $title,
            explanation: $explanation,
        },)*];
    };
}

codes! {
    UNBALANCED = 1001, User, "unbalanced quote, bracket or backtick",
        "A quote, a parenthesis, a square bracket or a macro's backtick was opened and never closed, or closed without being opened. Inside double quotes a quote is written `\\\"` and a backslash `\\\\`.";
    EMPTY_COMMAND = 1003, User, "empty pipeline stage",
        "Two pipes follow each other, or the search ends with a pipe.";
    BAD_TIME_MODIFIER = 1004, User, "invalid time modifier",
        "A time modifier is a signed number with a unit and optional snap (`-70m@m`, `@d`, `-1mon@mon+2d`), `now`, an epoch number, or a date such as `10/19/2026:00:00:00`.";
    TOO_DEEP = 1005, User, "search too long or nested too deeply",
        "A search may have 500 commands, those of its subsearches and expanded macros included, and its plan 6000 steps. Subsearches nest 50 levels deep, expressions 200. Go on in a second search: `outputlookup` keeps rows, `inputlookup` reads them again.";
    UNEXPECTED_END = 1006, User, "the text ends too early",
        "Something is missing at the end; the message says what.";
    TRAILING_TEXT = 1007, User, "text after the arguments",
        "The command has all that it takes, and more text follows. Commands are separated by `|`.";
    EXPECTED = 1008, User, "unexpected text",
        "Something else has to stand at the label; the message says what. Text that is to be taken as it is goes into double quotes.";
    CHAINED_COMPARISON = 1009, User, "chained comparison",
        "`a<b<c` has no meaning in eval: join two comparisons with AND, or put the first in parentheses.";
    UNKNOWN_MACRO = 1101, User, "unknown macro",
        "No macro with this name and number of arguments is known. Macros come from the content folder's `macros/`, from `--macro 'name=definition'`, and from the built-in set; a name ending in `_filter` defaults to `search *`.";
    MACRO_ARGUMENT = 1102, User, "invalid macro argument",
        "The call names an argument that the macro does not have, gives one twice, or its validation failed.";
    MACRO_DEPTH = 1103, User, "macros nested too deeply",
        "Macros may nest 100 levels; a macro that calls itself never ends.";
    UNSUPPORTED_COMMAND = 2001, Unsupported, "unsupported command",
        "The command is not known, or known and not there yet. `spilltrail help` lists what is.";
    UNSUPPORTED_FUNCTION = 2002, Unsupported, "unsupported function",
        "The eval or statistics function is not known, or known and not there yet.";
    UNSUPPORTED_OPTION = 2003, Unsupported, "unsupported option",
        "The command has this option in Splunk, and this version does not honour it. Nothing is ignored silently.";
    BAD_OPTION = 2004, User, "invalid option",
        "The command has no such option, or the value is not one that it takes.";
    BAD_ARGUMENT = 2005, User, "invalid argument",
        "The number or the kind of arguments is not what the command or function takes.";
    NOT_GENERATING = 2006, User, "generating command out of place",
        "A generating command must be the first of its pipeline, after a leading pipe; any other command needs input.";
    BAD_REGEX = 2007, User, "invalid regular expression",
        "The pattern is not valid in PCRE2's syntax; the message is PCRE2's own.";
    DOTTED_NAME = 2008, User, "dotted name in an eval expression",
        "In eval and where, `a.b` joins the fields `a` and `b`. A field with a dot in its name needs single quotes: `'a.b'`.";
    MISSING_LOOKUP = 2009, User, "lookup without data",
        "The lookup is named but has no rows here: it reads as empty.";
    NO_EFFECT = 2010, User, "option without effect",
        "The command has this option in Splunk, and here, or in this search, it changes nothing; the help line says why. The rows are the same without it.";
    UNSUPPORTED_SYNTAX = 2011, Unsupported, "unsupported form",
        "Splunk takes SPL of this form, and this version does not.";
    MISSING_ARGUMENT = 2012, User, "missing argument",
        "The command needs an argument that is not there; the message says which.";
    LIMIT = 3001, Data, "limit reached",
        "A documented limit cut a result short; the message says which.";
    NO_GEOIP = 3003, Environment, "no GeoIP database",
        "iplocation adds no fields without a MaxMind database; give one with `--geoip FILE`.";
    MEMORY_LIMIT = 3004, Environment, "memory limit reached",
        "The search needs more memory than it may have. Raise `--memory-limit`, or narrow the search.";
    DISK = 3005, Environment, "temporary files cannot be used",
        "Rows that do not fit in memory go to temporary files, and these could not be written or read. Free some space, or let the environment variable `TMPDIR` name a folder that has more.";
    INTERNAL = 3006, Internal, "a bug in Spilltrail",
        "Something happened that cannot. Please report the search and a few rows that show it. With the environment variable `SPILLTRAIL_LOG=1` the program prints what it knows of the bug.";
    CANCELED = 3007, Canceled, "the search was canceled",
        "Somebody, or another part of the run, ended the search before it was done.";
    UNORDERED = 3008, User, "rows out of order",
        "The command needs rows in the order of `_time`; sort them before it.";
    LOOKUP_NOT_WRITTEN = 3009, Environment, "a lookup cannot be written",
        "The rows of `outputlookup` could not be kept; the message says why.";
    YAML = 4001, User, "invalid YAML",
        "The file is not valid YAML or does not have the keys of its kind.";
    DUPLICATE_CONTENT = 4002, User, "content defined twice",
        "Two files define the same id or name; the later one wins.";
    RISK_FIELD = 4003, User, "risk field is missing from the results",
        "A risk object, threat object or message token names a field that the search's results do not have.";
    NO_CONTENT = 4004, User, "no content in the folder",
        "A content folder has YAML files in `detections/`, `macros/`, `lookups/`, `stories/` and `deployments/`, or is a plain folder of such files.";
    UNKNOWN_KEY = 4005, User, "unknown key in content",
        "No content file of this kind has the key, so nothing reads it; it is probably misspelled.";
    UNKNOWN_VALUE = 4006, User, "unknown value in content",
        "The type of a detection or the id of an ATT&CK technique is not one that Splunk or ATT&CK has.";
    CONFIGURATION = 4007, User, "invalid configuration",
        "The configuration file is not valid TOML, or a key or value is not one that Spilltrail has. The page on the configuration file lists the keys.";
    UNREADABLE = 5003, Environment, "unreadable file",
        "The file could not be opened or read.";
    EVENTS_UNREADABLE = 5004, Environment, "events cannot be read",
        "The events of the search could not be read from where they are; the message says why.";
    EVIDENCE = 6001, Environment, "events behind findings are not known",
        "The findings are right, but the second search, for the events behind them, failed; the message says why.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_named() {
        assert!(REGISTRY.is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(by_name("spl1001").map(|entry| entry.code), Some(Code::UNBALANCED));
        assert!(REGISTRY.iter().all(|entry| !RETIRED.contains(&entry.code.0)));
        assert!(REGISTRY.iter().all(|entry| entry.code.class() == entry.class));
    }
}
