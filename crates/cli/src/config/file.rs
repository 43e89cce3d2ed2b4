//! Reads a configuration file.

use std::io::Error;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use indexmap::IndexMap;
use jiff::civil::Date;
use serde::Deserialize;
use spilltrail_app::check::Level;
use spilltrail_app::{AllowCondition, AllowEntry, AllowedValues, option_file};
use spilltrail_diagnostic::{Code, Diagnostic, Span, by_name, similar};
use toml::{Spanned, Value};

use super::Setting;
use super::serving::ServeKeys;
use crate::report;

/// Maximum size of a configuration file, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// A configuration file, with its text for the lines of its keys.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    pub(crate) path: PathBuf,
    text: String,
    pub(crate) keys: Keys,
    pub(crate) allow: Vec<AllowEntry>,
}

/// The keys of the file, except the allow-list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    pub(crate) content: Option<Spanned<Vec<PathBuf>>>,
    pub(crate) builtin: Option<Spanned<bool>>,
    pub(crate) lookups: Option<Spanned<PathBuf>>,
    pub(crate) memory_limit: Option<Spanned<NonZeroU64>>,
    pub(crate) threads: Option<Spanned<NonZeroU64>>,
    #[serde(default)]
    pub(crate) macros: IndexMap<String, Spanned<String>>,
    /// Levels by the names of codes.
    #[serde(default)]
    levels: IndexMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    allow: Vec<Spanned<RawAllow>>,
    #[serde(default)]
    pub(crate) serve: ServeKeys,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAllow {
    detection: Spanned<String>,
    field: Spanned<String>,
    value: Option<Spanned<String>>,
    pattern: Option<Spanned<String>>,
    cidr: Option<Spanned<String>>,
    /// Further conditions.
    #[serde(default)]
    and: Vec<Spanned<RawCondition>>,
    owner: Spanned<String>,
    reason: Spanned<String>,
    /// A date of TOML, or one in quotes.
    expires: Option<Spanned<Value>>,
}

/// A field with the one of the three keys that says which values are harmless.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCondition {
    field: Spanned<String>,
    value: Option<Spanned<String>>,
    pattern: Option<Spanned<String>>,
    cidr: Option<Spanned<String>>,
}

/// What is wrong with an entry of an allow-list: the message, the help, and the place, if it is not
/// the whole entry.
type EntryMistake = (String, Option<String>, Option<Range<usize>>);

impl ConfigFile {
    /// Reads the file at `path`. Mistakes are printed, with their lines.
    ///
    /// # Errors
    /// Fails if the file cannot be read or has a mistake: a run without some of its settings could
    /// hide or miss findings.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let text = option_file::read(path, MAX_BYTES)
            .and_then(|bytes| String::from_utf8(bytes).map_err(Error::other))
            .with_context(|| format!("the configuration file {name} cannot be read"))?;
        Self::parse(path, text).or_else(|(diagnostic, text)| {
            report::diagnostics(std::slice::from_ref(&diagnostic), &name, &text);
            bail!("the configuration file {name} cannot be used")
        })
    }

    fn parse(path: &Path, text: String) -> Result<Self, (Diagnostic, String)> {
        let keys: Keys = match toml::from_str(&text) {
            Ok(keys) => keys,
            Err(error) => return Err((diagnose(&error), text)),
        };
        let mut allow = Vec::new();
        for entry in &keys.allow {
            let origin = format!("{}:{}", path.display(), line(&text, entry.span().start));
            match entry.get_ref().clone().into_entry(origin) {
                Ok(entry) => allow.push(entry),
                Err((message, help, span)) => {
                    let diagnostic = Diagnostic::error(Code::CONFIGURATION, message);
                    let span = span.unwrap_or_else(|| entry.span());
                    let diagnostic = diagnostic.at(Span::new(span.start, span.end));
                    let diagnostic = help.into_iter().fold(diagnostic, Diagnostic::help);
                    return Err((diagnostic, text));
                }
            }
        }
        for (code, level) in &keys.levels {
            if let Err(diagnostic) = level_of(code, level) {
                return Err((diagnostic, text));
            }
        }
        Ok(Self { path: path.to_owned(), text, keys, allow })
    }

    /// Returns the location of a key's value, such as `config.toml:3`.
    pub(crate) fn place<T>(&self, value: &Spanned<T>) -> String {
        format!("{}:{}", self.path.display(), line(&self.text, value.span().start))
    }

    /// Returns the levels of codes.
    pub(crate) fn levels(&self) -> Vec<Setting<(Code, Level)>> {
        let levels = self.keys.levels.iter().filter_map(|(code, level)| {
            Some(Setting { value: level_of(code, level).ok()?, origin: self.place(level) })
        });
        levels.collect()
    }

    /// Returns a path of the file, which is relative to the file's folder.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        match self.path.parent() {
            Some(folder) => folder.join(path),
            None => path.to_owned(),
        }
    }
}

