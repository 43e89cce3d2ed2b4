//! Ranges of addresses that nothing can be in, or that are compared as texts.

use std::net::IpAddr;

use spilltrail_diagnostic::Code;

use super::constants::{Equality, equality, name_of};
use super::{Doubt, Evaluated, Searched, Weight};
use crate::{CompareOp, EvalNode, SearchExpr};

/// Returns the address and the prefix of a text in the form of a range.
fn range(text: &str) -> Option<(IpAddr, u32)> {
    let (address, prefix) = text.split_once('/')?;
    Some((address.parse().ok()?, prefix.parse().ok()?))
}

fn longest(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Returns the longest prefix that a range can have if that of `text` is longer.
fn beyond(text: &str) -> Option<u32> {
    let (address, prefix) = range(text)?;
    (prefix > longest(address)).then(|| longest(address))
}

fn too_long(text: &str, longest: u32, span: spilltrail_diagnostic::Span) -> Doubt {
    let message = format!("no address is in `{text}`");
    Doubt::new(Weight::NeverMet, Code::NEVER_MET, message, span)
        .help(format!("expected a prefix from 0 to {longest}"))
}

/// Finds ranges with a prefix that is too long.
pub(super) fn of_searches(searched: &Searched<'_>, found: &mut Vec<Doubt>) {
    searched.expression.walk(&mut |part| {
        let SearchExpr::Compare { value, op: CompareOp::Eq, .. } = part else { return };
        if let Some(longest) = beyond(&value.value.text) {
            found.push(too_long(&value.value.text, longest, value.span));
        }
    });
}

/// Finds wrong ranges in `cidrmatch`, and its arguments in the wrong order.
pub(super) fn of_functions(part: &Evaluated<'_>, found: &mut Vec<Doubt>) {
    let expr = part.expression;
    let EvalNode::Call { name, arguments } = &expr.node else { return };
    let [first, second] = arguments.as_slice() else { return };
    if name.value != "cidrmatch" {
        return;
    }
    match (&first.node, &second.node) {
        (EvalNode::Text(text), _) => {
            found.extend(beyond(text).map(|longest| too_long(text, longest, first.span)));
        }
        (EvalNode::Field(field), EvalNode::Text(text)) if range(text).is_some() => {
            let message = "the arguments of `cidrmatch` are in the wrong order";
            let help = format!("write `cidrmatch(\"{text}\", {})`", name_of(field));
            let doubt = Doubt::new(Weight::NeverMet, Code::NEVER_MET, message, expr.span);
            found.push(doubt.help(help));
        }
        _ => {}
    }
}

/// Finds a range that `=`, `!=` or `IN` compares as a text.
pub(super) fn of_equality(part: &Evaluated<'_>, found: &mut Vec<Doubt>) {
    let Some(Equality { field, values, is_negated }) = equality(part.expression) else { return };
    let operator = match &part.expression.node {
        EvalNode::In(..) => "IN",
        _ if is_negated => "!=",
        _ => "=",
    };
    for value in values {
        if let EvalNode::Text(text) = &value.node
            && range(text).is_some()
        {
            let message = format!(
                "`{operator}` compares `{text}` as a text here, not as a range of addresses"
            );
            let not = if is_negated { "NOT " } else { "" };
            let help = format!("write `{not}cidrmatch(\"{text}\", {})`", name_of(field));
            // A field of a rule or a security group can have a range as its value.
            let doubt = Doubt::new(Weight::IfNothing, Code::NEVER_MET, message, value.span);
            found.push(doubt.help(help));
        }
    }
}
