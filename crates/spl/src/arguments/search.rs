//! Parses the expressions of `search`, `tstats where` and the `where` of lookups.
//!
//! From loosest to tightest, the operators are AND (written or implied by adjacency), OR, and NOT;
//! this differs from `eval`. Only uppercase AND, OR and NOT are operators; in lowercase they are
//! ordinary terms. The right side of a comparison is always a literal.

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};

use super::options::keyword_ahead;
use super::subsearch;
use crate::cursor::{Cursor, unclosed_bracket, unescape, unescape_with};
use crate::{CompareOp, Compared, SearchExpr, SearchLiteral, TermForm};

const OPERAND: &str = "a search term";

/// Fields that set the time bounds of a search instead of being compared.
const TIME_BOUNDS: &[&str] = &[
    "earliest",
    "latest",
    "_index_earliest",
    "_index_latest",
    "starttime",
    "endtime",
    "starttimeu",
    "endtimeu",
    "timeformat",
    "minutesago",
    "hoursago",
    "daysago",
    "monthsago",
    "startminutesago",
    "starthoursago",
    "startdaysago",
    "startmonthsago",
    "endminutesago",
    "endhoursago",
    "enddaysago",
    "endmonthsago",
    "searchtimespanminutes",
    "searchtimespanhours",
    "searchtimespandays",
    "searchtimespanmonths",
];

/// Returns true if a comparison of this field by `=`, in any case, sets a time bound of a search.
#[must_use]
pub fn is_time_bound(field: &str) -> bool {
    TIME_BOUNDS.iter().any(|bound| bound.eq_ignore_ascii_case(field))
}

/// Parses a text that is one search expression; spans are byte ranges of `text`.
///
/// Empty text and a lone `*` are [`SearchExpr::All`].
///
/// # Errors
/// Fails if the text does not follow the grammar of `search`.
pub fn parse_search(text: &str) -> Result<SearchExpr, Diagnostic> {
    expression(&mut Cursor::new(text, 0), &[])
}

/// Takes a search expression up to the end or a keyword in `stop`.
pub(super) fn expression(cursor: &mut Cursor<'_>, stop: &[&str]) -> Result<SearchExpr, Diagnostic> {
    let mut parser = Parser { cursor, stop };
    if parser.stops() {
        return Ok(SearchExpr::All);
    }
    let expr = parser.conjunction()?;
    if parser.stops() {
        return Ok(expr);
    }
    let diagnostic = parser.cursor.expected("a search term, AND, OR or the end");
    Err(match parser.cursor.peek() {
        Some(')') => Diagnostic { code: Code::UNBALANCED, ..diagnostic }
            .help("remove the `)`, or add the missing `(` before it"),
        Some(',') => diagnostic.help("put a value that holds a comma in double quotes"),
        _ => diagnostic,
    })
}

struct Parser<'c, 'a, 's> {
    cursor: &'c mut Cursor<'a>,
    stop: &'s [&'s str],
}