fn level_of(code: &Spanned<String>, level: &Spanned<String>) -> Result<(Code, Level), Diagnostic> {
    let mistake = |message: String, span: Range<usize>, help: &str| {
        let span = Span::new(span.start, span.end);
        Diagnostic::error(Code::CONFIGURATION, message).at(span).help(help)
    };
    let entry = by_name(code.get_ref()).ok_or_else(|| {
        let message = format!("`{}` is not a code", code.get_ref());
        mistake(message, code.span(), "an example is `SPL2022`; `spilltrail help` lists all codes")
    })?;
    let found = Level::parse(level.get_ref()).ok_or_else(|| {
        let message = format!("`{}` is not a level", level.get_ref());
        mistake(message, level.span(), "write `allow`, `warning` or `error`")
    })?;
    Ok((entry.code, found))
}

impl RawAllow {
    fn into_entry(self, origin: String) -> Result<AllowEntry, EntryMistake> {
        let Self { detection, field, value, pattern, cidr, and, owner, reason, expires } = self;
        for (key, text) in [("detection", &detection), ("owner", &owner), ("reason", &reason)] {
            check_text(key, text)?;
        }
        let first = RawCondition { field, value, pattern, cidr }.into_condition()?;
        let others = and.into_iter().map(|condition| {
            let span = condition.span();
            let whole =
                |(message, help, place): EntryMistake| (message, help, place.or(Some(span)));
            condition.into_inner().into_condition().map_err(whole)
        });
        let conditions = std::iter::once(Ok(first)).chain(others).collect::<Result<_, _>>()?;
        let expires = expires.map(|value| date(&value)).transpose()?;
        let text = Spanned::into_inner;
        let (detection, owner, reason) = (text(detection), text(owner), text(reason));
        Ok(AllowEntry { detection, conditions, owner, reason, expires, origin })
    }
}

/// Checks that a text says anything.
fn check_text(key: &str, text: &Spanned<String>) -> Result<(), EntryMistake> {
    if text.get_ref().trim().is_empty() {
        let message = format!("`{key}` of an allow-list entry is empty");
        return Err((message, None, Some(text.span())));
    }
    Ok(())
}

impl RawCondition {
    fn into_condition(self) -> Result<AllowCondition, EntryMistake> {
        check_text("field", &self.field)?;
        // An empty text matches no value that a result has.
        for (key, text) in [("value", &self.value), ("pattern", &self.pattern)] {
            text.as_ref().map_or(Ok(()), |text| check_text(key, text))?;
        }
        self.check_values()?;
        let values = match (self.value, self.pattern, self.cidr) {
            (Some(value), ..) => AllowedValues::Exact(value.into_inner()),
            (_, Some(pattern), _) => AllowedValues::Pattern(pattern.into_inner()),
            (.., Some(cidr)) => match cidr.get_ref().parse() {
                Ok(network) => AllowedValues::Network(network),
                Err(_) => {
                    let message = format!("expected a CIDR block, found `{}`", cidr.get_ref());
                    let help =
                        "an example is `10.0.0.0/8`; a single address ends in `/32`, or `/128`";
                    return Err((message, Some(help.to_owned()), Some(cidr.span())));
                }
            },
            (None, None, None) => {
                let message = "an allow-list entry needs one of `value`, `pattern` and `cidr`";
                let help = "write `value = 'TEXT'`, `pattern = 'TEXT*'` or `cidr = '10.0.0.0/8'`";
                return Err((message.to_owned(), Some(help.to_owned()), None));
            }
        };
        Ok(AllowCondition { field: self.field.into_inner(), values })
    }

    /// Checks that the condition says only once which values are harmless.
    fn check_values(&self) -> Result<(), EntryMistake> {
        let keys = [("value", &self.value), ("pattern", &self.pattern), ("cidr", &self.cidr)];
        let mut given: Vec<(&str, Range<usize>)> = keys
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.as_ref()?.span())))
            .collect();
        given.sort_by_key(|(_, span)| span.start);
        match given.as_slice() {
            [.., (first, _), (second, span)] => {
                let message = format!("an allow-list entry has both `{first}` and `{second}`");
                let help = "keep one of them, and write a second `[[allow]]` entry for the other";
                Err((message, Some(help.to_owned()), Some(span.clone())))
            }
            _ => Ok(()),
        }
    }
}

