//! `head`: keeps the first rows.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::{Arguments, EvalExpr};

use self::operator::While;
use super::subsearch;
use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options};
use crate::planning::eval;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "head",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Keeps the first rows: a number of them, or as long as a condition holds.",
    syntax: "head [<count>] [limit=<int>] [(<condition>)] [null=<bool>] [keeplast=<bool>]",
    arguments: &[
        ("limit", "How many rows to keep. Default 10."),
        ("null", "With a condition: whether null counts as true. Default false."),
        ("keeplast", "With a condition: whether the row that ends it is kept. Default false."),
    ],
    examples: &[
        Example {
            title: "The first two",
            events: "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"3\"}",
            search: "| head 2",
            results: "{\"n\":\"1\"}\n{\"n\":\"2\"}",
        },
        Example {
            title: "As long as a condition holds",
            events: "{\"n\":\"1\"}\n{\"n\":\"5\"}\n{\"n\":\"2\"}",
            search: "| head (n<3)",
            results: "{\"n\":\"1\"}",
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Head {
    limit: Option<usize>,
    condition: Option<EvalExpr>,
    null_is_true: bool,
    keep_last: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut head = Head { limit: None, condition: None, null_is_true: false, keep_last: false };
    while !arguments.is_empty() {
        if let Some(value) = arguments.option("limit") {
            head.limit = Some(options::count(&value)?);
        } else if let Some(value) = arguments.option("null") {
            head.null_is_true = options::boolean(&value)?;
        } else if let Some(value) = arguments.option("keeplast") {
            head.keep_last = options::boolean(&value)?;
        } else if let Some(number) = arguments.integer() {
            let count = usize::try_from(number.value).map_err(|_| {
                Diagnostic::error(Code::BAD_ARGUMENT, "expected a number that is not negative")
                    .at(number.span)
            })?;
            head.limit = Some(count);
        } else if head.condition.is_none() {
            head.condition = Some(arguments.eval()?);
        } else {
            arguments.finish()?;
        }
    }
    Ok(Box::new(head))
}

#[async_trait]
impl Command for Head {
    fn needs(&self, after: Needs) -> Needs {
        let needs = Needs { order: true, ..after };
        match &self.condition {
            Some(condition) => needs.and(eval::field_names(condition)),
            None => needs,
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        const CONDITION: &str = "\u{1}head";
        let refused = |error| stage.refused(error);
        let mut plan = stage.input(input)?;
        if let Some(condition) = &self.condition {
            let condition = subsearch::splice(condition, stage.context).await?;
            let condition = eval::condition(&condition, &plan, stage.context)?;
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
        match (self.limit, &self.condition) {
            (None, Some(_)) => Ok(plan),
            (limit, _) => plan.limit(limit.unwrap_or(10)).map_err(refused),
        }
    }
}
