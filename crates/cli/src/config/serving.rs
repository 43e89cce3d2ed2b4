//! The settings of a server: the table `[serve]` of the configuration file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::arguments::{Listen, ServeOptions, listen};

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
    /// Days of events that are kept.
    keep_days: Option<u32>,
    /// Days of events that are kept, by index.
    #[serde(default)]
    pub(crate) keep_days_of: BTreeMap<String, u32>,
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
    /// The certificate of the server, with those that signed it, as PEM.
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The key of the certificate, as PEM.
    pub(crate) tls_key: Option<PathBuf>,
    /// The names by which clients reach the server.
    #[serde(default)]
    pub(crate) host_names: Vec<String>,
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
        for path in [&mut self.data, &mut self.tls_certificate, &mut self.tls_key] {
            *path = path.as_deref().map(resolve);
        }
        self
    }

    /// Fills in what no flag sets.
    pub(crate) fn apply(&self, options: &mut ServeOptions) {
        let of_key = |key: &Option<Spanned<ListenKey>>| key.as_ref().map(|key| key.get_ref().0);
        options.hec = options.hec.or(of_key(&self.hec));
        options.api = options.api.or(of_key(&self.api));
        options.tz = options.tz.take().or_else(|| self.tz.clone());
        options.keep_days = options.keep_days.or(self.keep_days);
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
