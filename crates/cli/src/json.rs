//! Writes JSON that a terminal shows as it is.

use std::io::{Result, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use spilltrail_diagnostic::visible;

/// Writes a value as JSON on one line.
///
/// JSON escapes only the first 32 control characters by its nature. Here, all else that a terminal
/// would obey is escaped too, which does not change the value.
pub(crate) fn write(out: &mut impl Write, value: &impl Serialize) -> Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Visible))?;
    Ok(())
}

/// Returns a value as a line of JSON with its line end.
pub(crate) fn text(value: &impl Serialize) -> anyhow::Result<String> {
    let mut text = Vec::new();
    write(&mut text, value)?;
    text.push(b'\n');
    Ok(String::from_utf8(text)?)
}

struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, text: &str) -> Result<()> {
        out.write_all(visible(text).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_the_value_is_the_same() {
        let value = serde_json::json!({"a\u{9b}\u{2028}": "\u{1b}\u{7f}\u{202e}äü\n\"\\"});
        let mut written = Vec::new();
        write(&mut written, &value).unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, "{\"a\\u009b\\u2028\":\"\\u001b\\u007f\\u202eäü\\n\\\"\\\\\"}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
