//! The registry of the functions of `eval` and `where`.
//!
//! Each file contains one function or a family of related functions, with their documentation as
//! data next to the code. [`FUNCTIONS`] lists all of them.

mod bitwise;
mod conditional;
mod conversion;
mod cryptographic;
mod datetime;
mod informational;
mod json;
mod lookup;
pub(crate) mod math;
mod members;
mod multivalue;
pub mod mvrange;
mod patterns;
mod printf;
mod sigfig;
mod statistical;
mod text;
mod trigonometry;

pub use json::{digits, path};

use std::borrow::Cow;

use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_event::Value;

use crate::{Call, CallContext, Constants, Evaluation, Preparation, Type};

/// An eval function.
#[derive(Debug)]
pub struct EvalFunction {
    /// Documentation for users.
    pub doc: FunctionDoc,
    /// Number of arguments that the function accepts.
    pub arity: Arity,
    /// Returns the result type for these argument types.
    pub(crate) kind: fn(&[Type]) -> Type,
    /// Checks literal arguments, and prepares data from them at compile time.
    pub(crate) prepare: fn(&mut Preparation<'_>) -> Result<Constants, Diagnostic>,
    /// True if two calls with the same arguments may differ.
    pub volatile: bool,
    /// What the function reads in addition to its arguments.
    pub asks: Asks,
    pub(crate) body: Body,
}

/// What a function reads from the search in addition to the values of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Nothing: the result depends only on the arguments.
    Nothing,
    /// The start time of the search.
    Present,
    /// The rows of the lookup that its first argument names.
    Lookup,
    /// Whatever a search expression reads: the only argument is such an expression.
    Search,
}

/// The documentation of a function.
#[derive(Debug)]
pub struct FunctionDoc {
    /// Name of the function.
    pub name: &'static str,
    /// Alternative names of the function.
    pub aliases: &'static [&'static str],
    /// Chapter of the documentation that describes the function.
    pub category: Category,
    /// Summary: one line in the imperative that ends with a period.
    pub summary: &'static str,
    /// Syntax of a call.
    pub syntax: &'static str,
    /// Expressions with their results as text. Members of a multivalue are joined by ` | `; null is
    /// written `null`.
    pub examples: &'static [(&'static str, &'static str)],
    /// Known differences from Splunk, one sentence each.
    pub differs: &'static [&'static str],
}

/// The chapters of the documentation of eval functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Bitwise functions on integers.
    Bitwise,
    /// Comparison and conditions.
    Conditional,
    /// Conversion of types.
    Conversion,
    /// Hashes.
    Cryptographic,
    /// Date and time.
    DateTime,
    /// Type and other properties of a value.
    Informational,
    /// JSON.
    Json,
    /// Mathematics.
    Mathematical,
    /// Multivalues.
    Multivalue,
    /// Statistics over the arguments.
    Statistical,
    /// Text.
    Text,
    /// Trigonometry.
    Trigonometric,
}

/// The number of arguments that a function accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// Exactly this number.
    Exactly(usize),
    /// Any number from the first to the second, inclusive.
    Between(usize, usize),
    /// This number or more.
    AtLeast(usize),
    /// One or more pairs.
    Pairs,
    /// An even number of arguments, at least this many.
    EvenAtLeast(usize),
    /// An odd number of arguments, at least this many.
    OddAtLeast(usize),
}

/// The implementation of a function.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    /// Called with the values of all arguments, in a slice from which it may move them.
    Row(RowBody),
    /// Called with one number. The result is null for any other value.
    Math(fn(f64) -> f64),
    /// Called with the call itself, for functions that do not evaluate each argument exactly once.
    Special(SpecialBody),
}

pub(crate) type RowBody = for<'a> fn(&CallContext<'a>, &mut [Value<'a>]) -> Value<'a>;
pub(crate) type SpecialBody = for<'a> fn(&'a Call, Evaluation<'a>) -> Value<'a>;

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Row(_) => "Row",
            Self::Math(_) => "Math",
            Self::Special(_) => "Special",
        })
    }
}

/// Returns documentation without aliases and differences.
const fn doc(
    name: &'static str,
    category: Category,
    summary: &'static str,
    syntax: &'static str,
    examples: &'static [(&'static str, &'static str)],
) -> FunctionDoc {
    FunctionDoc { name, aliases: &[], category, summary, syntax, examples, differs: &[] }
}

impl FunctionDoc {
    /// Sets the alternative names.
    const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Sets the differences from Splunk.
    const fn differs(mut self, differs: &'static [&'static str]) -> Self {
        self.differs = differs;
        self
    }
}

