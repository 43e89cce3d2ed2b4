//! `regex`: keeps the rows whose field matches a regular expression, or does not match it.

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_eval::regex::Regex;
use spilltrail_event::fields::RAW;
use spilltrail_spl::{Arguments, EvalExpr, EvalNode, UnaryOp};

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::planning::eval;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "regex",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Keep the rows whose field matches a regular expression, or with `!=` the rows whose field does not.",
    syntax: "regex [<field>=|<field>!=]\"<regular expression>\"",
    arguments: &[
        Argument::positional("field", Takes::Field)
            .default("_raw")
            .doc("The field to test, before `=` or `!=`."),
        Argument::positional("regular expression", Takes::Regex)
            .doc("The expression that the field must match, or with `!=` must not match."),
    ],
    examples: &[
        Example {
            title: "Addresses in one network",
            events: "{\"ip\":\"192.0.2.7\"}\n{\"ip\":\"198.51.100.7\"}",
            search: r#"| regex ip="^192\.0\.2\.""#,
            results: r#"{"ip":"192.0.2.7"}"#,
        },
        Example {
            title: "All other addresses, and rows without the field",
            events: "{\"ip\":\"192.0.2.7\"}\n{\"n\":\"1\"}",
            search: r#"| regex ip != "^192\.""#,
            results: r#"{"n":"1"}"#,
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct KeepMatching {
    field: Spanned<String>,
    pattern: Spanned<String>,
    negated: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let whole = arguments.span();
    let (field, negated) = if let Some(pattern) = arguments.quoted() {
        arguments.finish()?;
        let field = Spanned::new(RAW.to_owned(), pattern.span);
        return command(field, pattern, false);
    } else {
        let field = arguments.one_field()?;
        let negated = arguments.symbol("!=").is_some();
        if !negated && arguments.symbol("=").is_none() {
            let message = format!("expected `=` or `!=` after `{}`", field.value);
            return Err(Diagnostic::error(Code::EXPECTED, message)
                .at(field.span)
                .help("for example `regex user=\"^svc-\"`"));
        }
        (field, negated)
    };
    let pattern = match arguments.quoted() {
        Some(pattern) => pattern,
        None => {
            let rest = arguments.rest();
            Spanned::new(rest.value.to_owned(), rest.span)
        }
    };
    arguments.finish()?;
    if pattern.value.is_empty() {
        return Err(
            Diagnostic::error(Code::MISSING_ARGUMENT, "expected a regular expression").at(whole)
        );
    }
    command(field, pattern, negated)
}

fn command(
    field: Spanned<String>,
    pattern: Spanned<String>,
    negated: bool,
) -> Result<Box<dyn Command>, Diagnostic> {
    Regex::compile(&pattern.value, pattern.span)?;
    Ok(Box::new(KeepMatching { field, pattern, negated }))
}

#[async_trait]
impl Command for KeepMatching {
    fn needs(&self, after: Needs) -> Needs {
        after.and([&self.field.value])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let condition = eval::condition(&self.condition(), &input, stage.context)?;
        input.filter(condition).map_err(|error| stage.refused(error))
    }
}

impl KeepMatching {
    /// Returns the condition as an eval expression: `match(field, pattern)`, or if negated
    /// `NOT coalesce(match(field, pattern), false())`, which keeps rows that lack the field.
    fn condition(&self) -> EvalExpr {
        let span = self.pattern.span;
        let expr = |node| EvalExpr { node, span };
        let call = |name: &str, arguments| {
            expr(EvalNode::Call { name: Spanned::new(name.to_owned(), span), arguments })
        };
        let field =
            EvalExpr { node: EvalNode::Field(self.field.value.clone()), span: self.field.span };
        let matches = call("match", vec![field, expr(EvalNode::Text(self.pattern.value.clone()))]);
        if !self.negated {
            return matches;
        }
        let matches = call("coalesce", vec![matches, call("false", Vec::new())]);
        expr(EvalNode::Unary(UnaryOp::Not, Box::new(matches)))
    }
}
