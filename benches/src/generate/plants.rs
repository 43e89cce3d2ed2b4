//! What is hidden in the traffic: what detections must find, and what they must not.

use super::calls::{Call, Shape};
use super::record::Body;
use super::world::{Account, INSIDER, REGIONS, THIEF};
use super::{Event, START};
use crate::random::Random;

/// An event that is put there on purpose.
#[derive(Debug)]
pub(super) struct Plant {
    pub(super) event: Event,
    pub(super) call: Call,
    /// None for a read, whose body is made up like any other's.
    pub(super) body: Option<Body>,
    pub(super) fires: Fires,
}

/// Which detection has to find it, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fires {
    /// It only looks like something.
    Nothing,
    DataSync {
        source: String,
        destination: String,
    },
    Ami {
        accounts: Vec<String>,
        is_public: bool,
    },
    /// One of many reads within ten minutes.
    Burst,
}

const DENIED: (&str, &str) = ("AccessDeniedException", "not authorized to perform this action");
const DENIED_EC2: (&str, &str) =
    ("Client.UnauthorizedOperation", "You are not authorized to perform this operation.");

/// Returns the reads of a burst: many for the size of the data, and a number that stands out in any.
fn burst_size(events: u64, days: u64) -> u64 {
    (events / days / 400).clamp(60, 1500)
}

/// Makes all plants, in no order.
pub(super) fn plants(seed: u64, (events, days): (u64, u64), accounts: &[Account]) -> Vec<Plant> {
    let mut plants = Vec::new();
    for day in 0..days {
        for (number, account) in accounts.iter().enumerate() {
            let mut random = Random::new(seed, "plants", day * 100 + number as u64);
            let mut planter = Planter { day, number, account, random: &mut random };
            planter.tasks(&mut plants);
            planter.images(&mut plants);
            planter.burst(burst_size(events, days), &mut plants);
        }
    }
    plants
}

struct Planter<'a> {
    day: u64,
    number: usize,
    account: &'a Account,
    random: &'a mut Random,
}

impl Planter<'_> {
    /// Returns an event of a person of this account at some time of the day; late enough that it is
    /// delivered on the same day.
    fn event(&mut self, name: &str, region: usize) -> Event {
        let at = START + self.day * 86_400 + 3600 + self.random.below(75_000);
        let people = &self.account.people;
        let person = people.iter().position(|person| person.name == name).unwrap_or_default();
        let delivered = at + 60 + self.random.below(500);
        Event {
            at,
            delivered,
            account: self.number,
            region,
            person,
            address: 0,
            agent: 0,
            error: None,
        }
    }

    fn tasks(&mut self, plants: &mut Vec<Plant>) {
        let mut add = |event: Event, service: &str, body: Body, fires: Fires| {
            let (service, name) = (service.to_owned(), "CreateTask".to_owned());
            let call = Call { service, name, read_only: false, shape: Shape::Nothing };
            plants.push(Plant { event, call, body: Some(body), fires });
        };
        for kind in ["plain", "plain", "twice", "denied"] {
            let region = self.random.index(REGIONS.len());
            let (zone, id) = (REGIONS[region].0, &self.account.id);
            let mut location =
                || format!("arn:aws:datasync:{zone}:{id}:location/loc-{}", self.random.hex(17));
            let (source, destination) = (location(), location());
            let request = format!(
                r#"{{"sourceLocationArn":"{source}","destinationLocationArn":"{destination}","options":{{"verifyMode":"ONLY_FILES_TRANSFERRED"}}}}"#
            );
            let response = format!(
                r#"{{"taskArn":"arn:aws:datasync:{zone}:{id}:task/task-{}"}}"#,
                self.random.hex(17)
            );
            for _ in 0..=u64::from(kind == "twice") {
                let mut event = self.event(INSIDER, region);
                event.error = (kind == "denied").then_some(DENIED);
                let fires =
                    Fires::DataSync { source: source.clone(), destination: destination.clone() };
                add(event, "datasync", Body::of(&request, &response), fires);
            }
        }
        // No locations, and another service that has tasks too.
        let mut event = self.event(INSIDER, 0);
        event.error = Some(DENIED);
        add(event, "datasync", Body::of("null", "null"), Fires::Nothing);
        let body = Body::of(r#"{"targets":["d-1"],"command":{"reboot":{}}}"#, "null");
        let event = self.event(INSIDER, 0);
        add(event, "snow-device-management", body, Fires::Nothing);
    }

    fn images(&mut self, plants: &mut Vec<Plant>) {
        let mut other = || format!("{}", 100_000_000_000 + self.random.below(900_000_000_000));
        let (one, two) = (other(), other());
        let user = |id: &str| format!(r#"{{"userId":"{id}"}}"#);
        let all = r#"{"group":"all"}"#.to_owned();
        let add = |items: &[String]| {
            format!(r#""launchPermission":{{"add":{{"items":[{}]}}}}"#, items.join(","))
        };
        let found = |accounts: &[&String], is_public: bool| Fires::Ami {
            accounts: accounts.iter().map(|id| (*id).clone()).collect(),
            is_public,
        };
        let organization = r#"{"organizationArn":"arn:aws:organizations::1:organization/o-1"}"#;
        let cases: [(String, bool, Fires); 9] = [
            (add(&[user(&one)]), false, found(&[&one], false)),
            (add(&[user(&one), user(&two)]), false, found(&[&one, &two], false)),
            (add(std::slice::from_ref(&all)), false, found(&[], true)),
            (add(&[all, user(&two)]), false, found(&[&two], true)),
            (add(&[user(&one)]), true, found(&[&one], false)),
            (
                format!(r#""launchPermission":{{"remove":{{"items":[{}]}}}}"#, user(&one)),
                false,
                Fires::Nothing,
            ),
            (add(&[organization.to_owned()]), false, Fires::Nothing),
            (r#""launchPermission":{}"#.to_owned(), false, Fires::Nothing),
            (r#""description":{"value":"golden"}"#.to_owned(), false, Fires::Nothing),
        ];
        for (index, (change, is_denied, fires)) in cases.into_iter().enumerate() {
            let mut event = self.event(INSIDER, index % 2);
            event.error = is_denied.then_some(DENIED_EC2);
            let image = self.random.hex(17);
            let request = format!(
                r#"{{"imageId":"ami-{image}",{change},"attributeType":"launchPermission"}}"#
            );
            let (service, name) = ("ec2".to_owned(), "ModifyImageAttribute".to_owned());
            let call = Call { service, name, read_only: false, shape: Shape::Nothing };
            let body = Body::of(&request, r#"{"_return":true}"#);
            plants.push(Plant { event, call, body: Some(body), fires });
        }
    }

    fn burst(&mut self, reads: u64, plants: &mut Vec<Plant>) {
        let first = self.event(THIEF, 0);
        let begin = first.at / 600 * 600;
        for _ in 0..reads {
            let at = begin + self.random.below(600);
            let delivered = at + 60 + self.random.below(500);
            let (service, name) = ("s3".to_owned(), "GetObject".to_owned());
            let call = Call { service, name, read_only: true, shape: Shape::Object };
            let event = Event { at, delivered, ..first.clone() };
            plants.push(Plant { event, call, body: None, fires: Fires::Burst });
        }
    }
}
