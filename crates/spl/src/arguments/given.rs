//! Reads options by the table that a command declares, and reports what is wrong with them.
//!
//! A command's parser does not handle options itself: [`Arguments::more`] takes the options that
//! come next, wherever they appear, and checks them against the table. A wrong option is reported
//! without ending the parse, so that all mistakes of a command are found at once.

use spilltrail_diagnostic::{Code, Diagnostic, Severity, Span, Spanned, similar};

use super::options::{option_name, option_value, option_value_until};
use super::{Argument, Arguments, Form, Support, Takes, eval};
use crate::EvalExpr;
use crate::cursor::Cursor;
use crate::time;

/// An option as written in the search.
#[derive(Debug, Clone)]
pub(super) struct Given {
    argument: &'static Argument,
    /// The span of the name and the value.
    span: Span,
    /// The value; `None` if the option does not accept it.
    value: Option<Spanned<OptionValue>>,
}

/// The value of an option, with the type that its declaration takes.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionValue {
    /// [`Takes::Bool`]
    Bool(bool),
    /// [`Takes::Count`]
    Count(usize),
    /// [`Takes::Number`]
    Number(f64),
    /// [`Takes::Span`]
    Span(time::Span),
    /// [`Takes::OneOf`], in the declaration's spelling.
    Word(&'static str),
    /// [`Takes::Condition`]
    Condition(EvalExpr),
    /// Any other value, as written but without quotes.
    Text(String),
}

/// A type that an option's value can have.
pub trait FromOption: Sized {
    /// Returns the value, or `None` if it has another type.
    fn from_option(value: &OptionValue) -> Option<Self>;
}

macro_rules! from_option {
    ($($type:ty => $variant:ident;)*) => {$(
        impl FromOption for $type {
            fn from_option(value: &OptionValue) -> Option<Self> {
                match value {
                    OptionValue::$variant(value) => Some(value.clone()),
                    _ => None,
                }
            }
        }
    )*};
}

from_option! {
    bool => Bool;
    usize => Count;
    f64 => Number;
    time::Span => Span;
    &'static str => Word;
    EvalExpr => Condition;
    String => Text;
}

