//! Declares the arguments of commands, in one table for the parser, the documentation, `help`,
//! completion and the tests.

use serde::Serialize;

/// An argument of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// The name in lowercase, or in uppercase for a keyword.
    pub name: &'static str,
    /// The notation of the argument.
    pub form: Form,
    /// The type of its value.
    pub takes: Takes,
    /// The value used if the argument is absent, as text.
    pub default: Option<&'static str>,
    /// The smallest and the largest number it takes, if it takes a number.
    pub range: Option<(u64, u64)>,
    /// The smallest number it takes, as text, if there is no largest one.
    pub least: Option<&'static str>,
    /// Whether it may be written several times, and each counts.
    #[serde(skip)]
    pub is_repeated: bool,
    /// Whether the argument is supported here.
    pub support: Support,
    /// The meaning of the argument, in whole sentences.
    pub doc: &'static str,
}

/// The notation of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `name=value`
    Option,
    /// By its position: `<name>`.
    Positional,
    /// After a keyword: `BY <field>`.
    Keyword,
    /// As a call: `ctime(<field>)`.
    Call,
}

/// The type of an argument's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// `true` or `false`, also `t`, `f`, `1`, `0`, `yes`, `no`, `y`, `n`.
    Bool,
    /// A nonnegative integer.
    Count,
    /// A number.
    Number,
    /// Any text.
    Text,
    /// A field name.
    Field,
    /// Field names.
    Fields,
    /// A span of time such as `10m`.
    Span,
    /// A width of bins: a span of time, a number, or a logarithm.
    Width,
    /// An instant: a time modifier or epoch seconds.
    Time,
    /// A regular expression.
    Regex,
    /// One of the listed words.
    OneOf(&'static [&'static str]),
    /// An eval expression in parentheses.
    Condition,
    /// One or more eval expressions.
    Expression,
    /// A search expression.
    Search,
    /// A pipeline in square brackets.
    Subsearch,
    /// Statistics functions.
    Statistics,
    /// The name of a lookup.
    Lookup,
}

