//! `outlier`: removes or truncates numbers far outside the quartiles.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_spl::Arguments;

use self::operator::{OutlierAction, Outliers};
use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options, table};
use crate::planning::plan::{Needs, Plan};

/// Distances of the quartiles that a number may be outside (Search Reference, `outlier`).
const DEFAULT_FACTOR: f64 = 2.5;

static DOC: CommandDoc = CommandDoc {
    name: "outlier",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Truncates numbers far above the third quartile to the fence, or removes their rows.",
    syntax: "outlier [type=iqr] [action=tf|rm] [param=<num>] [uselower=<bool>] [mark=<bool>] [<field> …]",
    arguments: &[
        ("type", "Only `iqr`."),
        (
            "action",
            "`tf` or `transform` truncates, `rm` or `remove` removes the row. Default `tf`.",
        ),
        ("param", "How many distances of the quartiles outside. Default 2.5."),
        ("uselower", "If true, numbers far below the first quartile count too. Default false."),
        ("mark", "If true, truncated numbers begin with `000`. Default false."),
        ("field", "The fields. Default: all that are not internal."),
    ],
    examples: &[
        Example {
            title: "Truncate to the fence",
            events: r#"{"n":"1"}
{"n":"2"}
{"n":"3"}
{"n":"4"}
{"n":"90"}"#,
            search: "| outlier n",
            results: r#"{"n":"1"}
{"n":"2"}
{"n":"3"}
{"n":"4"}
{"n":"9"}"#,
        },
        Example {
            title: "Remove the rows",
            events: r#"{"n":"1"}
{"n":"2"}
{"n":"3"}
{"n":"4"}
{"n":"90"}"#,
            search: "| outlier action=remove n | stats count",
            results: r#"{"count":4}"#,
        },
    ],
    differs: &["Values that are no numbers are left alone; multivalues too."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

/// `outlier` as it is written; `anomalydetection method=iqr` is the same.
#[derive(Debug)]
pub(super) struct Outlier {
    fields: Vec<String>,
    factor: f64,
    use_lower: bool,
    is_marked: bool,
    is_removing: bool,
}

impl Outlier {
    /// Returns the command over these fields, all options at their defaults.
    pub(super) fn of(fields: Vec<String>) -> Self {
        Self {
            fields,
            factor: DEFAULT_FACTOR,
            use_lower: false,
            is_marked: false,
            is_removing: false,
        }
    }

    /// Takes an option; returns false if `outlier` has none of this name.
    pub(super) fn option(
        &mut self,
        name: &Spanned<String>,
        value: &Spanned<String>,
    ) -> Result<bool, Diagnostic> {
        match name.value.to_ascii_lowercase().as_str() {
            "param" => self.factor = options::number(value)?,
            "uselower" => self.use_lower = options::boolean(value)?,
            "mark" => self.is_marked = options::boolean(value)?,
            "action" => {
                self.is_removing = match value.value.to_ascii_lowercase().as_str() {
                    "rm" | "remove" => true,
                    "tf" | "transform" => false,
                    other => {
                        let message = format!("expected `transform` or `remove`, found `{other}`");
                        return Err(Diagnostic::error(Code::BAD_OPTION, message).at(value.span));
                    }
                };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut outlier = Outlier::of(Vec::new());
    while !arguments.is_empty() {
        if let Some((name, value)) = arguments.any_option() {
            if name.value.eq_ignore_ascii_case("type") {
                if !value.value.eq_ignore_ascii_case("iqr") {
                    let message = format!("expected `iqr`, found `{}`", value.value);
                    return Err(Diagnostic::error(Code::BAD_OPTION, message).at(value.span));
                }
            } else if !outlier.option(&name, &value)? {
                return Err(options::unknown("outlier", &name));
            }
        } else {
            outlier.fields.extend(arguments.fields()?.into_iter().map(|field| field.value));
        }
    }
    Ok(Box::new(outlier))
}

#[async_trait]
impl Command for Outlier {
    fn needs(&self, after: Needs) -> Needs {
        // Without a list, a row with an outlier anywhere is removed, whatever is looked at later.
        if self.fields.is_empty() { after.and(["*"]) } else { after.and(&self.fields) }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let columns = if self.fields.is_empty() {
            input.covered("*")
        } else {
            let mut columns = table::spread(&input, &self.fields);
            columns.retain(|name| input.kind(name).is_some());
            columns
        };
        Ok(input.operator(Arc::new(Outliers {
            columns,
            factor: self.factor,
            use_lower: self.use_lower,
            action: if self.is_removing {
                OutlierAction::Remove
            } else {
                OutlierAction::Truncate { is_marked: self.is_marked }
            },
        })))
    }
}
