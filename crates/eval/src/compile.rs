//! Compiles the syntax tree to nodes: resolves names, checks arguments and parses literals.

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned, similar};
use spilltrail_event::{Field, Value, parse_number};
use spilltrail_spl::{BinaryOp, EvalExpr, EvalNode, UnaryOp};

use crate::functions::{self, EvalFunction};
use crate::node::{Call, Node, Runtime};
use crate::operators::Arithmetic;
use crate::regex::RegexCache;
use crate::significance::{self, Product};
use crate::typing::{self, Type};
use crate::{EvalContext, Expression, Scope};

/// Maximum nesting depth of an expression. A chain of one operator counts as one level.
const MAX_DEPTH: usize = 200;

/// Functions that return or print an argument.
const PASSING: &[&str] = &["case", "coalesce", "if", "mvappend", "nullif", "tostring", "validate"];

/// The state of one compilation.
pub(super) struct Compiler<'a> {
    scope: &'a dyn Scope,
    context: &'a EvalContext,
    fields: Vec<Field>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    volatile: bool,
    depth: usize,
}

/// A node and the inferred type of its results.
type Typed = (Node, Type);

impl<'a> Compiler<'a> {
    pub(super) fn new(scope: &'a dyn Scope, context: &'a EvalContext) -> Self {
        Self {
            scope,
            context,
            fields: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            volatile: false,
            depth: 0,
        }
    }

    pub(super) fn compile(mut self, tree: &EvalExpr) -> Result<Expression, Vec<Diagnostic>> {
        let (node, result) = self.result(tree);
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        Ok(Expression {
            tree: tree.clone(),
            node,
            result,
            names: self.fields.iter().map(|field| field.name.clone()).collect(),
            fields: self.fields,
            warnings: self.warnings,
            volatile: self.volatile,
            rounds_products: self.context.rounds_products,
            runtime: Runtime {
                now: self.context.now,
                zone: self.context.zone.clone(),
                lookups: self.context.lookups.clone(),
                patterns: RegexCache::default(),
            },
        })
    }

    fn node(&mut self, tree: &EvalExpr) -> Typed {
        if self.depth >= MAX_DEPTH {
            let message = format!("the expression nests more than {MAX_DEPTH} levels deep");
            let refused = Diagnostic::error(Code::TOO_DEEP, message).at(tree.span);
            return self.fail(refused.help("split the expression over several commands"));
        }
        self.depth += 1;
        let typed = self.node_at_depth(tree);
        self.depth -= 1;
        typed
    }

    /// Compiles a whole expression: a product has the precision of its factors, and a number alone
    /// keeps the zeros that it is written with, which a part of an expression does not.
    fn result(&mut self, tree: &EvalExpr) -> Typed {
        match significance::written(tree).filter(|_| self.context.rounds_products) {
            Some(text) => (Node::Digits(text), Type::String),
            None => self.shown(tree),
        }
    }

    /// Compiles an expression whose result is written: a number that `round` gives decimals keeps the
    /// zeros at its end.
    fn shown(&mut self, tree: &EvalExpr) -> Typed {
        let (node, result) = self.product(tree);
        match node {
            Node::Call(call)
                if self.context.rounds_products
                    && call.function.doc.name == "round"
                    && call.arguments.len() > 1 =>
            {
                (Node::Decimals(call), Type::Untyped)
            }
            node => (node, result),
        }
    }

    /// Compiles an expression whose result has the precision of the factors if it is a product.
    fn product(&mut self, tree: &EvalExpr) -> Typed {
        let (node, result) = self.node(tree);
        if !self.context.rounds_products {
            return (node, result);
        }
        let Self { fields, scope, .. } = self;
        let slot = |name: &str| slot(fields, *scope, name).map(|(slot, _)| slot);
        match Product::of(tree, node, slot) {
            Ok(product) => (Node::Product(Box::new(product)), result),
            Err(node) => (node, result),
        }
    }

