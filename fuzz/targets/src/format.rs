//! Formats a text as SPL and as YAML: a search means the same, and formatting again changes nothing.

use spilltrail_content::format_yaml;
use spilltrail_spl::MacroSet;

use crate::{check, same, text};

pub(crate) fn run(data: &[u8]) {
    let text = text(data);
    same::check(&text, &MacroSet::builtin());
    match format_yaml(&text) {
        Ok(Some(formatted)) => {
            assert_eq!(format_yaml(&formatted), Ok(Some(formatted)));
        }
        Ok(None) => {}
        Err(diagnostics) => diagnostics.iter().for_each(|diagnostic| check(diagnostic, &text)),
    }
}
