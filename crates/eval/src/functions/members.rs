//! mvfilter and mvmap: evaluate an expression for each value of a field. In the expression, the
//! field has the current value.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Value;

use super::Category::Multivalue;
use super::{Arity, EvalFunction, doc, returns};
use crate::{Bound, Call, Constants, Evaluation, Node, Preparation, limits};

pub(super) static MVFILTER: EvalFunction = EvalFunction::special(
    doc(
        "mvfilter",
        Multivalue,
        "Keep the values of a field for which a condition on that field is true.",
        "mvfilter(<condition>)",
        &[],
    ),
    Arity::Exactly(1),
    returns::multi,
    mvfilter,
)
.prepared(|preparation| match preparation.fields_in(0).as_slice() {
    [_] => Ok(binding(preparation, 0)),
    names => {
        let found = match names {
            [] => "none".to_owned(),
            names => format!("`{}`", names.join("`, `")),
        };
        Err(preparation.refuse(0, format!("expected a condition on one field, found {found}")))
    }
});

fn mvfilter<'a>(call: &'a Call, evaluation: Evaluation<'a>) -> Value<'a> {
    let Constants::Binding(Some(slot)) = call.prepared else { return Value::Null };
    let mut members = evaluation.row.value(slot).into_members();
    members.retain(|member| {
        let row = Bound { row: evaluation.row, slot, member };
        call.arguments[0].truth(Evaluation { row: &row, ..evaluation }) == Some(true)
    });
    Value::multi(members)
}

pub(super) static MVMAP: EvalFunction = EvalFunction::special(
    doc(
        "mvmap",
        Multivalue,
        "Evaluate an expression for each value of a field and return the results without nulls.",
        "mvmap(<multivalue>, <expression>)",
        &[(r#"mvmap(split("a,b", ","), "x")"#, "x | x")],
    ),
    Arity::Exactly(2),
    returns::multi,
    mvmap,
)
.prepared(prepare_mvmap);

/// Binds the field of the first argument to the current value. If the first argument has several
/// fields, binds the first of them that the second argument also reads.
fn prepare_mvmap(preparation: &mut Preparation<'_>) -> Result<Constants, Diagnostic> {
    let names = preparation.fields_in(0);
    let inside = preparation.fields_in(1);
    let place = names.iter().position(|name| inside.contains(name)).unwrap_or(0);
    Ok(binding(preparation, place))
}

/// Binds the field with index `place` among the fields of the first argument.
fn binding(preparation: &mut Preparation<'_>, place: usize) -> Constants {
    let name = preparation.fields_in(0).get(place).map(|name| (*name).to_owned());
    Constants::Binding(name.and_then(|name| preparation.slot(&name)))
}

fn mvmap<'a>(call: &'a Call, evaluation: Evaluation<'a>) -> Value<'a> {
    let mut results = Vec::new();
    let mut bytes = 0;
    for member in call.arguments[0].evaluate(evaluation).into_members() {
        let result = match call.prepared {
            Constants::Binding(Some(slot)) => {
                let row = Bound { row: evaluation.row, slot, member: &member };
                owned(&call.arguments[1], Evaluation { row: &row, ..evaluation })
            }
            _ => call.arguments[1].evaluate(evaluation),
        };
        bytes += limits::size(&result) + limits::MEMBER;
        if !limits::allows("mvmap", bytes) {
            return Value::Null;
        }
        results.extend(result.into_members());
    }
    Value::multi(results)
}

/// Evaluates the node and returns an owned value, because the row does not live long enough to
/// borrow from.
fn owned(node: &Node, evaluation: Evaluation<'_>) -> Value<'static> {
    node.evaluate(evaluation).into_owned()
}
