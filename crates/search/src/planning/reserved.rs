//! Leaves out or renames fields that data names, and that could be taken for columns of a command.

use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::is_reserved;

use crate::context::SearchContext;

/// Removes the fields with reserved names from `fields`, and adds a warning if there are any.
///
/// Use it for all fields whose names come from data, such as JSON keys and headers of tables. `name`
/// returns the name of a field.
pub(crate) fn leave_out<T>(
    fields: &mut Vec<T>,
    name: impl Fn(&T) -> &str,
    context: &SearchContext,
) {
    let before = fields.len();
    fields.retain(|field| !is_reserved(name(field)));
    if fields.len() < before {
        let message =
            "fields with the control characters U+0001 or U+0002 in their names are left out";
        tell(message, context);
    }
}

/// Returns the name without reserved characters: if it has one, each control character becomes `_`,
/// and a warning is added.
///
/// Use it for names that are values, such as those of a chart's columns, without which the result
/// would lack numbers.
pub(crate) fn replaced(name: String, context: &SearchContext) -> String {
    if !is_reserved(&name) {
        return name;
    }
    let message =
        "values with the control characters U+0001 or U+0002 name columns with `_` in their place";
    tell(message, context);
    name.replace(char::is_control, "_")
}

fn tell(message: &str, context: &SearchContext) {
    context.observations.message(
        Diagnostic::warning(Code::LEFT_OUT, message)
            .help("Spilltrail uses these characters for columns of its own"),
    );
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::context::LookupTable;
    use crate::testing::{context, rows, table_of};

    /// Whatever makes a field of a name in data, the name cannot be that of a command's column.
    #[tokio::test]
    async fn names_in_data_cannot_be_those_of_commands() {
        let own = ["transaction", "ending", "start", "own", "name", "value", "row", "series", "0"];
        let keys = own.map(|name| {
            format!("\\\"\\\\u0001{name}\\\":\\\"v\\\",\\\"x\\\\u00020{name}\\\":\\\"v\\\"")
        });
        let object = format!("{{{},\\\"b\\\":\\\"2\\\"}}", keys.join(","));
        let mut events = format!("{{\"a\":\"1\",\"j\":\"{object}\"}}");
        for name in own {
            events.push_str(&format!(
                "\n{{\"a\":\"1\",\"n\":\"\\u0001{name}\",\"m\":\"x\\u0002{name}\"}}"
            ));
        }
        for (search, is_told) in [
            ("| fromjson j | transaction a startswith=(a=1)", true),
            ("| spath input=j | transaction a startswith=(a=1)", true),
            ("| eval {n}=1 | transaction a startswith=(a=1)", true),
            ("| eval {m}=1 | eval {m}=2 | rename x* as * | transaction a", true),
            ("| inputlookup t | transaction a", true),
            ("| lookup t a | transaction a", true),
            ("| stats count by a n | xyseries a n count | transaction a", true),
            ("| chart count over a by n | transaction a", true),
            ("| chart count over a by m | rename x* as * | transaction a", true),
            ("| contingency a n | transaction a", true),
            ("| table n a | transpose 0 header_field=n | transaction column", true),
            ("| eval {n}=1 | fields a | transaction a", false),
        ] {
            let context = context(rows(&events), 64 << 20);
            let columns = ["a", "\u{1}transaction", "\u{1}own", "c"].map(str::to_owned).to_vec();
            let cells = ["1", "2", "3", "4"].map(str::to_owned).to_vec();
            let lookup =
                LookupTable { columns, rows: vec![cells].into(), ..LookupTable::default() };
            context.lookups.write("t", lookup).unwrap();
            let found = table_of(search, &context).await;
            let found = found.unwrap_or_else(|wrong| panic!("{search}: {wrong:?}"));
            assert!(!found[0].contains(['\u{1}', '\u{2}']), "{search}: {found:?}");
            let messages = context.observations.messages();
            let left_out = |message: &spilltrail_diagnostic::Diagnostic| {
                message.code == Code::LEFT_OUT && message.message.contains("U+0001")
            };
            assert_eq!(messages.iter().any(left_out), is_told, "{search}: {messages:?}");
        }
    }

    /// Columns whose names are values stay, since their cells would be missing.
    #[tokio::test]
    async fn columns_named_by_values_are_renamed() {
        let events = "{\"a\":\"1\",\"n\":\"\\u0001x\"}\n{\"a\":\"2\",\"n\":\"y\\u0002z\"}";
        for (search, names) in [
            ("| chart count over a by n", "a | VALUE_x | y_z"),
            ("| stats count by a n | xyseries a n count", "a | VALUE_x | y_z"),
            ("| contingency a n usetotal=f", "a | VALUE_x | y_z"),
            ("| table n a | transpose header_field=n", "column | VALUE_x | y_z"),
        ] {
            let context = context(rows(events), 64 << 20);
            let found = table_of(search, &context).await.unwrap();
            assert_eq!(found[0], names, "{search}");
        }
    }
}