impl Parser<'_, '_, '_> {
    /// Returns true at the end of the text or before a keyword that ends the expression.
    fn stops(&mut self) -> bool {
        self.cursor.at_end() || self.stop.iter().any(|word| keyword_ahead(self.cursor, word))
    }

    fn conjunction(&mut self) -> Result<SearchExpr, Diagnostic> {
        let mut operands = vec![self.disjunction()?];
        loop {
            self.skip_comma();
            let written = self.operator("AND");
            if !written && (self.stops() || matches!(self.cursor.peek(), Some(')' | ','))) {
                return Ok(single(operands, SearchExpr::And));
            }
            operands.push(self.disjunction()?);
        }
    }

    /// Skips a comma between terms, which separates them like a blank.
    ///
    /// A comma directly before text is an error, because it belongs to a value that needs quotes.
    fn skip_comma(&mut self) {
        self.cursor.skip_blanks();
        let mut after = self.cursor.rest().chars();
        if after.next() == Some(',') && after.next().is_none_or(char::is_whitespace) {
            self.cursor.advance(1);
        }
    }

    fn disjunction(&mut self) -> Result<SearchExpr, Diagnostic> {
        let mut operands = vec![self.operand()?];
        while self.operator("OR") {
            operands.push(self.operand()?);
        }
        Ok(single(operands, SearchExpr::Or))
    }

    fn operand(&mut self) -> Result<SearchExpr, Diagnostic> {
        self.cursor.enter()?;
        let expr = if self.operator("NOT") {
            SearchExpr::Not(Box::new(self.operand()?))
        } else if self.operator_ahead("AND") || self.operator_ahead("OR") {
            return Err(self.missing_operand());
        } else {
            self.primary()?
        };
        self.cursor.leave();
        Ok(expr)
    }

    fn primary(&mut self) -> Result<SearchExpr, Diagnostic> {
        self.cursor.skip_blanks();
        match self.cursor.peek() {
            Some('(') => self.parenthesised(),
            Some('[') => match subsearch(self.cursor) {
                Some(pipeline) => {
                    Ok(SearchExpr::Subsearch { value_of: None, pipeline: Box::new(pipeline?) })
                }
                None => Err(self.missing_operand()),
            },
            Some('"') => self.quoted(),
            _ => self.bare(),
        }
    }

    fn parenthesised(&mut self) -> Result<SearchExpr, Diagnostic> {
        let open = self.cursor.advance(1);
        if self.cursor.eat(")").is_some() {
            return Ok(SearchExpr::All);
        }
        // A keyword ends the expression only outside parentheses.
        let outer = std::mem::take(&mut self.stop);
        let inner = self.conjunction()?;
        self.stop = outer;
        if self.cursor.eat(")").is_some() {
            return Ok(inner);
        }
        if self.cursor.at_end() {
            return Err(unclosed_bracket('(', open));
        }
        Err(self.cursor.expected("a search term, AND, OR or `)`").label(open, "to close this"))
    }

    /// Takes a phrase, or a comparison with a quoted field.
    fn quoted(&mut self) -> Result<SearchExpr, Diagnostic> {
        let raw = match self.cursor.quoted('"') {
            Some(raw) => raw?,
            None => return Err(self.missing_operand()),
        };
        let field = Spanned::new(unescape(raw.value), raw.span);
        if let Some(comparison) = self.comparison(&field)? {
            return Ok(comparison);
        }
        let text = Spanned::new(unescape_literal(raw.value), raw.span);
        Ok(SearchExpr::Term { text, form: TermForm::Phrase })
    }

    /// Takes a bare term, a directive, or a comparison.
    fn bare(&mut self) -> Result<SearchExpr, Diagnostic> {
        let raw = take_bare(self.cursor, Ends::AtOperators);
        if raw.value.is_empty() {
            return Err(self.missing_operand());
        }
        if self.cursor.peek() == Some('(') {
            let form = match raw.value {
                "TERM" => Some(TermForm::Term),
                "CASE" => Some(TermForm::Case),
                _ => None,
            };
            if let Some(form) = form {
                let text = self.directive(raw.span)?;
                return Ok(SearchExpr::Term { text, form });
            }
        }
        if let Some(comparison) = self.statistic(&raw)? {
            return Ok(comparison);
        }
        let text = Spanned::new(unescape_literal(raw.value), raw.span);
        if let Some(comparison) = self.comparison(&text)? {
            return Ok(comparison);
        }
        if text.value == "*" {
            return Ok(SearchExpr::All);
        }
        if let Some((field, value)) = raw.value.split_once("::")
            && !field.is_empty()
            && !value.is_empty()
        {
            return Ok(indexed_field(field, value, raw.span));
        }
        Ok(SearchExpr::Term { text, form: TermForm::Word })
    }

    /// Takes a comparison with a statistic, such as `avg(bytes)>5`, whose name was taken before.
    fn statistic(&mut self, name: &Spanned<&str>) -> Result<Option<SearchExpr>, Diagnostic> {
        let mut ahead = self.cursor.clone();
        if self.cursor.peek() != Some('(') {
            return Ok(None);
        }
        let Ok(inner) = ahead.balanced() else { return Ok(None) };
        let is_name = !inner.value.contains(|c: char| c.is_whitespace() || "\"[]|".contains(c));
        let after = ahead.clone();
        if !is_name || operator_after(&mut ahead).is_none() {
            return Ok(None);
        }
        *self.cursor = after;
        let field =
            Spanned::new(format!("{}{}", name.value, inner.value), name.span.to(inner.span));
        self.comparison(&field)
    }

    /// Takes an operator and its right side if they follow the name taken before.
    fn comparison(&mut self, field: &Spanned<String>) -> Result<Option<SearchExpr>, Diagnostic> {
        let mut ahead = self.cursor.clone();
        if keyword_ahead(&mut ahead, "IN") {
            ahead.advance("IN".len());
            ahead.skip_blanks();
            if ahead.peek() == Some('[') {
                return Err(subsearch_in_list(ahead.position()));
            }
            if let Some(open) = ahead.eat("(") {
                *self.cursor = ahead;
                let values = self.list(open)?;
                return Ok(Some(SearchExpr::In { field: field.clone(), values }));
            }
        }
        let Some(op) = operator_after(self.cursor) else { return Ok(None) };
        if let Some(pipeline) = subsearch(self.cursor) {
            let pipeline = Box::new(pipeline?);
            let is_end = |c: char| c.is_whitespace() || matches!(c, ')' | ']' | '|' | ',');
            if self.cursor.peek().is_some_and(|c| !is_end(c)) {
                return Err(subsearch_in_text(self.cursor.position()));
            }
            let value_of = Some(Compared { field: field.clone(), op });
            return Ok(Some(SearchExpr::Subsearch { value_of, pipeline }));
        }
        let lower = field.value.to_ascii_lowercase();
        if op == CompareOp::Eq && TIME_BOUNDS.contains(&lower.as_str()) {
            let bound = Spanned::new(lower, field.span);
            return Ok(Some(SearchExpr::Time { bound, modifier: self.modifier(&field.value)? }));
        }
        if ["AND", "OR", "NOT"].iter().any(|word| self.operator_ahead(word)) {
            let what = format!("a value to compare `{}` with", field.value);
            return Err(self
                .cursor
                .expected(&what)
                .help("put the word in quotes if it is the value"));
        }
        let value =
            self.literal(Ends::AtBlanks, &format!("a value to compare `{}` with", field.value))?;
        Ok(Some(SearchExpr::Compare { field: field.clone(), op, value }))
    }

    /// Takes the values of `IN (…)`. Commas and blanks separate them, and any number of commas may
    /// stand between two values and at the ends, as in Splunk.
    fn list(&mut self, open: Span) -> Result<Vec<Spanned<SearchLiteral>>, Diagnostic> {
        let mut values = Vec::new();
        loop {
            while self.cursor.eat(",").is_some() {}
            if !values.is_empty() && self.cursor.eat(")").is_some() {
                return Ok(values);
            }
            if self.cursor.at_end() {
                return Err(unclosed_bracket('(', open));
            }
            self.cursor.skip_blanks();
            if self.cursor.peek() == Some('[') {
                return Err(subsearch_in_list(self.cursor.position()));
            }
            let what = if values.is_empty() { "a value" } else { "a value, `,` or `)`" };
            values.push(self.literal(Ends::AtBlanks, what)?);
        }
    }

    /// Takes a literal: bare and quoted pieces without blanks between them, or `CASE(…)`.
    fn literal(&mut self, ends: Ends, what: &str) -> Result<Spanned<SearchLiteral>, Diagnostic> {
        self.cursor.skip_blanks();
        let start = self.cursor.position();
        let (mut text, mut pieces, mut quoted) = (String::new(), 0, false);
        loop {
            if self.cursor.peek() == Some('"') {
                let Some(raw) = self.cursor.quoted('"') else { break };
                text.push_str(&unescape_literal(raw?.value));
                quoted = true;
            } else {
                let raw = take_bare(self.cursor, ends);
                if raw.value.is_empty() {
                    break;
                }
                if pieces == 0 && is_operator(raw.value) {
                    return Err(second_operator(&raw, what));
                }
                if pieces == 0 && raw.value == "CASE" && self.cursor.peek() == Some('(') {
                    let text = self.directive(raw.span)?;
                    let literal =
                        SearchLiteral { text: text.value, exact_case: true, quoted: false };
                    return Ok(Spanned::new(literal, text.span));
                }
                text.push_str(&unescape_literal(raw.value));
            }
            pieces += 1;
        }
        if pieces == 0 {
            return Err(self.missing_value(what));
        }
        if self.cursor.peek() == Some('[') {
            return Err(subsearch_in_text(self.cursor.position()));
        }
        let literal = SearchLiteral { text, exact_case: false, quoted: quoted && pieces == 1 };
        Ok(Spanned::new(literal, Span::new(start, self.cursor.position())))
    }

    /// Takes a time modifier, which may end in `()` as in `now()`.
    fn modifier(&mut self, bound: &str) -> Result<Spanned<String>, Diagnostic> {
        let literal = self.literal(Ends::AtBlanks, &format!("a time for `{bound}`"))?;
        let (mut text, mut span) = (literal.value.text, literal.span);
        if !literal.value.quoted && self.cursor.rest().starts_with("()") {
            span = span.to(self.cursor.advance(2));
            text.push_str("()");
        }
        Ok(Spanned::new(text, span))
    }

    /// Takes the `(…)` of `TERM` or `CASE`; `name` is the span of that word.
    fn directive(&mut self, name: Span) -> Result<Spanned<String>, Diagnostic> {
        let whole = self.cursor.balanced()?;
        let inner = whole.value[1..whole.value.len() - 1].trim();
        let inner =
            inner.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(inner);
        let span = name.to(whole.span);
        if inner.is_empty() {
            return Err(Diagnostic::error(Code::EXPECTED, "expected a term, found `()`")
                .label(span, "expected a term in the parentheses"));
        }
        Ok(Spanned::new(unescape_literal(inner), span))
    }

    fn missing_operand(&mut self) -> Diagnostic {
        let diagnostic = self.cursor.expected(OPERAND);
        match self.cursor.peek() {
            Some('=' | '<' | '>' | '!') => {
                diagnostic.help("write the field's name before the operator")
            }
            Some(',') => diagnostic.help("put a value that holds a comma in double quotes"),
            Some(']' | '|') => diagnostic.help("put text that holds it in double quotes"),
            _ => diagnostic,
        }
    }

    fn missing_value(&mut self, what: &str) -> Diagnostic {
        match self.cursor.peek() {
            Some('(') => self.cursor.expected(what).help("a list of values follows `IN`"),
            None | Some(')') => self
                .cursor
                .expected(what)
                .help("write `\"\"` for the empty text, or `NOT field=*` for a missing field"),
            _ => self.cursor.expected(what),
        }
    }

    fn operator(&mut self, word: &str) -> bool {
        let ahead = self.operator_ahead(word);
        if ahead {
            self.cursor.advance(word.len());
        }
        ahead
    }

    /// Returns true if `word` comes next in uppercase and as a whole word.
    fn operator_ahead(&mut self, word: &str) -> bool {
        keyword_ahead(self.cursor, word) && self.cursor.rest().starts_with(word)
    }
}

