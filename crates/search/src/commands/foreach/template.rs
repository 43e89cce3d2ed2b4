//! The template of `foreach`: the text in brackets, and the tokens that are replaced in it.

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_event::wildcard_capture;
use spilltrail_spl::{
    Arguments, Assignment, BinaryOp, Command as Written, EvalExpr, EvalNode, Pipeline, parse_nested,
};

use super::super::extract::closing;

/// The field that stands for `<<ITEM>>` in the template; a field of a search that has this name, which
/// no SPL can write, is not seen there.
pub(super) const ITEM: &str = "\u{1}item";
/// The field that stands for `<<ITER>>`.
pub(super) const ITER: &str = "\u{1}iter";

/// The words that stand for the tokens of a name, outside of quotes and in them, until the names are
/// filled in. They are words in every grammar.
const MARKERS: [[&str; 5]; 2] = [
    ["qzfieldtokenzq", "qzmatchtokenzq", "qzfirsttokenzq", "qzsecondtokenzq", "qzthirdtokenzq"],
    [
        "qzfieldquotedzq",
        "qzmatchquotedzq",
        "qzfirstquotedzq",
        "qzsecondquotedzq",
        "qzthirdquotedzq",
    ],
];
const OUTSIDE: usize = 0;
const QUOTED: usize = 1;

/// What a wildcard matches while a template is checked.
const SAMPLE: &str = "x1";

/// The texts of a template that are replaced.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Those of the name of a field: the name, what the wildcards match, and what the first three
    /// wildcards match one by one.
    pub(super) name: [String; 5],
    /// Those of a value: the value and its index.
    pub(super) value: [String; 2],
}

