//! Evaluates the eval expressions of macros before a search runs: `iseval` definitions and
//! validation.
//!
//! No events exist at that time, so every field is null.

use spilltrail_diagnostic::{Code, Diagnostic};

use super::definition::MacroDefinition;
use crate::{BinaryOp, CompareOp, EvalExpr, EvalNode, UnaryOp, parse_eval};

#[derive(Debug, Clone, PartialEq)]
enum Constant {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

/// Evaluates a macro's definition to the text that replaces the call.
pub(super) fn text(definition: &MacroDefinition, expression: &str) -> Result<String, Diagnostic> {
    match evaluate_text(definition, expression)? {
        Constant::Text(text) => Ok(text),
        Constant::Number(number) => Ok(shown(number)),
        Constant::Null | Constant::Bool(_) => Err(failure(
            definition,
            "evaluates to no text",
            "its expression must give a text or a number",
        )),
    }
}

/// Checks a macro's arguments with its validation expression.
///
/// A Boolean expression must be true. Any other expression must be null; if it returns text, that
/// text is the error message.
pub(super) fn validate(definition: &MacroDefinition, expression: &str) -> Result<(), Diagnostic> {
    let expr = parse(definition, expression)?;
    let default = || format!("arguments of `{}` are not valid", definition.title());
    let message = match evaluate(&expr).map_err(|what| unsupported(definition, &what))? {
        Constant::Bool(true) => return Ok(()),
        Constant::Null if !is_boolean(&expr) => return Ok(()),
        Constant::Text(message) => message,
        _ => definition.error_message.clone().unwrap_or_else(default),
    };
    Err(Diagnostic::error(Code::MACRO_ARGUMENT, message)
        .note(format!("`{}` checks its arguments by `{expression}`", definition.title())))
}

fn evaluate_text(definition: &MacroDefinition, text: &str) -> Result<Constant, Diagnostic> {
    evaluate(&parse(definition, text)?).map_err(|what| unsupported(definition, &what))
}

fn parse(definition: &MacroDefinition, text: &str) -> Result<EvalExpr, Diagnostic> {
    parse_eval(text).map_err(|diagnostic| {
        failure(
            definition,
            &format!("is not an eval expression: {}", diagnostic.message),
            &format!("correct `{text}`"),
        )
    })
}

fn failure(definition: &MacroDefinition, what: &str, help: &str) -> Diagnostic {
    let message = format!("macro `{}` {what}", definition.title());
    Diagnostic::error(Code::MACRO_ARGUMENT, message)
        .help(help)
        .note(format!("defined in {}", definition.origin))
}

fn unsupported(definition: &MacroDefinition, what: &str) -> Diagnostic {
    let title = definition.title();
    Diagnostic::unsupported(
        Code::UNSUPPORTED_FUNCTION,
        format!("{what} is not supported in the evaluated macro `{title}`"),
    )
    .help("write the macro's text without `iseval` or `validation`")
}

/// Returns true if the expression is Boolean for any values of its operands.
fn is_boolean(expr: &EvalExpr) -> bool {
    match &expr.node {
        EvalNode::Unary(UnaryOp::Not, _) | EvalNode::In(..) => true,
        EvalNode::Binary(op, ..) => matches!(
            op,
            BinaryOp::Compare(_) | BinaryOp::Like | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor
        ),
        EvalNode::Call { name, .. } => {
            matches!(
                name.value.as_str(),
                "isnull" | "isnotnull" | "isnum" | "isstr" | "isint" | "true" | "false"
            )
        }
        _ => false,
    }
}

/// Evaluates the expression; the error names the part that is not supported.
fn evaluate(expr: &EvalExpr) -> Result<Constant, String> {
    match &expr.node {
        EvalNode::Number(text) => Ok(text.parse().map_or(Constant::Null, Constant::Number)),
        EvalNode::Text(text) => Ok(Constant::Text(text.clone())),
        EvalNode::Field(_) => Ok(Constant::Null),
        EvalNode::Call { name, arguments } => call(&name.value, arguments),
        EvalNode::Unary(op, operand) => Ok(unary(*op, &evaluate(operand)?)),
        EvalNode::Binary(op, left, right) => binary(*op, &evaluate(left)?, &evaluate(right)?),
        EvalNode::In(left, items) => {
            let left = evaluate(left)?;
            let mut found = false;
            for item in items {
                found |= compare(CompareOp::Eq, &left, &evaluate(item)?) == Constant::Bool(true);
            }
            Ok(Constant::Bool(found))
        }
        EvalNode::Subsearch(_) => Err("a subsearch".to_owned()),
    }
}

fn unary(op: UnaryOp, operand: &Constant) -> Constant {
    match (op, operand) {
        (UnaryOp::Not, Constant::Bool(value)) => Constant::Bool(!value),
        (UnaryOp::Minus, Constant::Number(number)) => Constant::Number(-number),
        (UnaryOp::Plus, Constant::Number(number)) => Constant::Number(*number),
        _ => Constant::Null,
    }
}

fn binary(op: BinaryOp, left: &Constant, right: &Constant) -> Result<Constant, String> {
    use Constant::{Bool, Null, Number, Text};
    Ok(match (op, left, right) {
        (BinaryOp::And, Bool(false), _) | (BinaryOp::And, _, Bool(false)) => Bool(false),
        (BinaryOp::Or, Bool(true), _) | (BinaryOp::Or, _, Bool(true)) => Bool(true),
        (BinaryOp::And, Bool(true), Bool(true)) => Bool(true),
        (BinaryOp::Or, Bool(false), Bool(false)) => Bool(false),
        (BinaryOp::Xor, Bool(left), Bool(right)) => Bool(left != right),
        (BinaryOp::Compare(op), left, right) => compare(op, left, right),
        (BinaryOp::Like, ..) => return Err("LIKE".to_owned()),
        (BinaryOp::Concat, Null, _) | (BinaryOp::Concat, _, Null) => Null,
        (BinaryOp::Concat, left, right) => Text(as_text(left) + &as_text(right)),
        (BinaryOp::Add, Text(left), Text(right)) => Text(format!("{left}{right}")),
        (op, Number(left), Number(right)) => arithmetic(op, *left, *right),
        _ => Null,
    })
}

fn arithmetic(op: BinaryOp, left: f64, right: f64) -> Constant {
    match op {
        BinaryOp::Add => Constant::Number(left + right),
        BinaryOp::Subtract => Constant::Number(left - right),
        BinaryOp::Multiply => Constant::Number(left * right),
        BinaryOp::Divide if right != 0.0 => Constant::Number(left / right),
        BinaryOp::Modulo if right != 0.0 => Constant::Number(left % right),
        _ => Constant::Null,
    }
}

fn compare(op: CompareOp, left: &Constant, right: &Constant) -> Constant {
    let order = match (left, right) {
        (Constant::Null, _) | (_, Constant::Null) => return Constant::Null,
        (Constant::Number(left), Constant::Number(right)) => left.partial_cmp(right),
        (left, right) => as_text(left).partial_cmp(&as_text(right)),
    };
    let Some(order) = order else { return Constant::Null };
    Constant::Bool(match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
    })
}