    fn node_at_depth(&mut self, tree: &EvalExpr) -> Typed {
        match &tree.node {
            EvalNode::Number(text) => match parse_number(text) {
                Some(number) => (Node::Constant(Value::Number(number)), Type::Number),
                None => {
                    let message = format!("expected a number, found `{text}`");
                    self.fail(Diagnostic::error(Code::EXPECTED, message).at(tree.span))
                }
            },
            EvalNode::Text(text) => (Node::Constant(Value::text(text.clone())), Type::String),
            EvalNode::Field(name) => self.field(name),
            EvalNode::Call { name, arguments } => {
                self.call(&name.value, name.span, tree, arguments)
            }
            EvalNode::Unary(operator, operand) => self.unary(*operator, operand),
            EvalNode::Binary(operator, left, right) => self.binary(*operator, tree, left, right),
            EvalNode::In(value, list) => {
                let value = self.comparand(value);
                let list = list.iter().map(|member| self.comparand(member)).collect();
                (Node::among(value, list), Type::Bool)
            }
            EvalNode::Subsearch(_) => self.fail(
                Diagnostic::unsupported(
                    Code::UNSUPPORTED_SYNTAX,
                    "a subsearch inside an eval expression is not supported",
                )
                .at(tree.span)
                .help("compute the value in an earlier command and use its field here"),
            ),
        }
    }

    fn field(&mut self, name: &str) -> Typed {
        match slot(&mut self.fields, self.scope, name) {
            Some((slot, field_type)) => (Node::Field(slot), field_type),
            None => (Node::Constant(Value::Null), Type::Null),
        }
    }

    fn unary(&mut self, operator: UnaryOp, operand: &EvalExpr) -> Typed {
        let (node, _) = self.node(operand);
        match (operator, node) {
            (UnaryOp::Not, node) => (Node::Not(Box::new(node)), Type::Bool),
            (UnaryOp::Minus, Node::Constant(Value::Number(number))) => {
                (Node::Constant(Value::Number(-number)), Type::Number)
            }
            (UnaryOp::Minus, node) => (Node::Negate(Box::new(node)), Type::Number),
            (UnaryOp::Plus, node @ Node::Constant(Value::Number(_))) => (node, Type::Number),
            (UnaryOp::Plus, node) => (Node::Plus(Box::new(node)), Type::Number),
        }
    }

    fn binary(
        &mut self,
        operator: BinaryOp,
        tree: &EvalExpr,
        left: &EvalExpr,
        right: &EvalExpr,
    ) -> Typed {
        match operator {
            BinaryOp::Concat => {
                let operands = chain(tree, BinaryOp::Concat);
                self.warn_of_dotted_names(&operands);
                let operands = operands.iter().map(|tree| self.shown(tree).0).collect();
                (Node::Concat(operands), Type::String)
            }
            BinaryOp::And => (Node::And(self.nodes(&chain(tree, BinaryOp::And))), Type::Bool),
            BinaryOp::Or => (Node::any(self.nodes(&chain(tree, BinaryOp::Or))), Type::Bool),
            BinaryOp::Compare(operator) => {
                let operands = Box::new((self.comparand(left), self.comparand(right)));
                (Node::Compare(operator, operands), Type::Bool)
            }
            _ => {
                let (left, left_type) = self.node(left);
                let (right, right_type) = self.node(right);
                let operands = Box::new((left, right));
                match operator {
                    BinaryOp::Like => (Node::Like(operands), Type::Bool),
                    BinaryOp::Xor => (Node::Xor(operands), Type::Bool),
                    BinaryOp::Subtract => arithmetic(Arithmetic::Subtract, operands),
                    BinaryOp::Multiply => arithmetic(Arithmetic::Multiply, operands),
                    BinaryOp::Divide => arithmetic(Arithmetic::Divide, operands),
                    BinaryOp::Modulo => arithmetic(Arithmetic::Modulo, operands),
                    BinaryOp::Add
                    | BinaryOp::Compare(_)
                    | BinaryOp::Concat
                    | BinaryOp::And
                    | BinaryOp::Or => {
                        let strings = (left_type == Type::String, right_type == Type::String);
                        (Node::Add(operands, strings), typing::sum(left_type, right_type))
                    }
                }
            }
        }
    }

    /// Compiles an operand of a comparison, in which no digit of a number is lost.
    fn comparand(&mut self, tree: &EvalExpr) -> Node {
        let is_long =
            |text: &str| text.len() > f64::DIGITS as usize && parse_number(text).is_some();
        match &tree.node {
            EvalNode::Number(text) if is_long(text) => Node::Digits(text.clone()),
            EvalNode::Unary(UnaryOp::Minus, operand) => match &operand.node {
                EvalNode::Number(text) if is_long(text) => Node::Digits(format!("-{text}")),
                _ => self.node(tree).0,
            },
            _ => self.node(tree).0,
        }
    }

    fn nodes(&mut self, trees: &[&EvalExpr]) -> Vec<Node> {
        trees.iter().map(|tree| self.node(tree).0).collect()
    }