impl Arguments<'_> {
    /// Takes the options that come next; returns true if any other text follows.
    pub fn more(&mut self) -> bool {
        self.options();
        !self.is_empty()
    }

    /// Takes the options that come next, each with an optional comma after it.
    pub fn options(&mut self) {
        while self.one_option() {}
    }

    /// Takes one option and a comma after it, if an option comes next.
    pub fn one_option(&mut self) -> bool {
        let Some(name) = self.option_name() else { return false };
        self.take_option(&name);
        self.symbol(",");
        true
    }

    /// Takes options up to the end of the arguments.
    ///
    /// # Errors
    /// Fails with a syntax error at any other text.
    pub fn finish_with_options(&mut self) -> Result<(), Diagnostic> {
        self.options();
        self.finish()
    }

    /// Reports an error or a warning without ending the parse.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.reported.push(diagnostic);
    }

    /// Returns the reported problems.
    #[must_use]
    pub fn into_reported(self) -> Vec<Diagnostic> {
        self.reported
    }

    /// Returns true if a reported problem prevents the command from running.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.reported.iter().any(|diagnostic| diagnostic.severity > Severity::Warning)
    }

    /// Returns the value of an option: the written value or else the declared default.
    ///
    /// # Panics
    /// Panics if the command does not declare the option with a default of this type.
    #[must_use]
    pub fn value<T: FromOption>(&self, name: &str) -> T {
        if let Some(given) = self.given::<T>(name) {
            return given.value;
        }
        let argument = self.declaration(name).expect("the command declares the option");
        let text = argument.default.expect("the option has a default");
        let text = Spanned::new(text.to_owned(), self.span());
        let value = typed(argument, &text).expect("the default is a value that the option takes");
        T::from_option(&value).expect("the option is read as what it takes")
    }

    /// Returns the written value of an option; `None` if the option is absent or its value is
    /// wrong.
    #[must_use]
    pub fn given<T: FromOption>(&self, name: &str) -> Option<Spanned<T>> {
        debug_assert!(self.declaration(name).is_some(), "the command declares `{name}`");
        let value = self.written(name)?.value.as_ref()?;
        Some(Spanned::new(T::from_option(&value.value)?, value.span))
    }

    /// Returns the written values of an option that may be written several times, without those that
    /// are wrong.
    #[must_use]
    pub fn given_all<T: FromOption>(&self, name: &str) -> Vec<T> {
        debug_assert!(self.declaration(name).is_some_and(|argument| argument.is_repeated));
        let values = self.given.iter().filter(|given| given.argument.name == name);
        let values = values.filter_map(|given| T::from_option(&given.value.as_ref()?.value));
        values.collect()
    }

    /// Returns the span of an option's name and value, even if the value is wrong.
    #[must_use]
    pub fn given_at(&self, name: &str) -> Option<Span> {
        debug_assert!(self.declaration(name).is_some(), "the command declares `{name}`");
        self.written(name).map(|given| given.span)
    }

    /// Forgets options, so that they can be written again for another part of the command.
    pub fn forget(&mut self, names: &[&str]) {
        self.given.retain(|given| !names.contains(&given.argument.name));
    }

    /// Warns that an option, if written, has no effect in this search.
    pub fn without_effect(&mut self, name: &str, why: &str) {
        if let Some(span) = self.given_at(name) {
            let command = &self.command.name.value;
            let message = format!("`{command} {name}=` has no effect here");
            self.report(Diagnostic::warning(Code::NO_EFFECT, message).at(span).help(why));
        }
    }

    /// Takes a count, such as a number of rows, by its position; reports a negative number and one
    /// outside the declared range.
    pub fn count(&mut self) -> Option<Spanned<usize>> {
        let number = self.integer()?;
        let is_count = |argument: &&Argument| {
            argument.form == Form::Positional && argument.takes == Takes::Count
        };
        let range = self.declared.iter().find(is_count).and_then(|argument| argument.range);
        let is_within =
            |count: &u64| range.is_none_or(|(least, greatest)| (least..=greatest).contains(count));
        let count = u64::try_from(number.value).ok().filter(is_within);
        let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or_else(|| {
            let expected = match range {
                Some((least, greatest)) => format!("from {least} to {greatest}"),
                None => "that is not negative".to_owned(),
            };
            let message = format!("expected a number {expected}, found `{}`", number.value);
            self.report(Diagnostic::error(Code::BAD_ARGUMENT, message).at(number.span));
            0
        });
        Some(Spanned::new(count, number.span))
    }

    fn written(&self, name: &str) -> Option<&Given> {
        self.given.iter().rev().find(|given| given.argument.name == name)
    }

    fn declaration(&self, name: &str) -> Option<&'static Argument> {
        self.declared.iter().find(|argument| {
            argument.form == Form::Option && argument.name.eq_ignore_ascii_case(name)
        })
    }

    /// Takes `name =`, the beginning of an option.
    fn option_name(&mut self) -> Option<Spanned<String>> {
        let mut ahead = self.cursor.clone();
        let name = option_name(&mut ahead)?;
        self.cursor = ahead;
        Some(name)
    }

    /// Warns of an option that is written again. The last one counts.
    pub fn written_twice(&mut self, name: &str, earlier: Span, again: Span) {
        let message = format!("`{name}` is written twice");
        let warning = Diagnostic::warning(Code::NO_EFFECT, message)
            .label(earlier, "without effect")
            .label(again, "this one counts")
            .help("remove one of them");
        self.report(warning);
    }

    /// Takes the value of the option `name` and checks the name and the value.
    fn take_option(&mut self, name: &Spanned<String>) {
        let Some(argument) = self.declaration(&name.value) else {
            let value = option_value(&mut self.cursor);
            let diagnostic = self.unknown_option(name, &value);
            return self.report(diagnostic);
        };
        let start = self.cursor.clone();
        // A subsearch may follow at once: `type=inner[search …]`. In free text, the bracket is text.
        let is_free = matches!(argument.takes, Takes::Text | Takes::Regex | Takes::Search);
        let text = option_value_until(&mut self.cursor, |c| c == '[' && !is_free);
        let value = match argument.takes {
            Takes::Condition => {
                condition(&text, start, &mut self.cursor).map(OptionValue::Condition)
            }
            _ => typed(argument, &text),
        };
        let span = Span::new(name.span.start, self.cursor.position());
        if let Some(earlier) = self.written(argument.name).filter(|_| !argument.is_repeated) {
            let earlier = earlier.span;
            self.written_twice(argument.name, earlier, span);
        }
        if argument.takes == Takes::Field && text.value.contains('*') {
            let message = format!("`{}` takes no wildcard", argument.name);
            self.report(no_wildcard(message, text.span));
        }
        let value = match value {
            Ok(value) => {
                self.judge(argument, &value, &text, span);
                Some(Spanned::new(value, text.span))
            }
            Err(diagnostic) => {
                self.report(diagnostic);
                None
            }
        };
        self.given.push(Given { argument, span, value });
    }

    /// Reports an option that is not supported, unless its value is the default, which is the
    /// actual behavior.
    fn judge(
        &mut self,
        argument: &Argument,
        value: &OptionValue,
        text: &Spanned<String>,
        span: Span,
    ) {
        let default = argument.default.map(|default| Spanned::new(default.to_owned(), text.span));
        if default.is_some_and(|default| typed(argument, &default).as_ref() == Ok(value)) {
            return;
        }
        let written = format!("{} {}={}", self.command.name.value, argument.name, text.value);
        match argument.support {
            Support::Honored => {}
            Support::Refused(instead) => self.report(
                Diagnostic::unsupported(
                    Code::UNSUPPORTED_OPTION,
                    format!("`{written}` is not supported"),
                )
                .at(span)
                .help(instead),
            ),
            Support::NoEffect(why) => self.report(
                Diagnostic::warning(Code::NO_EFFECT, format!("`{written}` has no effect here"))
                    .at(span)
                    .help(why),
            ),
        }
    }

    fn unknown_option(&self, name: &Spanned<String>, value: &Spanned<String>) -> Diagnostic {
        let command = &self.command.name.value;
        let message = format!("`{command}` has no option `{}`", name.value);
        let diagnostic = Diagnostic::error(Code::BAD_OPTION, message).at(name.span);
        let options = || self.declared.iter().filter(|argument| argument.form == Form::Option);
        if let Some(similar) = similar(&name.value, options().map(|argument| argument.name)) {
            return diagnostic.help(format!("an option with a similar name exists: `{similar}`"));
        }
        let has_condition = self.declared.iter().any(|argument| {
            argument.form == Form::Positional && argument.takes == Takes::Condition
        });
        if has_condition {
            let example = format!("{command} ({}={})", name.value, value.value);
            return diagnostic.help(format!("a condition is written in parentheses: `{example}`"));
        }
        match options().next() {
            Some(_) => diagnostic.help(format!("`spilltrail help {command}` lists the options")),
            None => diagnostic.help(format!("`{command}` takes no options")),
        }
    }
}

