//! Splits text into commands, and their arguments into pieces.

use spilltrail_spl::{Arguments, parse, parse_nested};

use crate::{check, text};

pub(crate) fn run(data: &[u8]) {
    let text = text(data);
    let (pipeline, diagnostics) = parse(&text);
    diagnostics.iter().for_each(|diagnostic| check(diagnostic, &text));
    for command in &pipeline.commands {
        let span = command.arguments.span;
        assert_eq!(text.get(span.start..span.end), Some(&*command.arguments.value));
        let mut arguments = Arguments::new(command);
        while !arguments.is_empty() {
            let before = arguments.position();
            let found = arguments.any_option().is_some()
                || arguments.quoted().is_some()
                || arguments.integer().is_some()
                || arguments.bracketed().is_some_and(|found| found.is_ok())
                || arguments.keyword("by").is_some()
                || arguments.word().is_some()
                || [",", "=", "(", ")", "-", "+"].iter().any(|s| arguments.symbol(s).is_some());
            assert!(arguments.position() >= before);
            if !found || arguments.position() == before {
                break;
            }
        }
        arguments.rest();
        assert!(arguments.finish().is_ok());
    }
    let (_, diagnostics) = parse_nested(&text, 0);
    diagnostics.iter().for_each(|diagnostic| check(diagnostic, &text));
}
