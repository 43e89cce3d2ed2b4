//! `iplocation`: adds where an address is.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::context::GeoDatabase;
use crate::operators::{Derive, RowFunction};
use crate::planning::plan::{Needs, Plan};

/// The fields that are always added.
const FIELDS: [&str; 5] = ["City", "Country", "Region", "lat", "lon"];

/// The fields that `allfields` adds too.
const MORE_FIELDS: [&str; 3] = ["Continent", "MetroCode", "Timezone"];

static DOC: CommandDoc = CommandDoc {
    name: "iplocation",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Adds city, country, region and coordinates of an address, from a GeoIP database.",
    syntax: "iplocation [prefix=<text>] [allfields=<bool>] [lang=<language>] <field>",
    arguments: &[
        Argument::option("prefix", Takes::Text)
            .default("")
            .doc("What is put before the names of the new fields."),
        Argument::option("allfields", Takes::Bool)
            .default("false")
            .doc("Whether `Continent`, `MetroCode` and `Timezone` are added too."),
        Argument::option("lang", Takes::Text).default("en").doc("The language of the names."),
        Argument::positional("field", Takes::Field).doc("The field with addresses."),
    ],
    examples: &[
        Example {
            title: "Without a database nothing is added, and a warning says so",
            events: r#"{"sourceIPAddress":"192.0.2.1"}"#,
            search: "| iplocation sourceIPAddress",
            results: r#"{"sourceIPAddress":"192.0.2.1"}"#,
        },
        Example {
            title: "Other fields stay",
            events: r#"{"src_ip":"10.0.0.1","user":"ann"}"#,
            search: "| iplocation src_ip | table user",
            results: r#"{"user":"ann"}"#,
        },
    ],
    differs: &[
        "What the database does not know stays absent instead of becoming empty.",
        "No database comes with the program.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct IpLocation {
    field: String,
    prefix: String,
    all: bool,
    language: String,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut field = None;
    while arguments.more() {
        if field.is_some() {
            arguments.finish()?;
        }
        field = Some(arguments.field()?.value);
    }
    let Some(field) = field else {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field with addresses")
            .at(arguments.span()));
    };
    Ok(Box::new(IpLocation {
        field,
        prefix: arguments.value("prefix"),
        all: arguments.value("allfields"),
        language: arguments.value("lang"),
    }))
}

#[async_trait]
impl Command for IpLocation {
    fn needs(&self, after: Needs) -> Needs {
        after.and([&self.field])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let Some(database) = stage.context.geo.clone() else {
            let message = "`iplocation` adds no fields: there is no GeoIP database";
            stage.context.observations.message(
                Diagnostic::warning(Code::NO_GEOIP, message)
                    .at(stage.span)
                    .help("give a MaxMind database with `--geoip FILE`"),
            );
            return Ok(input);
        };
        let more: &[&str] = if self.all { &MORE_FIELDS } else { &[] };
        let names: Vec<&'static str> = FIELDS.iter().chain(more).copied().collect();
        let kind = input.kind(&self.field).unwrap_or(Kind::Text).or(Kind::Text);
        let outputs: Vec<Field> =
            names.iter().map(|name| Field::new(format!("{}{name}", self.prefix), kind)).collect();
        let locate = Locate { database, names, all: self.all, language: self.language.clone() };
        Ok(Derive::on(input, vec![self.field.clone()], outputs, Arc::new(locate)))
    }
}

/// Looks addresses up.
struct Locate {
    database: Arc<dyn GeoDatabase>,
    names: Vec<&'static str>,
    all: bool,
    language: String,
}

impl fmt::Debug for Locate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locate").field("all", &self.all).field("language", &self.language).finish()
    }
}

impl RowFunction for Locate {
    fn name(&self) -> &'static str {
        "iplocation"
    }

    fn state(&self) -> String {
        format!("{} {}", self.all, self.language)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let mut found: Vec<Vec<Cow<'a, str>>> = vec![Vec::new(); self.names.len()];
        for address in inputs[0].members() {
            for (name, text) in self.database.locate(address.trim(), self.all, &self.language) {
                if let Some(slot) = self.names.iter().position(|known| *known == name) {
                    found[slot].push(Cow::Owned(text));
                }
            }
        }
        for (output, members) in outputs.iter_mut().zip(found) {
            if !members.is_empty() {
                *output = Value::multi(members);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct OneCity;

    impl GeoDatabase for OneCity {
        fn locate(&self, address: &str, all: bool, language: &str) -> Vec<(&'static str, String)> {
            if address != "192.0.2.1" {
                return Vec::new();
            }
            let mut found = vec![("City", format!("City in {language}"))];
            found.extend(all.then(|| ("Timezone", "UTC".to_owned())));
            found
        }
    }

    #[test]
    fn known_addresses_set_fields() {
        let names = vec!["City", "Country", "Timezone"];
        let locate =
            Locate { database: Arc::new(OneCity), names, all: true, language: "de".to_owned() };
        let old = Value::text("old");
        let mut outputs = [old.clone(), old.clone(), Value::Null];
        locate.compute(&[Value::text(" 192.0.2.1")], &mut outputs);
        assert_eq!(outputs, [Value::text("City in de"), old.clone(), Value::text("UTC")]);
        let mut outputs = [old.clone(), Value::Null, Value::Null];
        locate.compute(&[Value::text("10.0.0.1")], &mut outputs);
        assert_eq!(outputs, [old, Value::Null, Value::Null]);
    }
}
