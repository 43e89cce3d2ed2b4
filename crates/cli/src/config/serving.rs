//! The settings of a server: the table `[serve]` of the configuration file.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use spilltrail_app as app;
use spilltrail_deliver::Output;
use spilltrail_source::S3Options;
use spilltrail_store::Level;
use toml::Spanned;

use crate::arguments::{Listen, ServeOptions, index, level, listen};

/// The table `[serve]`. Flags win over its keys.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServeKeys {
    /// The data folder.
    pub(crate) data: Option<PathBuf>,
    /// Where senders of events connect.
    hec: Option<Spanned<ListenKey>>,
    /// Where the API answers.
    api: Option<Spanned<ListenKey>>,
    /// The time zone of schedules.
    tz: Option<String>,
    /// A MaxMind database for `iplocation`.
    geoip: Option<PathBuf>,
    /// Days of events that are kept.
    keep_days: Option<NonZeroU32>,
    /// Days of events that are kept, by index.
    #[serde(default)]
    keep_days_of: BTreeMap<String, NonZeroU32>,
    /// Only these detections run.
    #[serde(default)]
    detections: Vec<String>,
    /// Only detections of these types run.
    #[serde(default)]
    types: Vec<String>,
    /// Only detections with at least this risk score run.
    min_score: Option<u32>,
    /// Only detections of these stories run.
    #[serde(default)]
    stories: Vec<String>,
    /// Only detections of these techniques run.
    #[serde(default)]
    techniques: Vec<String>,
    /// These detections do not run.
    #[serde(default)]
    exclude: Vec<String>,
    /// Sourcetypes that senders give their events.
    #[serde(default)]
    pub(crate) sourcetypes: Vec<String>,
    /// Logs that are looked at again and again.
    #[serde(default)]
    input: Vec<InputKeys>,
    /// What detections have in place of what their files say.
    #[serde(default)]
    schedule: Vec<ScheduleKeys>,
    /// What matters more, or less, than the rest.
    #[serde(default)]
    priority: Vec<PriorityKeys>,
    /// Where findings go.
    #[serde(default)]
    pub(crate) output: Vec<Output>,
    /// The certificate of the server, with those that signed it, as PEM.
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The key of the certificate, as PEM.
    pub(crate) tls_key: Option<PathBuf>,
    /// The names by which clients reach the server.
    #[serde(default)]
    pub(crate) host_names: Vec<String>,
}

/// A table `[[serve.input]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct InputKeys {
    /// The name by which people know it.
    name: String,
    /// Files, folders, patterns, `s3://bucket/prefix`.
    #[serde(default)]
    logs: Vec<String>,
    /// The address of a queue of SQS that tells of new objects.
    queue: Option<String>,
    /// The index of the events.
    #[serde(default, deserialize_with = "index_name")]
    index: Option<String>,
    /// The sourcetype of all events.
    sourcetype: Option<String>,
    /// The seconds between two looks.
    every: Option<NonZeroU32>,
    /// How many days back files are looked for; 0 for all.
    days: Option<u32>,
    /// Whether copies of events are left out.
    #[serde(default)]
    dedup: bool,
    /// The profile of the AWS command line.
    s3_profile: Option<String>,
    /// The region of the buckets.
    s3_region: Option<String>,
    /// The server, if it is not AWS.
    s3_endpoint: Option<String>,
}

/// The seconds between two looks, if an input does not say.
const EVERY: u64 = 60;
/// The days of what a server did that are kept, if the file does not say.
const DAYS_OF_INTERNAL: u32 = 30;
/// How many days back files are looked for, if an input does not say.
const DAYS: u32 = 7;

impl InputKeys {
    fn options(&self) -> app::InputOptions {
        app::InputOptions {
            name: self.name.clone(),
            logs: self.logs.clone(),
            queue: self.queue.clone(),
            index: self.index.clone().unwrap_or_else(|| "main".to_owned()),
            sourcetype: self.sourcetype.clone(),
            every: Duration::from_secs(self.every.map_or(EVERY, |every| every.get().into())),
            days: Some(self.days.unwrap_or(DAYS)).filter(|days| *days > 0),
            dedup: self.dedup,
            s3: S3Options {
                profile: self.s3_profile.clone(),
                region: self.s3_region.clone(),
                endpoint: self.s3_endpoint.clone(),
                ..S3Options::default()
            },
        }
    }
}

/// A table `[[serve.schedule]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleKeys {
    /// Name, id or file name of detections; `*` stands for any text.
    detection: String,
    /// Whether they run.
    enabled: Option<bool>,
    /// When they run.
    cron: Option<String>,
    /// Where the events of a run begin.
    earliest: Option<String>,
    /// Where they end.
    latest: Option<String>,
    /// How much later they may start.
    window: Option<WindowKey>,
}

