//! Tests that the declared arguments of each command agree with its grammar and its parser.

use std::collections::BTreeSet;

use spilltrail_diagnostic::{Code, Diagnostic, Severity, Span};
use spilltrail_spl::parse;

use super::{Argument, COMMANDS, Entry, Form, Support, Takes};

/// Returns the options of a command.
fn options(entry: &Entry) -> impl Iterator<Item = &'static Argument> {
    entry.doc.arguments.iter().filter(|argument| argument.form == Form::Option)
}

/// Returns the words that stand directly before a `=` in a grammar.
fn named_in(syntax: &str) -> BTreeSet<&str> {
    let pieces: Vec<&str> = syntax.split('=').collect();
    pieces[..pieces.len() - 1]
        .iter()
        .filter_map(|piece| {
            let start = piece.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let word = &piece[start.map_or(0, |start| start + 1)..];
            (!word.is_empty()).then_some(word)
        })
        .collect()
}

/// Returns the calls of a command in its examples, each with `option` inserted before the other
/// arguments. Skips calls that set the option already.
fn texts(entry: &Entry, option: &Argument, value: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for example in entry.doc.examples {
        let (pipeline, _) = parse(example.search);
        for written in
            pipeline.commands.iter().filter(|written| written.name.value == entry.doc.name)
        {
            let arguments = &written.arguments.value;
            if !arguments.to_lowercase().contains(&format!("{}=", option.name)) {
                texts.push(format!("| {} {}={value} {arguments}", entry.doc.name, option.name));
            }
        }
    }
    texts
}

/// Returns where an option is written in a text.
fn place_of(option: &Argument, text: &str) -> usize {
    text.find(&format!(" {}=", option.name)).expect("the option is written") + 1
}

/// Returns the diagnostics from reading the first command of a text.
fn read(entry: &Entry, text: &str) -> Vec<Diagnostic> {
    let (pipeline, diagnostics) = parse(text);
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    entry.read(&pipeline.commands[0]).1
}

/// Returns a valid value for an option that differs from its default where possible.
fn valid(option: &Argument) -> &'static str {
    match option.takes {
        Takes::Bool if option.default == Some("true") => "false",
        Takes::Bool => "true",
        Takes::Count => "3",
        Takes::Number => "1",
        Takes::Span | Takes::Width => "5m",
        Takes::Time => "latest",
        Takes::Regex => "\"(x)\"",
        Takes::Condition => "(n=1)",
        Takes::OneOf(words) => {
            words.iter().find(|word| Some(**word) != option.default).copied().unwrap_or(words[0])
        }
        _ => "x",
    }
}

/// Returns an invalid value for an option, or `None` if the option accepts any text.
fn invalid(option: &Argument) -> Option<&'static str> {
    match option.takes {
        Takes::Text | Takes::Field | Takes::Fields => None,
        Takes::Regex => Some("\"(\""),
        Takes::Condition => Some("(n=)"),
        _ => Some("nosuch"),
    }
}

#[test]
fn grammars_name_the_options_that_are_taken() {
    for entry in COMMANDS {
        let (name, syntax) = (entry.doc.name, entry.doc.syntax);
        let written = named_in(syntax);
        let taken: BTreeSet<&str> = options(entry)
            .filter(|option| !matches!(option.support, Support::Refused(_)))
            .map(|option| option.name)
            .collect();
        assert_eq!(written, taken, "{name}: {syntax}");
        for argument in entry.doc.arguments.iter().filter(|it| it.form == Form::Keyword) {
            assert!(
                syntax.to_uppercase().contains(argument.name),
                "{name}: {} is not in the grammar",
                argument.name
            );
        }
    }
}

#[test]
fn declarations_are_whole_sentences() {
    for entry in COMMANDS {
        let mut seen = BTreeSet::new();
        for argument in entry.doc.arguments {
            let name = format!("{} {}", entry.doc.name, argument.name);
            assert!(argument.doc.ends_with('.'), "{name}");
            assert!(seen.insert((argument.name, argument.form as u8)), "{name} is there twice");
            let is_as_written = match argument.form {
                Form::Keyword => argument.name == argument.name.to_uppercase(),
                _ => argument.name == argument.name.to_lowercase(),
            };
            assert!(is_as_written, "{name}");
            let (Support::Refused(why) | Support::NoEffect(why)) = argument.support else {
                continue;
            };
            assert!(!why.ends_with('.') && argument.form == Form::Option, "{name}");
        }
    }
}

/// Checks that a valid value of each option is accepted, refused or reported to have no effect, as
/// declared.
#[test]
fn options_are_honored_refused_or_without_effect() {
    for entry in COMMANDS {
        for option in options(entry) {
            let name = format!("{} {}", entry.doc.name, option.name);
            let is_in_examples = entry
                .doc
                .examples
                .iter()
                .any(|example| example.search.contains(&format!("{}=", option.name)));
            let found: Vec<(String, Vec<Diagnostic>)> = texts(entry, option, valid(option))
                .into_iter()
                .map(|text| (text.clone(), read(entry, &text)))
                .collect();
            let (code, severity) = match option.support {
                // It is enough that one call accepts the option, or that an example uses it.
                Support::Honored => {
                    let is_read = found.iter().any(|(_, found)| {
                        found.iter().all(|one| one.severity == Severity::Warning)
                    });
                    assert!(is_read || is_in_examples, "{name}: {found:?}");
                    continue;
                }
                Support::Refused(_) => (Code::UNSUPPORTED_OPTION, Severity::Unsupported),
                Support::NoEffect(_) => (Code::NO_EFFECT, Severity::Warning),
            };
            for (text, found) in found {
                let place = place_of(option, &text);
                let end = place + option.name.len() + 1 + valid(option).len();
                let said: Vec<_> = found
                    .iter()
                    .map(|one| (one.code, one.severity, one.span().unwrap_or_default()))
                    .collect();
                assert_eq!(said, [(code, severity, Span::new(place, end))], "{text}");
                assert!(found[0].help.is_some(), "{text}");
                // A boolean option set to its default changes nothing, so no diagnostic is due.
                let default =
                    option.default.map(|default| text.replacen(valid(option), default, 1));
                if let Some(default) = default.filter(|_| option.takes == Takes::Bool) {
                    assert!(read(entry, &default).is_empty(), "{default}");
                }
            }
        }
    }
}

#[test]
fn invalid_values_are_marked() {
    for entry in COMMANDS {
        for option in options(entry) {
            let Some(value) = invalid(option) else { continue };
            let texts = texts(entry, option, value);
            let is_marked = texts.iter().any(|text| {
                let place = place_of(option, text) + option.name.len() + 1;
                let whole = place..=place + value.len();
                read(entry, text).iter().any(|found| {
                    let span = found.span().unwrap_or_default();
                    let is_value = whole.contains(&span.start) && whole.contains(&span.end);
                    found.severity > Severity::Warning && is_value
                })
            });
            assert!(is_marked || texts.is_empty(), "{} {}={value}", entry.doc.name, option.name);
        }
    }
}

#[test]
fn an_option_that_is_not_declared_is_an_error() {
    for entry in COMMANDS.iter().filter(|entry| options(entry).next().is_some()) {
        let unknown = Argument::option("nosuch", Takes::Text);
        for text in texts(entry, &unknown, "1") {
            let found = read(entry, &text);
            let is_named = found.iter().any(|one| {
                one.code == Code::BAD_OPTION && one.message.ends_with("has no option `nosuch`")
            });
            assert!(is_named, "{text}: {found:?}");
        }
    }
}
