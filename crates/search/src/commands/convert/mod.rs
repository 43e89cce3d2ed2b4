//! `convert`: turns the values of fields into numbers, or times into text.

mod functions;
mod operator;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Span, similar};
use spilltrail_spl::Arguments;

use self::functions::{Conversion, TimeFormat};
use self::operator::ConvertColumns;
use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options};
use crate::context::SearchContext;
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::mapped::{ValueFunction, mapped};

/// How times are written if `timeformat` is not given (Search Reference, `convert`).
const DEFAULT_FORMAT: &str = "%m/%d/%Y %H:%M:%S";

/// The functions, sorted.
const FUNCTIONS: [&str; 10] =
    ["auto", "ctime", "dur2sec", "memk", "mktime", "mstime", "none", "num", "rmcomma", "rmunit"];

static DOC: CommandDoc = CommandDoc {
    name: "convert",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Turns the values of fields into numbers, or times into text.",
    syntax: "convert [timeformat=<text>] <function>(<field>) [AS <name>] …",
    arguments: &[
        ("timeformat", "How `ctime` and `mktime` write times. Default `%m/%d/%Y %H:%M:%S`."),
        ("auto(f)", "Numbers by the first conversion that fits all values; else nothing changes."),
        ("ctime(f)", "Epoch seconds to text."),
        ("dur2sec(f)", "`[D+]HH:MM:SS` to seconds."),
        ("memk(f)", "A number with `k`, `m` or `g` to kilobytes."),
        ("mktime(f)", "Text to epoch seconds."),
        ("mstime(f)", "`[MM:]SS.SSS` to seconds."),
        ("none(f)", "Excludes fields from the wildcards of the others."),
        ("num(f)", "As `auto`, value by value; what is no number is removed."),
        ("rmcomma(f)", "Removes commas."),
        ("rmunit(f)", "Keeps the number at the beginning."),
    ],
    examples: &[
        Example {
            title: "A time for people to read",
            events: r#"{"firstTime":"1700000000","n":"3"}"#,
            search: r#"| convert timeformat="%Y-%m-%d %H:%M" ctime(firstTime)"#,
            results: r#"{"firstTime":"2023-11-14 22:13","n":"3"}"#,
        },
        Example {
            title: "Several functions; AS keeps the original",
            events: r#"{"took":"00:02:05","size":"1,024 kB"}"#,
            search: "| convert dur2sec(took) AS seconds, rmcomma(size)",
            results: r#"{"took":"00:02:05","size":"1024 kB","seconds":"125"}"#,
        },
    ],
    differs: &[
        "`auto` and `num` try plain numbers, `dur2sec`, `mstime`, `memk` and `rmcomma`, in this order.",
        "A value that a function other than `num` does not fit stays as it is.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Convert {
    format: String,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    function: String,
    field: String,
    output: Option<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut convert = Convert { format: DEFAULT_FORMAT.to_owned(), calls: Vec::new() };
    while !arguments.is_empty() {
        if let Some((name, value)) = arguments.any_option() {
            if !name.value.eq_ignore_ascii_case("timeformat") {
                return Err(options::unknown("convert", &name));
            }
            convert.format = value.value;
        } else {
            convert.calls.push(call(arguments)?);
            arguments.symbol(",");
        }
    }
    if convert.calls.is_empty() {
        return Err(Diagnostic::error(Code::SYNTAX, "expected a conversion")
            .at(arguments.span())
            .help("for example `convert ctime(firstTime)`"));
    }
    Ok(Box::new(convert))
}

fn call(arguments: &mut Arguments<'_>) -> Result<Call, Diagnostic> {
    let Some(name) = arguments.word() else {
        return Err(expected("a conversion such as `ctime(field)`", arguments));
    };
    let function = name.value.to_ascii_lowercase();
    if !FUNCTIONS.contains(&function.as_str()) {
        let message = format!("`convert` has no function `{}`", name.value);
        let diagnostic = Diagnostic::error(Code::BAD_ARGUMENT, message).at(name.span);
        return Err(match similar(&function, FUNCTIONS) {
            Some(similar) => diagnostic.help(format!("there is `{similar}`")),
            None => diagnostic.help(format!("there are {}", FUNCTIONS.join(", "))),
        });
    }
    if arguments.symbol("(").is_none() {
        return Err(expected("`(`", arguments));
    }
    let field = if arguments.symbol(")").is_some() {
        "*".to_owned()
    } else {
        let field = arguments.field()?.value;
        if arguments.symbol(")").is_none() {
            return Err(expected("`)`", arguments));
        }
        field
    };
    let output = match arguments.keyword("as") {
        None => None,
        Some(_) => {
            let output = arguments.field()?;
            if field.contains('*') {
                let message = "a wildcard cannot be renamed";
                return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(output.span));
            }
            Some(output.value)
        }
    };
    Ok(Call { function, field, output })
}

fn expected(what: &str, arguments: &mut Arguments<'_>) -> Diagnostic {
    let place = Span::new(arguments.position(), arguments.position());
    Diagnostic::error(Code::SYNTAX, format!("expected {what}")).at(place)
}

impl Convert {
    /// Returns the conversion of a function that works value by value.
    fn conversion(&self, function: &str, context: &SearchContext) -> Option<Conversion> {
        let time = || TimeFormat { format: self.format.clone(), zone: context.zone.clone() };
        Some(match function {
            "ctime" => Conversion::Ctime(time()),
            "mktime" => Conversion::Mktime(time()),
            "dur2sec" => Conversion::Dur2sec,
            "mstime" => Conversion::Mstime,
            "memk" => Conversion::Memk,
            "rmcomma" => Conversion::Rmcomma,
            "rmunit" => Conversion::Rmunit,
            "num" => Conversion::Num,
            _ => return None,
        })
    }
}

#[async_trait]
impl Command for Convert {
    fn needs(&self, after: Needs) -> Needs {
        self.calls.iter().rev().fold(after, |needs, call| match &call.output {
            Some(output) => needs.without([output]).and([&call.field]),
            // A wildcard converts the fields that are there anyway.
            None if call.field.contains('*') => needs,
            None => needs.and([&call.field]),
        })
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?;
        let excluded: BTreeSet<String> = self
            .calls
            .iter()
            .filter(|call| call.function == "none")
            .flat_map(|call| plan.covered(&call.field))
            .collect();
        for call in self.calls.iter().filter(|call| call.function != "none") {
            let is_wild = call.field.contains('*');
            let mut pairs = Vec::new();
            for name in plan.covered(&call.field) {
                if !is_wild || !excluded.contains(&name) {
                    let output = call.output.clone().unwrap_or_else(|| name.clone());
                    pairs.push((name, output));
                }
            }
            plan = match self.conversion(&call.function, stage.context) {
                Some(conversion) => {
                    let columns = pairs
                        .into_iter()
                        .filter_map(|(name, output)| {
                            let kind = conversion.kind(plan.kind(&name)?);
                            Some((output, mapped(conversion.clone(), column(&name)), kind))
                        })
                        .collect();
                    plan.with_columns(columns).map_err(|error| stage.refused(error))?
                }
                None => plan.operator(Arc::new(ConvertColumns {
                    pairs,
                    conversions: &functions::AUTOMATIC,
                })),
            };
        }
        Ok(plan)
    }
}
