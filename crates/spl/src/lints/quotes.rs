//! Quotes that are part of a value instead of enclosing it.

use spilltrail_diagnostic::{Code, Span};

use super::{Doubt, Searched, Weight};
use crate::{SearchExpr, TermForm};

/// Quotation marks of word processors.
const TYPOGRAPHIC: &[char] =
    &['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{ab}', '\u{bb}'];

/// Finds values in single or typographic quotes.
pub(super) fn of_values(searched: &Searched<'_>, found: &mut Vec<Doubt>) {
    searched.expression.walk(&mut |part| match part {
        SearchExpr::Compare { value, .. } if !value.value.quoted => {
            found.extend(quoted(&value.value.text, value.span));
        }
        SearchExpr::In { values, .. } => {
            let bare = values.iter().filter(|value| !value.value.quoted);
            found.extend(bare.filter_map(|value| quoted(&value.value.text, value.span)));
        }
        SearchExpr::Term { text, form: TermForm::Word } if text.value.starts_with(TYPOGRAPHIC) => {
            found.extend(quoted(&text.value, text.span));
        }
        _ => {}
    });
}

fn quoted(text: &str, span: Span) -> Option<Doubt> {
    let kind = if text.starts_with(TYPOGRAPHIC) {
        "typographic"
    } else if text.len() > 2 && text.starts_with('\'') {
        "single"
    } else {
        return None;
    };
    let inner = text.trim_matches(|c| c == '\'' || TYPOGRAPHIC.contains(&c));
    let message = format!("the {kind} quotes of `{text}` are part of the value");
    let doubt = Doubt::new(Weight::NeverMet, Code::QUOTES, message, span);
    Some(doubt.help(format!("write `\"{inner}\"`")))
}