impl EvalFunction {
    /// Returns a function that is called with the values of its arguments.
    const fn row(doc: FunctionDoc, arity: Arity, kind: fn(&[Type]) -> Type, body: RowBody) -> Self {
        let body = Body::Row(body);
        Self { doc, arity, kind, prepare: nothing, volatile: false, asks: Asks::Nothing, body }
    }

    /// Returns a function that is called with one number.
    const fn math(doc: FunctionDoc, body: fn(f64) -> f64) -> Self {
        let (arity, kind, body) = (Arity::Exactly(1), returns::number, Body::Math(body));
        Self { doc, arity, kind, prepare: nothing, volatile: false, asks: Asks::Nothing, body }
    }

    /// Returns a function that evaluates its arguments itself.
    const fn special(
        doc: FunctionDoc,
        arity: Arity,
        kind: fn(&[Type]) -> Type,
        body: SpecialBody,
    ) -> Self {
        let body = Body::Special(body);
        Self { doc, arity, kind, prepare: nothing, volatile: false, asks: Asks::Nothing, body }
    }

    /// Sets the check and preparation of literal arguments at compile time.
    const fn prepared(
        mut self,
        prepare: fn(&mut Preparation<'_>) -> Result<Constants, Diagnostic>,
    ) -> Self {
        self.prepare = prepare;
        self
    }

    /// Sets what the function reads in addition to its arguments.
    const fn asks(mut self, asks: Asks) -> Self {
        self.asks = asks;
        self
    }

    /// Marks the function as volatile: calls with the same arguments may return different values.
    const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }
}

impl Arity {
    /// Returns an error if the function does not accept this number of arguments.
    pub(crate) fn check(
        self,
        function: &EvalFunction,
        count: usize,
        span: Span,
    ) -> Result<(), Diagnostic> {
        let arguments = |number: usize| if number == 1 { "argument" } else { "arguments" };
        let (fits, expected) = match self {
            Self::Exactly(number) => (count == number, format!("{number} {}", arguments(number))),
            Self::Between(from, to) => {
                ((from..=to).contains(&count), format!("{from} to {to} arguments"))
            }
            Self::AtLeast(number) => {
                (count >= number, format!("{number} or more {}", arguments(number.max(2))))
            }
            Self::Pairs => (count >= 2 && count.is_multiple_of(2), "pairs of arguments".to_owned()),
            Self::EvenAtLeast(number) => {
                let fits = count >= number && count.is_multiple_of(2);
                (fits, "an even number of arguments".to_owned())
            }
            Self::OddAtLeast(number) => {
                let fits = count >= number && !count.is_multiple_of(2);
                (fits, format!("{number} arguments, or further pairs"))
            }
        };
        if fits {
            return Ok(());
        }
        let name = function.doc.name;
        Err(Diagnostic::error(
            Code::BAD_ARGUMENT,
            format!("wrong number of arguments for `{name}`"),
        )
        .label(span, format!("expected {expected}, found {count}"))
        .help(format!("the syntax is `{}`", function.doc.syntax)))
    }
}

/// Returns the function with this name or alias.
#[must_use]
pub fn find(name: &str) -> Option<&'static EvalFunction> {
    FUNCTIONS
        .iter()
        .find(|function| function.doc.name == name || function.doc.aliases.contains(&name))
        .copied()
}

/// Returns the names of all functions, including aliases.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS
        .iter()
        .flat_map(|function| function.doc.aliases.iter().copied().chain([function.doc.name]))
}

/// Functions that infer the result type of an eval function from its argument types.
mod returns {
    use crate::Type;

    pub(super) fn number(_: &[Type]) -> Type {
        Type::Number
    }

    pub(super) fn boolean(_: &[Type]) -> Type {
        Type::Bool
    }

    pub(super) fn string(_: &[Type]) -> Type {
        Type::String
    }

    pub(super) fn untyped(_: &[Type]) -> Type {
        Type::Untyped
    }

    pub(super) fn multi(_: &[Type]) -> Type {
        Type::Multi
    }

    pub(super) fn null(_: &[Type]) -> Type {
        Type::Null
    }

    /// Result type of functions that apply to each member: a string, or a multivalue if the first
    /// argument is one.
    pub(super) fn string_per_member(arguments: &[Type]) -> Type {
        match arguments.first() {
            Some(Type::Multi) => Type::Multi,
            _ => Type::String,
        }
    }

    /// Result type of functions that return one of their arguments.
    pub(super) fn any_argument(arguments: &[Type]) -> Type {
        Type::any(arguments.iter().copied())
    }

