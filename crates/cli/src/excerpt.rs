//! Fits diagnostics with lines of source into a terminal.
//!
//! The renderer cuts the lines of source around their marks. Everything else in a diagnostic is
//! sentences, which go on below their beginning.

use anstream::adapter::strip_str;

use crate::lines::{cut, flow, measure};

/// Indentation of a title that goes on below.
const TITLE: usize = 2;

/// Returns a rendered diagnostic in lines of at most `width` columns, as far as its source is cut.
pub(crate) fn fit(rendered: &str, width: usize) -> String {
    rendered.lines().flat_map(|line| fit_line(line, width)).map(|line| line + "\n").collect()
}

fn fit_line(line: &str, width: usize) -> Vec<String> {
    let plain = strip_str(line).to_string();
    if measure(&plain) <= width {
        return vec![line.to_owned()];
    }
    let text = plain.trim_start();
    let margin = plain.len() - text.len();
    let (start, next) = if let Some(sentence) = text.strip_prefix("= ") {
        // A note or a help: `  = help: …`.
        let start = margin + 2 + sentence.find(": ").map_or(0, |colon| colon + 2);
        (start, " ".repeat(start))
    } else if text.starts_with("--> ") {
        (margin + 4, " ".repeat(margin + 4))
    } else if let Some(marked) = text.strip_prefix('|') {
        // A mark with its text, which goes on below itself, or further left if that is too narrow.
        let marks = marked.len() - marked.trim_start_matches([' ', '^', '-', '_', '|']).len();
        let start = margin + 1 + marks;
        let gutter = format!("{}| ", " ".repeat(margin));
        let indent = start.min(width / 3).saturating_sub(gutter.len());
        (start, gutter + &" ".repeat(indent))
    } else if text.starts_with(|c: char| c.is_ascii_digit()) {
        return vec![line.to_owned()];
    } else {
        (0, " ".repeat(TITLE))
    };
    let (head, text) = line.split_at(cut(line, start).len());
    let lines = flow(head, text, &next, width);
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::{Code, Color, Diagnostic, Span, render};

    use super::*;

    #[test]
    fn sentences_go_on_below_their_beginning() {
        let source =
            "a=1 ".repeat(30) + "| head x | stats count by user " + &"| fields a ".repeat(9);
        let mark = Span::new(122, 126);
        let diagnostic = Diagnostic::error(Code::BAD_REGEX, "one two three four five six seven")
            .label(mark, "this word is not what is expected here")
            .help("a help that is longer than what fits into a line of a terminal");
        for color in [Color::Never, Color::Always] {
            let text = render(&diagnostic, "<search>", &source, color, Some(40));
            let text = strip_str(&fit(&text, 40)).to_string();
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines.iter().all(|line| measure(line) <= 40), "{text}");
            assert_eq!(lines[1], "  six seven", "{text}");
            assert!(text.contains("...") && text.contains("head x"), "{text}");
            assert!(
                text.contains("\n  = help: a help that is longer than\n          what"),
                "{text}"
            );
            let caret = lines.iter().position(|line| line.contains("^^^^")).unwrap();
            let column = lines[caret].find('^');
            assert_eq!(lines[caret - 1].find("head"), column, "{text}");
            assert!(lines[caret + 1].starts_with("  | "), "{text}");
        }
    }
}
