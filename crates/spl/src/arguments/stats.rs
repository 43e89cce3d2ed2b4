//! Parses the arguments shared by `stats`, `eventstats`, `streamstats`, `chart`, `timechart` and
//! `tstats`: aggregates with their names, and BY fields.

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};

use super::options::keyword_ahead;
use super::{Arguments, eval, names};
use crate::cursor::{Cursor, is_word, unclosed_bracket};
use crate::{Aggregate, AggregateArgument, EvalExpr, StatsArguments};

const AGGREGATE: &str = "a statistics function such as `count` or `sum(field)`";

const EXPRESSION_HELP: &str =
    "an expression in a statistics function is written `sum(eval(…))`, with a name after AS";

impl Arguments<'_> {
    /// Takes aggregates and, after `BY`, fields; the caller takes options before and after them.
    ///
    /// # Errors
    /// Fails if an aggregate is missing or malformed, or if no field follows `BY`.
    pub fn stats(&mut self) -> Result<StatsArguments, Diagnostic> {
        let aggregates = self.aggregates_until(&["by"])?;
        let by = match self.keyword("by") {
            Some(_) => self.fields()?,
            None => Vec::new(),
        };
        Ok(StatsArguments { aggregates, by })
    }

    /// Takes aggregates separated by blanks or commas, up to the end or a keyword in `stop` (any
    /// case).
    ///
    /// # Errors
    /// Fails if an aggregate is missing or malformed.
    pub fn aggregates_until(&mut self, stop: &[&str]) -> Result<Vec<Aggregate>, Diagnostic> {
        self.expected = "a statistics function, AS, BY or the end of the command";
        let mut aggregates = Vec::new();
        loop {
            while self.cursor.eat(",").is_some() {}
            let ended = self.cursor.at_end()
                || stop.iter().any(|word| keyword_ahead(&mut self.cursor, word))
                || self.clone().any_option().is_some();
            if ended {
                break;
            }
            aggregates.push(aggregate(&mut self.cursor)?);
        }
        if aggregates.is_empty() { Err(self.cursor.expected(AGGREGATE)) } else { Ok(aggregates) }
    }

    /// Takes one aggregate.
    ///
    /// # Errors
    /// Fails if it is missing or malformed.
    pub fn aggregate(&mut self) -> Result<Aggregate, Diagnostic> {
        self.expected = "a statistics function, AS, BY or the end of the command";
        self.cursor.skip_blanks();
        aggregate(&mut self.cursor)
    }

    /// Takes `eval(<expression>)` with an optional name after AS, if it comes next; returns the
    /// expression and the name. The expression has aggregates as its operands.
    ///
    /// # Errors
    /// Fails if the expression is malformed or not closed.
    pub fn evaluated(&mut self) -> Option<Result<(EvalExpr, Spanned<String>), Diagnostic>> {
        self.cursor.skip_blanks();
        let mut ahead = self.cursor.clone();
        if !ahead.word_ahead().eq_ignore_ascii_case("eval") {
            return None;
        }
        let (text, start) = (self.cursor.rest(), self.cursor.position());
        ahead.advance("eval".len());
        let open = ahead.eat("(")?;
        self.cursor = ahead;
        self.expected = "a statistics function, AS, BY or the end of the command";
        let read = |cursor: &mut Cursor<'_>| {
            let expr = eval::expression(cursor)?;
            let end = close(cursor, open)?.end;
            let written = text[..end - start].to_owned();
            let output = if keyword_ahead(cursor, "as") {
                cursor.advance("as".len());
                names::field(cursor)?
            } else {
                Spanned::new(written, Span::new(start, end))
            };
            Ok((expr, output))
        };
        Some(read(&mut self.cursor))
    }
}

fn aggregate(cursor: &mut Cursor<'_>) -> Result<Aggregate, Diagnostic> {
    let written = cursor.take_while(|c| is_word(c) || c == '.');
    let is_keyword = ["as", "by"].iter().any(|word| written.value.eq_ignore_ascii_case(word));
    if is_keyword || !written.value.starts_with(|c: char| c.is_alphabetic()) {
        *cursor = cursor.rewound(written.value.len());
        return Err(cursor.expected(AGGREGATE));
    }
    let mut end = written.span.end;
    let mut argument = None;
    let mut rest = Vec::new();
    let mut name = written.value.to_owned();
    if let Some(open) = cursor.clone().eat("(") {
        cursor.eat("(");
        if cursor.clone().eat(")").is_none() {
            let (first, shown) = first_argument(cursor, open)?;
            argument = Some(first);
            while cursor.eat(",").is_some() {
                rest.push(names::field(cursor)?);
            }
            name = default_name(written.value, &shown, &rest);
        }
        end = close(cursor, open)?.end;
    }
    let as_written = Spanned::new(name, Span::new(written.span.start, end));
    let renamed = keyword_ahead(cursor, "as");
    let output = if renamed {
        cursor.advance("as".len());
        names::field(cursor)?
    } else {
        as_written
    };
    let function = Spanned::new(written.value.to_ascii_lowercase(), written.span);
    Ok(Aggregate { function, argument, rest, output, renamed })
}

