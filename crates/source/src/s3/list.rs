//! Lists the objects that a name matches, and skips folders that no search needs.
//!
//! If a folder is part of CloudTrail's layout, its subfolders are listed first, and only those of
//! wanted accounts, regions and days are listed further. A folder whose whole content is wanted is
//! listed with a single recursive listing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use object_store::ObjectStoreExt;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;

use super::MAX_REQUESTS;
use super::bucket::Bucket;
use super::failure::Failure;
use crate::layout::{self, Reason, Service};
use crate::wanted::Wanted;

/// Number of folder levels below the given name that are searched for `AWSLogs`.
const MAX_DEPTH: usize = 3;

/// A folder with more subfolders than this is not searched for `AWSLogs`, but listed recursively.
const MAX_FOLDERS: usize = 100;

/// The result of listing.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Keys and sizes, sorted by key.
    pub(crate) objects: Vec<(String, u64)>,
    /// Number of skipped folders, by reason.
    pub(crate) passed: BTreeMap<Reason, u64>,
    /// Keys and folders that could not be listed, with the reason.
    pub(crate) failures: Vec<(String, Failure)>,
}

impl Listing {
    fn merge(&mut self, other: Self) {
        self.objects.extend(other.objects);
        for (reason, count) in other.passed {
            *self.passed.entry(reason).or_default() += count;
        }
        self.failures.extend(other.failures);
    }
}

/// The level of a folder in CloudTrail's layout, named after the folder; each variant says which
/// subfolders it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Any folders; the number counts the levels below the name that the user gave.
    Open(usize),
    /// Organizations and accounts.
    Logs,
    /// Accounts.
    Organization,
    /// Services.
    Account,
    /// Regions.
    Service,
    /// Years.
    Region,
    /// Months of a year.
    Year(i16),
    /// Days of a month.
    Month(i16, i8),
    /// Folders outside or below the layout.
    Beyond,
}

/// How a subfolder is listed.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Pass(Reason),
    Enter(Level),
    ListAll,
}

impl Level {
    /// Returns the level of the subfolder `name`.
    fn below(self, name: &str) -> Self {
        let known = match self {
            Self::Open(_) if name == layout::AWS_LOGS => Some(Self::Logs),
            Self::Open(depth) if depth < MAX_DEPTH => Some(Self::Open(depth + 1)),
            Self::Logs if layout::is_organization(name) => Some(Self::Organization),
            Self::Logs | Self::Organization => layout::is_account(name).then_some(Self::Account),
            Self::Account => match Service::of_folder(name) {
                Some(Service::Events | Service::Other) => Some(Self::Service),
                Some(Service::Digest) | None => None,
            },
            Self::Service => layout::is_region(name).then_some(Self::Region),
            Self::Region => layout::number(name, 4).map(|year| Self::Year(year as i16)),
            Self::Year(year) => layout::number(name, 2).map(|month| Self::Month(year, month as i8)),
            Self::Open(_) | Self::Month(..) | Self::Beyond => None,
        };
        known.unwrap_or(Self::Beyond)
    }

    /// Returns how to list the subfolder `name`.
    fn step(self, name: &str, wanted: &Wanted) -> Step {
        let below = self.below(name);
        let reason = match (self, below) {
            (Self::Account, Self::Beyond) => match Service::of_folder(name) {
                Some(_) => Some(Reason::Digest),
                None => Some(Reason::OtherService),
            },
            (_, Self::Account) => wanted.rules_out_account(name),
            (_, Self::Region) => wanted.rules_out_region(name),
            _ => None,
        };
        let span = self.days(name);
        let reason = reason.or_else(|| {
            let (first, last) = span?;
            wanted.rules_out_delivery(first, last)
        });
        if let Some(reason) = reason {
            return Step::Pass(reason);
        }
        let (first, last) = span.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        match below {
            Self::Beyond => Step::ListAll,
            Self::Region | Self::Year(_) | Self::Month(..)
                if wanted.takes_all_delivered(first, last) =>
            {
                Step::ListAll
            }
            level => Step::Enter(level),
        }
    }

