//! Parses the expressions of `eval` and `where`.
//!
//! From loosest to tightest, the operators are XOR, OR, AND, NOT, comparisons (which do not chain),
//! `+ - .`, `* / %`, and signs. Keywords and function names match in any case.

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};

use super::subsearch;
use crate::cursor::{Cursor, MAX_DEPTH, is_word, unescape, unescape_with};
use crate::{BinaryOp, CompareOp, EvalExpr, EvalNode, UnaryOp};

const AND: u8 = 3;
const NOT: u8 = 4;
const COMPARISON: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;
const SIGN: u8 = 8;

const OPERAND: &str = "an expression";

/// Parses a text that is one eval expression; spans are byte ranges of `text`.
///
/// # Errors
/// Fails if the text is not an expression, or if other text follows it.
pub fn parse_eval(text: &str) -> Result<EvalExpr, Diagnostic> {
    let mut cursor = Cursor::new(text, 0);
    let expr = expression(&mut cursor)?;
    if cursor.at_end() { Ok(expr) } else { Err(cursor.expected("an operator or the end")) }
}

/// Replaces `\t`, `\n` and `\r` in a text whose other escapes have already been removed.
///
/// The parser already does this for string literals of eval. Text parsed in another way, such as an
/// option's value, may need it.
#[must_use]
pub fn unescape_controls(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let replacement = match characters.peek() {
            Some(next) if c == '\\' => control(*next),
            _ => None,
        };
        if replacement.is_some() {
            characters.next();
        }
        result.push(replacement.unwrap_or(c));
    }
    result
}

/// Takes the longest possible expression.
pub(super) fn expression(cursor: &mut Cursor<'_>) -> Result<EvalExpr, Diagnostic> {
    Ok(Parser { cursor, literals: Literals::Text }.operators(0)?.expr)
}

/// The meaning of backslashes in a string literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Literals {
    /// `\t`, `\n` and `\r` are control characters.
    Text,
    /// Escapes stay as written, because the literal is a regular expression or a search.
    Pattern,
}

/// An expression with the height of its tree, which limits the recursion of all code that walks it.
struct Tree {
    expr: EvalExpr,
    height: usize,
}

/// An infix operator as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Infix {
    Binary(BinaryOp),
    Like { negated: bool },
    In { negated: bool },
}

struct Parser<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    literals: Literals,
}