/// Returns the error for a wildcard where the name of one field is expected.
pub(super) fn no_wildcard(message: String, place: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_ARGUMENT, message).at(place).help("write the name of one field")
}

/// Parses the value of an option by its declared type.
fn typed(argument: &Argument, text: &Spanned<String>) -> Result<OptionValue, Diagnostic> {
    let written = text.value.as_str();
    let least = argument.least.and_then(|least| least.parse::<f64>().ok());
    let is_within = |number: f64| match argument.range {
        #[expect(clippy::cast_precision_loss, reason = "ranges are small numbers")]
        Some((least, greatest)) => (least as f64..=greatest as f64).contains(&number),
        None => least.is_none_or(|least| number >= least),
    };
    let value = match argument.takes {
        // The option has no value at all; an empty text would have quotes.
        _ if text.span.start == text.span.end => None,
        Takes::Bool => boolean(written).map(OptionValue::Bool),
        #[expect(clippy::cast_precision_loss, reason = "ranges are small numbers")]
        Takes::Count => written
            .parse()
            .ok()
            .filter(|count: &usize| is_within(*count as f64))
            .map(OptionValue::Count),
        Takes::Number => written
            .trim()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite() && is_within(*number))
            .map(OptionValue::Number),
        Takes::Span => time::parse_span(written).map(OptionValue::Span),
        Takes::OneOf(words) => words
            .iter()
            .find(|word| word.eq_ignore_ascii_case(written))
            .map(|word| OptionValue::Word(word)),
        _ => Some(OptionValue::Text(text.value.clone())),
    };
    value.ok_or_else(|| {
        let found = if written.is_empty() { "nothing".to_owned() } else { format!("`{written}`") };
        let message =
            format!("expected {} for `{}`, found {found}", expected(argument), argument.name);
        let diagnostic = Diagnostic::error(Code::BAD_OPTION, message).at(text.span);
        match argument.takes {
            Takes::OneOf(words) => match similar(written, words.iter().copied()) {
                Some(word) => diagnostic.help(format!("did you mean `{word}`?")),
                None => diagnostic,
            },
            _ => diagnostic,
        }
    })
}

