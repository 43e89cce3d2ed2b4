//! Checks that parsing any text neither panics nor reports a span outside the text.

mod common;

use common::Random;
use jiff::tz::TimeZone;
use spilltrail_diagnostic::{Color, Diagnostic, render};
use spilltrail_spl::{
    Arguments, Command, MacroDefinition, MacroSet, expand_macros, parse, parse_eval, parse_search,
    time,
};

/// Pieces of text with meaning in the grammars; random sequences of them reach more code than
/// random bytes.
const PIECES: &[&str] = &[
    " ",
    "  ",
    "\n",
    "|",
    "[",
    "]",
    "(",
    ")",
    "{}",
    "\"",
    "'",
    "`",
    "```",
    "\\",
    "\\\"",
    ",",
    "=",
    "==",
    "!=",
    "<",
    ">=",
    "!",
    "+",
    "-",
    "*",
    "/",
    "%",
    ".",
    ":",
    "::",
    "@",
    "$",
    "#",
    "é",
    "日",
    "\u{1}",
    "a",
    "b.c",
    "x1",
    "5",
    "1.5e3",
    ".5",
    "9999999999999999999999",
    "AND",
    "OR",
    "NOT",
    "xor",
    "like",
    "IN",
    "in (",
    "by",
    "AS",
    "eval(",
    "count",
    "sum(",
    "p95(x)",
    "search",
    "eval",
    "where",
    "stats",
    "TERM(",
    "CASE(",
    "earliest=",
    "now()",
    "if(",
    "match(",
    "`m`",
    "`m(1)`",
    "`n(a,b)`",
    "`loop`",
    "$a$",
    "<<FIELD>>",
    "limit=",
    "true()",
    "[search ",
    "\\|",
];

fn macros() -> MacroSet {
    let mut set = MacroSet::builtin();
    let texts: &[(&str, &[&str], &str, bool)] = &[
        ("m", &[], "a=\"x\" | `m(1)`", false),
        ("m", &["a"], "$a$ \"`m`\"", false),
        ("n", &["a", "b"], "\"$a$\".$b$.\"`\"", true),
        ("loop", &[], "`loop` x", false),
    ];
    for (name, arguments, definition, is_eval) in texts {
        set.insert(MacroDefinition {
            name: (*name).to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            definition: (*definition).to_owned(),
            is_eval: *is_eval,
            validation: is_eval.then(|| "len(\"$a$\") < 9".to_owned()),
            error_message: None,
            origin: "test".to_owned(),
        });
    }
    set
}

/// Checks that the diagnostic's spans are within `text` and at character boundaries.
fn check(diagnostic: &Diagnostic, text: &str) {
    for label in &diagnostic.labels {
        let span = label.span;
        assert!(span.start <= span.end, "{text:?}: {diagnostic:?}");
        assert!(text.get(span.start..span.end).is_some(), "{text:?}: {diagnostic:?}");
    }
    assert!(!diagnostic.labels.is_empty(), "{text:?}: {diagnostic:?}");
    assert!(!diagnostic.message.ends_with('.'), "{diagnostic:?}");
}

/// Parses a command's arguments in every supported way, and then in mixed ways.
fn read(command: &Command, random: &mut Random) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let whole: [fn(&mut Arguments<'_>) -> Option<Diagnostic>; 8] = [
        |a| a.eval().err(),
        |a| a.assignments().err(),
        |a| a.search().err(),
        |a| a.search_until(&["by"]).err(),
        |a| a.stats().err(),
        |a| a.fields().err(),
        |a| a.field().err(),
        |a| a.subsearch().and_then(Result::err),
    ];
    for method in whole {
        let mut arguments = Arguments::new(command);
        found.extend(method(&mut arguments));
        found.extend(arguments.finish().err());
    }
    let mut arguments = Arguments::new(command);
    for _ in 0..20 {
        let before = arguments.position();
        match random.below(12) {
            0 => found.extend(whole[random.below(8)](&mut arguments)),
            1 => drop(arguments.option("limit")),
            2 => drop(arguments.any_option()),
            3 => drop(arguments.keyword("by")),
            4 => drop(arguments.symbol(",")),
            5 => drop(arguments.word()),
            6 => drop(arguments.quoted()),
            7 => drop(arguments.integer()),
            8 => found.extend(arguments.bracketed().and_then(Result::err)),
            9 => found.extend(arguments.aggregates_until(&["from", "by"]).err()),
            10 => found.extend(arguments.fields_until(&["as"]).err()),
            _ => drop(arguments.symbol("=")),
        }
        assert!(arguments.position() >= before);
    }
    arguments.rest();
    found.extend(arguments.finish().err());
    found
}

#[test]
fn no_text_makes_the_reader_panic() {
    let mut random = Random(0x5eed_1234_5678_9abc);
    let macros = macros();
    for _ in 0..4_000 {
        let text = common::text(&mut random, PIECES, 40);
        let (expansion, diagnostics) = expand_macros(&text, &macros);
        diagnostics.iter().for_each(|diagnostic| check(diagnostic, &text));
        let (pipeline, diagnostics) = parse(&expansion.text);
        let mut found = diagnostics;
        for command in &pipeline.commands {
            let span = command.arguments.span;
            assert_eq!(expansion.text.get(span.start..span.end), Some(&*command.arguments.value));
            found.extend(read(command, &mut random));
        }
        // Rendering is slow, so only one diagnostic of each text is rendered.
        if let Some(first) = found.first() {
            assert!(!render(first, "<search>", &expansion.text, Color::Never, None).is_empty());
        }
        for diagnostic in found {
            check(&diagnostic, &expansion.text);
            check(&expansion.relocate(diagnostic), &text);
        }
    }
}

#[test]
fn no_expression_makes_the_parser_panic() {
    let mut random = Random(0x0dd_ba11);
    for _ in 0..20_000 {
        let text = common::text(&mut random, PIECES, 16);
        for diagnostic in [parse_eval(&text).err(), parse_search(&text).err()].into_iter().flatten()
        {
            check(&diagnostic, &text);
        }
    }
}

#[test]
fn no_time_makes_the_calendar_panic() {
    const FORMAT_PIECES: &[&str] = &[
        "%", "Y", "m", "d", "H", "M", "S", "z", "Z", ":", "E", "3", "N", "Q", "p", "s", "c", "+",
        "-", "@", "w", "2024", "07", "1", "99999999", " ", "/", "T", "é", "\u{1}", "mon", "now",
        "j", "U", "b", "A", ".",
    ];
    let mut random = Random(0xca1e_4da2);
    let zone = TimeZone::get("America/New_York").unwrap();
    let times = [0.0, -1.5, 1.7e9, 1e12, -1e12, 1e18, f64::MAX, f64::NAN, f64::NEG_INFINITY];
    for _ in 0..20_000 {
        let mut text = || -> String {
            (0..random.below(10))
                .map(|_| FORMAT_PIECES[random.below(FORMAT_PIECES.len())])
                .collect()
        };
        let (text, format) = (text(), text());
        let time = times[random.below(times.len())];
        let _ = time::resolve(&text, time, &zone);
        let _ = time::relative_time(time, &text, &zone);
        let _ = time::strptime(&text, &format, &zone);
        let _ = time::strftime(time, &format, &zone);
        if let Some(span) = time::parse_span(&text) {
            let start = time::floor(time, span, &zone);
            let exact = time.abs() < 1e13;
            assert!(start.is_nan() || start <= time || !exact, "{time} {span:?}");
            let _ = time::add(time, i64::from(span.count), span.unit, &zone);
        }
    }
}