impl<'a> Parser<'_, 'a> {
    /// Takes operands joined by operators that bind at least as tightly as `minimum`.
    ///
    /// The recursion is divided into small functions to keep its stack frames small.
    fn operators(&mut self, minimum: u8) -> Result<Tree, Diagnostic> {
        self.cursor.enter()?;
        let left = self.prefix(minimum)?;
        let tree = self.infixes(left, minimum)?;
        self.cursor.leave();
        Ok(tree)
    }

    /// Takes the operators after `left` that bind at least as tightly as `minimum`.
    fn infixes(&mut self, mut left: Tree, minimum: u8) -> Result<Tree, Diagnostic> {
        let mut compared = false;
        while let Some((infix, length)) = self.infix_ahead() {
            let level = precedence(infix);
            if level < minimum {
                break;
            }
            if level == COMPARISON && std::mem::replace(&mut compared, true) {
                return Err(self.chained_comparison(length));
            }
            self.cursor.advance(length);
            left = self.apply(left, infix)?;
        }
        Ok(left)
    }

    /// Takes the right side of `infix`.
    fn apply(&mut self, left: Tree, infix: Infix) -> Result<Tree, Diagnostic> {
        match infix {
            Infix::Binary(op @ (BinaryOp::And | BinaryOp::Or | BinaryOp::Xor)) => {
                self.logical(left, op)
            }
            Infix::Binary(op) => self.right_side(left, op),
            Infix::Like { negated: false } => self.right_side(left, BinaryOp::Like),
            Infix::Like { negated: true } => {
                self.right_side(left, BinaryOp::Like).and_then(|like| self.negate(like))
            }
            Infix::In { negated: false } => self.in_list(left),
            Infix::In { negated: true } => self.in_list(left).and_then(|found| self.negate(found)),
        }
    }

    fn right_side(&mut self, left: Tree, op: BinaryOp) -> Result<Tree, Diagnostic> {
        let right = self.operators(precedence(Infix::Binary(op)) + 1)?;
        self.binary(left, op, right)
    }

    /// Takes the rest of a chain `left op … op …` and builds a balanced tree.
    ///
    /// AND, OR and XOR are associative, so a list of a thousand alternatives does not need a
    /// thousand levels of nesting.
    fn logical(&mut self, left: Tree, op: BinaryOp) -> Result<Tree, Diagnostic> {
        let level = precedence(Infix::Binary(op));
        let mut operands = vec![left, self.operators(level + 1)?];
        while let Some((Infix::Binary(next), length)) = self.infix_ahead() {
            if next != op {
                break;
            }
            self.cursor.advance(length);
            operands.push(self.operators(level + 1)?);
        }
        while operands.len() > 1 {
            let mut pairs = Vec::with_capacity(operands.len().div_ceil(2));
            let mut rest = operands.into_iter();
            while let Some(first) = rest.next() {
                pairs.push(match rest.next() {
                    Some(second) => self.binary(first, op, second)?,
                    None => first,
                });
            }
            operands = pairs;
        }
        operands.pop().ok_or_else(|| self.cursor.expected(OPERAND))
    }

    fn binary(&mut self, left: Tree, op: BinaryOp, right: Tree) -> Result<Tree, Diagnostic> {
        let span = left.expr.span.to(right.expr.span);
        let height = left.height.max(right.height);
        let node = EvalNode::Binary(op, Box::new(left.expr), Box::new(right.expr));
        self.tree(node, span, height)
    }

    fn negate(&mut self, operand: Tree) -> Result<Tree, Diagnostic> {
        let span = operand.expr.span;
        self.tree(EvalNode::Unary(UnaryOp::Not, Box::new(operand.expr)), span, operand.height)
    }

    fn tree(&mut self, node: EvalNode, span: Span, below: usize) -> Result<Tree, Diagnostic> {
        if below >= MAX_DEPTH {
            return Err(self.cursor.too_deep());
        }
        Ok(Tree { expr: EvalExpr { node, span }, height: below + 1 })
    }

    /// Takes an operand with its prefix operators.
    fn prefix(&mut self, minimum: u8) -> Result<Tree, Diagnostic> {
        match self.prefix_ahead() {
            None => self.primary(),
            Some((UnaryOp::Not, _)) if minimum > NOT => {
                Err(self.cursor.expected(OPERAND).help("put `NOT …` in parentheses"))
            }
            Some((op, length)) => self.prefixed(op, length),
        }
    }

    fn prefixed(&mut self, op: UnaryOp, length: usize) -> Result<Tree, Diagnostic> {
        let start = self.cursor.advance(length);
        let operand = self.operators(if op == UnaryOp::Not { NOT } else { SIGN })?;
        let span = start.to(operand.expr.span);
        self.tree(EvalNode::Unary(op, Box::new(operand.expr)), span, operand.height)
    }

    /// Returns the prefix operator that comes next and its length.
    fn prefix_ahead(&mut self) -> Option<(UnaryOp, usize)> {
        let word = self.cursor.word_ahead();
        let rest = self.cursor.rest();
        match rest.chars().next()? {
            '-' => Some((UnaryOp::Minus, 1)),
            '+' => Some((UnaryOp::Plus, 1)),
            '!' if !rest.starts_with("!=") => Some((UnaryOp::Not, 1)),
            _ => word.eq_ignore_ascii_case("not").then_some((UnaryOp::Not, word.len())),
        }
    }

    fn primary(&mut self) -> Result<Tree, Diagnostic> {
        match self.cursor.peek() {
            Some('(') => self.parenthesised(),
            Some(quote @ ('"' | '\'')) => self.text_or_field(quote),
            Some('[') => self.subsearch(),
            Some(c) if c.is_ascii_digit() => self.number(),
            Some('.') if self.cursor.peek_after(0).is_some_and(|c| c.is_ascii_digit()) => {
                self.number()
            }
            Some(c) if is_word(c) => self.name(),
            _ => Err(self.cursor.expected(OPERAND)),
        }
    }

    fn text_or_field(&mut self, quote: char) -> Result<Tree, Diagnostic> {
        let raw = self.quoted(quote)?;
        let node = match self.literals {
            _ if quote == '\'' => EvalNode::Field(raw.value.to_owned()),
            Literals::Text => EvalNode::Text(unescape_with(raw.value, control)),
            Literals::Pattern => EvalNode::Text(unescape(raw.value)),
        };
        self.tree(node, raw.span, 0)
    }

    fn subsearch(&mut self) -> Result<Tree, Diagnostic> {
        let start = self.cursor.position();
        match subsearch(self.cursor) {
            Some(pipeline) => {
                let node = EvalNode::Subsearch(Box::new(pipeline?));
                self.tree(node, Span::new(start, self.cursor.position()), 0)
            }
            None => Err(self.cursor.expected(OPERAND)),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Spanned<&'a str>, Diagnostic> {
        match self.cursor.quoted(quote) {
            Some(raw) => raw,
            None => Err(self.cursor.expected(OPERAND)),
        }
    }

    fn parenthesised(&mut self) -> Result<Tree, Diagnostic> {
        let open = self.cursor.advance(1);
        let inner = self.operators(0)?;
        let close = self.close(open)?;
        let expr = EvalExpr { node: inner.expr.node, span: open.to(close) };
        Ok(Tree { expr, height: inner.height })
    }

    /// Takes the `)` that closes the `(` at `open`.
    fn close(&mut self, open: Span) -> Result<Span, Diagnostic> {
        if let Some(close) = self.cursor.eat(")") {
            return Ok(close);
        }
        if self.cursor.at_end() {
            return Err(crate::cursor::unclosed_bracket('(', open));
        }
        Err(self.cursor.expected("an operator or `)`").label(open, "to close this"))
    }

    /// Takes `3`, `3.14`, `.5` or `1e5`.
    fn number(&mut self) -> Result<Tree, Diagnostic> {
        let rest = self.cursor.rest();
        let mut length = digits(rest, 0);
        if rest[length..].starts_with('.') {
            let fraction = digits(rest, length + 1);
            if fraction > length + 1 {
                length = fraction;
            }
        }
        if rest[length..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[length + 1..].starts_with(['+', '-']));
            let exponent = digits(rest, length + 1 + sign);
            if exponent > length + 1 + sign {
                length = exponent;
            }
        }
        if rest[length..].starts_with(is_word) {
            let word = rest[length..].find(|c| !is_word(c)).unwrap_or(rest.len() - length);
            let span = self.cursor.advance(length + word);
            let name = &rest[..length + word];
            return Err(Diagnostic::error(
                Code::EXPECTED,
                format!("expected a number, found `{name}`"),
            )
            .label(span, "expected a number")
            .help(format!(
                "a field whose name begins with a digit needs single quotes: `'{name}'`"
            )));
        }
        let span = self.cursor.advance(length);
        self.tree(EvalNode::Number(rest[..length].to_owned()), span, 0)
    }

    /// Takes a field or a function call.
    fn name(&mut self) -> Result<Tree, Diagnostic> {
        if self.infix_ahead().is_some() && !self.call_ahead() {
            return Err(self.cursor.expected(OPERAND));
        }
        let word = self.cursor.take_while(is_word);
        match self.cursor.eat("(") {
            Some(open) => self.call(word, open),
            None => self.tree(EvalNode::Field(word.value.to_owned()), word.span, 0),
        }
    }

    fn call(&mut self, word: Spanned<&str>, open: Span) -> Result<Tree, Diagnostic> {
        let name = word.value.to_ascii_lowercase();
        let outer = self.literals;
        let (arguments, height) = self.arguments(&name, open)?;
        self.literals = outer;
        let close = self.close(open)?;
        let name = Spanned::new(name, word.span);
        self.tree(EvalNode::Call { name, arguments }, word.span.to(close), height)
    }

    /// Takes a call's arguments up to its `)`; returns them with the height of the tallest
    /// argument.
    fn arguments(
        &mut self,
        function: &str,
        open: Span,
    ) -> Result<(Vec<EvalExpr>, usize), Diagnostic> {
        let (mut arguments, mut height) = (Vec::new(), 0);
        if self.cursor.clone().eat(")").is_some() {
            return Ok((arguments, height));
        }
        loop {
            self.literals = literals_of(function, arguments.len());
            if self.cursor.at_end() {
                return Err(crate::cursor::unclosed_bracket('(', open));
            }
            let argument = self.operators(0)?;
            height = height.max(argument.height);
            arguments.push(argument.expr);
            if self.cursor.eat(",").is_some() {
                continue;
            }
            if self.cursor.at_end() {
                return Err(crate::cursor::unclosed_bracket('(', open));
            }
            if self.cursor.peek() != Some(')') {
                return Err(self
                    .cursor
                    .expected("an operator, `,` or `)`")
                    .label(open, format!("in the arguments of `{function}`"))
                    .help("separate arguments by `,`, and join texts by `.`"));
            }
            return Ok((arguments, height));
        }
    }

    /// Takes `(a, b)` after IN; a comma before the `)` is allowed.
    fn in_list(&mut self, left: Tree) -> Result<Tree, Diagnostic> {
        let Some(open) = self.cursor.eat("(") else {
            return Err(self.cursor.expected("`(` and a list of values"));
        };
        let (mut items, mut height) = (Vec::new(), left.height);
        let close = loop {
            let item = self.operators(0)?;
            height = height.max(item.height);
            items.push(item.expr);
            let comma = self.cursor.eat(",").is_some();
            if let Some(close) = self.cursor.eat(")") {
                break close;
            }
            if !comma {
                return Err(self.close(open).err().unwrap_or_else(|| self.cursor.expected("`,`")));
            }
        };
        let span = left.expr.span.to(close);
        self.tree(EvalNode::In(Box::new(left.expr), items), span, height)
    }

    fn call_ahead(&mut self) -> bool {
        let mut ahead = self.cursor.clone();
        ahead.take_while(is_word);
        ahead.eat("(").is_some()
    }

    /// Returns the infix operator that comes next and its length.
    fn infix_ahead(&mut self) -> Option<(Infix, usize)> {
        self.cursor.skip_blanks();
        let rest = self.cursor.rest();
        let two = [
            ("==", CompareOp::Eq),
            ("!=", CompareOp::Ne),
            ("<=", CompareOp::Le),
            (">=", CompareOp::Ge),
        ];
        if let Some((_, op)) = two.iter().find(|(text, _)| rest.starts_with(text)) {
            return Some((Infix::Binary(BinaryOp::Compare(*op)), 2));
        }
        let op = match rest.chars().next()? {
            '=' => BinaryOp::Compare(CompareOp::Eq),
            '<' => BinaryOp::Compare(CompareOp::Lt),
            '>' => BinaryOp::Compare(CompareOp::Gt),
            '+' => BinaryOp::Add,
            '-' => BinaryOp::Subtract,
            '.' => BinaryOp::Concat,
            '*' => BinaryOp::Multiply,
            '/' => BinaryOp::Divide,
            '%' => BinaryOp::Modulo,
            _ => return self.infix_word(),
        };
        Some((Infix::Binary(op), 1))
    }

    fn infix_word(&mut self) -> Option<(Infix, usize)> {
        let word = self.cursor.word_ahead();
        let infix = match word.to_ascii_lowercase().as_str() {
            "and" => Infix::Binary(BinaryOp::And),
            "or" => Infix::Binary(BinaryOp::Or),
            "xor" => Infix::Binary(BinaryOp::Xor),
            "like" => Infix::Like { negated: false },
            "in" => Infix::In { negated: false },
            "not" => {
                let mut ahead = self.cursor.clone();
                ahead.advance(word.len());
                let infix = match ahead.word_ahead().to_ascii_lowercase().as_str() {
                    "in" => Infix::In { negated: true },
                    "like" => Infix::Like { negated: true },
                    _ => return None,
                };
                let length = ahead.position() - self.cursor.position() + ahead.word_ahead().len();
                return Some((infix, length));
            }
            _ => return None,
        };
        Some((infix, word.len()))
    }

    fn chained_comparison(&mut self, length: usize) -> Diagnostic {
        let span = self.cursor.advance(length);
        Diagnostic::error(Code::CHAINED_COMPARISON, "comparisons do not chain")
            .label(span, "a second comparison of the same operand")
            .help("join two comparisons with AND, or put the first in parentheses")
    }
}