/// Returns a description of the values that an option takes.
fn expected(argument: &Argument) -> String {
    let mut words = match argument.takes {
        Takes::Bool => "`true` or `false`".to_owned(),
        Takes::Count => "a whole number".to_owned(),
        Takes::Number => "a number".to_owned(),
        Takes::Span => "a span of time such as `5m`".to_owned(),
        Takes::Field | Takes::Fields => "a field".to_owned(),
        Takes::Condition => "a condition in parentheses".to_owned(),
        Takes::OneOf([only]) => format!("`{only}`"),
        Takes::OneOf(words) => match words.split_last() {
            Some((last, others)) => format!("`{}` or `{last}`", others.join("`, `")),
            None => "a word".to_owned(),
        },
        _ => "a value".to_owned(),
    };
    if let Some((least, greatest)) = argument.range {
        words.push_str(&format!(" from {least} to {greatest}"));
    }
    if let Some(least) = argument.least {
        words.push_str(&format!(" from {least}"));
    }
    words
}

/// Parses a truth value as options have them: `t`, `true`, `1`, `yes` or `y`, or the contrary of one.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "1" | "yes" | "y" => Some(true),
        "f" | "false" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// Parses a condition: `(expr)`, `"(expr)"`, or `"("expr")"` as Splunk's documentation prints it.
///
/// `start` is at the beginning of the value `text`, and `cursor` is after its end.
fn condition(
    text: &Spanned<String>,
    start: Cursor<'_>,
    cursor: &mut Cursor<'_>,
) -> Result<EvalExpr, Diagnostic> {
    let mut start = start;
    start.skip_blanks();
    if text.value == "(" && start.peek() == Some('"') {
        let Some(length) = closing(cursor.rest()) else {
            let message = "this condition is never closed";
            return Err(Diagnostic::error(Code::UNBALANCED, message).at(text.span));
        };
        let inner = cursor.rest()[..length].to_owned();
        let span = cursor.advance(length);
        cursor.advance("\")\"".len());
        return whole(&inner.replace("\\\"", "\""), span.start);
    }
    let quote = usize::from(start.peek() == Some('"'));
    if text.value.is_empty() {
        let message = "expected a condition in parentheses, found nothing";
        return Err(Diagnostic::error(Code::BAD_OPTION, message).at(text.span));
    }
    whole(&text.value, text.span.start + quote)
}