/// Replaces tokens by texts, in one pass from left to right, so that no replacement is replaced.
fn replaced(template: &str, tokens: &[String], texts: &[String]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        // If one token begins with another, the longer one is meant.
        let found = tokens
            .iter()
            .zip(texts)
            .filter(|(token, _)| !token.is_empty() && rest.starts_with(token.as_str()));
        match found.max_by_key(|(token, _)| token.len()) {
            Some((token, text)) => {
                filled.push_str(text);
                rest = &rest[token.len()..];
            }
            None => {
                filled.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    filled
}

/// The texts that tokens stand for: the name of a field and what the wildcards match.
#[derive(Debug)]
pub(super) struct Texts([String; 5]);

/// A part of a template.
enum Part<'t> {
    Outside(&'t str),
    /// A text in quotes, with them.
    Quoted(&'t str),
}

/// Returns the parts of a template.
fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(start) = rest.find(['"', '\'']) {
        let quote = if rest[start..].starts_with('"') { '"' } else { '\'' };
        let end = closing(&rest[start + 1..], quote);
        let end = end.map_or(rest.len(), |length| start + 1 + length + 1);
        parts.push(Part::Outside(&rest[..start]));
        parts.push(Part::Quoted(&rest[start..end]));
        rest = &rest[end..];
    }
    parts.push(Part::Outside(rest));
    parts
}

impl Texts {
    /// Returns the texts for a field. `pattern` is the name or pattern in the list of fields that
    /// matches `name`.
    pub(super) fn of(pattern: &str, name: &str) -> Self {
        let parts = wildcard_capture(pattern, name).unwrap_or_default();
        let part = |index: usize| parts.get(index).cloned().unwrap_or_default();
        Self([name.to_owned(), parts.concat(), part(0), part(1), part(2)])
    }

    /// Returns texts for a field that a pattern may match, none of them empty, to check a template
    /// with them.
    pub(super) fn sample(pattern: &str) -> Self {
        let Self(mut texts) = Self::of(pattern, &pattern.replace('*', SAMPLE));
        for text in texts.iter_mut().filter(|text| text.is_empty()) {
            SAMPLE.clone_into(text);
        }
        Self(texts)
    }

    /// Returns the name of the field.
    pub(super) fn name(&self) -> &str {
        &self.0[0]
    }

    /// Returns a text with the texts instead of its markers.
    fn restored(&self, text: &str) -> String {
        let markers = MARKERS.as_flattened().iter().map(|marker| (*marker).to_owned());
        let texts = self.0.iter().chain(&self.0).cloned();
        replaced(text, &markers.collect::<Vec<_>>(), &texts.collect::<Vec<_>>())
    }

    /// Returns marked assignments for the field. Whatever its name has, it stays a name.
    ///
    /// # Errors
    /// Fails if a name in them is empty, because the token in its place is.
    pub(super) fn assignments(
        &self,
        marked: &[Assignment],
        span: Span,
    ) -> Result<Vec<Assignment>, Diagnostic> {
        let filled = |assignment: &Assignment| {
            let Assignment { mut target, mut value } = assignment.clone();
            target.value = self.restored(&target.value);
            if target.value.is_empty() {
                return Err(self.is_empty(span));
            }
            self.fill(&mut value)?;
            Ok(Assignment { target, value })
        };
        marked.iter().map(filled).collect()
    }

    fn fill(&self, expr: &mut EvalExpr) -> Result<(), Diagnostic> {
        match &expr.node {
            EvalNode::Field(name) => {
                let text = self.restored(name);
                if text.is_empty() {
                    return Err(self.is_empty(expr.span));
                }
                let is_token = MARKERS[OUTSIDE].contains(&name.as_str());
                let is_number = is_token && is_number(&text);
                expr.node = if is_number { EvalNode::Number(text) } else { EvalNode::Field(text) };
            }
            EvalNode::Text(text) => expr.node = EvalNode::Text(self.restored(text)),
            _ => expr.children_mut().into_iter().try_for_each(|child| self.fill(child))?,
        }
        Ok(())
    }

    fn is_empty(&self, span: Span) -> Diagnostic {
        let message =
            format!("a token is empty where a name has to be, for the field `{}`", self.0[0]);
        Diagnostic::error(Code::BAD_ARGUMENT, message)
            .at(span)
            .help("only a wildcard in the list of fields matches a part of a name")
    }
}

/// Returns true if a text is a number where a word may stand.
fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.parse::<f64>().is_ok()
}

impl Tokens {
    /// Returns the template for one field, or `None` if a name would have to be quoted that is not:
    /// names come from the logs, and must not become a part of the search.
    pub(super) fn filled(&self, template: &str, texts: &Texts) -> Option<String> {
        let is_plain = |text: &String| {
            text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '@' | '-'))
        };
        let mut filled = String::with_capacity(template.len());
        for part in parts(template) {
            match part {
                Part::Quoted(part) => {
                    let escaped = |text: &String| {
                        let text = text.replace('\\', "\\\\");
                        match part.as_bytes().first() {
                            Some(b'"') => text.replace('"', "\\\""),
                            _ => text.replace('\'', "\\'"),
                        }
                    };
                    filled.push_str(&replaced(part, &self.name, &texts.0.each_ref().map(escaped)));
                }
                Part::Outside(part) => {
                    let without = replaced(part, &self.name, &[const { String::new() }; 5]);
                    if without.len() < part.len() && !texts.0.iter().all(is_plain) {
                        return None;
                    }
                    filled.push_str(&replaced(part, &self.name, &texts.0));
                }
            }
        }
        Some(filled)
    }

    /// Returns the template with words in place of its tokens; [`unmarked`] turns the names in it
    /// into patterns.
    pub(super) fn marked(&self, template: &str) -> String {
        let mut marked = String::with_capacity(template.len());
        for part in parts(template) {
            let (text, markers) = match part {
                Part::Outside(text) => (text, MARKERS[OUTSIDE]),
                Part::Quoted(text) => (text, MARKERS[QUOTED]),
            };
            marked.push_str(&replaced(text, &self.name, &markers.map(str::to_owned)));
        }
        marked
    }

    /// Returns the template for the value of a field: outside of quotes its tokens become fields.
    fn of_values(&self, template: &str) -> String {
        let fields = [format!("'{ITEM}'"), format!("'{ITER}'")];
        let filled = |part| match part {
            Part::Outside(text) => replaced(text, &self.value, &fields),
            Part::Quoted(text) => text.to_owned(),
        };
        parts(template).into_iter().map(filled).collect()
    }

    /// Returns the assignments of a template for the values of a field.
    ///
    /// # Errors
    /// Fails if the template is not one valid `eval`.
    pub(super) fn assignments(
        &self,
        template: &Spanned<String>,
    ) -> Result<Vec<Assignment>, Diagnostic> {
        let pipeline = parsed(&self.of_values(&template.value), template.span)?;
        let [only] = pipeline.commands.as_slice() else { return Err(one_eval(template.span)) };
        if only.name.value != "eval" {
            return Err(one_eval(template.span));
        }
        let mut assignments = assigned(only, template.span)?;
        for Assignment { target, value } in &mut assignments {
            let is_value = target.value == ITEM || target.value == ITER;
            if is_value || self.value.iter().any(|token| target.value.contains(token.as_str())) {
                return Err(named_by_item(template.span));
            }
            self.fill_texts(value, template.span)?;
        }
        Ok(assignments)
    }

    /// Replaces the tokens in quoted texts of an expression by values.
    fn fill_texts(&self, expr: &mut EvalExpr, span: Span) -> Result<(), Diagnostic> {
        let has_token =
            |text: &String| self.value.iter().any(|token| text.contains(token.as_str()));
        match &expr.node {
            EvalNode::Field(name) if has_token(name) => return Err(named_by_item(span)),
            EvalNode::Text(text) if has_token(text) => {
                expr.node = self.joined(&text.clone(), span).node;
                return Ok(());
            }
            _ => {}
        }
        expr.children_mut().into_iter().try_for_each(|child| self.fill_texts(child, span))
    }

    /// Returns a quoted text with tokens as an expression that joins its parts.
    fn joined(&self, text: &str, span: Span) -> EvalExpr {
        let of = |node| EvalExpr { node, span };
        // The empty text makes the result a text even if the only part is a value.
        let mut joined = of(EvalNode::Text(String::new()));
        let mut rest = text;
        while !rest.is_empty() {
            let next = self.value.iter().zip([ITEM, ITER]);
            let next =
                next.filter_map(|(token, field)| Some((rest.find(token.as_str())?, token, field)));
            let (before, part, after) = match next.min_by_key(|(at, ..)| *at) {
                Some((at, token, field)) => (
                    &rest[..at],
                    Some(EvalNode::Field(field.to_owned())),
                    &rest[at + token.len()..],
                ),
                None => (rest, None, ""),
            };
            let literal = (!before.is_empty()).then(|| EvalNode::Text(before.to_owned()));
            for node in literal.into_iter().chain(part) {
                let parts = (Box::new(joined), Box::new(of(node)));
                joined = of(EvalNode::Binary(BinaryOp::Concat, parts.0, parts.1));
            }
            rest = after;
        }
        joined
    }
}