    /// Returns the first and last possible delivery time of files in a subfolder for a year, month
    /// or day.
    fn days(self, name: &str) -> Option<(f64, f64)> {
        let (first, after) = match self {
            Self::Region => {
                let first = Date::new(layout::number(name, 4)? as i16, 1, 1).ok()?;
                (first, first.checked_add(1.year()).ok()?)
            }
            Self::Year(year) => {
                let first = Date::new(year, layout::number(name, 2)? as i8, 1).ok()?;
                (first, first.checked_add(1.month()).ok()?)
            }
            Self::Month(year, month) => {
                let first = Date::new(year, month, layout::number(name, 2)? as i8).ok()?;
                (first, first.checked_add(1.day()).ok()?)
            }
            _ => return None,
        };
        let seconds = |date: Date| {
            let start = date.to_zoned(TimeZone::UTC).ok()?;
            Some(start.timestamp().as_second() as f64)
        };
        Some((seconds(first)?, seconds(after)?))
    }
}

impl Bucket {
    /// Lists the object `key`, or all objects below the folder `key`; blocks the calling thread.
    pub(crate) fn list(self: &Arc<Self>, key: &str, wanted: &Wanted) -> Listing {
        let (bucket, key, wanted) = (self.clone(), key.to_owned(), wanted.clone());
        let name = key.clone();
        let listed = self.io.wait(async move { Ok(bucket.find(&key, &wanted).await) });
        let mut listing = listed.unwrap_or_else(|failure| Listing {
            failures: vec![(name, failure)],
            ..Listing::default()
        });
        listing.objects.sort_unstable();
        listing
    }

    async fn find(&self, key: &str, wanted: &Wanted) -> Listing {
        if !key.is_empty()
            && !key.ends_with('/')
            && let Ok(path) = Path::parse(key)
        {
            let found = self
                .persist(|store| {
                    let path = path.clone();
                    async move { store.head(&path).await }
                })
                .await;
            match found {
                Ok(meta) => {
                    let objects = vec![(key.to_owned(), meta.size)];
                    return Listing { objects, ..Listing::default() };
                }
                Err(failure @ Failure::Silent { .. }) => {
                    let failures = vec![(key.to_owned(), failure)];
                    return Listing { failures, ..Listing::default() };
                }
                // The key may be a folder, and listing it reports more.
                Err(_) => {}
            }
        }
        let folder = match key.trim_end_matches('/') {
            "" => String::new(),
            key => format!("{key}/"),
        };
        let start = folder.split_terminator('/').fold(Level::Open(0), |level, name| {
            match level {
                // Folders in the name that the user gave do not count toward the maximum depth.
                Level::Open(_) if name != layout::AWS_LOGS => Level::Open(0),
                level => level.below(name),
            }
        });
        let mut listing = match start {
            Level::Beyond => self.list_all(folder).await,
            level => self.explore(folder, level, wanted).await,
        };
        let is_empty = listing.objects.is_empty() && listing.passed.is_empty();
        if is_empty && listing.failures.is_empty() {
            listing.failures.push((key.to_owned(), Failure::NothingThere));
        }
        listing
    }

    /// Lists a folder that is part of the layout or may contain it.
    fn explore<'a>(
        &'a self,
        folder: String,
        level: Level,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Listing> {
        async move {
            let mut listing = Listing::default();
            let (objects, folders) = match self.pages(&folder, true).await {
                Ok(page) => page,
                Err(failure) => {
                    listing.failures.push((folder, failure));
                    return listing;
                }
            };
            if matches!(level, Level::Open(_)) && folders.len() > MAX_FOLDERS {
                return self.list_all(folder).await;
            }
            listing.objects = objects;
            let mut ways = Vec::new();
            for subfolder in folders {
                let name = subfolder.strip_prefix(&folder).unwrap_or(&subfolder);
                match level.step(name.trim_end_matches('/'), wanted) {
                    Step::Pass(reason) => *listing.passed.entry(reason).or_default() += 1,
                    Step::Enter(level) => ways.push(self.explore(subfolder, level, wanted)),
                    Step::ListAll => ways.push(self.list_all(subfolder).boxed()),
                }
            }
            let mut found = futures::stream::iter(ways).buffered(MAX_REQUESTS);
            while let Some(below) = found.next().await {
                listing.merge(below);
            }
            listing
        }
        .boxed()
    }

    /// Lists all objects below a folder.
    async fn list_all(&self, folder: String) -> Listing {
        match self.pages(&folder, false).await {
            Ok((objects, _)) => Listing { objects, ..Listing::default() },
            Err(failure) => Listing { failures: vec![(folder, failure)], ..Listing::default() },
        }
    }

