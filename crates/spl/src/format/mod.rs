//! Formats SPL: one command a line, subsearches indented, long commands wrapped.
//!
//! Only blanks between the pieces of a search change, and only where there are blanks already, so
//! that the formatted text means the same. Texts in quotes, macro calls and comments are kept byte
//! for byte. The layout depends on the pieces alone, so formatting twice changes nothing.

mod chunk;
mod fill;
mod pieces;
mod verbatim;
mod writer;

use spilltrail_diagnostic::Diagnostic;

use crate::{Arguments, Command, parse};

use pieces::Node;
use writer::Writer;

/// The indentation of a subsearch, and of the further lines of a command.
const INDENT: usize = 4;

/// Formats a search whose macros are not expanded; the result does not end in a newline.
///
/// # Errors
/// Fails if the text is not a search; the spans refer to `text`.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let (masked, mut diagnostics) = chunk::mask(text);
    let (pipeline, found) = parse(&masked);
    diagnostics.extend(found);
    if diagnostics.is_empty() {
        diagnostics.extend(pipeline.commands.iter().filter_map(|command| mistake(command, text)));
    }
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let mut writer = Writer::default();
    pipeline_lines(&pieces::read(text), 0, &mut writer);
    Ok(writer.text)
}

/// Returns the mistake in a command that consists of an expression. A command with macros is not
/// checked, because they can stand for anything.
fn mistake(command: &Command, text: &str) -> Option<Diagnostic> {
    let arguments = &command.arguments;
    if text.get(arguments.span.start..arguments.span.end) != Some(arguments.value.as_str()) {
        return None;
    }
    let mut reader = Arguments::new(command);
    let outcome = match command.name.value.as_str() {
        "search" => reader.search().map(drop),
        "where" => reader.eval().map(drop),
        "eval" => reader.assignments().map(drop),
        _ => return None,
    };
    outcome.and_then(|()| reader.finish()).err()
}

