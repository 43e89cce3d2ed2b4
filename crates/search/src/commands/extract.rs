//! `extract`: makes fields of the keys and values in an event's text.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::fields;
use spilltrail_spl::Arguments;

use super::extraction::{self, Existing, Extracted, Extractor};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "extract",
    aliases: &["kv"],
    kind: CommandKind::DistributableStreaming,
    summary: "Make fields of the keys and values in the event's text.",
    syntax: "extract [pairdelim=<text>] [kvdelim=<text>] [limit=<int>] [maxchars=<int>] [mv_add=<bool>] [clean_keys=<bool>] [auto=<bool>] [segment=<bool>] [reload=<bool>]",
    arguments: &[
        Argument::option("pairdelim", Takes::Text)
            .doc("The characters that separate pairs. Default: blanks, commas and semicolons."),
        Argument::option("kvdelim", Takes::Text)
            .doc("The characters that separate a key from its value. Default: `=`."),
        Argument::option("limit", Takes::Count)
            .default("50")
            .doc("The largest number of pairs of a text."),
        Argument::option("maxchars", Takes::Count)
            .default("10240")
            .doc("How many characters of a text are read."),
        Argument::option("mv_add", Takes::Bool).default("false").doc(
            "Whether all values of a key are kept, with those that the row has. Else the first one counts.",
        ),
        Argument::option("clean_keys", Takes::Bool)
            .default("true")
            .doc("Whether other characters of a key than letters, digits and `_` become `_`."),
        Argument::option("auto", Takes::Bool)
            .default("true")
            .doc("Whether pairs are found without delimiters."),
        Argument::option("segment", Takes::Bool)
            .default("false")
            .no_effect("results are not shown with the places of pairs")
            .doc("Whether to note the places of the pairs in the text."),
        Argument::option("reload", Takes::Bool)
            .default("false")
            .no_effect("there are no configuration files")
            .doc("Whether to read the configuration again."),
    ],
    examples: &[
        Example {
            title: "Pairs with an equals sign",
            events: r#"{"_raw":"user=ann action=\"log in\", ip=10.0.0.1"}"#,
            search: "| extract | table user action ip",
            results: r#"{"user":"ann","action":"log in","ip":"10.0.0.1"}"#,
        },
        Example {
            title: "Other delimiters",
            events: r#"{"_raw":"user:ann;user name:Ann B"}"#,
            search: "| extract pairdelim=\";\" kvdelim=\":\" | table user user_name",
            results: r#"{"user":"ann","user_name":"Ann B"}"#,
        },
    ],
    differs: &[
        "There are no configured extractions: a name after `extract` is an error.",
        "A value in double quotes may hold delimiters. If delimiters are given, another value that holds one of `kvdelim` is not extracted; else a value may hold `=`.",
        "A row that has a field keeps its value, unless `mv_add` is true.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Extracted<Pairs>>(Pairs::NAME);

#[derive(Debug)]
struct Extract {
    pairs: Pairs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pairs {
    pair_delimiters: Option<String>,
    key_delimiters: Option<String>,
    limit: usize,
    characters: usize,
    adds: bool,
    cleans_keys: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    if arguments.more() {
        let name = arguments.field()?;
        let message = format!("there is no configured extraction `{}`", name.value);
        return Err(Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message)
            .at(name.span)
            .help("write the delimiters here, or use `rex`"));
    }
    let delimiters = |name| {
        let given: Option<Spanned<String>> = arguments.given(name);
        given.map(|given| given.value.replace("\\t", "\t").replace("\\n", "\n"))
    };
    let pairs = Pairs {
        pair_delimiters: delimiters("pairdelim"),
        key_delimiters: delimiters("kvdelim"),
        limit: arguments.value("limit"),
        characters: arguments.value("maxchars"),
        adds: arguments.value("mv_add"),
        cleans_keys: arguments.value("clean_keys"),
    };
    let has_delimiters = pairs.pair_delimiters.is_some() || pairs.key_delimiters.is_some();
    let is_automatic: bool = arguments.value("auto");
    if !is_automatic && !has_delimiters {
        let message = "without `auto` the delimiters are needed";
        let span = arguments.given_at("auto").unwrap_or_else(|| arguments.span());
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, message)
            .at(span)
            .help("for example `extract pairdelim=\",\" kvdelim=\"=\"`"));
    }
    if has_delimiters && !is_automatic {
        arguments.without_effect("auto", "the delimiters are given");
    }
    Ok(Box::new(Extract { pairs }))
}

#[async_trait]
impl Command for Extract {
    fn needs(&self, after: Needs) -> Needs {
        after.and([fields::RAW])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        extraction::plan(stage.input(input)?, fields::RAW, self.pairs.clone(), stage).await
    }
}

impl Extractor for Pairs {
    const NAME: &'static str = "extract";

    fn existing(&self) -> Existing {
        if self.adds { Existing::Extended } else { Existing::Kept }
    }