    fn call(&mut self, name: &str, span: Span, tree: &EvalExpr, trees: &[EvalExpr]) -> Typed {
        let Some(function) = functions::find(name) else {
            return self.fail(unknown_function(name, span));
        };
        if let Err(diagnostic) = function.arity.check(function, trees.len(), tree.span) {
            return self.fail(diagnostic);
        }
        let errors = self.errors.len();
        let is_passing = PASSING.contains(&function.doc.name);
        let (mut arguments, types): (Vec<_>, Vec<_>) = trees
            .iter()
            .map(|tree| if is_passing { self.shown(tree) } else { self.node(tree) })
            .unzip();
        if self.errors.len() > errors {
            // An argument failed to compile, so errors of the function about it would be noise.
            return (Node::Constant(Value::Null), Type::Untyped);
        }
        if name == "in" {
            // The function `in` does the same as the operator `IN`.
            let value = arguments.remove(0);
            return (Node::among(value, arguments), Type::Bool);
        }
        self.volatile |= function.volatile;
        let mut preparation = Preparation {
            function,
            span: tree.span,
            trees,
            arguments: &arguments,
            context: self.context,
            scope: self.scope,
            fields: &mut self.fields,
            warnings: &mut self.warnings,
        };
        let prepared = match (function.prepare)(&mut preparation) {
            Ok(prepared) => prepared,
            Err(diagnostic) => return self.fail(diagnostic),
        };
        let strings = types.iter().take(64).enumerate().fold(0, |strings, (index, argument)| {
            strings | (u64::from(*argument == Type::String) << index)
        });
        let result = (function.kind)(&types);
        (Node::Call(Box::new(Call { function, arguments, strings, prepared })), result)
    }

    /// Warns about `a.b` if a field has that name, because eval concatenates the fields `a` and
    /// `b`.
    fn warn_of_dotted_names(&mut self, operands: &[&EvalExpr]) {
        for name in joined_names(operands) {
            if self.scope.kind(&name.value).is_some() || is_in_object(&name.value) {
                self.warnings.push(dotted_name(&name.value, name.span));
            }
        }
    }

    fn fail(&mut self, diagnostic: Diagnostic) -> Typed {
        self.errors.push(diagnostic);
        (Node::Constant(Value::Null), Type::Untyped)
    }
}

/// A call with compiled arguments, passed to a function at compile time so that it can check and
/// prepare its literal arguments.
pub(crate) struct Preparation<'a> {
    pub(crate) function: &'static EvalFunction,
    pub(crate) span: Span,
    pub(crate) trees: &'a [EvalExpr],
    pub(crate) arguments: &'a [Node],
    pub(crate) context: &'a EvalContext,
    scope: &'a dyn Scope,
    fields: &'a mut Vec<Field>,
    warnings: &'a mut Vec<Diagnostic>,
}

impl Preparation<'_> {
    /// Adds a warning about the call.
    pub(crate) fn warn(&mut self, warning: Diagnostic) {
        self.warnings.push(warning);
    }

    /// Returns the text and the span of an argument if it is a string literal.
    pub(crate) fn literal_text(&self, argument: usize) -> Option<(&str, Span)> {
        match self.arguments.get(argument)?.literal()? {
            Value::Text(text) => Some((text, self.trees[argument].span)),
            _ => None,
        }
    }

    /// Returns the slot of the field; `None` if the field is not in scope.
    pub(crate) fn slot(&mut self, field: &str) -> Option<usize> {
        slot(self.fields, self.scope, field).map(|(slot, _)| slot)
    }

    /// Returns the names of the fields in the argument, without duplicates.
    pub(crate) fn fields_in(&self, argument: usize) -> Vec<&str> {
        let mut names = Vec::new();
        if let Some(tree) = self.trees.get(argument) {
            collect_fields(tree, &mut names);
        }
        names
    }

    /// Returns an error about one argument.
    pub(crate) fn refuse(&self, argument: usize, label: impl Into<String>) -> Diagnostic {
        self.about(argument, label, Diagnostic::error)
    }

    /// Adds a warning about one argument, with which the function has no useful result.
    pub(crate) fn doubt(&mut self, argument: usize, label: impl Into<String>) {
        let warning = self.about(argument, label, Diagnostic::warning);
        self.warn(warning);
    }

    fn about(
        &self,
        argument: usize,
        label: impl Into<String>,
        diagnostic: fn(Code, String) -> Diagnostic,
    ) -> Diagnostic {
        let name = self.function.doc.name;
        let span = self.trees.get(argument).map_or(self.span, |tree| tree.span);
        diagnostic(Code::BAD_ARGUMENT, format!("invalid argument of `{name}`"))
            .label(span, label)
            .help(format!("the syntax is `{}`", self.function.doc.syntax))
    }
}

