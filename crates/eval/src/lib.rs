//! Compiles eval expressions and evaluates them on rows. [`functions::FUNCTIONS`] lists the
//! functions.
//!
//! SPL is dynamically typed and lazy, so an expression is not lowered to many Arrow kernels.
//! Instead, a small interpreter, [`Expression`], evaluates it row by row on borrowed values of the
//! columns that it reads. [`Expression::compile`] does the work that is the same for all rows: it
//! resolves functions, checks arguments, compiles patterns, assigns a slot to each field, and
//! infers the kind of the results.

mod among;
pub mod cancel;
mod compile;
mod context;
pub mod functions;
pub mod limits;
mod node;
mod operators;
mod patience;
pub mod regex;
mod significance;
mod typing;

use jiff::tz::TimeZone;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_event::{Kind, Value};
use spilltrail_spl::EvalExpr;

pub(crate) use compile::Preparation;
pub use compile::{dotted_name, dotted_names, is_in_object};
pub use context::{CompileSearch, EvalContext, LookupProvider, Scope};
pub use node::Row;
pub(crate) use node::{
    Bound, Call, CallContext, Constants, Evaluation, Node, RowRecord, any_equal, boolean, like,
    number,
};
pub use typing::ResultKind;
pub(crate) use typing::Type;

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
    rounds_products: bool,
    runtime: Runtime,
}

impl Expression {
    /// Compiles an expression over the fields in `scope`. A field that is not in scope is null.
    ///
    /// # Errors
    ///
    /// Returns all problems of the expression, such as unknown functions, wrong numbers of
    /// arguments, and literals that a function does not accept.
    pub fn compile(
        expr: &EvalExpr,
        scope: &dyn Scope,
        context: &EvalContext,
    ) -> Result<Self, Vec<Diagnostic>> {
        Compiler::new(scope, context).compile(expr)
    }

    /// Returns the names of the fields that the expression reads, without duplicates, in the order
    /// of first use. Fields that are not in scope are omitted.
    #[must_use]
    pub fn fields(&self) -> &[String] {
        &self.names
    }

    /// Returns the fields that the expression reads with their kinds, in the order of
    /// [`Expression::fields`].
    #[must_use]
    pub fn columns(&self) -> &[spilltrail_event::Field] {
        &self.fields
    }

    /// Returns the field if the expression is only a reference to that field.
    #[must_use]
    pub fn as_field(&self) -> Option<&spilltrail_event::Field> {
        match (&self.node, self.fields.as_slice()) {
            (Node::Field(_), [field]) => Some(field),
            _ => None,
        }
    }

    /// Returns the syntax tree of the expression.
    #[must_use]
    pub fn tree(&self) -> &EvalExpr {
        &self.tree
    }

    /// Returns true if two evaluations on the same row may return different values.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// Returns true if a result that is a product has the precision of its factors.
    #[must_use]
    pub fn rounds_products(&self) -> bool {
        self.rounds_products
    }