/// Takes the argument of an aggregate; returns it and its text in the default output name.
fn first_argument(
    cursor: &mut Cursor<'_>,
    open: Span,
) -> Result<(AggregateArgument, String), Diagnostic> {
    cursor.skip_blanks();
    if cursor.at_end() {
        return Err(unclosed_bracket('(', open));
    }
    let mut ahead = cursor.clone();
    if ahead.word_ahead().eq_ignore_ascii_case("eval") {
        ahead.advance("eval".len());
        if let Some(inner_open) = ahead.eat("(") {
            let text = cursor.rest();
            let start = cursor.position();
            *cursor = ahead;
            let expr = eval::expression(cursor)?;
            let end = close(cursor, inner_open)?.end;
            let shown = text[..end - start].to_owned();
            return Ok((AggregateArgument::Eval(expr), shown));
        }
    }
    let bare = !matches!(cursor.peek(), Some('"' | '\''));
    let field = names::field(cursor)?;
    if bare && let Some(plus) = field.value.find('+') {
        let place = Span::new(field.span.start + plus, field.span.start + plus + 1);
        return Err(Diagnostic::error(Code::EXPECTED, "expected `)`, found `+`")
            .label(place, "expected `)`")
            .label(open, "to close this")
            .help(EXPRESSION_HELP));
    }
    let shown = field.value.clone();
    Ok((AggregateArgument::Field(field), shown))
}

fn default_name(function: &str, argument: &str, rest: &[Spanned<String>]) -> String {
    let mut name = format!("{function}({argument}");
    for further in rest {
        name.push(',');
        name.push_str(&further.value);
    }
    name.push(')');
    name
}

