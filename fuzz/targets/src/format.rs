//! Formats a text as SPL and as YAML: only blanks may change, and formatting again changes nothing.

use spilltrail_content::format_yaml;
use spilltrail_spl::format;

use crate::{check, text};

pub(crate) fn run(data: &[u8]) {
    let text = text(data);
    match format(&text) {
        Ok(formatted) => {
            let black = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(black(&formatted), black(&text));
            assert_eq!(format(&formatted).as_deref(), Ok(formatted.as_str()));
        }
        Err(diagnostics) => diagnostics.iter().for_each(|diagnostic| check(diagnostic, &text)),
    }
    match format_yaml(&text) {
        Ok(Some(formatted)) => {
            assert_eq!(format_yaml(&formatted), Ok(Some(formatted)));
        }
        Ok(None) => {}
        Err(diagnostics) => diagnostics.iter().for_each(|diagnostic| check(diagnostic, &text)),
    }
}