    /// Returns the start time of the search, in epoch seconds.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.runtime.now
    }

    /// Returns the user's time zone.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.runtime.zone
    }

    /// Returns what lookup() reads, if there is anything.
    #[must_use]
    pub fn lookups(&self) -> Option<&(dyn LookupProvider + 'static)> {
        self.runtime.lookups.as_deref()
    }

    /// Returns the kind of the results.
    #[must_use]
    pub fn kind(&self) -> ResultKind {
        self.result.result_kind()
    }

    /// Returns the warnings about the expression.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Returns the span of the expression in the source text.
    #[must_use]
    pub fn span(&self) -> Span {
        self.tree.span
    }

    /// Returns the kind of the field in which the results can be stored.
    ///
    /// # Errors
    ///
    /// Fails if the result is a Boolean, which cannot be stored in a field (Splunk, `eval`).
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
    /// Fails if the result is text or a multivalue that can never be a Boolean, which `where` and
    /// similar commands require.
    pub fn require_condition(&self) -> Result<(), Diagnostic> {
        match self.result {
            Type::String | Type::Multi => {
                Err(Diagnostic::error(Code::BAD_ARGUMENT, "the expression is not a condition")
                    .label(self.tree.span, "expected a Boolean, found text")
                    .help("compare it with something, as in `field=\"value\"`"))
            }
            Type::Null | Type::Bool | Type::Number | Type::Untyped => Ok(()),
        }
    }

    /// Evaluates the expression on a row, whose slots are in the order of [`Expression::fields`].
    #[must_use]
    pub fn evaluate<'a>(&'a self, row: &'a dyn Row) -> Value<'a> {
        self.node.evaluate(Evaluation { row, runtime: &self.runtime })
    }

    /// Returns whether the condition is true for the row; `None` if it is null.
    #[must_use]
    pub fn holds(&self, row: &dyn Row) -> Option<bool> {
        self.node.truth(Evaluation { row, runtime: &self.runtime })
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Arc;

    use spilltrail_diagnostic::Severity;
    use spilltrail_event::{Field, Predicate};
    use spilltrail_spl::{BinaryOp, EvalNode, UnaryOp, parse_eval};

    use super::*;

    /// Fields for all test cases: text, a number as text, a number, and a multivalue.
    fn fields() -> Vec<(Field, Value<'static>)> {
        let values = ["b", "10", "9"].map(Cow::Borrowed).to_vec();
        vec![
            (Field::new("user", Kind::Text), Value::text("alice")),
            (Field::new("port", Kind::Text), Value::text("443")),
            (Field::new("count", Kind::Number), Value::Number(7.0)),
            (Field::new("ids", Kind::Multi), Value::Multi(values)),
            (Field::new("gone", Kind::Text), Value::Null),
            (Field::new("user.name", Kind::Text), Value::text("dotted")),
        ]
    }

    #[derive(Debug)]
    struct Regions;

    impl LookupProvider for Regions {
        fn contains(&self, table: &str) -> bool {
            table == "regions"
        }

        fn rows(
            &self,
            _: &str,
            input: &[(String, String)],
            output: &[String],
        ) -> Vec<Vec<Option<String>>> {
            let count = if input[0].1 == "eu" { 2 } else { 0 };
            vec![output.iter().map(|name| Some(format!("{name}!"))).collect(); count]
        }
    }

    fn compile(text: &str) -> Result<Expression, Vec<Diagnostic>> {
        let scope: Vec<Field> = fields().into_iter().map(|(field, _)| field).collect();
        let mut context = EvalContext::new(0.0, TimeZone::UTC);
        context.lookups = Some(Arc::new(Regions));
        context.compile_search =
            Some(Arc::new(|field: &str| Ok(Predicate::Exists(field.to_owned()))));
        Expression::compile(&parse_eval(text).unwrap(), &scope, &context)
    }

    fn run(text: &str) -> String {
        let expression = compile(text).unwrap();
        let row: Vec<Value<'static>> = expression
            .fields()
            .iter()
            .map(|name| {
                let found = fields().into_iter().find(|(field, _)| &field.name == name);
                found.unwrap().1
            })
            .collect();
        match expression.evaluate(&row) {
            Value::Null => "null".to_owned(),
            other => other.members().join(" | "),
        }
    }

    #[test]
    fn results() {
        for (text, result) in [
            ("port + 1", "444"),
            (r#""1" + "2""#, "12"),
            (r#"port + "1""#, "4431"),
            ("user + 1", "null"),
            ("user . port . count", "alice4437"),
            ("user . gone", "null"),
            ("- count * 2 + +1", "-13"),
            ("2 * -0.9", "-2"),
            ("-(2 * 0.9)", "-2"),
            ("-2 * 0.9", "-2"),
            ("- +(2 * 0.90)", "-1.8"),
            ("if(true(), -(2 * 0.9), 0)", "-2"),
            ("1 - (2 * 0.9)", "-0.8"),
            ("-exact(2 * 0.9)", "-1.8"),
            ("-0.10", "-0.10"),
            ("if(true(), 0.10, 1)", "0.1"),
            ("user.name", "null"),
            ("'user.name'", "dotted"),
            (r#"if(isnum(port) AND NOT isnum("443"), 1, 0)"#, "1"),
            ("if(gone=1 OR true(), 1, 0)", "1"),
            ("if(NOT gone=1, 1, 0)", "0"),
            ("if(1=1 XOR 1=1, 1, 0)", "0"),
            (r#"if(user LIKE "al%", 1, 0)"#, "1"),
            (r#"if("b" IN (ids), 1, 0)"#, "1"),
            (r#"if(ids != "b", 1, 0)"#, "1"),
            (r#"if(match(ids, "^1"), 1, 0)"#, "1"),
            (r#"match(user.name, "x")"#, "null"),
            (r#"replace(port, user, "x")"#, "443"),
            ("mvmap(ids, ids * 2)", "20 | 18"),
            ("mvmap(ids, if(ids > 9, ids . user, null))", "balice | 10alice"),
            (r#"mvfilter(match(ids, "\d"))"#, "10 | 9"),
            ("mvfilter(gone > 1)", "null"),
            ("max(ids, 3)", "b"),
            ("sum(ids, port)", "462"),
            ("len(ids)", "null"),
            (
                r#"json_object("p", port, "s", "443", "m", ids)"#,
                r#"{"p":443,"s":"443","m":["b","10","9"]}"#,
            ),
            (r#"tostring(searchmatch("user"))"#, "True"),
            (r#"tostring(searchmatch("absent"))"#, "False"),
            (
                r#"lookup("regions", json_object("id", "eu"), json_array("name"))"#,
                r#"{"name":["name!","name!"]}"#,
            ),
            (r#"lookup("regions", json_object("id", "us"), json_array("name"))"#, "null"),
        ] {
            assert_eq!(run(text), result, "{text}");
        }
    }

    #[test]
    fn kinds_of_results() {
        for (text, kind) in [
            ("port + 1", ResultKind::Number),
            ("port + port", ResultKind::Text),
            ("count + count", ResultKind::Number),
            ("if(port > 1, count, 0)", ResultKind::Number),
            (r#"if(port > 1, count, "none")"#, ResultKind::Text),
            ("if(port > 1, count, null())", ResultKind::Number),
            ("lower(ids)", ResultKind::Multi),
            ("coalesce(gone, ids)", ResultKind::Multi),
            ("mvindex(ids, 0)", ResultKind::Text),
            ("port > 1", ResultKind::Bool),
            ("null()", ResultKind::Text),
        ] {
            assert_eq!(compile(text).unwrap().kind(), kind, "{text}");
        }
    }

    #[test]
    fn fields_are_listed_once_in_order() {
        let expression = compile("port + count . port . absent . searchmatch(\"user\")").unwrap();
        assert_eq!(expression.fields(), ["port", "count", "user"]);
    }

    #[test]
    fn what_is_refused() {
        for (text, code, place, words) in [
            ("1 + lenn(user)", Code::UNKNOWN_FUNCTION, "lenn", "`len`"),
            ("if(user, 1)", Code::BAD_ARGUMENT, "if(user, 1)", "expected 3 arguments, found 2"),
            ("case(1=1)", Code::BAD_ARGUMENT, "case(1=1)", "pairs"),
            (r#"match(user, "a(")"#, Code::BAD_REGEX, r#""a(""#, "parenthes"),
            (r#"tonumber("seven")"#, Code::BAD_ARGUMENT, r#""seven""#, "found `seven`"),
            (r#"sum(1, "2")"#, Code::BAD_ARGUMENT, r#""2""#, "string literal"),
            (r#"tostring(1, "roman")"#, Code::BAD_ARGUMENT, r#""roman""#, "`hex`"),
            ("mvfilter(user=port)", Code::BAD_ARGUMENT, "user=port", "one field"),
            ("lookup(user, port, ids)", Code::BAD_ARGUMENT, "user", "name of a lookup"),
        ] {
            let errors = compile(text).unwrap_err();
            assert_eq!(errors.len(), 1, "{text}");
            assert_eq!(errors[0].code, code, "{text}");
            let span = errors[0].span().unwrap();
            assert_eq!(&text[span.start..span.end], place);
            assert!(format!("{:?}", errors[0]).contains(words), "{:?}", errors[0]);
        }
        assert_eq!(compile("f(1) + g(2)").unwrap_err().len(), 2);
    }

    #[test]
    fn booleans_are_not_stored() {
        assert_eq!(compile("1==1").unwrap().storable().unwrap_err().code, Code::BAD_ARGUMENT);
        assert_eq!(compile("port * 1").unwrap().storable(), Ok(Kind::Number));
        assert!(compile("1==1").unwrap().require_condition().is_ok());
        assert!(compile(r#""text""#).unwrap().require_condition().is_err());
    }

    #[test]
    fn dotted_names_of_fields_are_doubtful() {
        let warnings = |text: &str| compile(text).unwrap().warnings().to_vec();
        let found = warnings("1 . user.name");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].code, found[0].severity), (Code::DOTTED_NAME, Severity::Warning));
        assert!(warnings("user . name").is_empty());
        assert!(warnings("user.port").is_empty());
        assert!(warnings("'user.name'").is_empty());
        // The scope has only the fields that the search reads; an object of an event has no value.
        assert_eq!(warnings("userIdentity.type").len(), 1);
        assert!(warnings("userIdentity . type").is_empty());
    }

    #[test]
    fn names_with_dots() {
        for (text, names) in [
            ("a.b.c", "a.b.c"),
            ("if(a.b=\"x\", c.d, 1) . e", "a.b c.d"),
            ("a . b", ""),
            ("a.\":\".b", ""),
            ("'a.b'", ""),
        ] {
            let found = dotted_names(&parse_eval(text).unwrap());
            let found: Vec<_> = found.into_iter().map(|name| name.value).collect();
            assert_eq!(found.join(" "), names, "{text}");
        }
    }

    #[test]
    fn a_missing_lookup_is_doubtful() {
        let expression = compile(r#"lookup("x", json_object(), json_array())"#).unwrap();
        assert_eq!(expression.warnings()[0].code, Code::MISSING_LOOKUP);
    }

    #[test]
    fn an_argument_that_gives_no_result_is_doubtful() {
        for (text, expected) in [
            ("relative_time(1, \"-7dd@d\")", true),
            ("relative_time(1, \"10/19/2026:00:00:00\")", true),
            ("relative_time(1, \"-7d@d\")", false),
            ("relative_time(1, \"now\")", false),
            ("relative_time(1, user)", false),
            ("if(cidrmatch(\"10.0.0.0/33\", user), 1, 0)", true),
            ("if(cidrmatch(\"10.0.0/8\", user), 1, 0)", true),
            ("if(cidrmatch(\"10.0.0.0/8\", user), 1, 0)", false),
            ("if(cidrmatch(\"2001:db8::1\", user), 1, 0)", false),
            ("if(cidrmatch(user, \"10.0.0.0/8\"), 1, 0)", false),
        ] {
            let warnings = compile(text).unwrap().warnings().to_vec();
            let codes: Vec<_> = warnings.iter().map(|told| (told.code, told.severity)).collect();
            let doubt = [(Code::BAD_ARGUMENT, Severity::Warning)];
            assert_eq!(codes, if expected { &doubt[..] } else { &[] }, "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit_and_chains_have_none() {
        let scope: Vec<Field> = Vec::new();
        let context = EvalContext::new(0.0, TimeZone::UTC);
        let leaf = || EvalExpr { node: EvalNode::Text("x".to_owned()), span: Span::default() };
        let grow = |wrap: fn(Box<EvalExpr>, Box<EvalExpr>) -> EvalNode| {
            (0..1000).fold(leaf(), |tree, _| EvalExpr {
                node: wrap(Box::new(tree), Box::new(leaf())),
                span: Span::default(),
            })
        };
        let chain = grow(|left, right| EvalNode::Binary(BinaryOp::Concat, left, right));
        assert!(Expression::compile(&chain, &scope, &context).is_ok());
        let nested = grow(|inner, _| EvalNode::Unary(UnaryOp::Not, inner));
        let errors = Expression::compile(&nested, &scope, &context).unwrap_err();
        assert_eq!(errors[0].code, Code::TOO_DEEP);
    }
}
