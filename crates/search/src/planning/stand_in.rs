//! Words that stand for the values of a row in a search that is read before it runs.

const START: &str = "value_";
const END: &str = "_of_row";

/// Returns a word for the value of a field, which is a field or a value wherever it stands.
pub(crate) fn stand_in(field: &str) -> String {
    let is_plain = field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    format!("{START}{}{END}", if is_plain { field } else { "" })
}

/// Returns true if a text has such a word, so that it is not known before the search runs.
pub(crate) fn is_filled_in(text: &str) -> bool {
    text.find(START).is_some_and(|start| text[start..].contains(END))
}

/// Returns a text with the variables that the words stand for, as the user writes them.
pub(crate) fn as_written(text: &str) -> String {
    let mut written = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(START)
        && let Some((field, behind)) = after.split_once(END)
    {
        let field = if field.is_empty() { "…" } else { field };
        written.extend([before, "$", field, "$"]);
        rest = behind;
    }
    written + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_variables_again() {
        for (field, expected) in
            [("n", "-$n$h@h"), ("first_time", "-$first_time$h@h"), ("a.b", "-$…$h@h")]
        {
            let text = format!("-{}h@h", stand_in(field));
            assert!(is_filled_in(&text));
            assert_eq!(as_written(&text), expected);
        }
        assert!(!is_filled_in("-1h@h"));
        assert_eq!(as_written("value_1"), "value_1");
    }
}
