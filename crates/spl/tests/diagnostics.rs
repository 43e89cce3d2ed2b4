//! What a user sees when a search is wrong: the whole rendered text.

use spilltrail_diagnostic::{Color, Diagnostic, render};
use spilltrail_spl::{Arguments, MacroDefinition, MacroSet, expand_macros, parse};

/// Returns the rendered diagnostics of a search, each command read as its name says.
fn rendered(text: &str) -> String {
    let mut macros = MacroSet::builtin();
    macros.insert(MacroDefinition {
        name: "late".to_owned(),
        arguments: vec!["field".to_owned()],
        definition: "where $field$ > > 5".to_owned(),
        is_eval: false,
        validation: None,
        error_message: None,
        origin: "test".to_owned(),
    });
    let (expansion, mut diagnostics) = expand_macros(text, &macros);
    let (pipeline, found) = parse(&expansion.text);
    let mut later = found;
    for command in &pipeline.commands {
        let mut arguments = Arguments::new(command);
        let result: Result<(), Diagnostic> = match command.name.value.as_str() {
            "search" => arguments.search().map(drop),
            "where" => arguments.eval().map(drop),
            "eval" => arguments.assignments().map(drop),
            "stats" => arguments.stats().map(drop),
            _ => Ok(drop(arguments.rest())),
        };
        later.extend(result.and_then(|()| arguments.finish()).err());
    }
    diagnostics.extend(later.into_iter().map(|diagnostic| expansion.relocate(diagnostic)));
    let texts: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| render(diagnostic, "<search>", text, Color::Never))
        .collect();
    texts.join("\n")
}

fn check(text: &str, expected: &str) {
    let found = rendered(text);
    assert_eq!(found.trim(), expected.trim(), "\n{found}");
}
