//! Parses the arguments of all commands with every grammar.

use spilltrail_diagnostic::{Color, Diagnostic, render};
use spilltrail_spl::{Arguments, parse, parse_eval, parse_search};

use crate::{check, text};

/// The grammars of arguments.
const GRAMMARS: [fn(&mut Arguments<'_>) -> Option<Diagnostic>; 9] = [
    |a| a.eval().err(),
    |a| a.assignments().err(),
    |a| a.search().err(),
    |a| a.search_until(&["by"]).err(),
    |a| a.stats().err(),
    |a| a.fields().err(),
    |a| a.aggregates_until(&["from", "by"]).err(),
    |a| a.fields_until(&["as"]).err(),
    |a| a.subsearch().and_then(Result::err),
];

pub(crate) fn run(data: &[u8]) {
    let text = text(data);
    let (pipeline, mut found) = parse(&text);
    for command in &pipeline.commands {
        for grammar in GRAMMARS {
            let mut arguments = Arguments::new(command);
            found.extend(grammar(&mut arguments));
            found.extend(arguments.finish().err());
        }
    }
    found.extend(parse_eval(&text).err());
    found.extend(parse_search(&text).err());
    found.iter().for_each(|diagnostic| check(diagnostic, &text));
    // Rendering is slow, so only one of them is rendered.
    if let Some(first) = found.first() {
        assert!(!render(first, "<search>", &text, Color::Never, None).is_empty());
    }
}
