//! `fields`: keeps or removes fields.

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::fields::{RAW, TIME, covers};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "fields",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Keep (`+`) or remove (`-`) fields. Fields whose names begin with `_` stay unless you remove them by name.",
    syntax: "fields [+|-] <field> …",
    arguments: &[
        Argument::positional("field", Takes::Fields).doc("Field names, with or without wildcards.")
    ],
    examples: &[
        Example {
            title: "Keep two fields",
            events: r#"{"_time":5,"user":"ann","host":"a","n":"1"}"#,
            search: "| fields user, n",
            results: r#"{"user":"ann","n":"1","_time":5}"#,
        },
        Example {
            title: "Remove by wildcard",
            events: r#"{"user":"ann","src_ip":"1","src_port":"2"}"#,
            search: "| fields - src_*",
            results: r#"{"user":"ann"}"#,
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Fields {
    removes: bool,
    names: Vec<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let removes = arguments.symbol("-").is_some();
    if !removes {
        arguments.symbol("+");
    }
    let names: Vec<String> = arguments.fields()?.into_iter().map(|field| field.value).collect();
    arguments.finish()?;
    if names.is_empty() {
        return Err(
            Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field").at(arguments.span())
        );
    }
    Ok(Box::new(Fields { removes, names }))
}

impl Fields {
    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| pattern == name || covers(pattern, name))
    }

    fn keeps(&self, name: &str) -> bool {
        if self.removes {
            !self.is_named(name)
        } else {
            name.starts_with('_') || self.is_named(name)
        }
    }
}

#[async_trait]
impl Command for Fields {
    fn needs(&self, after: Needs) -> Needs {
        if self.removes {
            return after.without(&self.names);
        }
        // Of the fields that later commands name, only those that the command keeps are needed.
        let mut needs = Needs { order: after.order, ..Needs::only::<&str>([]) };
        for name in after.fields.names.iter().filter(|name| self.keeps(name)) {
            needs.fields.add(name);
        }
        // If later commands may need any field, all listed fields are needed. So are `_time` and
        // `_raw`, because the command keeps internal fields.
        if after.fields.is_open() {
            needs = needs.and(&self.names);
            let internal = [TIME, RAW].into_iter().filter(|name| after.fields.wants(name));
            needs = needs.and(internal);
        }
        needs
    }

    fn listed(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let is_plain = |name: &String| !name.contains('*');
        match before {
            Some(mut names) => {
                names.retain(|name| self.keeps(name));
                Some(names)
            }
            None => (!self.removes && self.names.iter().all(is_plain)).then(|| self.names.clone()),
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let names: Vec<String> = if self.removes {
            input.names().into_iter().filter(|name| self.keeps(name)).collect()
        } else {
            let mut named = super::table::spread(&input, &self.names);
            named.retain(|name| input.kind(name).is_some());
            // The named fields come first, in the order of the list, then the other internal ones.
            let internal = input.names().into_iter().filter(|name| name.starts_with('_'));
            named.extend(internal.filter(|name| !self.names.contains(name)));
            named
        };
        input.select(&names).map_err(|error| stage.refused(error))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.retain(|name| self.keeps(name));
    }
}