/// Returns a name with [`MARKERS`] as the pattern of the names that it stands for, if the list of
/// fields has `pattern`.
pub(super) fn unmarked(name: &str, pattern: &str) -> String {
    let mut unmarked = name.to_owned();
    for markers in MARKERS {
        for (index, marker) in markers.iter().enumerate() {
            unmarked = unmarked.replace(marker, if index == 0 { pattern } else { "*" });
        }
    }
    unmarked
}

/// Returns the commands of a template whose tokens are replaced. All places in it are `span`,
/// because its offsets are not those of the search.
///
/// # Errors
/// Fails if the text is not a pipeline.
pub(super) fn parsed(text: &str, span: Span) -> Result<Pipeline, Diagnostic> {
    let (mut pipeline, diagnostics) = parse_nested(text, span.start);
    if let Some(diagnostic) = diagnostics.into_iter().next() {
        return Err(within(diagnostic, text, span));
    }
    pipeline.span = span;
    for command in &mut pipeline.commands {
        command.name.span = span;
        command.arguments.span = span;
    }
    Ok(pipeline)
}

/// Returns the assignments of an `eval` in a template.
///
/// # Errors
/// Fails if they are not valid.
pub(super) fn assigned(written: &Written, span: Span) -> Result<Vec<Assignment>, Diagnostic> {
    let failed = |diagnostic| within(diagnostic, &written.arguments.value, span);
    let mut arguments = Arguments::new(written);
    let mut assignments = arguments.assignments().map_err(failed)?;
    arguments.finish().map_err(failed)?;
    if let Some(reported) = arguments.into_reported().into_iter().next() {
        return Err(failed(reported));
    }
    for Assignment { target, value } in &mut assignments {
        target.span = span;
        value.place(span);
    }
    Ok(assignments)
}

/// Returns a diagnostic about the text of a template at the place of the template.
pub(super) fn within(diagnostic: Diagnostic, text: &str, span: Span) -> Diagnostic {
    let shown: String = text.trim().chars().take(80).collect();
    Diagnostic { labels: Vec::new(), ..diagnostic }
        .at(span)
        .note(format!("in the template with its names filled in: `{shown}`"))
}

fn one_eval(span: Span) -> Diagnostic {
    let message = "the template for the values of a field must be one `eval`";
    Diagnostic::error(Code::BAD_ARGUMENT, message)
        .at(span)
        .help("several assignments are separated by commas: `[eval a=…, b=…]`")
}

