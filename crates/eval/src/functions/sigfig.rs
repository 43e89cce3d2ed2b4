//! The function sigfig: rounds a result to the significant figures of its operands.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Value;
use spilltrail_spl::{EvalExpr, EvalNode};

use super::Category::Mathematical;
use super::math::round_to_figures;
use super::{Arity, EvalFunction, doc, returns};
use crate::operators::number;
use crate::{Call, Constants, Evaluation, Preparation};

pub(super) static SIGFIG: EvalFunction = EvalFunction::special(
    doc(
        "sigfig",
        Mathematical,
        "Round to the smallest number of significant figures of the numbers in the argument.",
        "sigfig(<number>)",
        &[("sigfig(1.50*3333)", "5000"), ("sigfig(2.0*1.234)", "2.5")],
    )
    .differs(&["Sums are rounded like products, not to the smallest number of decimals."]),
    Arity::Exactly(1),
    returns::number,
    sigfig,
)
.prepared(prepare);

fn prepare(preparation: &mut Preparation<'_>) -> Result<Constants, Diagnostic> {
    let mut figures = None;
    collect(&preparation.trees[0], &mut figures);
    let names: Vec<_> = preparation.fields_in(0).into_iter().map(str::to_owned).collect();
    let slots = names.iter().filter_map(|name| preparation.slot(name)).collect();
    Ok(Constants::Figures(figures, slots))
}

fn sigfig<'a>(call: &'a Call, evaluation: Evaluation<'a>) -> Value<'a> {
    let Constants::Figures(literal, slots) = &call.prepared else { return Value::Null };
    let fields = slots.iter().filter_map(|slot| {
        let value = evaluation.row.value(*slot);
        value.to_text().and_then(|text| significant(&text))
    });
    let result = number(&call.arguments[0].evaluate(evaluation));
    let figures = fields.chain(*literal).min();
    crate::number(result.map(|result| match figures {
        Some(figures) => round_to_figures(result, figures),
        None => result,
    }))
}

fn collect(tree: &EvalExpr, figures: &mut Option<usize>) {
    match &tree.node {
        EvalNode::Number(text) => {
            *figures = significant(text).into_iter().chain(*figures).min();
        }
        EvalNode::Unary(..) | EvalNode::Binary(..) => {
            tree.children().into_iter().for_each(|child| collect(child, figures));
        }
        _ => {}
    }
}

/// Returns the number of significant figures of a number as written, starting at the first nonzero
/// digit.
fn significant(text: &str) -> Option<usize> {
    spilltrail_event::parse_number(text)?;
    Some(spilltrail_event::significant_digits(text).max(1))
}
