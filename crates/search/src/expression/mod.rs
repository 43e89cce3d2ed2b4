//! Eval expressions: from the syntax tree to a column of results.
//!
//! SPL is dynamically typed and lazy, so an expression is not lowered to many Arrow kernels but runs
//! as one scalar function over the columns that it reads: a small interpreter, [`Expression`], goes
//! row by row over borrowed values. What can be done once is done once, in
//! [`Expression::compile`]: functions are resolved, arguments checked, patterns compiled, fields
//! numbered, and the kind of the results inferred.

pub mod arrow;
mod compile;
mod context;
mod node;
pub(crate) mod operators;
pub mod regex;
mod typing;
mod udf;

use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_event::{Kind, Value};
use spilltrail_spl::EvalExpr;

pub use context::{CompileSearch, EvalContext, LookupProvider, Scope};
pub(crate) use compile::Preparation;
pub(crate) use node::{
    Bound, Call, CallContext, Evaluation, Node, Prepared, RowRecord, any_equal, boolean, like,
    number,
};
pub use node::Row;
pub use typing::ResultKind;
pub(crate) use typing::Type;
pub use udf::{EvalUdf, decode, encode};

use self::compile::Compiler;
use self::node::Runtime;

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    tree: EvalExpr,
    node: Node,
    result: Type,
    fields: Vec<spilltrail_event::Field>,
    names: Vec<String>,
    warnings: Vec<Diagnostic>,
    volatile: bool,
    runtime: Runtime,
}

impl Expression {
    /// Compiles an expression over the fields in `scope`; a field that is not there is null.
    ///
    /// # Errors
    ///
    /// Returns everything that is wrong with the expression: unknown functions, wrong numbers of
    /// arguments, literals that the functions refuse.
    pub fn compile(
        expr: &EvalExpr,
        scope: &dyn Scope,
        context: &EvalContext,
    ) -> Result<Self, Vec<Diagnostic>> {
        Compiler::new(scope, context).compile(expr)
    }

    /// Returns the names of the fields that it reads, each once, in the order of first use. Fields
    /// that are not in scope are left out.
    #[must_use]
    pub fn fields(&self) -> &[String] {
        &self.names
    }

    /// Returns what the results are.
    #[must_use]
    pub fn kind(&self) -> ResultKind {
        self.result.result_kind()
    }

    /// Returns true if the result is null whatever the row: storing it removes the field.
    #[must_use]
    pub fn is_always_null(&self) -> bool {
        self.result == Type::Null
    }

    /// Returns what is doubtful about the expression.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Returns where the expression stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.tree.span
    }

    /// Returns the kind of the field that the results may be stored in.
    ///
    /// # Errors
    ///
    /// A Boolean may not be stored (Splunk, `eval`).
    pub fn storable(&self) -> Result<Kind, Diagnostic> {
        self.kind().stored().ok_or_else(|| {
            Diagnostic::error(Code::BAD_ARGUMENT, "a field cannot hold a Boolean")
                .label(self.tree.span, "expected a number or a string, found a Boolean")
                .help("wrap it: `if(…, \"true\", \"false\")` or `tostring(…)`")
        })
    }

    /// Checks that the expression is a condition.
    ///
    /// # Errors
    ///
    /// `where` and its like take a Boolean; text and multivalues that can never be one are refused.
    pub fn require_condition(&self) -> Result<(), Diagnostic> {
        match self.result {
            Type::String | Type::Multi => Err(Diagnostic::error(
                Code::BAD_ARGUMENT,
                "the expression is not a condition",
            )
            .label(self.tree.span, "expected a Boolean, found text")
            .help("compare it with something, as in `field=\"value\"`")),
            Type::Null | Type::Bool | Type::Number | Type::Untyped => Ok(()),
        }
    }

    /// Returns the value for a row whose slots are in the order of [`Expression::fields`].
    #[must_use]
    pub fn evaluate<'a>(&'a self, row: &'a dyn Row) -> Value<'a> {
        self.node.evaluate(Evaluation { row, runtime: &self.runtime })
    }

    /// Returns whether the expression holds for the row; none for null.
    #[must_use]
    pub fn holds(&self, row: &dyn Row) -> Option<bool> {
        self.node.truth(Evaluation { row, runtime: &self.runtime })
    }
}