/// Returns the length of the text before the `")"` that ends a condition. A quote with a backslash
/// before it belongs to the condition.
fn closing(text: &str) -> Option<usize> {
    let mut characters = text.char_indices();
    while let Some((index, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if text[index..].starts_with("\")\"") {
            return Some(index);
        }
    }
    None
}

/// Parses a text that is exactly one expression and begins at offset `base`.
fn whole(text: &str, base: usize) -> Result<EvalExpr, Diagnostic> {
    let mut cursor = Cursor::new(text, base);
    let expr = eval::expression(&mut cursor)?;
    if cursor.at_end() { Ok(expr) } else { Err(cursor.expected("an operator or the end")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;

    static DECLARED: &[Argument] = &[
        Argument::option("limit", Takes::Count).default("10"),
        Argument::option("window", Takes::Count).between(2, 9),
        Argument::option("share", Takes::Number).between(0, 1),
        Argument::option("keep", Takes::Bool).default("false"),
        Argument::option("type", Takes::OneOf(&["inner", "left", "outer"])).default("inner"),
        Argument::option("span", Takes::Span),
        Argument::option("value", Takes::Text).default("0"),
        Argument::option("reset", Takes::Condition),
        Argument::option("local", Takes::Bool).default("false").no_effect("there is one machine"),
        Argument::option("setsv", Takes::Bool).default("false").refused("use `nomv`"),
        Argument::positional("condition", Takes::Condition),
    ];

    fn command(text: &str) -> Command {
        let span = Span::new(5, 5 + text.len());
        Command {
            name: Spanned::new("test".to_owned(), Span::new(0, 4)),
            arguments: Spanned::new(text.to_owned(), span),
        }
    }

    /// Returns the code, span and message of every reported diagnostic.
    fn reported(text: &str) -> Vec<(String, (usize, usize), String)> {
        let command = command(text);
        let mut arguments = Arguments::of(&command, DECLARED);
        while arguments.more() {
            arguments.word();
        }
        let reported = arguments.into_reported().into_iter().map(|diagnostic| {
            let span = diagnostic.span().unwrap_or_default();
            (diagnostic.code.to_string(), (span.start, span.end), diagnostic.message)
        });
        reported.collect()
    }

    #[test]
    fn values_have_the_declared_type_and_default() {
        let command = command("x LIMIT = 3 y keep=T type=\"LEFT\" share=0.5, span=5m");
        let mut arguments = Arguments::of(&command, DECLARED);
        let mut others = Vec::new();
        while arguments.more() {
            others.extend(arguments.word().map(|word| word.value));
        }
        assert_eq!(others, ["x", "y"]);
        assert!(arguments.into_reported().is_empty());
        let mut arguments = Arguments::of(&command, DECLARED);
        while arguments.more() {
            arguments.word();
        }
        assert_eq!(arguments.value::<usize>("limit"), 3);
        assert_eq!(arguments.given::<usize>("limit").map(|v| v.span), Some(Span::new(15, 16)));
        assert_eq!(arguments.given::<usize>("window"), None);
        assert!(arguments.value::<bool>("keep"));
        assert_eq!(arguments.value::<&str>("type"), "left");
        assert_eq!(arguments.given::<f64>("share").map(|v| v.value), Some(0.5));
        assert_eq!(arguments.value::<String>("value"), "0");
        let span = arguments.given::<time::Span>("span").map(|v| v.value);
        assert_eq!(span, time::parse_span("5m"));
    }

    /// The code, span and message of a diagnostic.
    type Reported<'a> = (&'a str, (usize, usize), &'a str);

    #[test]
    fn everything_that_is_wrong_is_reported_at_its_place() {
        let cases: &[(&str, &[Reported<'_>])] = &[
            (
                "limit=2 keep=f local=false setsv=0 x=",
                &[("SPL2004", (40, 41), "`test` has no option `x`")],
            ),
            (
                "limt=2 kep=t",
                &[
                    ("SPL2004", (5, 9), "`test` has no option `limt`"),
                    ("SPL2004", (12, 15), "`test` has no option `kep`"),
                ],
            ),
            (
                "limit=-1 keep=maybe window=1 share=2 span=x type=upper limit=",
                &[
                    ("SPL2004", (11, 13), "expected a whole number for `limit`, found `-1`"),
                    ("SPL2004", (19, 24), "expected `true` or `false` for `keep`, found `maybe`"),
                    (
                        "SPL2004",
                        (32, 33),
                        "expected a whole number from 2 to 9 for `window`, found `1`",
                    ),
                    ("SPL2004", (40, 41), "expected a number from 0 to 1 for `share`, found `2`"),
                    (
                        "SPL2004",
                        (47, 48),
                        "expected a span of time such as `5m` for `span`, found `x`",
                    ),
                    (
                        "SPL2004",
                        (54, 59),
                        "expected `inner`, `left` or `outer` for `type`, found `upper`",
                    ),
                    ("SPL2010", (5, 13), "`limit` is written twice"),
                    ("SPL2004", (66, 66), "expected a whole number for `limit`, found nothing"),
                ],
            ),
            ("local=t", &[("SPL2010", (5, 12), "`test local=t` has no effect here")]),
            ("setsv=t", &[("SPL2003", (5, 12), "`test setsv=t` is not supported")]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|(code, span, message)| ((*code).to_owned(), *span, (*message).to_owned()))
                .collect();
            assert_eq!(reported(text), expected, "{text}");
        }
    }

    #[test]
    fn a_bracket_ends_a_value_that_is_not_free_text() {
        for (text, value, rest) in [
            ("type=left[search a]", "left", "[search a]"),
            ("type=left [search a]", "left", "[search a]"),
            ("value=a[0]", "a[0]", ""),
        ] {
            let command = command(text);
            let mut arguments = Arguments::of(&command, DECLARED);
            arguments.options();
            let given = arguments.given::<&str>("type").map(|given| given.value.to_owned());
            let given = given.unwrap_or_else(|| arguments.value("value"));
            assert_eq!((given.as_str(), arguments.rest().value), (value, rest), "{text}");
            assert!(arguments.into_reported().is_empty(), "{text}");
        }
    }

    #[test]
    fn an_unknown_option_comes_with_the_nearest_one() {
        for (text, help) in [
            ("limt=2", "an option with a similar name exists: `limit`"),
            ("n=2", "a condition is written in parentheses: `test (n=2)`"),
        ] {
            let command = command(text);
            let mut arguments = Arguments::of(&command, DECLARED);
            arguments.options();
            assert_eq!(arguments.into_reported()[0].help.as_deref(), Some(help));
        }
    }

    #[test]
    fn conditions_are_read_in_every_form_and_keep_their_places() {
        for (text, start, end) in [
            ("reset=(a=1) x", 11, 16),
            ("reset=\"(a=1)\" x", 12, 17),
            ("reset=\"(\"a=1\")\" x", 14, 17),
            (r#"reset="("match(a,\"y\")")" x"#, 14, 26),
            (r#"reset="("a=\"\\\" OR b=\")\"")" x"#, 14, 29),
        ] {
            let command = command(text);
            let mut arguments = Arguments::of(&command, DECLARED);
            assert!(arguments.more(), "{text}");
            let condition = arguments.given::<EvalExpr>("reset").map(|given| given.value.span);
            assert_eq!(condition, Some(Span::new(start, end)), "{text}");
            assert_eq!(arguments.word().map(|word| word.value).as_deref(), Some("x"), "{text}");
        }
        assert_eq!(reported("reset=(a=) x")[0].0, "SPL1008");
    }
}
