//! Generated logs of any size, with known contents.
//!
//! [`generate`] writes CloudTrail objects of two accounts and `ground_truth.json` beside them. Equal
//! recipes give equal bytes, and the size of files changes nothing about the events: their traffic is
//! drawn hour by hour, and then put into files. All of it is made up.

mod calls;
mod delivery;
mod plants;
mod record;
mod truth;
mod world;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::random::{Random, Weights};
use calls::{Call, Catalogue, ERRORS, Shape};
use delivery::Delivery;
use plants::{Fires, Plant};
use record::Body;
use truth::Truth;
use world::{Account, REGIONS};

pub use delivery::Written;
pub use truth::digest;

/// The first second of generated logs: 2026-03-02, a Monday.
const START: u64 = 1_772_409_600;

/// The file with what is in the logs.
pub const TRUTH_FILE: &str = "ground_truth.json";

/// Ten years: times stay within what a calendar can say.
const MAX_DAYS: u64 = 3660;

/// What to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// All events, the planted ones and those that are delivered twice among them.
    pub events: u64,
    /// How many days they are spread over.
    pub days: u64,
    /// Equal seeds give equal logs.
    pub seed: u64,
    /// How large files are.
    pub files: Files,
}

/// How events are put into files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// One file for each account, region and five minutes.
    AsDelivered,
    /// That many events each, the last one of an account and region excepted.
    Of(u64),
}

impl Recipe {
    /// Returns a name for a folder with these logs.
    #[must_use]
    pub fn name(&self) -> String {
        let Self { events, days, seed, .. } = self;
        match self.files {
            Files::AsDelivered => format!("events-{events}-days-{days}-seed-{seed}"),
            Files::Of(count) => format!("events-{events}-days-{days}-seed-{seed}-files-of-{count}"),
        }
    }

    fn document(&self) -> Value {
        let files = match self.files {
            Files::AsDelivered => Value::Null,
            Files::Of(count) => json!(count),
        };
        json!({ "events": self.events, "days": self.days, "seed": self.seed, "files_of": files })
    }
}

/// One event before it is text; people, regions and so on are indices.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    at: u64,
    delivered: u64,
    account: usize,
    region: usize,
    person: usize,
    address: usize,
    agent: usize,
    error: Option<(&'static str, &'static str)>,
}

/// An event with what it calls, waiting for its place in the order of delivery.
struct Waiting<'a> {
    event: Event,
    call: &'a Call,
    plant: Option<&'a Plant>,
    is_repeated: bool,
}

/// Writes logs into a folder, and what is in them; returns the latter.
pub fn generate(recipe: &Recipe, folder: &Path) -> Result<Value> {
    ensure!((1..=MAX_DAYS).contains(&recipe.days), "`--days` must be from 1 to {MAX_DAYS}");
    ensure!(recipe.files != Files::Of(0), "`--files-of` must be at least 1");
    let accounts = world::accounts(recipe.seed);
    let catalogue = Catalogue::new();
    let plants = plants::plants(recipe.seed, (recipe.events, recipe.days), &accounts);
    let background = recipe.events.checked_sub(plants.len() as u64).with_context(|| {
        let planted = plants.len();
        format!("`--events` must be at least {planted}, which is what is planted in these days")
    })?;
    let logs = folder.join("AWSLogs");
    if logs.try_exists()? {
        fs::remove_dir_all(&logs).with_context(|| format!("emptying `{}`", logs.display()))?;
    }
    let mut traffic = Traffic {
        catalogue: &catalogue,
        accounts: &accounts,
        truth: Truth::default(),
        delivery: Delivery::new(folder, recipe.files, recipe.seed, &accounts),
        regions: Weights::new(REGIONS.map(|(_, weight)| weight)),
    };
    let hours = recipe.days * 24;
    // Busier by day.
    let weight = |hour: u64| if (8..18).contains(&(hour % 24)) { 8 } else { 5 };
    let total: u64 = (0..hours).map(weight).sum();
    let (mut weights, mut made) = (0, 0);
    for hour in 0..hours {
        weights += weight(hour);
        let until = (u128::from(background) * u128::from(weights) / u128::from(total)) as u64;
        let mut random = Random::new(recipe.seed, "hour", hour);
        traffic.hour(hour, until - made, &plants, &mut random)?;
        made = until;
    }
    traffic.delivery.finish()?;
    let truth = traffic.truth.document(recipe, traffic.delivery.written, &accounts);
    let path = folder.join(TRUTH_FILE);
    // Written last: where it is, the logs are complete.
    fs::write(&path, format!("{truth:#}\n"))
        .with_context(|| format!("writing `{}`", path.display()))?;
    Ok(truth)
}

