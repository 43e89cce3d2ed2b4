//! Operators of search expressions that are read as words to find.

use spilltrail_diagnostic::{Code, Spanned};

use super::{Doubt, Searched, Weight};
use crate::{SearchExpr, TermForm};

/// Finds `or`, `and` and `not` in lower case beside a comparison.
pub(super) fn in_lower_case(searched: &Searched<'_>, found: &mut Vec<Doubt>) {
    searched.expression.walk(&mut |part| {
        let SearchExpr::And(parts) = part else { return };
        for (index, part) in parts.iter().enumerate() {
            let Some(word) = word(part) else { continue };
            let before = index.checked_sub(1).and_then(|index| parts.get(index));
            let after = parts.get(index + 1);
            let (is_operator, write) = match word.value.as_str() {
                "or" => (true, "write `OR`"),
                "and" => (true, "write `AND`, or nothing"),
                "not" => (false, "write `NOT`"),
                _ => continue,
            };
            let sides = if is_operator { [before, after] } else { [after, after] };
            let has_both = sides.iter().all(Option::is_some);
            if has_both && sides.into_iter().flatten().any(compares) {
                let message = format!("`{}` in lower case is a word to find", word.value);
                let code = Code::LOWER_CASE_OPERATOR;
                found.push(Doubt::new(Weight::NeverMet, code, message, word.span).help(write));
            }
        }
    });
}

/// Finds `field IN value`.
pub(super) fn list_without_parentheses(searched: &Searched<'_>, found: &mut Vec<Doubt>) {
    searched.expression.walk(&mut |part| {
        let SearchExpr::And(parts) = part else { return };
        for window in parts.windows(3) {
            let [field, operator, value] = window else { continue };
            let (Some(field), Some(operator)) = (word(field), word(operator)) else { continue };
            let SearchExpr::Term { text: value, form } = value else { continue };
            // In lower case it may be a word of a text to find, unless a quoted value follows.
            let is_meant = match operator.value.as_str() {
                "IN" => true,
                "in" => *form == TermForm::Phrase,
                _ => false,
            };
            if is_meant {
                let quote = if *form == TermForm::Phrase { "\"" } else { "" };
                let message = "`IN` without a list is a word to find";
                let help = format!("write `{} IN ({quote}{}{quote})`", field.value, value.value);
                let code = Code::LOWER_CASE_OPERATOR;
                found.push(Doubt::new(Weight::NeverMet, code, message, operator.span).help(help));
            }
        }
    });
}

/// Returns a term that is a word.
pub(super) fn word(part: &SearchExpr) -> Option<&Spanned<String>> {
    match part {
        SearchExpr::Term { text, form: TermForm::Word } => Some(text),
        _ => None,
    }
}

/// Returns true if the expression has a comparison.
pub(super) fn compares(part: &SearchExpr) -> bool {
    part.any(&|part| matches!(part, SearchExpr::Compare { .. } | SearchExpr::In { .. }))
}
