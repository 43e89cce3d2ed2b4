//! `iplocation`: adds the location of an IP address from a GeoIP database.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::{Result as EngineResult, exec_err};
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::context::{GeoDatabase, Surroundings};
use crate::operators::{Codec, Derive, RowFunction};
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

/// The fields that are always added.
const FIELDS: [&str; 5] = ["City", "Country", "Region", "lat", "lon"];

/// The fields that `allfields=true` adds to [`FIELDS`].
const MORE_FIELDS: [&str; 3] = ["Continent", "MetroCode", "Timezone"];

static DOC: CommandDoc = CommandDoc {
    name: "iplocation",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Add the city, country, region and coordinates of an IP address, from a GeoIP database.",
    syntax: "iplocation [prefix=<text>] [allfields=<bool>] [lang=<language>] <field>",
    arguments: &[
        Argument::option("prefix", Takes::Text)
            .default("")
            .doc("A prefix for the names of the new fields."),
        Argument::option("allfields", Takes::Bool)
            .default("false")
            .doc("Whether to add `Continent`, `MetroCode` and `Timezone` as well."),
        Argument::option("lang", Takes::Text).default("en").doc("The language of the place names."),
        Argument::positional("field", Takes::Field).doc("The field that holds the address."),
    ],
    examples: &[
        Example {
            title: "Without a database, the command adds nothing and warns",
            events: r#"{"sourceIPAddress":"192.0.2.1"}"#,
            search: "| iplocation sourceIPAddress",
            results: r#"{"sourceIPAddress":"192.0.2.1"}"#,
        },
        Example {
            title: "The other fields do not change",
            events: r#"{"src_ip":"10.0.0.1","user":"ann"}"#,
            search: "| iplocation src_ip | table user",
            results: r#"{"user":"ann"}"#,
        },
    ],
    differs: &[
        "Values that the database does not have are missing, not empty.",
        "Spilltrail does not include a database; name one with `--geoip`.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Locate>("iplocation");

#[derive(Debug)]
struct IpLocation {
    field: String,
    prefix: String,
    all: bool,
    language: String,
}

impl IpLocation {
    /// Returns the names of the fields to add, in output order.
    fn names(&self) -> impl Iterator<Item = String> {
        names(self.all).map(|name| format!("{}{name}", self.prefix))
    }
}

/// Returns the names of the fields to add, in output order and without the prefix.
fn names(all: bool) -> impl Iterator<Item = &'static str> {
    let more: &[&str] = if all { &MORE_FIELDS } else { &[] };
    FIELDS.iter().chain(more).copied()
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut field = None;
    while arguments.more() {
        if field.is_some() {
            arguments.finish()?;
        }
        field = Some(arguments.one_field()?.value);
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

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        let added: Vec<String> = self.names().filter(|name| !names.contains(name)).collect();
        names.extend(added);
        Some(names)
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
        let (database, language) = (database.build(), self.language.clone());
        let locate = Locate { database, all: self.all, language };
        let kind = input.kind(&self.field).unwrap_or(Kind::Text).or(Kind::Text);
        let outputs: Vec<Field> = self.names().map(|name| Field::new(&name, kind)).collect();
        Ok(Derive::on(input, vec![self.field.clone()], outputs, Arc::new(locate)))
    }
}

/// Looks up addresses in the GeoIP database of the process that runs the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Locate {
    /// The build of the database that the search was planned with; another build is refused.
    database: String,
    all: bool,
    language: String,
}

impl RowFunction for Locate {
    fn name(&self) -> &'static str {
        "iplocation"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn at_work(&self, context: &TaskContext) -> EngineResult<Option<Arc<dyn RowFunction>>> {
        let database = Surroundings::of_task(context)?.geo.clone();
        match database.filter(|database| database.build() == self.database) {
            Some(database) => Ok(Some(Arc::new(Locating { locate: self.clone(), database }))),
            None => exec_err!("the GeoIP database `{}` is not here", self.database),
        }
    }

    /// Sets no field, because this value has no database; [`Locating`] does the work.
    fn compute<'a>(&'a self, _: &[Value<'a>], _: &mut [Value<'a>]) {}
}

/// A [`Locate`] with the database that it reads.
struct Locating {
    locate: Locate,
    database: Arc<dyn GeoDatabase>,
}

impl fmt::Debug for Locating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.locate.fmt(f)
    }
}

impl RowFunction for Locating {
    fn name(&self) -> &'static str {
        self.locate.name()
    }

    fn state(&self) -> String {
        self.locate.state()
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let Locate { all, language, .. } = &self.locate;
        let names: Vec<&str> = names(self.locate.all).collect();
        let mut found: Vec<Vec<Cow<'a, str>>> = vec![Vec::new(); names.len()];
        for address in inputs[0].members() {
            for (name, text) in self.database.locate(address.trim(), *all, language) {
                if let Some(slot) = names.iter().position(|known| *known == name) {
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
    struct OneCity {
        build: &'static str,
    }

    impl GeoDatabase for OneCity {
        fn build(&self) -> String {
            self.build.to_owned()
        }

        fn locate(&self, address: &str, all: bool, language: &str) -> Vec<(&'static str, String)> {
            if address != "192.0.2.1" {
                return Vec::new();
            }
            let mut found = vec![("City", format!("City in {language}"))];
            found.extend(all.then(|| ("Timezone", "UTC".to_owned())));
            found
        }
    }

    fn located(address: &'static str, build: Option<&'static str>) -> Option<[Value<'static>; 8]> {
        let context = crate::testing::context(Vec::new(), 1 << 20);
        let geo = build.map(|build| Arc::new(OneCity { build }) as Arc<dyn GeoDatabase>);
        let surroundings = Surroundings { lookups: context.lookups.clone(), geo };
        let task = surroundings.around(TaskContext::default());
        let (database, language) = ("one city".to_owned(), "de".to_owned());
        let locate = Locate { database, all: true, language };
        assert_eq!(names(locate.all).last(), Some("Timezone"));
        let locate = locate.at_work(&task).ok()??;
        let mut outputs = [const { Value::Null }; 8];
        outputs[0] = Value::text("old");
        locate.compute(&[Value::text(address)], &mut outputs);
        Some(outputs.map(Value::into_owned))
    }

    #[test]
    fn known_addresses_set_fields() {
        for (address, city, zone) in [
            (" 192.0.2.1", Value::text("City in de"), Value::text("UTC")),
            ("10.0.0.1", Value::text("old"), Value::Null),
        ] {
            let outputs = located(address, Some("one city")).unwrap();
            assert_eq!((&outputs[0], &outputs[7]), (&city, &zone), "{address}");
            assert!(outputs[1..7].iter().all(Value::is_null), "{address}");
        }
    }

    #[test]
    fn without_its_database_a_plan_does_not_run() {
        for build in [None, Some("another build")] {
            assert!(located("192.0.2.1", build).is_none(), "{build:?}");
        }
    }
}