/// Returns the diagnostic for a subsearch in the list of `IN`, at this offset.
fn subsearch_in_list(at: usize) -> Diagnostic {
    let message = "a subsearch in a list of `IN` is not supported";
    Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message)
        .at(Span::new(at, at + 1))
        .help("let the subsearch return the field with its values: `[ search … | fields name ]`")
}

/// Returns the diagnostic for a subsearch next to other text of a value, at this offset.
fn subsearch_in_text(at: usize) -> Diagnostic {
    let message = "a subsearch in a part of a value is not supported";
    Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message)
        .at(Span::new(at, at + 1))
        .help("let the subsearch return the whole value, as `eval` computes it")
}

/// The characters that end a bare piece, besides blanks, commas, quotes, parentheses and square
/// brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// No others: for the right side of a comparison.
    AtBlanks,
    /// Also `=`, `<`, `>` and `!=`: for a term, which may be the left side of a comparison.
    AtOperators,
}

/// Takes a bare piece, which may be empty and keeps its escapes.
fn take_bare<'a>(cursor: &mut Cursor<'a>, ends: Ends) -> Spanned<&'a str> {
    let rest = cursor.rest();
    let mut characters = rest.char_indices().peekable();
    let mut length = rest.len();
    while let Some((index, c)) = characters.next() {
        let ended = match c {
            ',' | '"' | '(' | ')' | '[' | ']' | '|' => true,
            '=' | '<' | '>' => ends == Ends::AtOperators,
            '!' => ends == Ends::AtOperators && rest[index..].starts_with("!="),
            '\\' => {
                // A backslash escapes the quote, pipe or backslash after it.
                characters.next_if(|(_, next)| matches!(next, '"' | '\\' | '|'));
                false
            }
            _ => c.is_whitespace(),
        };
        if ended {
            length = index;
            break;
        }
    }
    let span = cursor.advance(length);
    Spanned::new(&rest[..length], span)
}