    /// Returns all objects of a folder; with `by_folder`, only its direct objects, and its
    /// subfolders.
    async fn pages(
        &self,
        folder: &str,
        by_folder: bool,
    ) -> Result<(Vec<(String, u64)>, Vec<String>), Failure> {
        let (mut objects, mut folders) = (Vec::new(), Vec::new());
        let mut page_token = None;
        loop {
            let page = self
                .persist(|store| {
                    let options = PaginatedListOptions {
                        delimiter: by_folder.then_some("/".into()),
                        page_token: page_token.clone(),
                        ..PaginatedListOptions::default()
                    };
                    async move {
                        let prefix = (!folder.is_empty()).then_some(folder);
                        store.list_paginated(prefix, options).await
                    }
                })
                .await?;
            // Consoles create folders as empty objects, so empty objects are skipped.
            let found = page.result.objects.into_iter().filter(|meta| meta.size > 0);
            objects.extend(found.map(|meta| (meta.location.to_string(), meta.size)));
            folders.extend(page.result.common_prefixes.into_iter().map(|path| format!("{path}/")));
            match page.page_token {
                Some(token) => page_token = Some(token),
                None => return Ok((objects, folders)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_event::TimeBounds;

    use super::*;

    #[test]
    fn steps_through_the_layout() {
        // 2026-03-17 12:00 to 2026-03-20.
        let time = TimeBounds { earliest: Some(1_773_748_800.0), latest: Some(1_773_964_800.0) };
        let wanted = Wanted {
            time,
            accounts: Some(["111122223333".to_owned()].into()),
            regions: Some(["eu-west-1".to_owned()].into()),
            indexes: None,
        };
        let everything = Wanted::default();
        let open = Level::Open(0);
        for (level, name, wanted, step) in [
            (open, "AWSLogs", &wanted, Step::Enter(Level::Logs)),
            (open, "trails", &wanted, Step::Enter(Level::Open(1))),
            (Level::Open(MAX_DEPTH), "trails", &wanted, Step::ListAll),
            (Level::Logs, "o-abc", &wanted, Step::Enter(Level::Organization)),
            (Level::Logs, "111122223333", &wanted, Step::Enter(Level::Account)),
            (Level::Organization, "444455556666", &wanted, Step::Pass(Reason::Account)),
            (Level::Logs, "odd", &wanted, Step::ListAll),
            (Level::Account, "CloudTrail", &wanted, Step::Enter(Level::Service)),
            (Level::Account, "CloudTrail-Insight", &wanted, Step::Enter(Level::Service)),
            (Level::Account, "CloudTrail-Digest", &wanted, Step::Pass(Reason::Digest)),
            (Level::Account, "Config", &wanted, Step::Pass(Reason::OtherService)),
            (Level::Service, "eu-west-1", &wanted, Step::Enter(Level::Region)),
            (Level::Service, "eu-west-2", &wanted, Step::Pass(Reason::Region)),
            (Level::Service, "eu-west-2", &everything, Step::ListAll),
            (Level::Region, "2025", &wanted, Step::Pass(Reason::TooEarly)),
            (Level::Region, "2026", &wanted, Step::Enter(Level::Year(2026))),
            (Level::Region, "2027", &wanted, Step::Pass(Reason::TooLate)),
            (Level::Region, "index", &wanted, Step::ListAll),
            (Level::Year(2026), "03", &wanted, Step::Enter(Level::Month(2026, 3))),
            (Level::Year(2026), "04", &wanted, Step::Pass(Reason::TooLate)),
            (Level::Month(2026, 3), "16", &wanted, Step::Pass(Reason::TooEarly)),
            (Level::Month(2026, 3), "17", &wanted, Step::ListAll),
            // The folder of the day after the range may have events that were delivered late.
            (Level::Month(2026, 3), "20", &wanted, Step::ListAll),
            (Level::Month(2026, 3), "21", &wanted, Step::Pass(Reason::TooLate)),
        ] {
            assert_eq!(level.step(name, wanted), step, "{level:?} {name}");
        }
    }

    #[test]
    fn a_year_of_which_all_is_wanted_is_listed_at_once() {
        // From 2025 on.
        let time = TimeBounds { earliest: Some(1_735_689_600.0), latest: None };
        let wanted = Wanted::in_time(time);
        assert_eq!(Level::Region.step("2026", &wanted), Step::ListAll);
        assert_eq!(Level::Region.step("2024", &wanted), Step::Enter(Level::Year(2024)));
        assert_eq!(Level::Region.step("2023", &wanted), Step::Pass(Reason::TooEarly));
    }
}
