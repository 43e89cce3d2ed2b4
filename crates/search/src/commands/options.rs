//! Values of options.

use spilltrail_diagnostic::{Code, Diagnostic, Spanned};

/// Reads a truth value: `t`, `true`, `1`, `yes`, `y` and their opposites, in any case.
///
/// # Errors
/// Fails at any other text.
pub(super) fn boolean(value: &Spanned<String>) -> Result<bool, Diagnostic> {
    match value.value.to_ascii_lowercase().as_str() {
        "t" | "true" | "1" | "yes" | "y" => Ok(true),
        "f" | "false" | "0" | "no" | "n" => Ok(false),
        other => Err(Diagnostic::error(
            Code::BAD_OPTION,
            format!("expected `true` or `false`, found `{other}`"),
        )
        .at(value.span)),
    }
}

/// Reads a number that is not negative.
///
/// # Errors
/// Fails at any other text.
pub(super) fn count(value: &Spanned<String>) -> Result<usize, Diagnostic> {
    value.value.parse().map_err(|_| {
        Diagnostic::error(
            Code::BAD_OPTION,
            format!("expected a whole number, found `{}`", value.value),
        )
        .at(value.span)
    })
}

/// Returns the diagnostic for an option that the command does not have.
pub(super) fn unknown(command: &str, name: &Spanned<String>) -> Diagnostic {
    let message = format!("`{command}` has no option `{}`", name.value);
    Diagnostic::error(Code::BAD_OPTION, message)
        .at(name.span)
        .help(format!("`spilltrail help {command}` lists the options"))
}

/// Reads a number.
///
/// # Errors
/// Fails at any other text.
pub(super) fn number(value: &Spanned<String>) -> Result<f64, Diagnostic> {
    spilltrail_event::parse_number(&value.value).filter(|number| number.is_finite()).ok_or_else(
        || {
            let message = format!("expected a number, found `{}`", value.value);
            Diagnostic::error(Code::BAD_OPTION, message).at(value.span)
        },
    )
}
