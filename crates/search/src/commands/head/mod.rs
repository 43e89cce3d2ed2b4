//! `head`: keeps the first rows.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::{Arguments, EvalExpr};

use self::operator::While;
use super::subsearch;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::operators::Codec;
use crate::planning::eval;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "head",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Keep the first rows: a number of them, or as long as a condition is true.",
    syntax: "head [<count>] [limit=<int>] [(<condition>)] [null=<bool>] [keeplast=<bool>]",
    arguments: &[
        Argument::positional("count", Takes::Count)
            .doc("The number of rows to keep; short for `limit=`."),
        Argument::option("limit", Takes::Count).default("10").doc("The number of rows to keep."),
        Argument::positional("condition", Takes::Condition)
            .doc("Keep rows as long as this is true; without a number, all of them."),
        Argument::option("null", Takes::Bool)
            .default("false")
            .doc("With a condition: whether null counts as true."),
        Argument::option("keeplast", Takes::Bool)
            .default("false")
            .doc("With a condition: whether to keep the row that ends it."),
    ],
    examples: &[
        Example {
            title: "The first two",
            events: "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"3\"}",
            search: "| head 2",
            results: "{\"n\":\"1\"}\n{\"n\":\"2\"}",
        },
        Example {
            title: "As long as a condition is true",
            events: "{\"n\":\"1\"}\n{\"n\":\"5\"}\n{\"n\":\"2\"}",
            search: "| head (n<3)",
            results: "{\"n\":\"1\"}",
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<operator::While>("while");

#[derive(Debug)]
struct Head {
    /// The maximum number of rows to keep; `None` keeps all rows until the condition fails.
    limit: Option<usize>,
    condition: Option<EvalExpr>,
    null_is_true: bool,
    keep_last: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let (mut count, mut condition) = (None, None);
    while arguments.more() {
        if count.is_none()
            && let Some(number) = arguments.count()
        {
            count = Some(number.value);
        } else if condition.is_none() && arguments.clone().symbol("(").is_some() {
            condition = Some(arguments.eval()?);
        } else {
            return Err(unexpected(arguments));
        }
    }
    if condition.is_none() {
        for name in ["null", "keeplast"] {
            arguments.without_effect(name, "there is no condition, as in `head (n<3)`");
        }
    }
    if count.is_some() {
        arguments.without_effect("limit", "the number of rows is given without a name too");
    }
    let limit = count.or(arguments.given("limit").map(|limit| limit.value));
    Ok(Box::new(Head {
        limit: limit.or_else(|| condition.is_none().then(|| arguments.value("limit"))),
        condition,
        null_is_true: arguments.value("null"),
        keep_last: arguments.value("keeplast"),
    }))
}

fn unexpected(arguments: &mut Arguments<'_>) -> Diagnostic {
    let rest = arguments.rest();
    let message =
        format!("expected a number or a condition in parentheses, found `{}`", rest.value);
    Diagnostic::error(Code::EXPECTED, message)
        .at(rest.span)
        .help("for example `head 5`, or `head (n<3)` for the rows up to the first that is greater")
}

#[async_trait]
impl Command for Head {
    fn parts(&self) -> Parts<'_> {
        Parts { conditions: self.condition.iter().collect(), ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        let needs = Needs { order: true, ..after };
        match &self.condition {
            Some(condition) => needs.and(eval::field_names(condition)),
            None => needs,
        }
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        const CONDITION: &str = "\u{1}head";
        let refused = |error| stage.refused(error);
        let mut plan = stage.input(input)?;
        if let Some(condition) = &self.condition {
            let condition =
                subsearch::splice(condition, subsearch::Spliced::Condition, stage.context).await?;
            let condition = eval::condition(&condition, &plan, stage.context)?;
            // The operator reads 1 or 0 from an extra column, which the plan removes afterward.
            let holds = datafusion::logical_expr::when(
                condition.clone().is_null(),
                datafusion::logical_expr::lit(if self.null_is_true { 1.0 } else { 0.0 }),
            )
            .when(condition, datafusion::logical_expr::lit(1.0))
            .otherwise(datafusion::logical_expr::lit(0.0))
            .map_err(refused)?;
            let names = plan.names();
            plan = plan
                .with_columns(vec![(CONDITION.to_owned(), holds, spilltrail_event::Kind::Number)])
                .map_err(refused)?
                .operator(Arc::new(While {
                    column: CONDITION.to_owned(),
                    keep_last: self.keep_last,
                }))
                .select(&names)
                .map_err(refused)?;
        }
        match self.limit {
            None => Ok(plan),
            Some(limit) => plan.limit(limit).map_err(refused),
        }
    }
}