struct Traffic<'a> {
    catalogue: &'a Catalogue,
    accounts: &'a [Account],
    truth: Truth,
    delivery: Delivery<'a>,
    regions: Weights,
}

impl<'a> Traffic<'a> {
    /// Makes what is delivered within an hour.
    fn hour(
        &mut self,
        hour: u64,
        events: u64,
        plants: &'a [Plant],
        random: &mut Random,
    ) -> Result<()> {
        let begin = START + hour * 3600;
        let mut waiting: Vec<Waiting<'a>> = Vec::new();
        let mut left = events;
        while left > 0 {
            let one = self.draw(begin, random);
            // Some are delivered twice.
            let is_repeated = random.chance(8) && left > 1;
            left -= 1 + u64::from(is_repeated);
            waiting.push(Waiting { is_repeated, ..one });
        }
        let due = |plant: &&Plant| (plant.event.delivered - START) / 3600 == hour;
        for plant in plants.iter().filter(due) {
            waiting.push(Waiting {
                event: plant.event.clone(),
                call: &plant.call,
                plant: Some(plant),
                is_repeated: false,
            });
        }
        waiting.sort_by_key(|one| one.event.delivered);
        let mut text = String::new();
        for one in &waiting {
            self.write(one, &mut text, random)?;
        }
        Ok(())
    }

    fn draw(&self, begin: u64, random: &mut Random) -> Waiting<'a> {
        let call = &self.catalogue.calls[self.catalogue.weights.draw(random)];
        // The first account has two thirds of the traffic.
        let account = usize::from(random.chance(3333));
        let people = &self.accounts[account];
        let person = people.weights.draw(random);
        let delivered = begin + random.below(3600);
        // A few are hours late.
        let lag =
            if random.chance(5) { 3600 + random.below(18_000) } else { 60 + random.below(540) };
        // The last one is for objects only.
        let possible = ERRORS.len() - usize::from(call.shape != Shape::Object);
        let error = random.chance(300).then(|| ERRORS[random.index(possible)]);
        let event = Event {
            at: delivered.saturating_sub(lag).max(START),
            delivered,
            account,
            region: self.regions.draw(random),
            person,
            address: random.index(people.people[person].addresses.len()),
            agent: random.index(people.people[person].agents.len()),
            error,
        };
        Waiting { event, call, plant: None, is_repeated: false }
    }

    fn write(&mut self, one: &Waiting<'_>, text: &mut String, random: &mut Random) -> Result<()> {
        let Waiting { event, call, .. } = one;
        let account = &self.accounts[event.account];
        let region = REGIONS[event.region].0;
        let made;
        let body = match one.plant.and_then(|plant| plant.body.as_ref()) {
            Some(body) => body,
            None => {
                made = Body::make(call, account, region, random);
                &made
            }
        };
        text.clear();
        let who = (account, &account.people[event.person], region);
        record::write(text, event, (call, body), who, random);
        let lane = (event.account, event.region);
        for again in [false, true] {
            if again && !one.is_repeated {
                break;
            }
            self.truth.see(event, call, self.accounts, again);
            self.delivery.push(lane, event.delivered, text)?;
        }
        self.truth.plant(event, one.plant.map_or(&Fires::Nothing, |plant| &plant.fires));
        Ok(())
    }
}

/// Returns epoch seconds as CloudTrail writes the time.
fn time_text(at: u64) -> String {
    Timestamp::from_second(at as i64).expect("within ten years of the start").to_string()
}

#[cfg(test)]
mod tests;