/// Returns true for a bare value that is an operator or begins with the second half of one.
///
/// In `a = = 1` and `a<>1`, such text is probably a mistake, so it needs quotes.
fn is_operator(value: &str) -> bool {
    value.starts_with(['=', '>']) || matches!(value, "<" | "<=" | "!=")
}

fn second_operator(value: &Spanned<&str>, what: &str) -> Diagnostic {
    let length = value.value.find(|c| !matches!(c, '=' | '<' | '>' | '!'));
    let found = &value.value[..length.unwrap_or(value.value.len())];
    let span = Span::new(value.span.start, value.span.start + found.len());
    let diagnostic = Diagnostic::error(Code::EXPECTED, format!("expected {what}, found `{found}`"))
        .label(span, format!("expected {what}"));
    match found {
        ">" => {
            diagnostic.help("not equal is written `!=`; a value that begins with `>` needs quotes")
        }
        _ => diagnostic.help("remove the second operator, or put a value that holds it in quotes"),
    }
}

fn operator_after(cursor: &mut Cursor<'_>) -> Option<CompareOp> {
    cursor.skip_blanks();
    const OPERATORS: [(&str, CompareOp); 7] = [
        ("==", CompareOp::Eq),
        ("!=", CompareOp::Ne),
        ("<=", CompareOp::Le),
        (">=", CompareOp::Ge),
        ("=", CompareOp::Eq),
        ("<", CompareOp::Lt),
        (">", CompareOp::Gt),
    ];
    let (text, op) = OPERATORS.into_iter().find(|(text, _)| cursor.rest().starts_with(text))?;
    cursor.advance(text.len());
    Some(op)
}