/// A schedule window, as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum WindowKey {
    Minutes(u32),
    Text(String),
}

impl ScheduleKeys {
    fn entry(&self) -> app::ScheduleOverride {
        let window = self.window.as_ref().map(|window| match window {
            WindowKey::Minutes(minutes) => minutes.to_string(),
            WindowKey::Text(text) => text.clone(),
        });
        app::ScheduleOverride {
            detection: self.detection.clone(),
            is_enabled: self.enabled.unwrap_or(true),
            cron: self.cron.clone(),
            earliest: self.earliest.clone(),
            latest: self.latest.clone(),
            window,
        }
    }
}

/// A table `[[serve.priority]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriorityKeys {
    /// Names of identities and hosts, and addresses; `*` stands for any text.
    #[serde(deserialize_with = "some_names")]
    entities: Vec<String>,
    /// Their priority.
    #[serde(deserialize_with = "known_level")]
    priority: Level,
}

/// Reads the name of an index, as `ingest` takes it.
fn index_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    name.map(|name| index(&name).map_err(D::Error::custom)).transpose()
}

/// Reads names: at least one, and none of them empty.
fn some_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() || names.iter().any(|name| name.trim().is_empty()) {
        return Err(D::Error::custom("expected names, such as `[\"admin-*\", \"10.0.0.0/8\"]`"));
    }
    Ok(names)
}

/// Reads a level, as commands take it.
fn known_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
    level(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

impl PriorityKeys {
    fn entry(&self) -> app::PriorityEntry {
        app::PriorityEntry { entities: self.entities.clone(), priority: self.priority }
    }
}

/// An address to listen on, as it is written.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct ListenKey(Listen);

impl TryFrom<String> for ListenKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        listen(&text).map(Self)
    }
}

impl ServeKeys {
    /// Resolves the paths, which are relative to the folder of the configuration file.
    pub(super) fn resolved(mut self, resolve: &dyn Fn(&Path) -> PathBuf) -> Self {
        for input in &mut self.input {
            for name in &mut input.logs {
                if !name.contains("://") {
                    *name = resolve(Path::new(name)).display().to_string();
                }
            }
        }
        for path in [&mut self.data, &mut self.geoip, &mut self.tls_certificate, &mut self.tls_key]
        {
            *path = path.as_deref().map(resolve);
        }
        self
    }

    /// Returns the days of events that are kept, by index.
    pub(crate) fn days_by_index(&self) -> BTreeMap<String, u32> {
        let set = self.keep_days_of.iter().map(|(index, days)| (index.clone(), days.get()));
        // What the server itself did is of use for a while only.
        [(app::INTERNAL.to_owned(), DAYS_OF_INTERNAL)].into_iter().chain(set).collect()
    }

    /// Returns the logs that are looked at again and again.
    pub(crate) fn inputs(&self) -> Vec<app::InputOptions> {
        self.input.iter().map(InputKeys::options).collect()
    }

    /// Returns what detections have in place of what their files say.
    pub(crate) fn overrides(&self) -> Vec<app::ScheduleOverride> {
        self.schedule.iter().map(ScheduleKeys::entry).collect()
    }

    /// Returns what matters more, or less, than the rest.
    pub(crate) fn priorities(&self) -> Vec<app::PriorityEntry> {
        self.priority.iter().map(PriorityKeys::entry).collect()
    }

    /// Fills in what no flag sets.
    pub(crate) fn apply(&self, options: &mut ServeOptions) {
        let of_key = |key: &Option<Spanned<ListenKey>>| key.as_ref().map(|key| key.get_ref().0);
        options.hec = options.hec.or(of_key(&self.hec));
        options.api = options.api.or(of_key(&self.api));
        options.tz = options.tz.take().or_else(|| self.tz.clone());
        options.geoip = options.geoip.take().or_else(|| self.geoip.clone());
        options.keep_days = options.keep_days.or(self.keep_days.map(NonZeroU32::get));
        let filters = &mut options.filters;
        filters.min_score = filters.min_score.or(self.min_score);
        for (flags, keys) in [
            (&mut filters.detection, &self.detections),
            (&mut filters.types, &self.types),
            (&mut filters.story, &self.stories),
            (&mut filters.technique, &self.techniques),
            (&mut filters.exclude, &self.exclude),
        ] {
            if flags.is_empty() {
                flags.clone_from(keys);
            }
        }
        options.file = self.clone();
    }
}