    fn pairs(&self, text: &str) -> Vec<(String, String)> {
        let end = text.char_indices().nth(self.characters).map_or(text.len(), |(at, _)| at);
        let text = text.get(..end).unwrap_or_default();
        let found = match (&self.pair_delimiters, &self.key_delimiters) {
            (None, None) => automatic(text),
            (pair, key) => {
                let pair = pair.as_deref().unwrap_or(" ,;\t\r\n");
                delimited(text, pair, key.as_deref().unwrap_or("="))
            }
        };
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (key, value) in found.into_iter().take(self.limit) {
            let key = if self.cleans_keys { cleaned(key) } else { key.to_owned() };
            if !key.is_empty() && (self.adds || seen.insert(key.clone())) {
                pairs.push((key, value.to_owned()));
            }
        }
        pairs
    }
}

/// Returns the key with `_` for other characters than letters, digits and `_`, which do not stand
/// at its beginning.
pub(super) fn cleaned(key: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    key.chars().map(clean).collect::<String>().trim_start_matches('_').to_owned()
}

/// Returns a text without the double quotes around it.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Returns the pairs of a text whose delimiters are given.
fn delimited<'a>(text: &'a str, pair: &str, key: &str) -> Vec<(&'a str, &'a str)> {
    let mut is_quoted = false;
    let separates = |c: char| {
        is_quoted ^= c == '"';
        !is_quoted && pair.contains(c)
    };
    let split = |part: &'a str| {
        let (name, rest) = part.split_once(|c: char| key.contains(c))?;
        let value = unquoted(rest);
        // A pair whose value has a delimiter, as in `Referer: https://…`, is no pair for Splunk.
        let is_quoted = value.len() < rest.trim().len();
        (is_quoted || !value.contains(|c: char| key.contains(c))).then_some((unquoted(name), value))
    };
    text.split(separates).filter_map(split).collect()
}

/// Returns the pairs `key=value` of a text. A value ends at a blank, a comma or a semicolon, or is
/// in double quotes.
fn automatic(text: &str) -> Vec<(&str, &str)> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let is_key =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':' | '{' | '}');
        let start = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_key(*c))
            .last()
            .map_or(before.len(), |(start, _)| start);
        let key = &before[start..];
        let (value, end) = match after.strip_prefix('"') {
            Some(quoted) => match closing(quoted, '"') {
                Some(length) => (&quoted[..length], length + 2),
                None => (quoted, after.len()),
            },
            None => {
                let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&' | '"');
                let end = after.find(ends).unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        let begins_well = key.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if begins_well && !value.is_empty() {
            pairs.push((key, value));
        }
        rest = &after[end..];
    }
    pairs
}

/// Returns the length of a quoted text up to its closing quote. A backslash escapes a quote.
pub(super) fn closing(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == quote && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &Pairs, text: &str) -> String {
        let pairs = pairs.pairs(text).into_iter();
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("|")
    }

    fn with(pair: Option<&str>, key: Option<&str>) -> Pairs {
        Pairs {
            pair_delimiters: pair.map(str::to_owned),
            key_delimiters: key.map(str::to_owned),
            limit: 50,
            characters: 10_240,
            adds: false,
            cleans_keys: true,
        }
    }

    #[test]
    fn pairs_are_found() {
        for (pair, key, text, expected) in [
            (None, None, "a=1 b=\"x y\", c=é;d=", "a=1|b=x y|c=é"),
            (None, None, "x.y=1 a-b=2 9=3 =4 q==5", "x_y=1|a_b=2|q==5"),
            (None, None, "url=http://x/?a=b&c=d", "url=http://x/?a=b|c=d"),
            (None, None, "a=\"x", "a=x"),
            (None, None, "no pair", ""),
            (
                Some("|;"),
                Some("=:"),
                "height:72;age = 33|name:\"A;B\"",
                "height=72|age=33|name=A;B",
            ),
            (None, Some(":"), "a:1 b:2", "a=1|b=2"),
            (Some(","), Some(":"), "Referer: https://x.example,b:2", "b=2"),
            (
                Some(","),
                Some(":"),
                "Referer: \"https://x.example\",b:",
                "Referer=https://x.example|b=",
            ),
            (Some(","), Some("=:"), "a=b:c,d:e=f,g=h", "g=h"),
            (Some(","), None, "a=1,b=2 3", "a=1|b=2 3"),
            (Some(","), Some("="), "a,=1,b=", "b="),
            (None, None, "a=1 a=2", "a=1"),
        ] {
            assert_eq!(found(&with(pair, key), text), expected, "{text}");
        }
        let all = Pairs { adds: true, limit: 2, cleans_keys: false, ..with(None, None) };
        assert_eq!(found(&all, "a.b=1 a.b=2 c=3"), "a.b=1|a.b=2");
        let few = Pairs { characters: 5, ..with(None, None) };
        assert_eq!(found(&few, "a=1é b=2"), "a=1é");
    }
}
