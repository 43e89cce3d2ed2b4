//! `cofilter`: counts how many users each pair of items has in common.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_eval::cancel::is_canceled;
use spilltrail_eval::limits;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Codec, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::error::to_engine;
use crate::lineage::Lineage;
use crate::operators::gather::{self, Gathering, Given, HeldRows};
use crate::operators::key;
use crate::planning::plan::{Needs, Plan};
use crate::rows::arrow::to_array;
use crate::rows::cut::BATCH_ROWS;
use crate::rows::sort_key::AutoKey;

/// The columns of the result.
const OUTPUTS: [(&str, Kind); 5] = [
    ("Item 1", Kind::Text),
    ("Item 1 user count", Kind::Number),
    ("Item 2", Kind::Text),
    ("Item 2 user count", Kind::Number),
    ("Pair count", Kind::Number),
];

/// The most memory that a pair, or an item of a user, takes in a map, beside texts.
const HELD: usize = 48;

static DOC: CommandDoc = CommandDoc {
    name: "cofilter",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Count for each pair of items the users that have both.",
    syntax: "cofilter <user field> <item field>",
    arguments: &[
        Argument::positional("user field", Takes::Field).doc("The field with the user."),
        Argument::positional("item field", Takes::Field).doc(
            "The field with the item. A user has an item, however many rows say so. Pairs that no user has are left out.",
        ),
    ],
    examples: &[
        Example {
            title: "Which calls the same users make",
            events: r#"{"user":"ann","call":"GetObject"}
{"user":"ann","call":"ListBuckets"}
{"user":"bob","call":"GetObject"}
{"user":"bob","call":"ListBuckets"}
{"user":"bob","call":"CreateUser"}
{"user":"cid","call":"GetObject"}"#,
            search: "| cofilter user call",
            results: r#"{"Item 1":"GetObject","Item 1 user count":3,"Item 2":"ListBuckets","Item 2 user count":2,"Pair count":2}
{"Item 1":"GetObject","Item 1 user count":3,"Item 2":"CreateUser","Item 2 user count":1,"Pair count":1}
{"Item 1":"ListBuckets","Item 1 user count":2,"Item 2":"CreateUser","Item 2 user count":1,"Pair count":1}"#,
        },
        Example {
            title: "The pair that most users have",
            events: r#"{"user":"ann","role":["admin","audit"]}
{"user":"bob","role":["admin","audit"]}
{"user":"bob","role":"build"}"#,
            search: "| cofilter user role | sort - \"Pair count\" | head 1 | fields \"Item 1\" \"Item 2\"",
            results: r#"{"Item 1":"admin","Item 2":"audit"}"#,
        },
    ],
    differs: &[
        "Items are in the order of their users, most first; of equally many, numbers by value come before text.",
        "Each value of a multivalue counts.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::gathering::<Pairs>();

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let user = arguments.one_field()?;
    arguments.symbol(",");
    let item = arguments.one_field()?;
    arguments.finish()?;
    arguments.each_once([&user, &item]);
    Ok(Box::new(Pairs { user: user.value, item: item.value }))
}

/// Counts the users that pairs of items have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pairs {
    user: String,
    item: String,
}

#[async_trait]
impl Command for Pairs {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only([&self.user, &self.item])
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(OUTPUTS.map(|(name, _)| name.to_owned()).to_vec())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?.operator(Arc::new(self.clone()));
        plan.transformed = true;
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        let items = ["Item 1", "Item 2"].map(str::to_owned);
        lineage.group(items, OUTPUTS.map(|(name, _)| name.to_owned()));
    }
}

impl Gathering for Pairs {
    const NAME: &'static str = "cofilter";

    fn output(&self, _: &[Field]) -> Vec<Field> {
        OUTPUTS.map(|(name, kind)| Field::new(name, kind)).to_vec()
    }

    fn given(self, mut rows: HeldRows, output: SchemaRef) -> EngineResult<Given> {
        let (items, users) = self.read(&mut rows)?;
        let ranked = Ranked::of(items);
        let mut pairs: HashMap<(u32, u32), u64> = HashMap::new();
        for user in users.into_values() {
            let places: BTreeSet<u32> =
                user.into_iter().map(|item| ranked.places[item as usize]).collect();
            for one in &places {
                if is_canceled() {
                    return Err(to_engine(limits::canceled()));
                }
                for other in places.range(one + 1..) {
                    if let Some(count) = pairs.get_mut(&(*one, *other)) {
                        *count += 1;
                        continue;
                    }
                    rows.learn(HELD)?;
                    pairs.insert((*one, *other), 1);
                }
            }
        }
        // The sorted list takes less than the map that it is made from.
        rows.learn(pairs.len() * size_of::<((u32, u32), u64)>())?;
        let mut pairs: Vec<((u32, u32), u64)> = pairs.into_iter().collect();
        pairs.sort_unstable();
        let mut given = 0;
        Ok(Box::new(std::iter::from_fn(move || {
            // The memory stays reserved until the last pair has been given.
            let _reserved = &rows;
            let part = pairs.get(given..pairs.len().min(given + BATCH_ROWS))?;
            given += part.len();
            (!part.is_empty()).then(|| ranked.batch(part, &output))
        })))
    }
}

/// The items of each user, by the numbers of the items.
type Users = HashMap<Vec<u8>, BTreeSet<u32>>;