    /// Result type of functions that return the second argument of one of their pairs.
    pub(super) fn any_second(arguments: &[Type]) -> Type {
        Type::any(arguments.iter().skip(1).step_by(2).copied())
    }
}

fn nothing(_: &mut Preparation<'_>) -> Result<Constants, Diagnostic> {
    Ok(Constants::Nothing)
}

/// Moves the argument out of the slice; returns null if the argument was omitted.
fn take<'a>(arguments: &mut [Value<'a>], index: usize) -> Value<'a> {
    arguments.get_mut(index).map_or(Value::Null, |value| std::mem::replace(value, Value::Null))
}

/// Applies `change` to the text of the value, or to each member. Members for which it returns
/// `None` are removed.
fn each_member<'a>(
    value: Value<'a>,
    mut change: impl FnMut(Cow<'a, str>) -> Option<Cow<'a, str>>,
) -> Value<'a> {
    match value {
        Value::Text(text) => change(text).map_or(Value::Null, Value::Text),
        other => Value::multi(other.into_members().into_iter().filter_map(change).collect()),
    }
}

/// Every function, sorted by name.
pub static FUNCTIONS: &[&EvalFunction] = &[
    &math::ABS,
    &trigonometry::ACOS,
    &trigonometry::ACOSH,
    &trigonometry::ASIN,
    &trigonometry::ASINH,
    &trigonometry::ATAN,
    &trigonometry::ATAN2,
    &trigonometry::ATANH,
    &statistical::AVG,
    &bitwise::BIT_AND,
    &bitwise::BIT_NOT,
    &bitwise::BIT_OR,
    &bitwise::BIT_SHIFT_LEFT,
    &bitwise::BIT_SHIFT_RIGHT,
    &bitwise::BIT_XOR,
    &conditional::CASE,
    &math::CEILING,
    &patterns::CIDRMATCH,
    &conditional::COALESCE,
    &multivalue::COMMANDS,
    &trigonometry::COS,
    &trigonometry::COSH,
    &math::EXACT,
    &math::EXP,
    &conditional::FALSE,
    &math::FLOOR,
    &trigonometry::HYPOT,
    &conditional::IF,
    &patterns::IN,
    &conversion::IPMASK,
    &informational::ISARRAY,
    &informational::ISBOOL,
    &informational::ISDOUBLE,
    &informational::ISINT,
    &informational::ISMV,
    &informational::ISNOTNULL,
    &informational::ISNULL,
    &informational::ISNUM,
    &informational::ISOBJECT,
    &informational::ISSTR,
    &json::inspect::JSON,
    &json::change::JSON_APPEND,
    &json::build::JSON_ARRAY,
    &json::convert::JSON_ARRAY_TO_MV,
    &json::change::JSON_DELETE,
    &json::inspect::JSON_ENTRIES,
    &json::change::JSON_EXTEND,
    &json::extract::JSON_EXTRACT,
    &json::extract::JSON_EXTRACT_EXACT,
    &json::inspect::JSON_HAS_KEY_EXACT,
    &json::inspect::JSON_KEYS,
    &json::build::JSON_OBJECT,
    &json::change::JSON_SET,
    &json::change::JSON_SET_EXACT,
    &json::inspect::JSON_VALID,
    &text::LEN,
    &patterns::LIKE,
    &math::LN,
    &math::LOG,
    &lookup::LOOKUP,
    &text::LOWER,
    &text::LTRIM,
    &patterns::MATCH,
    &statistical::MAX,
    &cryptographic::MD5,
    &statistical::MIN,
    &json::convert::MV_TO_JSON_ARRAY,
    &multivalue::MVAPPEND,
    &multivalue::MVCOUNT,
    &multivalue::MVDEDUP,
    &members::MVFILTER,
    &multivalue::MVFIND,
    &multivalue::MVINDEX,
    &multivalue::MVJOIN,
    &members::MVMAP,
    &mvrange::MVRANGE,
    &multivalue::MVREVERSE,
    &multivalue::MVSORT,
    &multivalue::MVZIP,
    &datetime::NOW,
    &conditional::NULL,
    &conditional::NULLIF,
    &math::PI,
    &math::POW,
    &printf::PRINTF,
    &math::RANDOM,
    &datetime::RELATIVE_TIME,
    &text::REPLACE,
    &math::ROUND,
    &text::RTRIM,
    &patterns::SEARCHMATCH,
    &cryptographic::SHA1,
    &cryptographic::SHA256,
    &cryptographic::SHA512,
    &sigfig::SIGFIG,
    &trigonometry::SIN,
    &trigonometry::SINH,
    &json::extract::SPATH,
    &multivalue::SPLIT,
    &math::SQRT,
    &datetime::STRFTIME,
    &datetime::STRPTIME,
    &text::SUBSTR,
    &statistical::SUM,
    &trigonometry::TAN,
    &trigonometry::TANH,
    &datetime::TIME,
    &json::convert::TOARRAY,
    &conversion::TOBOOL,
    &conversion::TODOUBLE,
    &conversion::TOINT,
    &json::convert::TOMV,
    &conversion::TONUMBER,
    &json::convert::TOOBJECT,
    &conversion::TOSTRING,
    &text::TRIM,
    &conditional::TRUE,
    &informational::TYPEOF,
    &text::UPPER,
    &text::URLDECODE,
    &conditional::VALIDATE,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::tz::TimeZone;
    use spilltrail_event::Field;
    use spilltrail_spl::parse_eval;

    use super::*;
    use crate::{EvalContext, Expression};

    fn run(text: &str) -> String {
        let context = EvalContext::new(1_700_000_000.0, TimeZone::UTC);
        let tree = parse_eval(text).unwrap();
        let expression = Expression::compile(&tree, &Vec::<Field>::new(), &context).unwrap();
        match expression.evaluate(&[] as &[Value<'_>; 0]) {
            Value::Null => "null".to_owned(),
            other => other.members().join(" | "),
        }
    }

    #[test]
    fn examples_give_their_results() {
        for function in FUNCTIONS {
            for (expression, result) in function.doc.examples {
                assert_eq!(&run(expression), result, "{expression}");
            }
        }
    }

    #[test]
    fn numbers_in_json_keep_their_digits() {
        let document = r#""{\"a\":[1.10,123456789012345678901],\"b\":1e400,\"c\":\"\u00015\"}""#;
        for (expression, expected) in [
            ("json_extract(D)", r#"{"a":[1.10,123456789012345678901],"b":1e400,"c":"\u00015"}"#),
            (r#"json_extract(D, "a{0}", "b")"#, "[1.10,1e400]"),
            (r#"json_extract(D, "c")"#, "\u{1}5"),
            (r#"json_extract_exact(D, "b")"#, "1e400"),
            (r#"spath(D, "a{}")"#, "1.10 | 123456789012345678901"),
            (r#"json_array_to_mv(json_extract(D, "a"))"#, "1.10 | 123456789012345678901"),
            (r#"json_array_to_mv(json_array("M5", "1.10"), true())"#, r#""\u00015" | "1.10""#),
            (r#"mv_to_json_array(split("1.10,1e400,x", ","), true())"#, r#"[1.10,1e400,"x"]"#),
            (r#"json_delete(D, "a", "c")"#, r#"{"b":1e400}"#),
            (r#"json_set("{\"a\":1.10}", "b", 2)"#, r#"{"a":1.10,"b":2}"#),
            (r#"json_set("{\"a\":1.10}", "b", "M5")"#, r#"{"a":1.10,"b":"\u00015"}"#),
            (r#"json_append("{\"a\":1.10}", "a", "1.10")"#, r#"{"a":[1.10,"1.10"]}"#),
            (r#"json_entries("{\"\u00015\":1.10}")"#, r#"[{"key":"\u00015","value":1.10}]"#),
            (r#"json_keys("{\"\u00015\":1.10}")"#, r#"["\u00015"]"#),
            (
                r#"json_object("a", json_array("1.10"), "b", "[1.10]")"#,
                r#"{"a":["1.10"],"b":[1.10]}"#,
            ),
            (r#"if(json_valid("{1.5:2}"), "yes", "no")"#, "no"),
            ("if(isobject(D), 1, 0)", "1"),
        ] {
            assert_eq!(
                run(&expression.replace('D', document).replace('M', "\u{1}")),
                expected,
                "{expression}"
            );
        }
    }

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(FUNCTIONS.is_sorted_by(|left, right| left.doc.name < right.doc.name));
        let mut seen = HashSet::new();
        for name in names() {
            assert!(seen.insert(name), "{name}");
            assert!(find(name).is_some());
        }
    }

    #[test]
    fn documentation_is_complete() {
        for function in FUNCTIONS {
            let doc = &function.doc;
            assert!(doc.syntax.starts_with(doc.name), "{}", doc.name);
            assert!(doc.summary.ends_with('.'), "{}", doc.name);
            let verb = doc.summary.split(' ').next().unwrap_or_default();
            assert!(!verb.ends_with('s'), "{}: {} is not an imperative", doc.name, doc.summary);
            assert!(doc.differs.iter().all(|differs| differs.ends_with('.')), "{}", doc.name);
        }
    }
}
