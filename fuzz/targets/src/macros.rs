//! Expands macros: lines `name(arguments)=definition` up to an empty line, and then a search.

use spilltrail_spl::{MacroDefinition, MacroSet, expand_macros, parse};

use crate::{check, halves, text};

/// The most definitions that are read.
const MAX_DEFINITIONS: usize = 32;

/// The most bytes that a search may have after its macros are expanded, plus one definition.
const MAX_EXPANDED: usize = 8 << 20;

pub(crate) fn run(data: &[u8]) {
    let text = text(data);
    let (definitions, search) = halves(&text, "\n\n");
    let mut macros = MacroSet::builtin();
    definitions.lines().take(MAX_DEFINITIONS).filter_map(definition).for_each(|definition| {
        macros.insert(definition);
    });
    let (expansion, diagnostics) = expand_macros(search, &macros);
    assert!(expansion.text.len() <= MAX_EXPANDED + search.len());
    diagnostics.iter().for_each(|diagnostic| check(diagnostic, search));
    // A long text is split in the target for it.
    if expansion.text.len() < 1 << 16 {
        for diagnostic in parse(&expansion.text).1 {
            check(&expansion.relocate(diagnostic), search);
        }
    }
}

/// Reads `name(argument, …)=definition`; `name(…):=definition` is an eval expression, and text after
/// `??` its validation.
fn definition(line: &str) -> Option<MacroDefinition> {
    let (head, definition) = line.split_once('=')?;
    let (definition, validation) = match definition.split_once("??") {
        Some((definition, validation)) => (definition, Some(validation.to_owned())),
        None => (definition, None),
    };
    let (head, is_eval) = head.strip_suffix(':').map_or((head, false), |head| (head, true));
    let (name, arguments) = halves(head, "(");
    let arguments = arguments.trim_end_matches(')').split(',').map(|name| name.trim().to_owned());
    Some(MacroDefinition {
        name: name.to_owned(),
        arguments: arguments.filter(|name| !name.is_empty()).collect(),
        definition: definition.to_owned(),
        is_eval,
        validation,
        error_message: None,
        origin: "fuzz".to_owned(),
    })
}
