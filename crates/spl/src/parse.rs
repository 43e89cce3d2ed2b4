//! Splits search text into a pipeline of commands.
//!
//! Each command has its own grammar, so this stage only finds the pipes that separate commands:
//! those outside double quotes and square brackets.

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};

use crate::cursor::{closing_quote, is_word, unclosed_bracket, unclosed_quote};
use crate::{Command, Pipeline};

/// The maximum number of commands in a search, including its subsearches.
///
/// The engine plans and runs a pipeline recursively, with a few calls for each command, and its
/// thread stacks are sized for this number. Published searches have thirty commands at most.
pub const MAX_COMMANDS: usize = 500;

/// The maximum nesting depth of subsearches; each is planned and run while its outer searches wait.
pub const MAX_SUBSEARCHES: usize = 50;

/// The characters that no search has. Commands name columns of their own with them.
const RESERVED: [char; 2] = ['\u{1}', '\u{2}'];

/// Returns true if a name has a reserved character, and could be that of a command's own column.
///
/// No search names such a field, but names can also come from data: a JSON key has any characters.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.contains(RESERVED)
}

/// Splits `text`, whose macros are already expanded, into its commands.
///
/// Always returns a tree: a command that cannot be read is dropped and reported. Square brackets
/// stay in the arguments of their command; see [`crate::Arguments::subsearch`].
#[must_use]
pub fn parse(text: &str) -> (Pipeline, Vec<Diagnostic>) {
    if let Some(refused) = reserved_in(text) {
        return (
            Pipeline { commands: Vec::new(), leading_pipe: false, span: Span::new(0, text.len()) },
            vec![refused],
        );
    }
    parse_at(text, 0, Place::Search)
}

/// Splits a text that is the content of square brackets, such as a template of `foreach` with its
/// names filled in; `base` is the offset of its first byte.
///
/// As [`parse`], but a leading word is a command, and commands' own columns can be named.
#[must_use]
pub fn parse_nested(text: &str, base: usize) -> (Pipeline, Vec<Diagnostic>) {
    parse_at(text, base, Place::Brackets)
}

/// Returns the error for a text with a reserved character.
#[must_use]
pub fn reserved_in(text: &str) -> Option<Diagnostic> {
    let (at, found) = text.match_indices(RESERVED).next()?;
    let number = found.chars().next().map_or(0, u32::from);
    let message = format!("a search cannot have the control character U+{number:04X}");
    let error = Diagnostic::error(Code::EXPECTED, message).at(Span::new(at, at + found.len()));
    Some(error.help(format!("in a regular expression, write `\\x{number:02x}` instead")))
}

/// The context of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The whole search; without a leading pipe it begins with an implied `search`.
    Search,
    /// Square brackets, where a leading word is a command even without a pipe.
    Brackets,
}

