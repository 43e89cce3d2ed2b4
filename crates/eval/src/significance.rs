//! Rounds products to the significant figures of their factors, as Splunk does.
//!
//! A factor with a decimal point is as precise as its digits say, and a product is no more precise
//! than its least precise factor: `2 * 0.9` is 2, and `2 * 0.90` is 1.8. Digits before the decimal
//! point are never rounded. Factors without a decimal point, quotients, sums and results of functions,
//! such as `exact`, do not limit the precision. Only a result is rounded, not a factor of another
//! product.

use spilltrail_event::{Value, parse_number, significant_digits};
use spilltrail_spl::{BinaryOp, EvalExpr, EvalNode, UnaryOp};

use crate::functions::math::round_product;
use crate::node::{Evaluation, Node};

/// The figures of a number that holds all digits of a double.
const ALL_FIGURES: usize = 15;

/// A product, and what limits its precision.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) node: Node,
    /// The fewest figures of the factors that are literals.
    literals: Option<usize>,
    /// The slots of the factors that are fields.
    slots: Vec<usize>,
}

impl Product {
    /// Returns the product that `node` computes, or `node` itself if nothing limits its precision.
    /// `slot` returns the slot of a field.
    pub(crate) fn of(
        tree: &EvalExpr,
        node: Node,
        mut slot: impl FnMut(&str) -> Option<usize>,
    ) -> Result<Self, Node> {
        // A sign before a product changes nothing of its precision.
        let mut unsigned = tree;
        while let EvalNode::Unary(UnaryOp::Minus | UnaryOp::Plus, operand) = &unsigned.node {
            unsigned = operand;
        }
        if !matches!(&unsigned.node, EvalNode::Binary(BinaryOp::Multiply, ..)) {
            return Err(node);
        }
        let (mut literals, mut slots) = (None, Vec::new());
        let mut waiting = vec![tree];
        while let Some(tree) = waiting.pop() {
            match &tree.node {
                EvalNode::Binary(BinaryOp::Multiply, left, right) => {
                    waiting.extend([left.as_ref(), right.as_ref()]);
                }
                EvalNode::Unary(UnaryOp::Minus | UnaryOp::Plus, operand) => waiting.push(operand),
                EvalNode::Number(text) => {
                    literals = figures(text).into_iter().chain(literals).min();
                }
                EvalNode::Field(name) => slots.extend(slot(name)),
                _ => {}
            }
        }
        if literals.is_none() && slots.is_empty() {
            return Err(node);
        }
        Ok(Self { node, literals, slots })
    }

    /// Evaluates the product on a row.
    pub(crate) fn evaluate<'a>(&'a self, evaluation: Evaluation<'a>) -> Value<'a> {
        let Value::Number(product) = self.node.evaluate(evaluation) else { return Value::Null };
        let of_field = |slot: &usize| match evaluation.row.value(*slot) {
            // The shortest text of a whole number has no decimal point.
            Value::Number(number) if number.fract() == 0.0 => None,
            value => value.to_text().and_then(|text| figures(&text)),
        };
        let fields = self.slots.iter().filter_map(of_field);
        Value::Number(match fields.chain(self.literals).min() {
            Some(figures) => round_product(product, figures),
            None => product,
        })
    }
}

/// Returns the number of significant figures that limit a product, or `None` for a number without a
/// decimal point, one with as many figures as a double holds, and other text.
fn figures(text: &str) -> Option<usize> {
    let (mantissa, _) = text.split_once(['e', 'E']).unwrap_or((text, ""));
    if !mantissa.contains('.') {
        return None;
    }
    parse_number(text)?;
    let figures = significant_digits(text);
    // A zero has no figures and makes the product zero anyway.
    (1..ALL_FIGURES).contains(&figures).then_some(figures)
}

/// Returns the text of a number that is written with zeros after its last decimal, which say how
/// precise it is.
pub(crate) fn written(tree: &EvalExpr) -> Option<String> {
    match &tree.node {
        EvalNode::Number(text) => {
            let is_padded = text.contains('.') && text.ends_with('0') && !text.contains(['e', 'E']);
            (is_padded && parse_number(text).is_some()).then(|| match text.strip_prefix('.') {
                Some(decimals) => format!("0.{decimals}"),
                None => text.clone(),
            })
        }
        EvalNode::Unary(UnaryOp::Minus, operand) => {
            written(operand).filter(|text| !text.starts_with('-')).map(|text| format!("-{text}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_that_are_written() {
        for (text, expected) in [
            ("0.5", Some(1)),
            ("0.0130", Some(3)),
            ("2.3000", Some(5)),
            ("-8.250", Some(4)),
            ("1024", None),
            ("0.0", None),
            ("2.5e3", Some(2)),
            ("0.30000000000000004", None),
            ("1.2.3", None),
            ("x.y", None),
        ] {
            assert_eq!(figures(text), expected, "{text}");
        }
    }
}
