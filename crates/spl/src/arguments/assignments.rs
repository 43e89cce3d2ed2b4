//! Parses the `target = expression, …` list of `eval`.

use spilltrail_diagnostic::{Code, Diagnostic, Spanned};

use super::{Arguments, eval};
use crate::Assignment;
use crate::cursor::{Cursor, MAX_DEPTH, unescape};

/// After this many malformed pairs, the next one ends reading: the rest is hardly a list.
const MAX_MALFORMED: usize = 20;

impl Arguments<'_> {
    /// Takes one or more `target = expression` pairs, separated by commas.
    ///
    /// A target is bare (`low-user`, `v_{p}`) or in single or double quotes. If another pair
    /// follows a malformed one, the malformed pair is reported and parsing continues.
    ///
    /// # Errors
    /// Fails if the target, the `=` or the expression of the last pair is missing or malformed.
    pub fn assignments(&mut self) -> Result<Vec<Assignment>, Diagnostic> {
        self.expected = "an operator, `,` or the end of the command";
        let mut assignments = Vec::new();
        let mut malformed = 0;
        loop {
            let mut start = self.cursor.clone();
            match assignment(&mut self.cursor) {
                Ok(assignment) => assignments.push(assignment),
                Err(diagnostic) if malformed < MAX_MALFORMED && skip_past_comma(&mut start) => {
                    self.cursor = start;
                    malformed += 1;
                    self.report(diagnostic);
                    continue;
                }
                Err(diagnostic) if malformed == MAX_MALFORMED => {
                    let note =
                        "the rest of the command is not read, so that it may have more mistakes";
                    return Err(diagnostic.note(note));
                }
                Err(diagnostic) => return Err(diagnostic),
            }
            if self.cursor.eat(",").is_none() {
                return Ok(assignments);
            }
        }
    }
}

fn assignment(cursor: &mut Cursor<'_>) -> Result<Assignment, Diagnostic> {
    let target = target(cursor)?;
    equals(cursor)?;
    let value = eval::expression(cursor)?;
    Ok(Assignment { target, value })
}

/// Skips past the next comma outside quotes and closed brackets; returns false if none follows.
///
/// The text is read once, however many of its brackets are never closed.
fn skip_past_comma(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    let mut open: Vec<(char, usize)> = Vec::new();
    // The positions after commas in brackets that are not closed so far.
    let mut commas: Vec<usize> = Vec::new();
    while let Some(next) = ahead.peek() {
        let start = ahead.position();
        if matches!(next, '"' | '\'') {
            ahead.quoted(next);
            continue;
        }
        ahead.advance(next.len_utf8());
        match next {
            ',' => {
                commas.push(ahead.position());
                if open.is_empty() {
                    break;
                }
            }
            '(' => open.push((')', start)),
            '[' => open.push((']', start)),
            ')' | ']' if open.iter().rev().take(MAX_DEPTH).any(|(close, _)| *close == next) => {
                while let Some((close, start)) = open.pop() {
                    if close == next {
                        commas.truncate(commas.partition_point(|after| *after <= start));
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    let Some(after) = commas.first() else { return false };
    cursor.advance(after - cursor.position());
    true
}

fn target(cursor: &mut Cursor<'_>) -> Result<Spanned<String>, Diagnostic> {
    const WHAT: &str = "a field to assign to";
    cursor.skip_blanks();
    if let Some(quote @ ('"' | '\'')) = cursor.peek() {
        let Some(raw) = cursor.quoted(quote) else { return Err(cursor.expected(WHAT)) };
        let raw = raw?;
        let name = if quote == '"' { unescape(raw.value) } else { raw.value.to_owned() };
        return Ok(Spanned::new(name, raw.span));
    }
    let bare = cursor.take_while(|c| {
        !c.is_whitespace()
            && !matches!(c, '=' | ',' | '(' | ')' | '[' | ']' | '"' | '\'' | '<' | '>' | '!')
    });
    if bare.value.is_empty() {
        return Err(cursor.expected(WHAT));
    }
    Ok(Spanned::new(bare.value.to_owned(), bare.span))
}

fn equals(cursor: &mut Cursor<'_>) -> Result<(), Diagnostic> {
    cursor.skip_blanks();
    if cursor.rest().starts_with("==") {
        let span = cursor.advance(2);
        return Err(Diagnostic::error(Code::EXPECTED, "expected `=`, found `==`")
            .label(span, "expected `=`")
            .help("a comparison belongs into `where`, or into `if(…)` after the `=`"));
    }
    if cursor.eat("=").is_some() {
        return Ok(());
    }
    let wrong = cursor.expected("`=`");
    if cursor.rest().starts_with('(') {
        return Err(wrong.help("write the field for the value first, as in `eval field=if(…)`"));
    }
    Err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::tests::command;

    #[test]
    fn the_next_comma_is_outside_of_closed_brackets() {
        for (text, rest) in [
            ("a, b", Some(" b")),
            ("f(a, b), c", Some(" c")),
            ("f(a, [b, c], d), e", Some(" e")),
            ("f(a, b", Some(" b")),
            ("f((a, b), c", Some(" c")),
            ("((a, b) (c, d), e", Some(" e")),
            ("[a, (b], c", Some(" c")),
            ("a), b", Some(" b")),
            ("\"a, b\" 'c, d', e", Some(" e")),
            ("\"a, b", None),
            ("f(a, b)", None),
        ] {
            let mut cursor = Cursor::new(text, 7);
            let found = skip_past_comma(&mut cursor).then(|| cursor.rest());
            assert_eq!(found, rest, "{text}");
        }
    }

    /// Each would take minutes if every bracket were looked at to the end.
    #[test]
    fn brackets_that_are_never_closed_are_read_once() {
        for (text, message, reported) in [
            ("x=".to_owned() + &"(".repeat(300_000), "expression nests deeper than 200 levels", 0),
            (
                "x=".to_owned() + &"if(".repeat(300_000),
                "expression nests deeper than 200 levels",
                0,
            ),
            (
                "x=case(1,".to_owned() + &"([".repeat(300_000),
                "expected a field to assign to, found `(`",
                1,
            ),
            ("x=(,".repeat(300_000), "expected an expression, found `,`", MAX_MALFORMED),
        ] {
            let command = command(&text);
            let mut arguments = Arguments::new(&command);
            let error = arguments.assignments().map(drop).unwrap_err();
            assert_eq!(error.message, message, "{}", &text[..8]);
            // Only where more may follow that is not read.
            assert_eq!(error.notes.len(), reported / MAX_MALFORMED, "{}", &text[..8]);
            assert_eq!(arguments.reported.len(), reported, "{}", &text[..8]);
        }
    }
}
