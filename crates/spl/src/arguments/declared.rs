//! What a command declares about its arguments: one table that its parser, its documentation, `help`,
//! completion and the tests read.

use serde::Serialize;

/// An argument of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// Name in lower case; that of a keyword in upper case.
    pub name: &'static str,
    /// How it is written.
    pub form: Form,
    /// What it takes.
    pub takes: Takes,
    /// The value that counts where it is not written, as text.
    pub default: Option<&'static str>,
    /// The least and the greatest number that it takes, if it takes a number.
    pub range: Option<(u64, u64)>,
    /// What becomes of it here.
    pub support: Support,
    /// What it means; whole sentences.
    pub doc: &'static str,
}

/// How an argument is written.
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

/// What an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// `true` or `false`, also `t`, `f`, `1`, `0`, `yes`, `no`, `y`, `n`.
    Bool,
    /// A whole number that is not negative.
    Count,
    /// A number.
    Number,
    /// Any text.
    Text,
    /// A field's name.
    Field,
    /// Names of fields.
    Fields,
    /// A span of time such as `10m`.
    Span,
    /// A width of bins: a span of time, a number, or a logarithm.
    Width,
    /// An instant: a time modifier or epoch seconds.
    Time,
    /// A regular expression.
    Regex,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An eval expression in parentheses.
    Condition,
    /// Eval expressions, as far as they go.
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

/// What becomes of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// It does what Splunk documents.
    Honored,
    /// Any value but the default is refused; says what to do instead.
    Refused(&'static str),
    /// Any value but the default gives a warning; says why it changes nothing here.
    NoEffect(&'static str),
}

impl Argument {
    /// Returns an option, written `name=value`.
    #[must_use]
    pub const fn option(name: &'static str, takes: Takes) -> Self {
        Self::of(Form::Option, name, takes)
    }

    /// Returns an argument that is known by its position.
    #[must_use]
    pub const fn positional(name: &'static str, takes: Takes) -> Self {
        Self::of(Form::Positional, name, takes)
    }

    /// Returns an argument that follows a keyword; `name` is in upper case.
    #[must_use]
    pub const fn keyword(name: &'static str, takes: Takes) -> Self {
        Self::of(Form::Keyword, name, takes)
    }

    /// Returns a function of the command's own, such as `ctime(<field>)` of `convert`.
    #[must_use]
    pub const fn call(name: &'static str, takes: Takes) -> Self {
        Self::of(Form::Call, name, takes)
    }

    const fn of(form: Form, name: &'static str, takes: Takes) -> Self {
        let support = Support::Honored;
        Self { name, form, takes, default: None, range: None, support, doc: "" }
    }

    /// Sets the value that counts where the argument is not written.
    #[must_use]
    pub const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    /// Sets the least and the greatest number.
    #[must_use]
    pub const fn between(mut self, least: u64, greatest: u64) -> Self {
        self.range = Some((least, greatest));
        self
    }

    /// Refuses every value but the default; `instead` says what to do, as the help line of an error.
    #[must_use]
    pub const fn refused(mut self, instead: &'static str) -> Self {
        self.support = Support::Refused(instead);
        self
    }

    /// Warns of every value but the default; `why` says why it changes nothing.
    #[must_use]
    pub const fn no_effect(mut self, why: &'static str) -> Self {
        self.support = Support::NoEffect(why);
        self
    }

    /// Sets what it means.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Returns how the argument is written: `limit=<int>`, `<field> …`, `BY <field> …`.
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

    /// Returns what the argument means, its range and default, and what becomes of it here.
    #[must_use]
    pub fn meaning(&self) -> String {
        let mut text = self.doc.to_owned();
        if let Some((least, greatest)) = self.range {
            text.push_str(&format!(" From {least} to {greatest}."));
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
    /// Returns the value as grammars write it: `<int>`, `<field>`, `inner|left`.
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