/// Reads a day, written as a date of TOML or in quotes.
fn date(value: &Spanned<Value>) -> Result<Date, EntryMistake> {
    let written = match value.get_ref() {
        Value::String(text) => text.clone(),
        Value::Datetime(time) => time.to_string(),
        Value::Integer(number) => number.to_string(),
        other => other.type_str().to_owned(),
    };
    let is_day = written.len() == "2027-01-31".len();
    let day = is_day.then(|| written.parse().ok()).flatten();
    day.ok_or_else(|| {
        let message = format!("expected a day such as `2027-01-31`, found `{written}`");
        let help = "write the last day on which the entry counts: `expires = 2027-01-31`";
        (message, Some(help.to_owned()), Some(value.span()))
    })
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Returns an error of the library about the type of a value in words of the file, with help.
fn type_mistake(message: &str) -> Option<(String, &'static str)> {
    let (found, expected) =
        message.strip_prefix("invalid ")?.split_once(": ")?.1.split_once(", expected ")?;
    let found = match found.split_once(' ') {
        Some((_, value)) => format!("`{}`", value.trim_matches(['`', '"'])),
        None if found == "map" => "a table".to_owned(),
        None if found == "sequence" => "a list".to_owned(),
        None => format!("a {found}"),
    };
    let (expected, help) = match expected {
        "a nonzero u64" => ("a number from 1 on", "write digits without quotes, such as `4`"),
        "a nonzero u32" => ("a number from 1 on", "write digits without quotes, such as `4`"),
        "a string" => ("a text", "put it in quotes: `\"…\"`"),
        "a boolean" => ("true or false", "write it without quotes: `true`"),
        "a sequence" if found == "a table" => {
            ("a list of entries", "begin each entry with `[[allow]]`, in two pairs of brackets")
        }
        "a sequence" => ("a list", "put it in brackets: `[\"…\"]`"),
        "a map" => {
            ("a table", "write `[macros]` in one pair of brackets, and `name = \"…\"` below it")
        }
        _ => return None,
    };
    Some((format!("expected {expected}, found {found}"), help))
}

/// Converts an error of the library, and suggests the nearest key for an unknown one.
fn diagnose(error: &toml::de::Error) -> Diagnostic {
    let message = error.message().trim();
    let mistake = type_mistake(message);
    let diagnostic = match &mistake {
        Some((message, help)) => {
            Diagnostic::error(Code::CONFIGURATION, message.clone()).help((*help).to_owned())
        }
        None => Diagnostic::error(Code::CONFIGURATION, message.to_owned()),
    };
    let diagnostic = match error.span() {
        Some(span) => diagnostic.at(Span::new(span.start, span.end)),
        None => diagnostic,
    };
    let mut quoted = message.split('`').skip(1).step_by(2);
    match (message.starts_with("unknown field"), quoted.next()) {
        (true, Some(name)) => match similar(name, quoted) {
            Some(similar) => diagnostic.help(format!("did you mean `{similar}`?")),
            None => diagnostic,
        },
        _ => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, Diagnostic> {
        ConfigFile::parse(Path::new("folder/c.toml"), text.to_owned()).map_err(|error| error.0)
    }

    const ALLOW: &str = "[[allow]]\ndetection = 'AWS*'\nfield = 'user'\nowner = 'me'\n\
                         reason = 'backup'\n";

    #[test]
    fn keys_with_their_places() {
        let text = format!(
            "content = ['a', '/b']\nmemory_limit = 64\n[macros]\n'm(1)' = 'x=$1$'\n\
             {ALLOW}value = 'backup'\nexpires = 2027-01-31\n"
        );
        let file = parse(&text).unwrap();
        let content = file.keys.content.as_ref().unwrap();
        assert_eq!(file.place(content), "folder/c.toml:1");
        let paths: Vec<PathBuf> = content.get_ref().iter().map(|path| file.resolve(path)).collect();
        assert_eq!(paths, [Path::new("folder/a"), Path::new("/b")]);
        assert_eq!(file.keys.macros["m(1)"].get_ref(), "x=$1$");
        let entry = &file.allow[0];
        assert_eq!(entry.origin, "folder/c.toml:5");
        assert_eq!(entry.conditions[0].values, AllowedValues::Exact("backup".to_owned()));
        assert_eq!(entry.expires.unwrap().to_string(), "2027-01-31");
    }

    #[test]
    fn a_day_may_be_in_quotes() {
        for day in ["2027-01-31", "'2027-01-31'", "\"2027-01-31\""] {
            let file = parse(&format!("{ALLOW}value = 'x'\nexpires = {day}\n")).unwrap();
            assert_eq!(file.allow[0].expires.unwrap().to_string(), "2027-01-31", "{day}");
        }
    }

    const DAY: &str = "write the last day on which the entry counts: `expires = 2027-01-31`";
    const NUMBER: &str = "write digits without quotes, such as `4`";
    const TEXT: &str = "put it in quotes: `\"…\"`";
    const TABLE: &str = "write `[macros]` in one pair of brackets, and `name = \"…\"` below it";
    const ENTRY: &str = "begin each entry with `[[allow]]`, in two pairs of brackets";
    const ONE_OF: &str = "write `value = 'TEXT'`, `pattern = 'TEXT*'` or `cidr = '10.0.0.0/8'`";
    const BOTH: &str = "keep one of them, and write a second `[[allow]]` entry for the other";
    const CIDR: &str = "an example is `10.0.0.0/8`; a single address ends in `/32`, or `/128`";

    #[test]
    fn mistakes_name_their_place_and_the_nearest_key() {
        let cases = [
            ("contnt = []\n", "unknown field `contnt`", "did you mean `content`?"),
            ("threads = 0\n", "expected a number from 1 on, found `0`", NUMBER),
            ("memory_limit = -1\n", "expected a number from 1 on, found `-1`", NUMBER),
            ("threads = 'two'\n", "expected a number from 1 on, found `two`", NUMBER),
            (
                "builtin = 'no'\n",
                "expected true or false, found `no`",
                "write it without quotes: `true`",
            ),
            ("content = 'a'\n", "expected a list, found `a`", "put it in brackets: `[\"…\"]`"),
            ("[macros]\na = 1\n", "expected a text, found `1`", TEXT),
            ("macros = []\n", "expected a table, found a list", TABLE),
            (
                &ALLOW.replace("[[", "[").replace("]]", "]"),
                "expected a list of entries, found a table",
                ENTRY,
            ),
            (&format!("{ALLOW}value = 12\n"), "expected a text, found `12`", TEXT),
            (&format!("{ALLOW}value = ''\n"), "`value` of an allow-list entry is empty", ""),
            (&format!("{ALLOW}pattern = ' '\n"), "`pattern` of an allow-list entry is empty", ""),
            ("threads = \n", "", ""),
            (&format!("{ALLOW}vlaue = 'x'\n"), "unknown field `vlaue`", "did you mean `value`?"),
            (ALLOW, "an allow-list entry needs one of", ONE_OF),
            (
                &format!("{ALLOW}value = 'x'\ncidr = '::/0'\n"),
                "an allow-list entry has both `value` and `cidr`",
                BOTH,
            ),
            (
                &format!("{ALLOW}pattern = 'x*'\nvalue = 'x'\n"),
                "an allow-list entry has both `pattern` and `value`",
                BOTH,
            ),
            (&format!("{ALLOW}cidr = '10.0.0.0/99'\n"), "expected a CIDR block", CIDR),
            (&format!("{ALLOW}value = 'x'\nexpires = 10:00:00\n"), "expected a day", DAY),
            (&format!("{ALLOW}value = 'x'\nexpires = '31.12.2026'\n"), "expected a day", DAY),
            (&format!("{ALLOW}value = 'x'\nexpires = '2026-02-30'\n"), "expected a day", DAY),
            (
                &format!("{ALLOW}value = 'x'\nexpires = 2026-02-03T10:00:00Z\n"),
                "expected a day",
                DAY,
            ),
            (&format!("{ALLOW}value = 'x'\nexpires = 2026\n"), "expected a day", DAY),
            (&ALLOW.replace("'user'", "' '"), "`field` of an allow-list entry is empty", ""),
            ("[[allow]]\nfield = 'x'\n", "missing field `detection`", ""),
        ];
        for (text, message, help) in cases {
            let diagnostic = parse(text).unwrap_err();
            assert!(diagnostic.message.starts_with(message), "{text}: {}", diagnostic.message);
            assert_eq!(diagnostic.help.as_deref().unwrap_or_default(), help, "{text}");
            assert!(diagnostic.span().is_some(), "{text}");
        }
    }
}
