//! The compiled form of an expression, and its evaluation on one row.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use spilltrail_event::{Predicate, Record, Value};
use spilltrail_spl::CompareOp;

use crate::LookupProvider;
use crate::among::{self, Literals};
use crate::functions::{Body, EvalFunction, math};
use crate::limits;
use crate::operators::{self, Arithmetic};
use crate::regex::{Regex, RegexCache};
use crate::significance::Product;

/// A row from which an expression reads its fields. A field is identified by its slot, which is
/// its index in [`Expression::fields`](crate::Expression::fields).
pub trait Row {
    /// Returns the value of the field with this slot.
    fn value(&self, slot: usize) -> Value<'_>;
}

impl Row for [Value<'_>] {
    fn value(&self, slot: usize) -> Value<'_> {
        match self.get(slot) {
            None | Some(Value::Null) => Value::Null,
            Some(Value::Bool(truth)) => Value::Bool(*truth),
            Some(Value::Number(number)) => Value::Number(*number),
            Some(Value::Text(text)) => Value::text(text.as_ref()),
            Some(multi) => Value::multi(multi.members()),
        }
    }
}

impl Row for Vec<Value<'_>> {
    fn value(&self, slot: usize) -> Value<'_> {
        self.as_slice().value(slot)
    }
}

impl<const N: usize> Row for [Value<'_>; N] {
    fn value(&self, slot: usize) -> Value<'_> {
        self.as_slice().value(slot)
    }
}

/// One operation of a compiled expression, with parsed literals and with slots for fields.
#[derive(Debug)]
pub(crate) enum Node {
    /// A literal. Text stands for a quoted literal, which is never a number.
    Constant(Value<'static>),
    /// A number as it is written, for comparisons: it has more digits than a double holds.
    Digits(String),
    Field(usize),
    /// A call of `round` whose result is written with as many decimals as it asks for.
    Decimals(Box<Call>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Plus(Box<Node>),
    /// Addition or concatenation: the operands, and whether each always has type string.
    Add(Box<(Node, Node)>, (bool, bool)),
    Arithmetic(Arithmetic, Box<(Node, Node)>),
    /// A product that is rounded to the figures of its factors.
    Product(Box<Product>),
    Concat(Vec<Node>),
    Compare(CompareOp, Box<(Node, Node)>),
    Like(Box<(Node, Node)>),
    In(Box<Node>, Vec<Node>),
    /// Like `In`, with many literals that are looked up in a hash table.
    Among(Box<Node>, Literals),
    And(Vec<Node>),
    Or(Vec<Node>),
    Xor(Box<(Node, Node)>),
    Call(Box<Call>),
}

/// A function call with compiled arguments.
pub(crate) struct Call {
    pub(crate) function: &'static EvalFunction,
    pub(crate) arguments: Vec<Node>,
    /// Bit set of the arguments that always have type string.
    pub(crate) strings: u64,
    pub(crate) prepared: Constants,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.function.doc.name).field(&self.arguments).finish()
    }
}

/// Data that a function prepared from its literal arguments at compile time.
#[derive(Debug)]
pub(crate) enum Constants {
    /// No prepared data.
    Nothing,
    /// A compiled regular expression.
    Regex(Regex),
    /// A block of IP addresses.
    Network(IpNet),
    /// Slot of the field that is bound to the current member; `None` if there is no such field.
    Binding(Option<usize>),
    /// The lowest number of significant figures among the literals, and the slots of the fields in
    /// the argument.
    Figures(Option<usize>, Vec<usize>),
    /// A compiled search, and the names and slots of its fields.
    Search(Predicate, Vec<(String, usize)>),
}

/// State that evaluation needs in addition to the row, shared by all rows of a search.
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) now: f64,
    pub(crate) zone: TimeZone,
    pub(crate) lookups: Option<Arc<dyn LookupProvider>>,
    pub(crate) patterns: RegexCache,
}

/// Information that a function receives in addition to its arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallContext<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) prepared: &'a Constants,
    pub(crate) strings: u64,
}

impl<'a> CallContext<'a> {
    /// Returns true if the argument always has type string and is never converted to a number.
    pub(crate) fn is_string(&self, argument: usize) -> bool {
        argument < 64 && self.strings & (1 << argument) != 0
    }

    /// Returns the argument as a number; `None` if it is not a number or always has type string.
    pub(crate) fn number(&self, argument: usize, value: &Value<'_>) -> Option<f64> {
        if self.is_string(argument) { None } else { operators::number(value) }
    }

    /// Calls `apply` with the compiled pattern; returns `None` if the pattern is invalid.
    pub(crate) fn with_regex<T>(
        &self,
        pattern: &str,
        apply: impl FnOnce(&Regex) -> T,
    ) -> Option<T> {
        match self.prepared {
            Constants::Regex(regex) => Some(apply(regex)),
            _ => self.runtime.patterns.get(pattern).map(|regex| apply(&regex)),
        }
    }
}

