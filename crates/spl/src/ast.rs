//! The syntax tree of SPL. Every node knows where it was written in the expanded text.
//!
//! The tree is plain, serialisable data with equality and hashing, because planned expressions travel
//! inside DataFusion plans.

use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Span, Spanned};

/// A whole search or the inside of a subsearch: commands in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pipeline {
    /// The commands; a search that does not begin with a pipe begins with an implied `search`.
    pub commands: Vec<Command>,
    /// True if the text begins with a pipe, so that the first command must generate.
    pub leading_pipe: bool,
    /// The pipeline's place, brackets excluded.
    pub span: Span,
}

/// One command: its name, and its arguments still as text, because each command has a grammar of its
/// own; see [`crate::Arguments`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Command {
    /// The name in lower case; its span is empty for the implied `search`.
    pub name: Spanned<String>,
    /// The arguments' text, trimmed.
    pub arguments: Spanned<String>,
}

/// A Boolean expression of `search`, `tstats where` and lookups' `where`: OR binds tighter than AND.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SearchExpr {
    /// Nothing written: every event.
    All,
    /// All hold; written by adjacency or `AND`.
    And(Vec<SearchExpr>),
    /// Some holds.
    Or(Vec<SearchExpr>),
    /// It does not hold.
    Not(Box<SearchExpr>),
    /// `field op literal`; `f=*` included.
    Compare {
        /// The field, without quotes.
        field: Spanned<String>,
        /// The operator.
        op: CompareOp,
        /// The literal.
        value: Spanned<SearchLiteral>,
    },
    /// `field IN (literal, …)`
    In {
        /// The field, without quotes.
        field: Spanned<String>,
        /// The literals; wildcards count.
        values: Vec<Spanned<SearchLiteral>>,
    },
    /// A term or phrase looked for in the event's text.
    Term {
        /// The term, without its quotes.
        text: Spanned<String>,
        /// How it was written.
        form: TermForm,
    },
    /// A time modifier (`earliest=-1h@h`, `latest=now`, `starthoursago=168` …), the text not yet resolved.
    Time {
        /// Which bound, in lower case as written: `earliest`, `latest`, `_index_earliest`, …
        bound: Spanned<String>,
        /// The modifier's text.
        modifier: Spanned<String>,
    },
    /// `[ … ]`: runs first, and its rows become an expression.
    Subsearch(Box<Pipeline>),
}

/// A literal of `search`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SearchLiteral {
    /// The text, unescaped; `*` is a wildcard, quoted or not.
    pub text: String,
    /// True for `CASE(…)`.
    pub exact_case: bool,
    /// True if it was quoted.
    pub quoted: bool,
}

/// How a term of `search` was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TermForm {
    /// `word` or `wor*`
    Word,
    /// `"a phrase"`
    Phrase,
    /// `TERM(x)`
    Term,
    /// `CASE(x)`
    Case,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CompareOp {
    /// `=` or `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// An expression of `eval` and `where`: AND binds tighter than OR, OR than XOR.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EvalExpr {
    /// What it is.
    pub node: EvalNode,
    /// Where it stands.
    pub span: Span,
}

/// The forms of an eval expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EvalNode {
    /// A number, as written.
    Number(String),
    /// A string literal, unescaped as eval does it.
    Text(String),
    /// A field: a bare word or a name in single quotes.
    Field(String),
    /// A function call; the name is in lower case.
    Call {
        /// The function's name and place.
        name: Spanned<String>,
        /// The arguments.
        arguments: Vec<EvalExpr>,
    },
    /// A prefix operator.
    Unary(UnaryOp, Box<EvalExpr>),
    /// An infix operator.
    Binary(BinaryOp, Box<EvalExpr>, Box<EvalExpr>),
    /// `x IN (a, b)`; `NOT IN` is a `Not` around it.
    In(Box<EvalExpr>, Vec<EvalExpr>),
    /// `[ … ]`: the text that the subsearch returns is spliced in here.
    Subsearch(Box<Pipeline>),
}

/// A prefix operator of eval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UnaryOp {
    /// `NOT x` or `!x`
    Not,
    /// `-x`
    Minus,
    /// `+x`
    Plus,
}

/// An infix operator of eval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `.`
    Concat,
    /// A comparison.
    Compare(CompareOp),
    /// `x LIKE y`
    Like,
    /// `AND`
    And,
    /// `OR`
    Or,
    /// `XOR`
    Xor,
}

/// `target = expression` of `eval`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Assignment {
    /// The target's name without quotes; `{field}` in it stands for that field's value.
    pub target: Spanned<String>,
    /// What it gets.
    pub value: EvalExpr,
}

/// One aggregate of the `stats` family.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Aggregate {
    /// The function, in lower case, with its number if it has one (`p95`, `perc99.9`).
    pub function: Spanned<String>,
    /// What it is applied to; `None` for a bare `count`.
    pub argument: Option<AggregateArgument>,
    /// Further arguments, as in `sparkline(count, 1h)`, as written.
    pub rest: Vec<Spanned<String>>,
    /// The output's name: what follows AS, or the text `function(argument)` without quotes.
    pub output: Spanned<String>,
    /// True if AS was written.
    pub renamed: bool,
}

/// What an aggregate is applied to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AggregateArgument {
    /// A field, or fields by wildcard.
    Field(Spanned<String>),
    /// `eval(expression)`
    Eval(EvalExpr),
}

/// The arguments that the `stats` family shares.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct StatsArguments {
    /// The aggregates, in order.
    pub aggregates: Vec<Aggregate>,
    /// The BY fields, in order.
    pub by: Vec<Spanned<String>>,
}