impl Pairs {
    /// Returns the items with their numbers, and the items of each user.
    fn read(&self, rows: &mut HeldRows) -> EngineResult<(IndexMap<String, u64>, Users)> {
        let mut items: IndexMap<String, u64> = IndexMap::new();
        let mut users: Users = HashMap::new();
        for batch in rows.replay()? {
            let batch = batch?;
            let readers =
                gather::reader(&batch, &self.user)?.zip(gather::reader(&batch, &self.item)?);
            let Some((user, item)) = readers else { continue };
            for row in 0..batch.num_rows() {
                let (user, item) = (user.value(row), item.value(row));
                let named = item.members();
                for user in user.members() {
                    let name = user.as_bytes();
                    if !users.contains_key(name) {
                        rows.learn(name.len() + key::HELD)?;
                        users.insert(name.to_vec(), BTreeSet::new());
                    }
                    let Some(own) = users.get_mut(name) else { continue };
                    for item in &named {
                        let number = match items.get_index_of(item.as_ref()) {
                            Some(number) => number,
                            None => {
                                rows.learn(item.len() + key::HELD + HELD)?;
                                items.insert_full(item.as_ref().to_owned(), 0).0
                            }
                        };
                        let number = u32::try_from(number).unwrap_or(u32::MAX);
                        if own.insert(number) {
                            rows.learn(HELD)?;
                            if let Some((_, count)) = items.get_index_mut(number as usize) {
                                *count += 1;
                            }
                        }
                    }
                }
            }
        }
        Ok((items, users))
    }
}

/// The items in the order of the result, with the number of their users.
struct Ranked {
    items: Vec<(String, u64)>,
    /// The place of each item, by its number.
    places: Vec<u32>,
}

impl Ranked {
    fn of(items: IndexMap<String, u64>) -> Self {
        let mut items: Vec<(usize, (String, u64))> = items.into_iter().enumerate().collect();
        items.sort_by(|(_, (one, users)), (_, (other, others))| {
            others.cmp(users).then_with(|| by_value(one, other))
        });
        let mut places = vec![0; items.len()];
        for (place, (number, _)) in items.iter().enumerate() {
            places[*number] = u32::try_from(place).unwrap_or(u32::MAX);
        }
        Self { items: items.into_iter().map(|(_, item)| item).collect(), places }
    }

    #[expect(clippy::cast_precision_loss, reason = "rows are fewer than 2^53")]
    fn batch(&self, pairs: &[((u32, u32), u64)], output: &SchemaRef) -> EngineResult<RecordBatch> {
        let name = |place: u32| Value::text(self.items[place as usize].0.as_str());
        let users = |place: u32| Value::Number(self.items[place as usize].1 as f64);
        let columns = vec![
            to_array(Kind::Text, pairs.iter().map(|((one, _), _)| name(*one))),
            to_array(Kind::Number, pairs.iter().map(|((one, _), _)| users(*one))),
            to_array(Kind::Text, pairs.iter().map(|((_, other), _)| name(*other))),
            to_array(Kind::Number, pairs.iter().map(|((_, other), _)| users(*other))),
            to_array(Kind::Number, pairs.iter().map(|(_, count)| Value::Number(*count as f64))),
        ];
        gather::of_columns(output, columns, pairs.len())
    }
}

/// Compares numbers by value, which come before text.
fn by_value(one: &str, other: &str) -> Ordering {
    let [first, second] = [one, other].map(Value::text);
    AutoKey::of(&first).cmp(&AutoKey::of(&second)).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    const HEADER: &str = "Item 1 | Item 1 user count | Item 2 | Item 2 user count | Pair count";

    #[tokio::test]
    async fn pairs_of_items_are_counted() {
        let rows = r#"{"u":"a","i":"10"}
{"u":"a","i":"9"}
{"u":"a","i":"9"}
{"u":"b","i":["9","x"]}
{"u":["b","c"],"i":"10"}
{"i":"z"}
{"u":"d"}"#;
        for (search, expected) in [
            ("| cofilter u i", vec!["10 3 9 2 2", "10 3 x 1 1", "9 2 x 1 1"]),
            ("| cofilter i, u", vec!["b 3 a 2 2", "b 3 c 1 1", "a 2 c 1 1"]),
            ("| cofilter u nosuch", vec![]),
            ("| where u=\"a\" | cofilter u i", vec!["9 1 10 1 1"]),
        ] {
            let found = table(search, rows).await.unwrap();
            assert_eq!(found[0], HEADER, "{search}");
            assert_eq!(found[1..], expected, "{search}");
        }
        for (search, code) in [
            ("| cofilter u", Code::UNEXPECTED_END),
            ("| cofilter u u", Code::BAD_ARGUMENT),
            ("| cofilter u i*", Code::BAD_ARGUMENT),
            ("| cofilter u i x", Code::TRAILING_TEXT),
        ] {
            assert_eq!(table(search, rows).await, Err(vec![code]), "{search}");
        }
    }

    /// The figures are those of the example in Splunk's Search Reference.
    #[tokio::test]
    async fn the_published_example() {
        let search = "| makeresults | eval user=\"a b c a b c a b c\" | makemv user | mvexpand user \
                      | streamstats count | eval item = count % 5 | cofilter user item";
        let expected = [
            HEADER,
            "1 2 2 2 1",
            "1 2 3 2 1",
            "1 2 4 2 2",
            "2 2 3 2 1",
            "2 2 4 2 1",
            "2 2 0 1 1",
            "3 2 4 2 1",
            "3 2 0 1 1",
        ];
        assert_eq!(table(search, "").await, Ok(expected.map(str::to_owned).to_vec()));
    }
}