fn call(name: &str, arguments: &[EvalExpr]) -> Result<Constant, String> {
    use Constant::{Bool, Null, Number, Text};
    // These functions must not evaluate the arguments that they do not return.
    match (name, arguments) {
        ("if", [condition, yes, no]) => {
            let taken = if evaluate(condition)? == Bool(true) { yes } else { no };
            return evaluate(taken);
        }
        ("case" | "validate", pairs) if pairs.len() % 2 == 0 => {
            let wanted = Bool(name == "case");
            for pair in pairs.chunks_exact(2) {
                if evaluate(&pair[0])? == wanted {
                    return evaluate(&pair[1]);
                }
            }
            return Ok(Null);
        }
        _ => {}
    }
    let values = arguments.iter().map(evaluate).collect::<Result<Vec<_>, _>>()?;
    Ok(match (name, values.as_slice()) {
        ("true", []) => Bool(true),
        ("false", []) => Bool(false),
        ("null", []) => Null,
        ("coalesce", values) => {
            values.iter().find(|value| **value != Null).cloned().unwrap_or(Null)
        }
        ("isnull", [value]) => Bool(*value == Null),
        ("isnotnull", [value]) => Bool(*value != Null),
        ("isnum", [value]) => Bool(matches!(value, Number(_))),
        ("isint", [value]) => Bool(matches!(value, Number(number) if number.fract() == 0.0)),
        ("isstr", [value]) => Bool(matches!(value, Text(_))),
        ("upper" | "lower" | "trim" | "len" | "tostring" | "tonumber", [Null]) => Null,
        ("upper", [value]) => Text(as_text(value).to_uppercase()),
        ("lower", [value]) => Text(as_text(value).to_lowercase()),
        ("trim", [value]) => Text(as_text(value).trim_matches([' ', '\t']).to_owned()),
        ("len", [value]) => Number(as_text(value).chars().count() as f64),
        ("tostring", [value]) => Text(as_text(value)),
        ("tonumber", [Text(text)]) => text.parse().map_or(Null, Number),
        ("tonumber", [value]) => value.clone(),
        _ => return Err(format!("`{name}` with {} arguments", arguments.len())),
    })
}

fn as_text(value: &Constant) -> String {
    match value {
        Constant::Null => String::new(),
        Constant::Bool(true) => "True".to_owned(),
        Constant::Bool(false) => "False".to_owned(),
        Constant::Number(number) => shown(*number),
        Constant::Text(text) => text.clone(),
    }
}

/// Returns a number as SPL prints it, without a fraction if it is whole.
fn shown(number: f64) -> String {
    // `{}` prints the fewest digits that parse to the same number, without an exponent; adding zero
    // turns -0 into 0.
    format!("{}", number + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: &str) {
        let value = evaluate(&parse_eval(expression).unwrap());
        assert_eq!(value.map(|value| as_text(&value)), Ok(expected.to_owned()), "{expression}");
    }

    #[test]
    fn constants() {
        check("\"a\".1+2", "");
        check("\"a\".(1+2)", "a3");
        check("upper(\"a\")+lower(\"B\")", "Ab");
        check("1/0", "");
        check("7%4*0.5", "1.5");
        check("if(\"b\">\"a\" AND NOT 1=2, \"x\", y)", "x");
        check("case(x=1, \"a\", 2>=2, \"b\")", "b");
        check("validate(1=1, \"first\", 2=3, \"second\")", "second");
        check("coalesce(x, null(), len(\"äb\"))", "2");
        check("if(3 IN (1, 3), tonumber(\"4\"), 0)", "4");
        check("isnum(x) XOR isint(2)", "True");
    }
}