/// Takes the `)` that closes the `(` at `open`.
fn close(cursor: &mut Cursor<'_>, open: Span) -> Result<Span, Diagnostic> {
    if let Some(span) = cursor.eat(")") {
        return Ok(span);
    }
    if cursor.at_end() {
        return Err(unclosed_bracket('(', open));
    }
    let diagnostic = cursor.expected("`)`").label(open, "to close this");
    Err(match cursor.peek() {
        Some('=' | '<' | '>' | '!' | '+' | '*' | '/' | '(') => diagnostic.help(EXPRESSION_HELP),
        _ => diagnostic.help("a field's name that holds blanks needs double quotes"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Command, EvalNode};

    fn command(text: &str) -> Command {
        let (pipeline, diagnostics) = crate::parse(&format!("| stats {text}"));
        assert_eq!(diagnostics, []);
        pipeline.commands.into_iter().next().unwrap()
    }

    fn shape(stats: &StatsArguments) -> String {
        let mut text: Vec<String> = stats
            .aggregates
            .iter()
            .map(|aggregate| {
                let argument = match &aggregate.argument {
                    None => String::new(),
                    Some(AggregateArgument::Field(field)) => format!(" {}", field.value),
                    Some(AggregateArgument::Eval(expr)) => match &expr.node {
                        EvalNode::Binary(op, ..) => format!(" eval:{op:?}"),
                        EvalNode::Call { name, .. } => format!(" eval:{}", name.value),
                        other => format!(" eval:{other:?}"),
                    },
                };
                let rest: String =
                    aggregate.rest.iter().map(|rest| format!(" {}", rest.value)).collect();
                let sign = if aggregate.renamed { "=>" } else { "->" };
                format!(
                    "({}{argument}{rest} {sign} {})",
                    aggregate.function.value, aggregate.output.value
                )
            })
            .collect();
        let by: Vec<_> = stats.by.iter().map(|field| field.value.as_str()).collect();
        if !by.is_empty() {
            text.push(format!("by {}", by.join(" ")));
        }
        text.join(" ")
    }

    fn check(text: &str, expected: &str) {
        let command = command(text);
        let mut arguments = Arguments::new(&command);
        match arguments.stats().and_then(|stats| arguments.finish().map(|()| stats)) {
            Ok(stats) => assert_eq!(shape(&stats), expected, "{text}"),
            Err(diagnostic) => panic!("{text}: {diagnostic:?}"),
        }
    }

    #[test]
    fn aggregates_have_names() {
        check("count", "(count -> count)");
        check("Count AS n BY host", "(count => n) by host");
        check("c(x), SUM(y)", "(c x -> c(x)) (sum y -> SUM(y))");
        check(
            "dc(\"a.b\") p50('two words')",
            "(dc a.b -> dc(a.b)) (p50 two words -> p50(two words))",
        );
        check(
            "perc99.9( x ) p95(x) as \"high x\"",
            "(perc99.9 x -> perc99.9(x)) (p95 x => high x)",
        );
        check("values(a.*) as * list(*)", "(values a.* => *) (list * -> list(*))");
        check("values(a{}.b{}) as a{}.b{}", "(values a{}.b{} => a{}.b{})");
        check(
            "sparkline, sparkline(count,1h)",
            "(sparkline -> sparkline) (sparkline count 1h -> sparkline(count,1h))",
        );
        check("sparkline(avg(x), 30m) as s", "(sparkline avg(x) 30m => s)");
        check("count() count (x)", "(count -> count) (count x -> count(x))");
        check("sum(x)as y,avg(z)", "(sum x => y) (avg z -> avg(z))");
        check("max(as) min(by) as by_min", "(max as -> max(as)) (min by => by_min)");
    }

    #[test]
    fn expressions_keep_their_text_as_name() {
        check("count(eval(a=1 OR b=\"x)\")) as n by c", "(count eval:Or => n) by c");
        check("sum(eval(a*2))", "(sum eval:Multiply -> sum(eval(a*2)))");
        check("count(EVAL(match(a,\"b\")))", "(count eval:match -> count(EVAL(match(a,\"b\"))))");
    }

    #[test]
    fn by_fields_are_separated_by_blanks_or_commas() {
        check("count by a,b c , \"d e\" f-g/h", "(count -> count) by a b c d e f-g/h");
        check("count max(x) BY _time, a.b{}", "(count -> count) (max x -> max(x)) by _time a.b{}");
    }

    #[test]
    fn expressions_of_aggregates_have_names() {
        for (text, expected) in [
            ("eval(avg(a)/max(b)) AS ratio by c", Some("ratio")),
            ("EVAL( count * 2 ), sum(x)", Some("EVAL( count * 2 )")),
            ("evaluate(x)", None),
            ("eval", None),
        ] {
            let command = command(text);
            let found = Arguments::new(&command).evaluated();
            let name = found.map(|found| found.map(|(_, name)| name.value));
            assert_eq!(name, expected.map(|name| Ok(name.to_owned())), "{text}");
        }
        for text in ["eval(1+)", "eval(avg(x)"] {
            let command = command(text);
            assert!(Arguments::new(&command).evaluated().unwrap().is_err(), "{text}");
        }
    }

    #[test]
    fn options_are_left_to_the_caller() {
        let command = command("count by a dedup_splitvals=t");
        let mut arguments = Arguments::new(&command);
        assert_eq!(
            arguments.stats().map(|stats| shape(&stats)),
            Ok("(count -> count) by a".to_owned())
        );
        assert_eq!(
            arguments.option("dedup_splitvals").map(|value| value.value),
            Some("t".to_owned())
        );
        assert_eq!(arguments.finish(), Ok(()));
    }

    #[test]
    fn errors_show_the_place() {
        // Offsets count from the pipe; the arguments begin at byte 8.
        let cases = [
            (
                "by a",
                "expected a statistics function such as `count` or `sum(field)`, found `by`",
                8,
                10,
            ),
            ("count by", "expected a field, found the end", 16, 16),
            ("sum(", "`(` is never closed", 11, 12),
            ("sum(x", "`(` is never closed", 11, 12),
            ("sum(x y)", "expected `)`, found `y`", 14, 15),
            ("count(a=1)", "expected `)`, found `=`", 15, 16),
            ("count(eval(a=1)", "`(` is never closed", 13, 14),
            (
                "count as by_x as",
                "expected a statistics function such as `count` or `sum(field)`, found `as`",
                22,
                24,
            ),
            ("count as", "expected a field, found the end", 16, 16),
            (
                "5(x)",
                "expected a statistics function such as `count` or `sum(field)`, found `5`",
                8,
                9,
            ),
        ];
        for (text, expected, start, end) in cases {
            let command = command(text);
            let mut arguments = Arguments::new(&command);
            let result = arguments.stats().and_then(|_| arguments.finish());
            let Err(diagnostic) = result else { panic!("{text}") };
            let found = (diagnostic.message.as_str(), diagnostic.span().unwrap_or_default());
            assert_eq!(found, (expected, Span::new(start, end)), "{text}");
        }
    }
}