/// Writes a pipeline whose commands begin `indent` columns from the left.
fn pipeline_lines(stages: &[Vec<Node<'_>>], indent: usize, writer: &mut Writer) {
    let mut is_first = true;
    for (index, stage) in stages.iter().enumerate() {
        // The text before a leading pipe is no command.
        if index == 0 && stage.is_empty() {
            continue;
        }
        if !is_first {
            writer.new_line(indent);
        }
        is_first = false;
        if index > 0 {
            writer.put("|", true);
        }
        command_lines(stage, indent, writer);
    }
}

/// Writes a command whose first line has begun, `indent` columns from the left.
fn command_lines(stage: &[Node<'_>], indent: usize, writer: &mut Writer) {
    let further = indent + INDENT;
    let name = stage.iter().find_map(Node::name).unwrap_or_default();
    let mut index = 0;
    while index < stage.len() {
        match &stage[index] {
            Node::Word(_) => {
                let words: Vec<_> = stage[index..].iter().map_while(Node::word).collect();
                fill::fill(&words, name, further, index == 0, writer);
                index += words.len();
                continue;
            }
            Node::Block { stages, is_glued } => {
                writer.put("[", *is_glued);
                writer.new_line(further);
                pipeline_lines(stages, further, writer);
                writer.new_line(indent);
                writer.put("]", true);
            }
            Node::Comment(text) => {
                let is_last = stage[index..].iter().all(Node::is_comment);
                let is_first = stage[..index].iter().all(Node::is_comment);
                let column = if is_first || is_last { indent } else { further };
                if !writer.is_at_start() {
                    writer.new_line(column);
                }
                writer.put(text, true);
                if index + 1 < stage.len() {
                    writer.new_line(column);
                }
            }
        }
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let expected = expected.join("\n");
        assert_eq!(format(text).as_deref(), Ok(expected.as_str()), "{text}");
        assert_eq!(format(&expected).as_deref(), Ok(expected.as_str()), "again: {text}");
    }

    #[test]
    fn a_command_has_a_line() {
        check("a=1   b=2|stats  count by c | head", &["a=1 b=2", "| stats count by c", "| head"]);
        check("\n |makeresults\n\n|eval a=1,\n b=2 ", &["| makeresults", "| eval a=1, b=2"]);
        check("`m( a,  \"|\" )`\ta | `n`", &["`m( a,  \"|\" )` a", "| `n`"]);
        check("a=\"x  | y\" 'b  c' \\| \\\" d", &["a=\"x  | y\" 'b  c' \\| \\\" d"]);
    }

    #[test]
    fn subsearches_are_indented() {
        check(
            "a NOT [search b |fields c] d [|inputlookup e.csv] | append [ x | append [y|z] ]",
            &[
                "a NOT [",
                "    search b",
                "    | fields c",
                "] d [|inputlookup e.csv]",
                "| append [",
                "    x",
                "    | append [",
                "        y",
                "        | z",
                "    ]",
                "]",
            ],
        );
        check(
            "| join type=inner[search b | c]\n| foreach a* [ eval <<FIELD>> = 1 ]",
            &[
                "| join type=inner[",
                "    search b",
                "    | c",
                "]",
                "| foreach a* [ eval <<FIELD>> = 1 ]",
            ],
        );
        let long = "user=*".repeat(10);
        check(
            &format!("a [ | inputlookup x.csv where {long} ]"),
            &["a [", &format!("    | inputlookup x.csv where {long}"), "]"],
        );
    }

    #[test]
    fn comments_stay_where_they_are() {
        check(
            "```first\n  two lines```\na ```beside```\n\n   ```alone```\n| b ```end``` |c",
            &[
                "```first",
                "  two lines```",
                "a ```beside```",
                "```alone```",
                "| b ```end```",
                "| c",
            ],
        );
        check("a\n```alone```\n```beside```| b", &["a", "```alone```", "```beside```", "| b"]);
        check("| ```why``` b c```glued```d", &["| ```why``` b c```glued```d"]);
        check("| b c\n```within```\nd", &["| b c", "    ```within```", "    d"]);
        check(
            "| a [```x```\nb | c\n```y```\n]",
            &["| a [", "    ```x```", "    b", "    | c", "    ```y```", "]"],
        );
        let long = "x".repeat(120);
        check(&format!("|b c ```{long}```\n|d"), &[&format!("| b c ```{long}```"), "| d"]);
    }

    #[test]
    fn long_commands_are_wrapped() {
        check(
            "| stats count min(_time) as firstTime max(_time) as lastTime values(src_ip) as src_ip \
             values(user_agent) as user_agent by user, account",
            &[
                "| stats count min(_time) as firstTime max(_time) as lastTime values(src_ip) as src_ip",
                "    values(user_agent) as user_agent",
                "    by user, account",
            ],
        );
        check(
            "| eval level=case(score>90 AND match(user, \"root\"), \"a level with a long name\", score>50, \
             \"another one\", true(), \"low\"), b=1",
            &[
                "| eval level=case(score>90 AND match(user, \"root\"), \"a level with a long name\", score>50,",
                "        \"another one\", true(), \"low\"),",
                "    b=1",
            ],
        );
        check(
            "eventSource=s3.amazonaws.com (eventName=GetObject OR eventName=PutObject) NOT \
             errorCode=AccessDenied userAgent = \"a long user agent\"",
            &[
                "eventSource=s3.amazonaws.com (eventName=GetObject OR eventName=PutObject) NOT errorCode=AccessDenied",
                "    userAgent = \"a long user agent\"",
            ],
        );
    }

    #[test]
    fn blanks_that_count_stay() {
        // The text of a call without AS is the name of its result.
        check(
            "| stats count(eval(a  = 1))  dc(b )  AS  c",
            &["| stats count(eval(a  = 1)) dc(b ) AS c"],
        );
        check("| stats count(eval(a  = 1))\nas c", &["| stats count(eval(a = 1)) as c"]);
        check("| where if(a,  b,c)", &["| where if(a, b,c)"]);
        check(
            "| rex a  b(?<n>\\w  x) | regex  _raw=\"a\"  ",
            &["| rex a  b(?<n>\\w  x)", "| regex _raw=\"a\""],
        );
        check("| rex field=a  [a|b]  c+", &["| rex field=a  [a|b]  c+"]);
        for text in [
            "a TERM(foo  bar) (v=CASE(a  b) OR (TERM(c  d))) IN (CASE(x  y))",
            "| regex t=foo  bar",
            "| regex t != foo  bar",
            "| eval a='a \"b\"  c'",
            "| stats count by 'a \"b'  c\"",
            "| from lookup:a  b",
            "| stats count(eval(a  = 'b (c')) values(d )",
            "| rename count(eval(a  = 1)) as n",
            "| regex\"t\"=foo  bar",
            "| appendpipe [ regex t=foo  bar ] b",
            "| append [```x``` | from lookup:a  b]",
        ] {
            check(text, &[text]);
        }
        check("| where x=CASE(a,  b)  + '  c'", &["| where x=CASE(a, b) + '  c'"]);
    }

    #[test]
    fn what_does_not_parse_says_where() {
        for (text, place, message) in [
            ("", "", "expected a command, found nothing"),
            ("a || b", "|", "expected a command, found nothing"),
            ("a \"b", "\"", "quote is never closed"),
            ("a [b", "[", "`[` is never closed"),
            ("é `b", "`", "macro's backtick is never closed"),
            ("é ```b", "```", "comment is never closed"),
            ("a `` b", "``", "expected a macro, found nothing"),
            ("`é` ```é``` | eval a=", "", "expected"),
            ("`é` | where (a=1", "(", "`(` is never closed"),
            ("`é` | search a=1 )", ")", "expected"),
        ] {
            let diagnostics = format(text).unwrap_err();
            let span = diagnostics[0].span().unwrap();
            assert_eq!(text.get(span.start..span.end), Some(place), "{text}: {diagnostics:?}");
            assert!(diagnostics[0].message.starts_with(message), "{text}: {diagnostics:?}");
        }
        // A macro may stand for anything.
        assert!(format("| eval `assignments` | where `m(1)` x").is_ok());
    }
}