/// Returns the comparison for `field::value`; indexed fields are compared like any other field.
fn indexed_field(field: &str, value: &str, span: Span) -> SearchExpr {
    let middle = span.start + field.len();
    let literal = SearchLiteral { text: unescape_literal(value), exact_case: false, quoted: false };
    SearchExpr::Compare {
        field: Spanned::new(field.to_owned(), Span::new(span.start, middle)),
        op: CompareOp::Eq,
        value: Spanned::new(literal, Span::new(middle + 2, span.end)),
    }
}

/// Removes the escapes of `search`: `\"`, `\\` and `\|`.
fn unescape_literal(raw: &str) -> String {
    unescape_with(raw, |escaped| (escaped == '|').then_some('|'))
}

fn single(mut operands: Vec<SearchExpr>, join: fn(Vec<SearchExpr>) -> SearchExpr) -> SearchExpr {
    match operands.pop() {
        Some(only) if operands.is_empty() => only,
        Some(last) => {
            operands.push(last);
            join(operands)
        }
        None => SearchExpr::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the tree as an S-expression.
    fn shape(expr: &SearchExpr) -> String {
        let list = |items: &[SearchExpr]| items.iter().map(shape).collect::<Vec<_>>().join(" ");
        let literal = |value: &SearchLiteral| match (value.exact_case, value.quoted) {
            (true, _) => format!("case:{}", value.text),
            (_, true) => format!("{:?}", value.text),
            _ => value.text.clone(),
        };
        match expr {
            SearchExpr::All => "all".to_owned(),
            SearchExpr::And(items) => format!("(and {})", list(items)),
            SearchExpr::Or(items) => format!("(or {})", list(items)),
            SearchExpr::Not(inner) => format!("(not {})", shape(inner)),
            SearchExpr::Compare { field, op, value } => {
                format!("({op:?} {} {})", field.value, literal(&value.value))
            }
            SearchExpr::In { field, values } => {
                let values: Vec<_> = values.iter().map(|value| literal(&value.value)).collect();
                format!("(in {} {})", field.value, values.join(" "))
            }
            SearchExpr::Term { text, form } => format!("{form:?}:{}", text.value),
            SearchExpr::Time { bound, modifier } => {
                format!("(time {} {})", bound.value, modifier.value)
            }
            SearchExpr::Subsearch { value_of, pipeline } => match value_of {
                None => format!("[{}]", pipeline.commands.len()),
                Some(Compared { field, op }) => {
                    format!("({op:?} {} [{}])", field.value, pipeline.commands.len())
                }
            },
        }
    }

    fn check(text: &str, expected: &str) {
        match parse_search(text) {
            Ok(expr) => assert_eq!(shape(&expr), expected, "{text}"),
            Err(diagnostic) => panic!("{text}: {diagnostic:?}"),
        }
    }

    #[test]
    fn or_binds_tighter_than_and() {
        check("a=1 OR b=2 c=3", "(and (or (Eq a 1) (Eq b 2)) (Eq c 3))");
        check("a AND b OR NOT c d", "(and Word:a (or Word:b (not Word:c)) Word:d)");
        check("NOT (a OR b)", "(not (or Word:a Word:b))");
        check("NOT NOT a", "(not (not Word:a))");
        check("a or b and not c", "(and Word:a Word:or Word:b Word:and Word:not Word:c)");
        check("\"OR\" ORACLE NOTE", "(and Phrase:OR Word:ORACLE Word:NOTE)");
        check("", "all");
        check("*", "all");
        check("NOT ()", "(not all)");
    }

    #[test]
    fn comparisons() {
        check("a = \"x y\"", "(Eq a \"x y\")");
        check("a= b c =d e==f", "(and (Eq a b) (Eq c d) (Eq e f))");
        check("a!=1 b<=2 c>=3 d<4 e>5", "(and (Ne a 1) (Le b 2) (Ge c 3) (Lt d 4) (Gt e 5))");
        check("\"a.b\"=x \"c d\" = \"\"", "(and (Eq a.b x) (Eq c d \"\"))");
        check("a{}.b{}=* k/x:y-z@w#1=v", "(and (Eq a{}.b{} *) (Eq k/x:y-z@w#1 v))");
        check("sourcetype=aws:cloudtrail x=a=b", "(and (Eq sourcetype aws:cloudtrail) (Eq x a=b))");
        check("u=*\"a b\"* v=CASE(Root)", "(and (Eq u *a b*) (Eq v case:Root))");
        check("v=CASE(\"Root x\")", "(Eq v case:Root x)");
        check("in=5 not=6 host::web*", "(and (Eq in 5) (Eq not 6) (Eq host web*))");
    }

    #[test]
    fn lists() {
        check("a IN (1, \"b c\",d*)", "(in a 1 \"b c\" d*)");
        check("NOT \"a.b\" IN(x,) y", "(and (not (in a.b x)) Word:y)");
        check("a in (1,2)", "(in a 1 2)");
        check("a IN b", "(and Word:a Word:IN Word:b)");
        check("c IN (CASE(X), y)", "(in c case:X y)");
        check("a IN (,\"x\") b", "(and (in a \"x\") Word:b)");
        check("a IN (\"x\",,\"y\",)", "(in a \"x\" \"y\")");
        check("a IN (\"x\" \"y\" 1 2,3)", "(in a \"x\" \"y\" 1 2 3)");
    }

    #[test]
    fn terms_and_directives() {
        check("avg(a)>5 count(x.y) = 1", "(and (Gt avg(a) 5) (Eq count(x.y) 1))");
        check("TERM(10.0.0.1) CASE(Error)", "(and Term:10.0.0.1 Case:Error)");
        check("fail* \"two words\" a-b/c", "(and Word:fail* Phrase:two words Word:a-b/c)");
        check(r#""say \"hi\" \\ \| \d" a\|b"#, r#"(and Phrase:say "hi" \ | \d Word:a|b)"#);
        check("\"a | b\"", "Phrase:a | b");
        check("TERM", "Word:TERM");
        check("a=1, b=2 , c", "(and (Eq a 1) (Eq b 2) Word:c)");
    }

    #[test]
    fn times() {
        check(
            "earliest=-1h@h latest=now() x",
            "(and (time earliest -1h@h) (time latest now()) Word:x)",
        );
        check("Earliest = \"10/19/2026:00:00:00\"", "(time earliest 10/19/2026:00:00:00)");
        check("starthoursago=168 latest>5", "(and (time starthoursago 168) (Gt latest 5))");
    }

    #[test]
    fn subsearches_stay_pipelines() {
        check("a [search b | fields c] d", "(and Word:a [2] Word:d)");
        check("NOT [| inputlookup x.csv]", "(not [1])");
        check("x=\"[\" [ tstats count | rename a as b]", "(and (Eq x \"[\") [2])");
        check("a=[search b | return $a] c", "(and (Eq a [2]) Word:c)");
        check(
            "NOT \"x y\" != [| return $a] Latest=[| b]",
            "(and (not (Ne x y [1])) (Eq Latest [1]))",
        );
    }

    #[test]
    fn errors_show_the_place() {
        let cases = [
            ("a=", "expected a value to compare `a` with, found the end", 2, 2),
            ("a= )", "expected a value to compare `a` with, found `)`", 3, 4),
            ("a OR", "expected a search term, found the end", 4, 4),
            ("OR a", "expected a search term, found `OR`", 0, 2),
            ("a AND OR b", "expected a search term, found `OR`", 6, 8),
            ("=5", "expected a search term, found `=`", 0, 1),
            ("(a b", "`(` is never closed", 0, 1),
            ("a) b", "expected a search term, AND, OR or the end, found `)`", 1, 2),
            ("a=1,2", "expected a search term, AND, OR or the end, found `,`", 3, 4),
            ("a IN (1 ])", "expected a value, `,` or `)`, found `]`", 8, 9),
            ("a IN (,)", "expected a value, found `)`", 7, 8),
            ("a IN (1", "`(` is never closed", 5, 6),
            ("a IN ()", "expected a value, found `)`", 6, 7),
            ("TERM()", "expected a term, found `()`", 0, 6),
            ("a=[search b", "`[` is never closed", 2, 3),
            ("a IN ([search b])", "a subsearch in a list of `IN` is not supported", 6, 7),
            ("a IN (1, [search b])", "a subsearch in a list of `IN` is not supported", 9, 10),
            ("a IN [search b]", "a subsearch in a list of `IN` is not supported", 5, 6),
            ("a=x[search b]", "a subsearch in a part of a value is not supported", 3, 4),
            ("a=[search b]*", "a subsearch in a part of a value is not supported", 12, 13),
            ("a=\"b", "quote is never closed", 2, 3),
        ];
        for (text, expected, start, end) in cases {
            let diagnostic = parse_search(text).unwrap_err();
            let place = diagnostic.span().unwrap();
            assert_eq!(
                (diagnostic.message.as_str(), place),
                (expected, Span::new(start, end)),
                "{text}"
            );
        }
    }

    #[test]
    fn depth_is_limited_and_breadth_is_not() {
        for deep in ["(".repeat(100_000), "NOT ".repeat(100_000), "[".repeat(100_000)] {
            assert!(parse_search(&deep).is_err());
        }
        assert!(parse_search(&vec!["a=1"; 5000].join(" OR ")).is_ok());
    }

    #[test]
    fn a_keyword_ends_the_expression() {
        let mut cursor = Cursor::new("a=1 (b by c) groupby BY d", 10);
        let expr = expression(&mut cursor, &["by"]).unwrap();
        assert_eq!(shape(&expr), "(and (Eq a 1) (and Word:b Word:by Word:c) Word:groupby)");
        assert_eq!(cursor.position(), 31);
    }
}