fn precedence(infix: Infix) -> u8 {
    match infix {
        Infix::Binary(BinaryOp::Xor) => 1,
        Infix::Binary(BinaryOp::Or) => 2,
        Infix::Binary(BinaryOp::And) => AND,
        Infix::Binary(BinaryOp::Compare(_) | BinaryOp::Like)
        | Infix::Like { .. }
        | Infix::In { .. } => COMPARISON,
        Infix::Binary(BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Concat) => SUM,
        Infix::Binary(BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo) => PRODUCT,
    }
}

/// Returns the meaning of backslashes in string literals in argument `index` (from zero) of a
/// function.
fn literals_of(function: &str, index: usize) -> Literals {
    match (function, index) {
        ("match" | "replace" | "mvfind", 1) | ("searchmatch", 0) => Literals::Pattern,
        _ => Literals::Text,
    }
}

fn control(escaped: char) -> Option<char> {
    match escaped {
        't' => Some('\t'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        _ => None,
    }
}

/// Returns the offset after the ASCII digits that begin at `start`.
fn digits(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the tree as an S-expression.
    fn shape(expr: &EvalExpr) -> String {
        let list = |items: &[EvalExpr]| items.iter().map(shape).collect::<Vec<_>>().join(" ");
        match &expr.node {
            EvalNode::Number(number) => number.clone(),
            EvalNode::Text(text) => format!("{text:?}"),
            EvalNode::Field(name) => name.clone(),
            EvalNode::Call { name, arguments } => format!("({}! {})", name.value, list(arguments)),
            EvalNode::Unary(op, operand) => format!("({op:?} {})", shape(operand)),
            EvalNode::Binary(BinaryOp::Compare(op), left, right) => {
                format!("({op:?} {} {})", shape(left), shape(right))
            }
            EvalNode::Binary(op, left, right) => {
                format!("({op:?} {} {})", shape(left), shape(right))
            }
            EvalNode::In(left, items) => format!("(In {} {})", shape(left), list(items)),
            EvalNode::Subsearch(pipeline) => format!("[{} commands]", pipeline.commands.len()),
        }
    }

    fn check(text: &str, expected: &str) {
        match parse_eval(text) {
            Ok(expr) => assert_eq!(shape(&expr), expected, "{text}"),
            Err(diagnostic) => panic!("{text}: {diagnostic:?}"),
        }
    }

    fn message(text: &str) -> (String, Span) {
        match parse_eval(text) {
            Ok(expr) => panic!("{text} is {}", shape(&expr)),
            Err(diagnostic) => {
                let span = diagnostic.span().unwrap_or_default();
                (diagnostic.message, span)
            }
        }
    }

    #[test]
    fn operators_bind_as_eval_defines() {
        check("a OR b AND c", "(Or a (And b c))");
        check("a and b or c xor d", "(Xor (Or (And a b) c) d)");
        check("NOT a=1 AND b=2", "(And (Not (Eq a 1)) (Eq b 2))");
        check("!isnull(a) AND b", "(And (Not (isnull! a)) b)");
        check("10-4-3", "(Subtract (Subtract 10 4) 3)");
        check("a+b*c/d", "(Add a (Divide (Multiply b c) d))");
        check("-a*b", "(Multiply (Minus a) b)");
        check("x!=-1", "(Ne x (Minus 1))");
        check("a.\"-\".b+1", "(Add (Concat (Concat a \"-\") b) 1)");
        check("(a OR b) AND c", "(And (Or a b) c)");
        check("a AND b AND c AND d", "(And (And a b) (And c d))");
    }

    #[test]
    fn words_are_keywords_functions_or_fields() {
        check("LIKE(x,\"a%\")", "(like! x \"a%\")");
        check("like (x, \"a%\")", "(like! x \"a%\")");
        check("x LIKE \"a%\"", "(Like x \"a%\")");
        check("NOT LIKE(x, y)", "(Not (like! x y))");
        check("x NOT LIKE y", "(Not (Like x y))");
        check("x IN (1, \"b\",)", "(In x 1 \"b\")");
        check("x NOT IN(1)", "(Not (In x 1))");
        check("in(x, 1)", "(in! x 1)");
        check("order + android", "(Add order android)");
        check("'a.b{}'=\"x\"", "(Eq a.b{} \"x\")");
        check("user-id", "(Subtract user id)");
        check("If(1==1, TRUE(), null)", "(if! (Eq 1 1) (true! ) null)");
    }

    #[test]
    fn numbers_and_dots() {
        check("3.14", "3.14");
        check(".5+1e5", "(Add .5 1e5)");
        check("1 . 2", "(Concat 1 2)");
        check("1.\"x\"", "(Concat 1 \"x\")");
        check("a.b", "(Concat a b)");
    }

    #[test]
    fn backslashes_in_texts() {
        check(r#""a\tb\\tc\"d\w""#, r#""a\tb\\tc\"d\\w""#);
        // The pattern keeps `\t` for the regular expression engine; the replacement is ordinary
        // text.
        check(r#"replace(x, "\t\\\\", "\n\1")"#, r#"(replace! x "\\t\\\\" "\n\\1")"#);
        check(r#"match(lower("\t"), "\t")"#, r#"(match! (lower! "\t") "\\t")"#);
        assert_eq!(unescape_controls(r"a\tb\d"), "a\tb\\d");
    }

    #[test]
    fn errors_show_the_place() {
        let cases = [
            ("", "expected an expression, found the end", 0, 0),
            ("a=", "expected an expression, found the end", 2, 2),
            ("a=)", "expected an expression, found `)`", 2, 3),
            ("(a", "`(` is never closed", 0, 1),
            ("if(a,", "`(` is never closed", 2, 3),
            ("if(a,b c)", "expected an operator, `,` or `)`, found `c`", 7, 8),
            ("if(a,)", "expected an expression, found `)`", 5, 6),
            ("a=b=c", "comparisons do not chain", 3, 4),
            ("a b", "expected an operator or the end, found `b`", 2, 3),
            ("5minutes=1", "expected a number, found `5minutes`", 0, 8),
            ("AND b", "expected an expression, found `AND`", 0, 3),
            ("a + NOT b", "expected an expression, found `NOT`", 4, 7),
            ("x IN 5", "expected `(` and a list of values, found `5`", 5, 6),
            ("\"open", "quote is never closed", 0, 1),
        ];
        for (text, expected, start, end) in cases {
            assert_eq!(message(text), (expected.to_owned(), Span::new(start, end)), "{text}");
        }
    }

    #[test]
    fn depth_is_limited_and_breadth_is_not() {
        for deep in ["(".repeat(100_000), "-".repeat(100_000), "not ".repeat(100_000)] {
            assert!(message(&deep).0.contains("deeper"), "{}", &deep[..8]);
        }
        assert!(message(&vec!["a"; 1000].join("+")).0.contains("deeper"));
        assert!(parse_eval(&vec!["a=1"; 5000].join(" OR ")).is_ok());
        assert!(parse_eval(&format!("{}1{}", "(".repeat(150), ")".repeat(150))).is_ok());
    }

    #[test]
    fn a_parenthesised_expression_spans_its_parentheses() {
        let span = parse_eval(" ( a + b ) * c").map(|expr| expr.span);
        assert_eq!(span, Ok(Span::new(1, 14)));
    }
}