/// A row that is being evaluated, with the state that all rows share.
#[derive(Clone, Copy)]
pub(crate) struct Evaluation<'a> {
    pub(crate) row: &'a dyn Row,
    pub(crate) runtime: &'a Runtime,
}

/// A row in which the value of one field is replaced, as in `mvmap`.
pub(crate) struct Bound<'a> {
    pub(crate) row: &'a dyn Row,
    pub(crate) slot: usize,
    pub(crate) member: &'a str,
}

impl Row for Bound<'_> {
    fn value(&self, slot: usize) -> Value<'_> {
        if slot == self.slot { Value::text(self.member) } else { self.row.value(slot) }
    }
}

/// Presents a row to a compiled search.
pub(crate) struct RowRecord<'a> {
    pub(crate) row: &'a dyn Row,
    pub(crate) slots: &'a [(String, usize)],
}

impl Record for RowRecord<'_> {
    fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        let Some((_, slot)) = self.slots.iter().find(|(name, _)| name == field) else {
            return false;
        };
        self.row.value(*slot).members().iter().any(|member| visit(member))
    }
}

impl Node {
    /// Evaluates the node on a row and returns the result.
    pub(crate) fn evaluate<'a>(&'a self, evaluation: Evaluation<'a>) -> Value<'a> {
        let on = |node: &'a Node| node.evaluate(evaluation);
        match self {
            Self::Constant(value) => constant(value),
            Self::Digits(digits) => Value::text(digits.as_str()),
            Self::Field(slot) => evaluation.row.value(*slot),
            Self::Decimals(call) => {
                let decimals = call.arguments.get(1).map(on);
                math::with_decimals(call.evaluate(evaluation), decimals.as_ref())
            }
            Self::Not(operand) => boolean(operators::truth(&on(operand)).map(|truth| !truth)),
            Self::Negate(operand) => number(operators::number(&on(operand)).map(|n| -n)),
            Self::Plus(operand) => number(operators::number(&on(operand))),
            Self::Add(operands, strings) => {
                operators::add(on(&operands.0), on(&operands.1), strings.0, strings.1)
            }
            Self::Arithmetic(operator, operands) => {
                operator.apply(&on(&operands.0), &on(&operands.1))
            }
            Self::Product(product) => product.evaluate(evaluation),
            Self::Concat(parts) => {
                let parts: Vec<_> = parts.iter().map(on).collect();
                operators::concat(&parts)
            }
            Self::Compare(operator, operands) => {
                let (left, right) = &**operands;
                // Only equality depends on how a value is written; an order is one of numbers.
                let is_equality = matches!(operator, CompareOp::Eq | CompareOp::Ne);
                let has_text = is_equality && (left.is_quoted() || right.is_quoted());
                let compare = if has_text { operators::compare_text } else { operators::compare };
                boolean(compare(*operator, &on(left), &on(right)))
            }
            Self::Like(operands) => like(&on(&operands.0), &on(&operands.1)),
            Self::In(value, list) => {
                let (value, is_quoted) = (on(value), value.is_quoted());
                boolean(any_equal(
                    &value,
                    list.iter().map(|member| (on(member), is_quoted || member.is_quoted())),
                ))
            }
            Self::Among(value, literals) => boolean(literals.equal(&on(value))),
            Self::And(parts) => boolean(all(parts.iter().map(|part| operators::truth(&on(part))))),
            Self::Or(parts) => {
                let refuted = all(parts.iter().map(|part| operators::truth(&on(part)).map(|t| !t)));
                boolean(refuted.map(|refuted| !refuted))
            }
            Self::Xor(operands) => {
                let (left, right) =
                    (operators::truth(&on(&operands.0)), operators::truth(&on(&operands.1)));
                boolean(left.zip(right).map(|(left, right)| left != right))
            }
            Self::Call(call) => call.evaluate(evaluation),
        }
    }

    /// Returns a node that tests whether a value equals any member of a list.
    pub(crate) fn among(value: Node, list: Vec<Node>) -> Self {
        let are_literals = list.iter().all(|member| member.literal().is_some());
        if list.len() < among::FEWEST || !are_literals {
            return Self::In(Box::new(value), list);
        }
        let literals = list.iter().filter_map(|member| member.literal().cloned());
        Self::Among(Box::new(value), Literals::new(literals.collect()))
    }

