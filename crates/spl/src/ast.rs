//! Defines the syntax tree of SPL; spans are byte ranges of the expanded text.
//!
//! The tree is plain, serializable data with equality and hashing, because planned expressions are
//! stored in DataFusion plans.

use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Span, Spanned};

/// A whole search, or the contents of a subsearch: commands in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pipeline {
    /// The commands; a search without a leading pipe begins with an implied `search`.
    pub commands: Vec<Command>,
    /// True if the text begins with a pipe, so that the first command must generate events.
    pub leading_pipe: bool,
    /// The span of the pipeline, without brackets.
    pub span: Span,
}

/// One command: its name and the text of its arguments.
///
/// The arguments stay text because each command has its own grammar; see [`crate::Arguments`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Command {
    /// The name in lowercase; its span is empty for the implied `search`.
    pub name: Spanned<String>,
    /// The text of the arguments, without surrounding blanks.
    pub arguments: Spanned<String>,
}

/// A Boolean expression of `search`, `tstats where` and lookups' `where`; OR binds tighter than
/// AND.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SearchExpr {
    /// The empty expression, which matches every event.
    All,
    /// All parts hold; written by adjacency or with `AND`.
    And(Vec<SearchExpr>),
    /// At least one part holds.
    Or(Vec<SearchExpr>),
    /// The part does not hold.
    Not(Box<SearchExpr>),
    /// `field op literal`, including `f=*`.
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
        /// The literals, which may contain wildcards.
        values: Vec<Spanned<SearchLiteral>>,
    },
    /// A term or phrase to find in the event's text.
    Term {
        /// The term, without its quotes.
        text: Spanned<String>,
        /// The notation of the term.
        form: TermForm,
    },
    /// A time modifier (`earliest=-1h@h`, `latest=now`, `starthoursago=168` …) that is not resolved
    /// yet.
    Time {
        /// The name of the bound in lowercase: `earliest`, `latest`, `_index_earliest`, …
        bound: Spanned<String>,
        /// The modifier's text.
        modifier: Spanned<String>,
    },
    /// `[ … ]` or `field op [ … ]`: a subsearch that runs first.
    Subsearch {
        /// What the subsearch returns the value of; `None` if its rows become an expression.
        value_of: Option<Compared>,
        /// The subsearch.
        pipeline: Box<Pipeline>,
    },
}

/// The left side of a comparison whose value a subsearch returns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Compared {
    /// The field or time modifier, without quotes.
    pub field: Spanned<String>,
    /// The operator.
    pub op: CompareOp,
}

/// A literal of `search`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SearchLiteral {
    /// The text, unescaped; `*` is a wildcard, quoted or not.
    pub text: String,
    /// True for `CASE(…)`.
    pub exact_case: bool,
    /// True if the literal was quoted.
    pub quoted: bool,
}

/// The notation of a term of `search`.
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

impl CompareOp {
    /// Returns the operator as it is written; that of equality is `=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

/// An expression of `eval` and `where`; AND binds tighter than OR, and OR tighter than XOR.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EvalExpr {
    /// The form of the expression and its operands.
    pub node: EvalNode,
    /// The span of the expression.
    pub span: Span,
}

/// The forms of an eval expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EvalNode {
    /// A number, as written.
    Number(String),
    /// A string literal, unescaped by eval's rules.
    Text(String),
    /// A field: a bare word or a name in single quotes.
    Field(String),
    /// A function call; the name is in lowercase.
    Call {
        /// The function's name and its span.
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
    /// `[ … ]`: a subsearch whose returned text is inserted here.
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
    /// The target's name without quotes; `{field}` in it is replaced by that field's value.
    pub target: Spanned<String>,
    /// The assigned expression.
    pub value: EvalExpr,
}

/// One aggregate of the `stats` family.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Aggregate {
    /// The function in lowercase, including its number if it has one (`p95`, `perc99.9`).
    pub function: Spanned<String>,
    /// The argument; `None` for a bare `count`.
    pub argument: Option<AggregateArgument>,
    /// The text of further arguments, as in `sparkline(count, 1h)`.
    pub rest: Vec<Spanned<String>>,
    /// The output's name: the name after AS, or the text `function(argument)` without quotes.
    pub output: Spanned<String>,
    /// True if the name was given with AS.
    pub renamed: bool,
}

/// The argument of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AggregateArgument {
    /// A field, or a wildcard pattern for fields.
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