/// How an argument is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// The argument works as Splunk documents it.
    Honored,
    /// Any value other than the default is an error; the text says what to do instead.
    Refused(&'static str),
    /// Any value other than the default gives a warning; the text says why it has no effect here.
    NoEffect(&'static str),
}

impl Argument {
    /// Returns an option, written `name=value`.
    #[must_use]
    pub const fn option(name: &'static str, takes: Takes) -> Self {
        Self::of(Form::Option, name, takes)
    }

    /// Returns an argument identified by its position.
    #[must_use]
    pub const fn positional(name: &'static str, takes: Takes) -> Self {
        Self::of(Form::Positional, name, takes)
    }

    /// Returns an argument that follows a keyword; `name` is in uppercase.
    #[must_use]
    pub const fn keyword(name: &'static str, takes: Takes) -> Self {
        Self::of(Form::Keyword, name, takes)
    }

    /// Returns an argument in the form of a call that only this command has, such as
    /// `ctime(<field>)` of `convert`.
    #[must_use]
    pub const fn call(name: &'static str, takes: Takes) -> Self {
        Self::of(Form::Call, name, takes)
    }

    const fn of(form: Form, name: &'static str, takes: Takes) -> Self {
        let support = Support::Honored;
        let is_repeated = false;
        let (default, range, least) = (None, None, None);
        Self { name, form, takes, default, range, least, is_repeated, support, doc: "" }
    }

    /// Sets the value that is used if the argument is absent.
    #[must_use]
    pub const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    /// Sets the smallest and the largest number.
    #[must_use]
    pub const fn between(mut self, least: u64, greatest: u64) -> Self {
        self.range = Some((least, greatest));
        self
    }

    /// Sets the smallest number.
    #[must_use]
    pub const fn at_least(mut self, least: &'static str) -> Self {
        self.least = Some(least);
        self
    }

    /// Allows the option to be written several times; [`Arguments::given_all`] returns all values.
    ///
    /// [`Arguments::given_all`]: super::Arguments::given_all
    #[must_use]
    pub const fn repeated(mut self) -> Self {
        self.is_repeated = true;
        self
    }

    /// Makes any value other than the default an error; `instead` is its help line.
    #[must_use]
    pub const fn refused(mut self, instead: &'static str) -> Self {
        self.support = Support::Refused(instead);
        self
    }

    /// Makes any value other than the default a warning; `why` says why it has no effect.
    #[must_use]
    pub const fn no_effect(mut self, why: &'static str) -> Self {
        self.support = Support::NoEffect(why);
        self
    }

    /// Sets the meaning of the argument.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Returns the notation of the argument: `limit=<int>`, `<field> …`, `BY <field> …`.
    #[must_use]
    pub fn shown(&self) -> String {
        let value = self.takes.shown();
        match self.form {
            Form::Option => format!("{}={value}", self.name),
            Form::Positional => match self.takes {
                Takes::Fields => format!("<{}> …", self.name),
                Takes::Condition => format!("(<{}>)", self.name),
                Takes::Subsearch => format!("[<{}>]", self.name),
                _ => format!("<{}>", self.name),
            },
            Form::Keyword if self.takes == Takes::Bool => self.name.to_owned(),
            Form::Keyword => format!("{} {value}", self.name),
            Form::Call => format!("{}({value})", self.name),
        }
    }

    /// Returns the meaning of the argument, its range and default, and how it is supported here.
    #[must_use]
    pub fn meaning(&self) -> String {
        let mut text = self.doc.to_owned();
        if let Some((least, greatest)) = self.range {
            text.push_str(&format!(" From {least} to {greatest}."));
        }
        if let Some(least) = self.least {
            text.push_str(&format!(" At least {least}."));
        }
        if let Some(default) = self.default {
            text.push_str(&format!(" Default `{default}`."));
        }
        match (self.support, self.default) {
            (Support::Honored, _) => {}
            (Support::Refused(instead), Some(default)) => {
                text.push_str(&format!(" Only `{default}` is supported: {instead}."));
            }
            (Support::Refused(instead), None) => {
                text.push_str(&format!(" Not supported: {instead}."));
            }
            (Support::NoEffect(why), _) => {
                text.push_str(&format!(" Without effect here, with a warning: {why}."));
            }
        }
        text
    }
}

impl Takes {
    /// Returns the value in grammar notation: `<int>`, `<field>`, `inner|left`.
    #[must_use]
    pub fn shown(self) -> String {
        match self {
            Self::Bool => "<bool>",
            Self::Count => "<int>",
            Self::Number => "<num>",
            Self::Text => "<text>",
            Self::Field => "<field>",
            Self::Fields => "<field> …",
            Self::Span | Self::Width => "<span>",
            Self::Time => "<time>",
            Self::Regex => "<regular expression>",
            Self::Condition => "(<expr>)",
            Self::Expression => "<expr>",
            Self::Search => "<search>",
            Self::Subsearch => "[<subsearch>]",
            Self::Statistics => "<function>(<field>) …",
            Self::Lookup => "<lookup>",
            Self::OneOf(words) => return words.join("|"),
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_shown_as_it_is_written() {
        const WORDS: &[&str] = &["inner", "left"];
        let option = Argument::option("limit", Takes::Count);
        let cases = [
            (option.default("10").doc("Rows."), "limit=<int>", "Rows. Default `10`."),
            (option.between(2, 9).doc("Rows."), "limit=<int>", "Rows. From 2 to 9."),
            (option.at_least("0.1").doc("Rows."), "limit=<int>", "Rows. At least 0.1."),
            (
                option.no_effect("there is one machine").doc("Rows."),
                "limit=<int>",
                "Rows. Without effect here, with a warning: there is one machine.",
            ),
            (
                option.default("0").refused("use `head`").doc("Rows."),
                "limit=<int>",
                "Rows. Default `0`. Only `0` is supported: use `head`.",
            ),
            (Argument::option("type", Takes::OneOf(WORDS)).doc("How."), "type=inner|left", "How."),
            (Argument::positional("field", Takes::Fields).doc("Which."), "<field> …", "Which."),
            (Argument::keyword("BY", Takes::Fields).doc("Which."), "BY <field> …", "Which."),
            (Argument::call("num", Takes::Field).doc("Which."), "num(<field>)", "Which."),
        ];
        for (argument, shown, meaning) in cases {
            assert_eq!((argument.shown().as_str(), argument.meaning().as_str()), (shown, meaning));
        }
    }
}