    /// Returns the disjunction of the parts.
    ///
    /// Many comparisons of one field with literals, as a subsearch returns them, become one hash
    /// lookup. The result is the same: null if the field is null, otherwise true or false.
    pub(crate) fn any(parts: Vec<Node>) -> Self {
        let field_of = |part: &Node| match part {
            Self::Compare(CompareOp::Eq, operands) => match &**operands {
                (Self::Field(slot), Self::Constant(literal)) if !literal.is_null() => Some(*slot),
                _ => None,
            },
            _ => None,
        };
        let mut counts: HashMap<usize, usize> = HashMap::new();
        for slot in parts.iter().filter_map(field_of) {
            *counts.entry(slot).or_default() += 1;
        }
        counts.retain(|_, count| *count >= among::FEWEST);
        if counts.is_empty() {
            return Self::Or(parts);
        }
        let mut rest = Vec::new();
        let mut lists: Vec<(usize, Vec<Node>)> = Vec::new();
        for part in parts {
            match (field_of(&part).filter(|slot| counts.contains_key(slot)), part) {
                (Some(slot), Self::Compare(_, operands)) => {
                    let literal = operands.1;
                    match lists.iter_mut().find(|(other, _)| *other == slot) {
                        Some((_, list)) => list.push(literal),
                        None => lists.push((slot, vec![literal])),
                    }
                }
                (_, part) => rest.push(part),
            }
        }
        let lists = lists.into_iter().map(|(slot, list)| Self::among(Self::Field(slot), list));
        Self::Or(lists.chain(rest).collect())
    }

    /// Evaluates the node on a row as a condition; returns `None` for null.
    pub(crate) fn truth(&self, evaluation: Evaluation<'_>) -> Option<bool> {
        operators::truth(&self.evaluate(evaluation))
    }

    /// Returns true if the node is a quoted literal, with which other values compare as text.
    fn is_quoted(&self) -> bool {
        matches!(self, Self::Constant(Value::Text(_)))
    }

    /// Returns the value if the node is a literal.
    pub(crate) fn literal(&self) -> Option<&Value<'static>> {
        match self {
            Self::Constant(value) => Some(value),
            _ => None,
        }
    }
}

impl Call {
    fn evaluate<'a>(&'a self, evaluation: Evaluation<'a>) -> Value<'a> {
        // Functions whose result can be many times the size of their input check the limit before
        // they build it. This check catches values that grow step by step.
        limits::bounded(self.function.doc.name, self.unbounded(evaluation))
    }

    fn unbounded<'a>(&'a self, evaluation: Evaluation<'a>) -> Value<'a> {
        let body = match self.function.body {
            Body::Special(body) => return body(self, evaluation),
            Body::Math(body) => {
                let argument = self.arguments[0].evaluate(evaluation);
                return number(operators::number(&argument).map(body));
            }
            Body::Row(body) => body,
        };
        let context = CallContext {
            runtime: evaluation.runtime,
            prepared: &self.prepared,
            strings: self.strings,
        };
        // Most calls have at most four arguments, which fit on the stack without an allocation.
        let mut few: [Value<'a>; 4] = [const { Value::Null }; 4];
        if let Some(few) = few.get_mut(..self.arguments.len()) {
            for (value, argument) in few.iter_mut().zip(&self.arguments) {
                *value = argument.evaluate(evaluation);
            }
            return body(&context, few);
        }
        let mut many: Vec<_> =
            self.arguments.iter().map(|argument| argument.evaluate(evaluation)).collect();
        body(&context, &mut many)
    }
}

/// Returns a Boolean value, or null for `None`.
pub(crate) fn boolean<'a>(truth: Option<bool>) -> Value<'a> {
    truth.map_or(Value::Null, Value::Bool)
}

/// Returns a number value, or null for `None`.
pub(crate) fn number<'a>(number: Option<f64>) -> Value<'a> {
    number.map_or(Value::Null, Value::Number)
}

/// Returns whether the value equals any of the others, each of which says whether it compares as
/// text; null if the value is null.
pub(crate) fn any_equal<'a>(
    value: &Value<'_>,
    others: impl IntoIterator<Item = (Value<'a>, bool)>,
) -> Option<bool> {
    if value.is_null() {
        return None;
    }
    let mut others = others.into_iter();
    Some(others.any(|(other, as_text)| {
        let compare = if as_text { operators::compare_text } else { operators::compare };
        compare(CompareOp::Eq, value, &other) == Some(true)
    }))
}

/// Returns whether the text matches the `LIKE` pattern; null if either is null.
pub(crate) fn like<'a>(text: &Value<'_>, pattern: &Value<'_>) -> Value<'a> {
    let Some(pattern) = pattern.to_text() else { return Value::Null };
    boolean(operators::any_text(text, |text| operators::like(&pattern, text)))
}

/// Returns a value that borrows from the literal.
fn constant<'a>(value: &'a Value<'static>) -> Value<'a> {
    match value {
        Value::Text(text) => Value::text(text.as_ref()),
        other => other.clone(),
    }
}

/// Returns the conjunction in three-valued logic. Stops at the first false.
fn all(truths: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for truth in truths {
        match truth {
            Some(true) => {}
            Some(false) => return Some(false),
            None => result = None,
        }
    }
    result
}