fn named_by_item(span: Span) -> Diagnostic {
    let message = "a field named by a value is not supported in `foreach`";
    Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message)
        .at(span)
        .help("expand the values with `mvexpand`, and use `eval {field}=…`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let name = ["<<FIELD>>", "<<MATCHSTR>>", "<<MATCHSEG1>>", "<<MATCHSEG2>>", "<<MATCHSEG3>>"];
        Tokens { name: name.map(str::to_owned), value: ["<<ITEM>>", "<<ITER>>"].map(str::to_owned) }
    }

    #[test]
    fn tokens_are_replaced_once() {
        let template = "<<FIELD>> <<MATCHSTR>> <<MATCHSEG1>>/<<MATCHSEG2>>/<<MATCHSEG3>> <<ITEM>>";
        for (template, pattern, name, expected) in [
            (template, "a*", "abc", Some("abc bc bc// <<ITEM>>")),
            (template, "*_*", "x_y", Some("x_y xy x/y/ <<ITEM>>")),
            (template, "n", "n", Some("n  // <<ITEM>>")),
            ("\"<<FIELD>> <<MATCHSTR>>\"", "*", "<<FIELD>>", Some("\"<<FIELD>> <<FIELD>>\"")),
            // Names stay in their quotes, and outside of them no name is more than a word.
            ("'<<FIELD>>' \"<<FIELD>>\"", "*", "a'\"\\", Some("'a\\'\"\\\\' \"a'\\\"\\\\\"")),
            ("'<<FIELD>>'=1", "*", "a | delete", Some("'a | delete'=1")),
            ("<<FIELD>>=1", "*", "a | delete", None),
            ("'<<FIELD>>'=<<MATCHSTR>>", "a*", "a b", None),
        ] {
            let filled = tokens().filled(template, &Texts::of(pattern, name));
            assert_eq!(filled.as_deref(), expected, "{template} {name}");
        }
        let short = Tokens { name: ["F", "FIELD", "", "", ""].map(str::to_owned), ..tokens() };
        assert_eq!(short.filled("F FIELD é", &Texts::of("a*", "ab")).as_deref(), Some("ab b é"));
    }

    #[test]
    fn names_with_markers_are_patterns() {
        let marked = tokens().marked("eval '<<FIELD>>_x' = '<<MATCHSEG2>>.y'");
        assert_eq!(unmarked(&marked, "a*"), "eval 'a*_x' = '*.y'");
        assert_eq!(unmarked(&tokens().marked("<<FIELD>>.<<MATCHSTR>>"), "a*"), "a*.*");
        assert_eq!(Texts::sample("a*b*").name(), "ax1bx1");
    }

    #[test]
    fn items_are_values_outside_and_inside_of_texts() {
        let read = |template: &str| {
            let template = Spanned::new(template.to_owned(), Span::new(5, 9));
            let assignments = tokens().assignments(&template)?;
            let mut fields = Vec::new();
            for assignment in &assignments {
                assignment.value.walk(&mut |expr| match &expr.node {
                    EvalNode::Field(name) => fields.push(name.clone()),
                    EvalNode::Text(text) => fields.push(format!("\"{text}\"")),
                    _ => {}
                });
            }
            Ok::<_, Diagnostic>(fields.join(" "))
        };
        for (template, expected) in [
            ("eval a=<<ITEM>>+<<ITER>>", "\u{1}item \u{1}iter"),
            ("eval a=\"x<<ITEM>>\\\"<<ITER>>\"", "\"\" \"x\" \u{1}item \"\"\" \u{1}iter"),
            ("eval a=\"it's\".<<ITEM>>", "\"it's\" \u{1}item"),
        ] {
            assert_eq!(read(template).as_deref(), Ok(expected), "{template}");
        }
        for (template, message) in [
            ("eval a='<<ITEM>>'", "a field named by a value is not supported in `foreach`"),
            ("eval <<ITEM>>=1", "a field named by a value is not supported in `foreach`"),
            ("eval \"<<ITEM>>\"=1", "a field named by a value is not supported in `foreach`"),
            ("eval a=1 | eval b=2", "the template for the values of a field must be one `eval`"),
            ("where a=1", "the template for the values of a field must be one `eval`"),
        ] {
            let diagnostic = read(template).unwrap_err();
            assert_eq!(
                (diagnostic.message.as_str(), diagnostic.span()),
                (message, Some(Span::new(5, 9)))
            );
        }
    }
}
