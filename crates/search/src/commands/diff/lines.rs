//! Writes the differences between two texts as the command `diff` of Unix does.

use std::fmt::Write;
use std::ops::Range;

use similar::{ChangeTag, DiffOp, DiffTag, TextDiff};

/// How many equal lines are written around a difference.
const AROUND: usize = 3;

/// How differences are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One part with the lines of both texts.
    Unified,
    /// Two parts, one for each text.
    Context,
}

/// Returns the lines of a text. A newline ends a line; a carriage return is a part of it.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.split_terminator('\n').collect()
}

/// Returns the differences between the lines of two texts; empty if there are none.
pub(super) fn differences(old: &str, new: &str, form: Form) -> String {
    let (old, new) = (lines(old), lines(new));
    let diff = TextDiff::from_slices(&old, &new);
    let mut written = String::new();
    for group in diff.grouped_ops(AROUND) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let of_old = first.old_range().start..last.old_range().end;
        let of_new = first.new_range().start..last.new_range().end;
        match form {
            Form::Unified => {
                line(&mut written, &format!("@@ -{} +{} @@", counted(&of_old), counted(&of_new)));
                for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                    let mark = match change.tag() {
                        ChangeTag::Equal => ' ',
                        ChangeTag::Delete => '-',
                        ChangeTag::Insert => '+',
                    };
                    line(&mut written, &format!("{mark}{}", change.value()));
                }
            }
            Form::Context => {
                line(&mut written, "***************");
                line(&mut written, &format!("*** {} ****", bounded(&of_old)));
                side(&mut written, &group, DiffTag::Delete, '-', |op| &old[op.old_range()]);
                line(&mut written, &format!("--- {} ----", bounded(&of_new)));
                side(&mut written, &group, DiffTag::Insert, '+', |op| &new[op.new_range()]);
            }
        }
    }
    written
}

/// Writes the lines of one text, if some of them are changed.
fn side<'l>(
    written: &mut String,
    group: &[DiffOp],
    changed: DiffTag,
    mark: char,
    lines: impl Fn(&DiffOp) -> &'l [&'l str],
) {
    let is_changed = |op: &DiffOp| op.tag() == changed || op.tag() == DiffTag::Replace;
    if !group.iter().any(is_changed) {
        return;
    }
    for op in group {
        let mark = match op.tag() {
            DiffTag::Equal => ' ',
            DiffTag::Replace => '!',
            tag if tag == changed => mark,
            _ => continue,
        };
        for text in lines(op) {
            line(written, &format!("{mark} {text}"));
        }
    }
}

fn line(written: &mut String, text: &str) {
    let separator = if written.is_empty() { "" } else { "\n" };
    // Writing to a text cannot fail.
    let _ = write!(written, "{separator}{text}");
}

/// Returns the first line and the number of lines; the number is left out if it is one.
fn counted(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        count => format!("{},{count}", lines.start + 1),
    }
}

/// Returns the first and the last line.
fn bounded(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{}", lines.start),
        1 => format!("{}", lines.end),
        _ => format!("{},{}", lines.start + 1, lines.end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_written_as_unix_does() {
        let ten: String = (1..=10).map(|number| format!("{number}\n")).collect();
        for (old, new, unified, context) in [
            ("a", "a", "", ""),
            ("", "", "", ""),
            (
                "a\nb\nc",
                "a\nx\nc",
                "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c",
                "***************\n*** 1,3 ****\n  a\n! b\n  c\n--- 1,3 ----\n  a\n! x\n  c",
            ),
            ("a", "", "@@ -1 +0,0 @@\n-a", "***************\n*** 1 ****\n- a\n--- 0 ----"),
            (
                "a",
                "a\nb",
                "@@ -1 +1,2 @@\n a\n+b",
                "***************\n*** 1 ****\n--- 1,2 ----\n  a\n+ b",
            ),
            (
                &ten,
                &ten.replace("2\n", "").replace("9\n", "9\nx\n"),
                "@@ -1,5 +1,4 @@\n 1\n-2\n 3\n 4\n 5\n@@ -7,4 +6,5 @@\n 7\n 8\n 9\n+x\n 10",
                "***************\n*** 1,5 ****\n  1\n- 2\n  3\n  4\n  5\n--- 1,4 ----\n***************\n*** 7,10 ****\n--- 6,10 ----\n  7\n  8\n  9\n+ x\n  10",
            ),
        ] {
            assert_eq!(differences(old, new, Form::Unified), unified, "{old} {new}");
            assert_eq!(differences(old, new, Form::Context), context, "{old} {new}");
        }
    }
}
