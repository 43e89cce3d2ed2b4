//! Finds the parts of a condition without which a command keeps no row.
//!
//! Such a part is neither an alternative (`OR`) nor negated (`NOT`), and no argument of a function
//! that may hide it. Whatever makes it false makes the command drop every row.

use spilltrail_diagnostic::Span;

use crate::{Arguments, BinaryOp, Command, CompareOp, EvalExpr, EvalNode, SearchExpr};

/// Functions that are false, or null, if they have nothing to look at.
const NEED_THEIR_ARGUMENTS: &[&str] = &["cidrmatch", "like", "match", "searchmatch"];

/// What a command needs to keep a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Required {
    /// The words and comparisons that have to hold, and their fields, values and operands. Values that
    /// a search compares by `!=` are none: nearly every event is without them.
    parts: Vec<Span>,
    /// The fields that have to be there.
    pub fields: Vec<RequiredField>,
}

/// A field without which a command keeps no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredField {
    /// The name of the field.
    pub name: String,
    /// Its place in the text.
    pub span: Span,
    /// Whether it stands where a text is usual, as `b` in `a=b`.
    pub is_word: bool,
}

impl Required {
    /// Returns what a command needs; nothing if it is no `search`, `where` or `regex`, or cannot be read.
    #[must_use]
    pub fn of(command: &Command) -> Self {
        let mut required = Self::default();
        match command.name.value.as_str() {
            "search" => {
                if let Ok(expression) = Arguments::new(command).search() {
                    required.add_search(&expression);
                }
            }
            "where" => {
                if let Ok(condition) = Arguments::new(command).eval() {
                    required.add_condition(&condition);
                }
            }
            "regex" => {
                let mut arguments = Arguments::new(command);
                if let Ok(field) = arguments.field()
                    && arguments.symbol("=").is_some()
                {
                    required.add_field(field.value, field.span, false);
                }
            }
            _ => {}
        }
        required
    }

    /// Returns what a search expression needs.
    #[must_use]
    pub fn of_search(expression: &SearchExpr) -> Self {
        let mut required = Self::default();
        required.add_search(expression);
        required
    }

    /// Returns true if the text at this place is a word or a comparison that has to hold, or the
    /// field, value or operand of one.
    #[must_use]
    pub fn has(&self, place: Span) -> bool {
        self.parts.contains(&place)
    }

    fn add_field(&mut self, name: String, span: Span, is_word: bool) {
        self.fields.push(RequiredField { name, span, is_word });
    }

    fn add_search(&mut self, expression: &SearchExpr) {
        let mut waiting = vec![expression];
        while let Some(part) = waiting.pop() {
            match part {
                SearchExpr::And(parts) => waiting.extend(parts.iter().rev()),
                SearchExpr::Compare { field, op, value } => {
                    self.add_field(field.value.clone(), field.span, false);
                    self.parts.push(field.span);
                    if *op != CompareOp::Ne {
                        self.parts.push(value.span);
                    }
                }
                SearchExpr::In { field, values } => {
                    self.add_field(field.value.clone(), field.span, false);
                    // Of several values, any may hold.
                    self.parts.push(field.span);
                    if let [value] = values.as_slice() {
                        self.parts.push(value.span);
                    }
                }
                SearchExpr::Term { text, .. } => self.parts.push(text.span),
                _ => {}
            }
        }
    }

    fn add_condition(&mut self, condition: &EvalExpr) {
        let mut waiting = vec![condition];
        while let Some(part) = waiting.pop() {
            match &part.node {
                EvalNode::Binary(BinaryOp::And, left, right) => {
                    waiting.extend([right.as_ref(), left.as_ref()]);
                }
                EvalNode::Binary(op @ (BinaryOp::Like | BinaryOp::Compare(_)), left, right) => {
                    self.add_operand(left, false);
                    let is_word = *op == BinaryOp::Compare(CompareOp::Eq)
                        && matches!(left.node, EvalNode::Field(_));
                    self.add_operand(right, is_word);
                    self.parts.push(part.span);
                }
                EvalNode::In(field, _) => self.add_operand(field, false),
                EvalNode::Call { name, arguments }
                    if NEED_THEIR_ARGUMENTS.contains(&name.value.as_str()) =>
                {
                    self.parts.push(part.span);
                    self.parts.extend(arguments.iter().map(|argument| argument.span));
                }
                _ => {}
            }
        }
    }

    fn add_operand(&mut self, operand: &EvalExpr, is_word: bool) {
        self.parts.push(operand.span);
        if let EvalNode::Field(field) = &operand.node {
            self.add_field(field.clone(), operand.span, is_word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn what_a_command_needs() {
        for (search, parts, fields) in [
            ("search a=1 b=2", &["a", "1", "b", "2"][..], &["a", "b"][..]),
            ("search a=1 (b=2 c>3)", &["a", "1", "b", "2", "c", "3"], &["a", "b", "c"]),
            ("search a=1 OR b=2", &[], &[]),
            ("search a=1 NOT b=2", &["a", "1"], &["a"]),
            ("search a!=1 word", &["a", "word"], &["a"]),
            ("search a IN (x)", &["a", "x"], &["a"]),
            ("search a IN (x, y)", &["a"], &["a"]),
            ("where a=1 AND b>2", &["a", "1", "a=1", "b", "2", "b>2"], &["a", "b"]),
            ("where a=1 OR b=2", &[], &[]),
            ("where NOT a=1", &[], &[]),
            ("where a!=1 AND b=c", &["a", "1", "a!=1", "b", "c", "b=c"], &["a", "b", "c"]),
            ("where isnull(a) AND like(b, \"x\")", &["like(b, \"x\")", "b", "\"x\""], &[]),
            ("where if(a=1, 1, 0)=0", &["if(a=1, 1, 0)", "0", "if(a=1, 1, 0)=0"], &[]),
            ("regex a=\"x\"", &[], &["a"]),
            ("regex a!=\"x\"", &[], &[]),
            ("stats count by a", &[], &[]),
        ] {
            let text = format!("* | {search}");
            let (pipeline, problems) = parse(&text);
            assert_eq!(problems, [], "{text}");
            let required = Required::of(&pipeline.commands[1]);
            let shown: Vec<&str> =
                required.parts.iter().map(|span| &text[span.start..span.end]).collect();
            assert_eq!(shown, parts, "{text}");
            let named: Vec<&str> =
                required.fields.iter().map(|field| field.name.as_str()).collect();
            assert_eq!(named, fields, "{text}");
        }
    }
}
