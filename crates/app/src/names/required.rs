//! Finds fields without which a command keeps no row, and that no event has.

use spilltrail_decode::field_docs;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_search::analysis::{Analysis, Weight};
use spilltrail_spl::{Doubt, Required, RequiredField, parse_search};

use super::{is_fixed, is_same_field};

/// Returns a warning for each field that is not among `known`, those of the events, and that a
/// command behind the first one needs to keep a row: if a similar one is there, or if a text is
/// meant. A field that events merely lack is no mistake.
pub(super) fn absent(analysis: &Analysis, known: &[String]) -> Vec<Doubt> {
    let commands = analysis.pipeline().commands.as_slice();
    let mut found = Vec::new();
    let mut added: Vec<String> = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let Some(adds) = analysis.fields_added(index) else { break };
        let before = commands.get(..index).unwrap_or_default();
        let is_made = |field: &str| {
            added.iter().any(|name| name == field)
                || before.iter().skip(1).any(|command| command.arguments.value.contains(field))
        };
        for read in Required::of(command).fields.into_iter().filter(|_| index > 0) {
            let is_there = known.contains(&read.name) || is_made(&read.name);
            if !is_there && let Some(warning) = warning(&read, known) {
                let diagnostic = analysis.expansion.relocate(warning);
                found.push(Doubt { diagnostic, weight: Weight::NeverMet });
            }
        }
        added.extend(adds);
    }
    found
}

/// Returns the fields without which the first command matches no event.
pub(super) fn of_leading(analysis: &Analysis) -> Vec<String> {
    let expression = analysis.leading.as_deref().and_then(|text| parse_search(text).ok());
    let required = expression.iter().flat_map(|expression| Required::of_search(expression).fields);
    required.map(|field| field.name).collect()
}

fn warning(read: &RequiredField, known: &[String]) -> Option<Diagnostic> {
    let RequiredField { name: field, span, is_word } = read;
    let is_meant = |name: &&String| is_fixed(name) && is_same_field(field, name);
    if let Some(meant) = known.iter().find(is_meant) {
        let message = format!("no event has the field `{field}`");
        let warning = Diagnostic::warning(Code::OTHER_NAME, message).at(*span);
        return Some(warning.help(format!("did you mean `{meant}`?")));
    }
    // Fields of several words have an underscore, a dot, or a capital inside.
    let is_one = field.chars().all(char::is_alphanumeric)
        && (field.starts_with(char::is_uppercase) || field.chars().all(char::is_lowercase));
    // What events of CloudTrail can have is meant as a field.
    let is_field = || field_docs().iter().any(|known| known.name == field);
    (*is_word && is_one && !is_field()).then(|| {
        let message = format!("`{field}` without quotes is a field, and no event has it");
        let warning = Diagnostic::warning(Code::NEVER_MET, message).at(*span);
        warning.help(format!("write `\"{field}\"` to mean the text"))
    })
}