/// Splits `text`, which starts at byte `base` of the whole search.
pub(crate) fn parse_at(text: &str, base: usize, place: Place) -> (Pipeline, Vec<Diagnostic>) {
    let (stages, mut diagnostics) = stages(text, base);
    let span = trimmed(text, Span::new(0, text.len()));
    let mut pipeline = Pipeline {
        commands: Vec::with_capacity(stages.len()),
        leading_pipe: text[span.start..].starts_with('|'),
        span: Span::new(base + span.start, base + span.end),
    };
    for (index, stage) in stages.iter().enumerate() {
        let stage = trimmed(text, *stage);
        let body = &text[stage.start..stage.end];
        if body.is_empty() {
            // The text before a leading pipe is not a command.
            if !(index == 0 && pipeline.leading_pipe) {
                diagnostics.push(empty_stage(base + stage.start, text.len() + base));
            }
            continue;
        }
        let implied = index == 0 && begins_with_terms(body, place);
        match command(body, base + stage.start, implied) {
            Ok(command) => pipeline.commands.push(command),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    pipeline.leading_pipe |= place == Place::Brackets
        && pipeline.commands.first().is_some_and(|first| first.name.value != "search");
    (pipeline, diagnostics)
}

/// Returns the parts of `text` between its pipes, and errors in quotes and brackets.
fn stages(text: &str, base: usize) -> (Vec<Span>, Vec<Diagnostic>) {
    let mut stages = Vec::new();
    let mut diagnostics = Vec::new();
    let mut open_brackets = Vec::new();
    // A command begins at the leading pipe if the text has one, and otherwise at the start.
    let mut commands = usize::from(!text.trim_start().starts_with('|'));
    let (mut start, mut index) = (0, 0);
    while let Some(c) = text[index..].chars().next() {
        let place = Span::new(base + index, base + index + c.len_utf8());
        let after = index + c.len_utf8();
        index = after;
        match c {
            // A backslash also escapes a quote or a pipe outside quotes.
            '\\' if text[after..].starts_with(['"', '|', '\\']) => index = after + 1,
            '"' => match closing_quote(&text[after..], '"') {
                Some(length) => index = after + length + 1,
                None => {
                    diagnostics.push(unclosed_quote(place));
                    index = text.len();
                }
            },
            '[' => {
                open_brackets.push(place);
                commands += usize::from(!text[after..].trim_start().starts_with('|'));
            }
            ']' if open_brackets.pop().is_none() => diagnostics.push(
                Diagnostic::error(Code::UNBALANCED, "`]` was never opened")
                    .label(place, "no `[` before it")
                    .help("remove it, or quote the text that it belongs to"),
            ),
            '|' => {
                commands += 1;
                if open_brackets.is_empty() {
                    stages.push(Span::new(start, after - 1));
                    start = after;
                }
            }
            _ => {}
        }
        if let Some(refused) = beyond_limits(open_brackets.len(), commands) {
            diagnostics.push(refused.at(place));
            return (stages, diagnostics);
        }
    }
    stages.push(Span::new(start, text.len()));
    diagnostics.extend(open_brackets.into_iter().map(|place| unclosed_bracket('[', place)));
    (stages, diagnostics)
}

/// Returns an error for a search that is nested too deeply or has too many commands.
fn beyond_limits(open_brackets: usize, commands: usize) -> Option<Diagnostic> {
    let (message, help) = if open_brackets > MAX_SUBSEARCHES {
        (
            format!("subsearches nest deeper than {MAX_SUBSEARCHES} levels"),
            "run the inner searches on their own",
        )
    } else if commands > MAX_COMMANDS {
        (
            format!("the search has more than {MAX_COMMANDS} commands"),
            "end it here with `outputlookup`, and go on from `inputlookup` in a second search",
        )
    } else {
        return None;
    };
    Some(Diagnostic::error(Code::TOO_DEEP, message).help(help))
}

/// Returns true if the first command is an implied `search`.
///
/// In brackets, a leading word is a command (`[ tstats …]`, `[ eval …]`) unless it is the left side
/// of a comparison.
fn begins_with_terms(body: &str, place: Place) -> bool {
    let word = leading_word(body);
    let after = body[word.len()..].trim_start();
    match place {
        Place::Search => {
            !word.eq_ignore_ascii_case("search") || body[word.len()..].starts_with(['=', '<', '>'])
        }
        Place::Brackets => {
            word.is_empty()
                // In a template of `foreach`, `<<FIELD>>` is not an operator.
                || (after.starts_with(['=', '<', '>', '!']) && !after.starts_with("<<"))
                || body[word.len()..].starts_with(['.', ':', '-', '*', '{'])
        }
    }
}

fn command(body: &str, base: usize, implied: bool) -> Result<Command, Diagnostic> {
    let name = if implied { "" } else { leading_word(body) };
    if name.is_empty() && !implied {
        let first = body.chars().next().unwrap_or('|');
        return Err(Diagnostic::error(
            Code::EXPECTED,
            format!("expected a command, found `{first}`"),
        )
        .label(Span::new(base, base + first.len_utf8()), "expected a command")
        .help("a pipe is followed by a command's name"));
    }
    let arguments = trimmed(body, Span::new(name.len(), body.len()));
    Ok(Command {
        name: Spanned::new(
            if implied { "search".to_owned() } else { name.to_ascii_lowercase() },
            Span::new(base, base + name.len()),
        ),
        arguments: Spanned::new(
            body[arguments.start..arguments.end].to_owned(),
            Span::new(base + arguments.start, base + arguments.end),
        ),
    })
}

pub(crate) fn leading_word(body: &str) -> &str {
    &body[..body.find(|c| !is_word(c)).unwrap_or(body.len())]
}

/// Returns `span` without the blanks at its ends.
fn trimmed(text: &str, span: Span) -> Span {
    let part = &text[span.start..span.end];
    let start = span.start + part.len() - part.trim_start().len();
    Span::new(start, start + part.trim().len())
}

fn empty_stage(position: usize, end: usize) -> Diagnostic {
    let span = Span::new(position, (position + 1).min(end));
    Diagnostic::error(Code::EMPTY_COMMAND, "expected a command, found nothing")
        .label(span, "expected a command")
        .help("remove the pipe, or write a command after it")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `name(arguments)` for each command.
    fn shape(pipeline: &Pipeline) -> String {
        let commands = pipeline.commands.iter();
        let texts: Vec<_> =
            commands.map(|c| format!("{}({})", c.name.value, c.arguments.value)).collect();
        texts.join(" | ")
    }

    fn check(text: &str, expected: &str) {
        let (pipeline, diagnostics) = parse(text);
        assert_eq!(diagnostics, [], "{text}");
        assert_eq!(shape(&pipeline), expected, "{text}");
        for command in &pipeline.commands {
            let span = command.arguments.span;
            assert_eq!(text.get(span.start..span.end), Some(&*command.arguments.value), "{text}");
        }
    }

    #[test]
    fn pipes_separate_commands_outside_quotes_and_brackets() {
        check("a=1 | stats count", "search(a=1) | stats(count)");
        check("search a=1|STATS count|head", "search(a=1) | stats(count) | head()");
        check("| tstats count | where(x>1)", "tstats(count) | where((x>1))");
        check(r#"a="x|y\"|z" | b"#, r#"search(a="x|y\"|z") | b()"#);
        check(r#"a="x\\" | b"#, r#"search(a="x\\") | b()"#);
        check(r#"a\|b \" c | d"#, r#"search(a\|b \" c) | d()"#);
        check("a [search b | c [| d]] | e", "search(a [search b | c [| d]]) | e()");
        check("a \"[\" | b", "search(a \"[\") | b()");
        check("don't | \n  b 'x'\n", "search(don't) | b('x')");
        check("search=x", "search(search=x)");
        check("stats count", "search(stats count)");
    }

    #[test]
    fn reserved_characters_are_refused() {
        for (text, place) in [("| eval \u{1}own=1", 7), ("é | eval a=\"\u{2}\"", 13)] {
            let (pipeline, diagnostics) = parse(text);
            assert_eq!(pipeline.commands, [], "{text}");
            let [only] = diagnostics.as_slice() else { panic!("{text}: {diagnostics:?}") };
            assert_eq!(only.code, Code::EXPECTED, "{text}");
            assert_eq!(only.span(), Some(Span::new(place, place + 1)), "{text}");
        }
        assert!(is_reserved("a\u{1}") && !is_reserved("a\u{3}"));
    }

    #[test]
    fn a_leading_pipe_is_noted() {
        assert!(parse("  | makeresults").0.leading_pipe);
        assert!(!parse("makeresults").0.leading_pipe);
    }

    #[test]
    fn a_leading_word_in_brackets_is_a_command() {
        let cases = [
            ("tstats count | rename a as b", "tstats(count) | rename(a as b)", true),
            ("| inputlookup x.csv", "inputlookup(x.csv)", true),
            ("search a=1", "search(a=1)", false),
            ("a=1 b", "search(a=1 b)", false),
            ("a.b = 1", "search(a.b = 1)", false),
            ("\"x y\"", "search(\"x y\")", false),
            ("eval <<FIELD>> = 1", "eval(<<FIELD>> = 1)", true),
        ];
        for (text, expected, leading_pipe) in cases {
            let (pipeline, diagnostics) = parse_at(text, 100, Place::Brackets);
            assert_eq!((shape(&pipeline).as_str(), diagnostics.len()), (expected, 0), "{text}");
            assert_eq!(pipeline.leading_pipe, leading_pipe, "{text}");
            assert_eq!(pipeline.span.start, 100, "{text}");
        }
    }

    #[test]
    fn there_is_a_tree_whatever_is_wrong() {
        let cases: &[(&str, &str, &str, Code)] = &[
            ("a || b", "search(a) | b()", "expected a command, found nothing", Code::EMPTY_COMMAND),
            ("a | ", "search(a)", "expected a command, found nothing", Code::EMPTY_COMMAND),
            ("", "", "expected a command, found nothing", Code::EMPTY_COMMAND),
            ("a | (b) | c", "search(a) | c()", "expected a command, found `(`", Code::EXPECTED),
            ("a \"b | c", "search(a \"b | c)", "quote is never closed", Code::UNBALANCED),
            ("a [b | c", "search(a [b | c)", "`[` is never closed", Code::UNBALANCED),
            ("a ] | c", "search(a ]) | c()", "`]` was never opened", Code::UNBALANCED),
        ];
        for (text, expected, message, code) in cases {
            let (pipeline, diagnostics) = parse(text);
            assert_eq!(shape(&pipeline), *expected, "{text}");
            let found: Vec<_> = diagnostics.iter().map(|d| (d.message.as_str(), d.code)).collect();
            assert_eq!(found, [(*message, *code)], "{text}");
        }
    }

    #[test]
    fn commands_and_subsearches_are_limited() {
        let pipeline = |commands: usize| vec!["b"; commands].join("|");
        let nested = |levels: usize| format!("{}b{}", "[".repeat(levels), "]".repeat(levels));
        let many = "the search has more than 500 commands";
        let deep = "subsearches nest deeper than 50 levels";
        let cases = [
            (pipeline(500), None),
            (pipeline(501), Some((many, 999))),
            (format!(" | {}", pipeline(500)), None),
            (format!(" | {}", pipeline(501)), Some((many, 1002))),
            // The commands of a subsearch count; pipes in quotes do not begin commands.
            (format!("a [| {}] | {}", pipeline(200), pipeline(299)), None),
            (format!("a [{}] | {}", pipeline(200), pipeline(300)), Some((many, 1003))),
            (format!("a \"{}\"", pipeline(600)), None),
            (format!("a {}", nested(50)), None),
            (format!("a {}", nested(51)), Some((deep, 52))),
            ("[".repeat(100_000), Some((deep, 50))),
        ];
        for (text, expected) in cases {
            let (_, diagnostics) = parse(&text);
            let start: String = text.chars().take(20).collect();
            let found = diagnostics.iter().find(|diagnostic| diagnostic.code == Code::TOO_DEEP);
            let found = found.map(|found| (found.message.as_str(), found.span().unwrap().start));
            assert_eq!(found, expected, "{start}");
        }
    }
}
