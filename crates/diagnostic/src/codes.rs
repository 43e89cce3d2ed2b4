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

    /// Returns true if what the code reports may cost a search rows or fields, although it runs: a limit
    /// cut them, a table of a lookup is damaged, or the search names a lookup, an event type or a tag
    /// that is not there, with which Splunk would not run it.
    #[must_use]
    pub fn may_cost_rows(self) -> bool {
        matches!(
            self,
            Self::LIMIT
                | Self::MISSING_LOOKUP
                | Self::UNKNOWN_EVENT_TYPE
                | Self::DAMAGED_TABLE
                | Self::TOO_DEEP
        )
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
    /// The code's page in the book, as Markdown: causes, remedies and examples.
    pub page: &'static str,
}

/// Returns the registry's entry for a name such as `SPL1001`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    REGISTRY.iter().find(|entry| entry.code.to_string().eq_ignore_ascii_case(name))
}

/// Numbers of removed codes, which must not be reused.
pub const RETIRED: &[u16] = &[1002, 3002, 5001, 5002, 5004];

macro_rules! codes {
    ($($name:ident = $number:literal, $class:ident, $title:literal;)*) => {
        impl Code {
            $(#[doc = $title] pub const $name: Self = Self($number);)*
        }
        /// Every code, in numeric order.
        pub static REGISTRY: &[Entry] = &[$(Entry {
            code: Code::$name,
            class: Class::$class,
            title: $title,
            page: include_str!(concat!("../../../docs/src/errors/SPL", $number, ".md")),
        },)*];
    };
}

codes! {
    UNBALANCED = 1001, User, "unbalanced quote, bracket or backtick";
    EMPTY_COMMAND = 1003, User, "empty pipeline stage";
    BAD_TIME_MODIFIER = 1004, User, "invalid time modifier";
    TOO_DEEP = 1005, User, "search too long or nested too deeply";
    UNEXPECTED_END = 1006, User, "the search ends too early";
    TRAILING_TEXT = 1007, User, "text after the arguments";
    EXPECTED = 1008, User, "unexpected text";
    CHAINED_COMPARISON = 1009, User, "chained comparison";
    UNKNOWN_MACRO = 1101, User, "unknown macro";
    MACRO_ARGUMENT = 1102, User, "invalid macro argument";
    MACRO_DEPTH = 1103, User, "macros nested too deeply";
    UNSUPPORTED_COMMAND = 2001, Unsupported, "unsupported command";
    UNSUPPORTED_FUNCTION = 2002, Unsupported, "unsupported function";
    UNSUPPORTED_OPTION = 2003, Unsupported, "unsupported option";
    BAD_OPTION = 2004, User, "invalid option";
    BAD_ARGUMENT = 2005, User, "invalid argument";
    NOT_GENERATING = 2006, User, "generating command out of place";
    BAD_REGEX = 2007, User, "invalid regular expression";
    DOTTED_NAME = 2008, User, "dotted name in an eval expression";
    MISSING_LOOKUP = 2009, User, "lookup without data";
    NO_EFFECT = 2010, User, "option without effect";
    UNSUPPORTED_SYNTAX = 2011, Unsupported, "unsupported form";
    MISSING_ARGUMENT = 2012, User, "missing argument";
    NO_LOGS = 2013, User, "search without logs";
    UNKNOWN_COMMAND = 2014, User, "unknown command";
    LOST_FIELD = 2015, User, "field that nothing produces";
    LOWER_CASE_OPERATOR = 2016, User, "operator that is read as a word";
    NOT_SPL = 2017, User, "text of another language";
    QUOTES = 2018, User, "quotes that are part of the value";
    NEVER_MET = 2019, User, "comparison that does not do what it seems to";
    WILDCARD = 2020, User, "wildcard of another operator";
    OTHER_NAME = 2021, User, "name or value that CloudTrail writes in another way";
    NULL_GROUP = 2022, User, "grouping by a field that rows may lack";
    ANY_SERVICE = 2023, User, "call that several services have";
    SHORT_WINDOW = 2024, User, "window that closes before events are delivered";
    NOT_FED = 2025, User, "index, sourcetype or data model that nothing feeds";
    NEAR_LIMIT = 2026, User, "subsearch near its limit";
    SHADOWED = 2027, User, "renamed over another field";
    TEXT_AND_NUMBER = 2028, User, "comparison of a number with a text";
    UNKNOWN_MODEL = 2031, User, "unknown data model or field of one";
    UNKNOWN_EVENT_TYPE = 2032, User, "event type or tag that nothing defines";
    UNKNOWN_FUNCTION = 2033, User, "unknown function";
    LIMIT = 3001, Data, "result cut short";
    NO_GEOIP = 3003, Environment, "no GeoIP database";
    MEMORY_LIMIT = 3004, Environment, "memory limit reached";
    DISK = 3005, Environment, "temporary files cannot be used";
    INTERNAL = 3006, Internal, "a bug in Spilltrail";
    CANCELED = 3007, Canceled, "the run was stopped";
    UNORDERED = 3008, User, "rows out of order";
    LOOKUP_NOT_WRITTEN = 3009, Environment, "lookup cannot be written";
    TOO_LARGE = 3010, Data, "value or row too large";
    NO_ROWS = 3011, Data, "rows that a search requires are missing";
    YAML = 4001, User, "invalid YAML";
    DUPLICATE_CONTENT = 4002, User, "content defined twice";
    RISK_FIELD = 4003, User, "risk field is missing from the results";
    NO_CONTENT = 4004, User, "no content in the folder";
    UNKNOWN_KEY = 4005, User, "unknown key in content";
    UNKNOWN_VALUE = 4006, User, "unknown value in content";
    CONFIGURATION = 4007, User, "invalid configuration";
    NO_RISK = 4008, User, "detection without the risk of its type";
    DAMAGED_TABLE = 4009, Data, "table of a lookup that is damaged";
    NO_TEXT = 4010, User, "notable without a text";
    UNREADABLE = 5003, Environment, "unreadable file";
    DAMAGED = 5005, Data, "input not read completely";
    NO_EVENTS = 5006, Data, "no events in the input";
    LEFT_OUT = 5007, Data, "fields or values left out";
    UNTIMED = 5008, Data, "events without a readable time";
    EVIDENCE = 6001, Environment, "the events behind findings are unknown";
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

    #[test]
    fn pages_have_the_title_of_their_code() {
        for Entry { code, title, page, .. } in REGISTRY {
            assert_eq!(page.lines().next(), Some(format!("# {code}: {title}").as_str()));
        }
    }
}