fn slot(fields: &mut Vec<Field>, scope: &dyn Scope, name: &str) -> Option<(usize, Type)> {
    if let Some(slot) = fields.iter().position(|field| field.name == name) {
        return Some((slot, Type::of_field(fields[slot].kind)));
    }
    let kind = scope.kind(name)?;
    fields.push(Field::new(name, kind));
    Some((fields.len() - 1, Type::of_field(kind)))
}

fn arithmetic(operator: Arithmetic, operands: Box<(Node, Node)>) -> Typed {
    (Node::Arithmetic(operator, operands), Type::Number)
}

/// Returns the operands of a chain of one operator, from left to right.
fn chain(tree: &EvalExpr, operator: BinaryOp) -> Vec<&EvalExpr> {
    let mut operands = Vec::new();
    let mut rest = tree;
    while let EvalNode::Binary(found, left, right) = &rest.node
        && *found == operator
    {
        operands.push(right.as_ref());
        rest = left;
    }
    operands.push(rest);
    operands.reverse();
    operands
}

fn bare_name(tree: &EvalExpr) -> Option<&str> {
    match &tree.node {
        // A quoted name has a longer span than its name, so equal lengths mean no quotes.
        EvalNode::Field(name) if tree.span.end - tree.span.start == name.len() => Some(name),
        _ => None,
    }
}

fn collect_fields<'a>(tree: &'a EvalExpr, names: &mut Vec<&'a str>) {
    tree.walk(&mut |expr| {
        if let EvalNode::Field(name) = &expr.node
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
    });
}

fn unknown_function(name: &str, span: Span) -> Diagnostic {
    let message = format!("there is no eval function `{name}`");
    let diagnostic = Diagnostic::error(Code::UNKNOWN_FUNCTION, message).at(span);
    match similar(name, functions::names()) {
        Some(known) => diagnostic.help(format!("did you mean `{known}`?")),
        None => diagnostic.help("`spilltrail help` lists the eval functions"),
    }
}

/// Objects of a CloudTrail event. They hold fields and have no value of their own, so that joining
/// one with another field gives null. The scope does not tell: it has only the fields that the
/// search reads, and not the one that is meant.
const OBJECTS: &[&str] = &[
    "additionalEventData",
    "requestParameters",
    "responseElements",
    "serviceEventDetails",
    "tlsDetails",
    "userIdentity",
];

/// Returns true for the dotted name of a field inside such an object, such as `userIdentity.arn`.
#[must_use]
pub fn is_in_object(name: &str) -> bool {
    name.split_once('.').is_some_and(|(object, _)| OBJECTS.contains(&object))
}

/// Returns the names such as `a.b` that an expression writes without quotes, so that they join the
/// fields `a` and `b`.
#[must_use]
pub fn dotted_names(tree: &EvalExpr) -> Vec<Spanned<String>> {
    let mut names: Vec<Spanned<String>> = Vec::new();
    tree.walk(&mut |part| {
        if let EvalNode::Binary(BinaryOp::Concat, ..) = &part.node {
            let found = joined_names(&chain(part, BinaryOp::Concat));
            // The parts of a longer name are walked, too.
            let is_new = |name: &Spanned<String>| {
                !names.iter().any(|known| known.span.start == name.span.start)
            };
            let new: Vec<_> = found.into_iter().filter(is_new).collect();
            names.extend(new);
        }
    });
    names
}

/// Returns the names that adjacent operands of a concatenation form together with their dots.
fn joined_names(operands: &[&EvalExpr]) -> Vec<Spanned<String>> {
    let mut names = Vec::new();
    let mut operands = operands.iter().peekable();
    while let Some(first) = operands.next() {
        let Some(name) = bare_name(first) else { continue };
        let mut joined = Spanned::new(name.to_owned(), first.span);
        while let Some(next) = operands.peek()
            && next.span.start == joined.span.end + 1
            && let Some(name) = bare_name(next)
        {
            joined.value = format!("{}.{name}", joined.value);
            joined.span = joined.span.to(next.span);
            operands.next();
        }
        if joined.value.contains('.') {
            names.push(joined);
        }
    }
    names
}

/// Returns the warning about a name such as `a.b` that is meant as a field.
#[must_use]
pub fn dotted_name(name: &str, span: Span) -> Diagnostic {
    Diagnostic::warning(Code::DOTTED_NAME, format!("`{name}` is not the field of that name here"))
        .label(span, "in eval and where, a dot joins the values of two fields")
        .help(format!("write `'{name}'` to mean the field"))
}
