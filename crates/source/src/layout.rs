//! The paths to which CloudTrail delivers files, and the reasons not to read a file.
//!
//! The path of a delivered file contains the account and region of its events and its delivery
//! time: `AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/17/…_20260317T1510Z_….json.gz`. A file
//! is ruled out only if its whole path has this form; all others are read. This module performs no
//! IO.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// How much older than its delivery an event may be, in seconds. CloudTrail usually delivers within
/// minutes but guarantees no time; a day is far longer. (A bucket that refused deliveries receives
/// them even later: see docs/compatibility.md.)
pub const LATE_DELIVERY: f64 = 24.0 * 3600.0;

/// How much newer than its delivery an event may appear, in seconds: clocks differ, and the time in
/// the file name may have no seconds.
pub const CLOCK_SKEW: f64 = 15.0 * 60.0;

/// The facts about a file's events that its path contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout<'a> {
    /// The organization, if the trail belongs to one.
    pub organization: Option<&'a str>,
    /// The account whose events the file holds.
    pub account: &'a str,
    /// The kind of content of the file.
    pub service: Service,
    /// The region of the events.
    pub region: &'a str,
    /// The day of delivery (UTC).
    pub day: Date,
    /// The delivery time in the file name, in seconds since the epoch.
    pub delivered: i64,
}

/// The CloudTrail folders of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `CloudTrail`: management and data events.
    Events,
    /// `CloudTrail-Digest`: hashes of files, no events.
    Digest,
    /// `CloudTrail-Insight` and any other folder whose name starts with `CloudTrail-`.
    Other,
}

impl Service {
    /// Returns the service of a folder name, or `None` if the folder does not belong to CloudTrail.
    pub(crate) fn of_folder(name: &str) -> Option<Self> {
        match name {
            "CloudTrail" => Some(Self::Events),
            "CloudTrail-Digest" => Some(Self::Digest),
            other => other.starts_with("CloudTrail-").then_some(Self::Other),
        }
    }
}

impl<'a> Layout<'a> {
    /// Parses a path or object key; returns `None` unless all of it follows CloudTrail's layout.
    #[must_use]
    pub fn parse(path: &'a str) -> Option<Self> {
        let mut parts = path.rsplit(['/', '\\']);
        let (file, day, month, year) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (region, folder, account) = (parts.next()?, parts.next()?, parts.next()?);
        let organization = match parts.next()? {
            AWS_LOGS => None,
            id if is_organization(id) && parts.next()? == AWS_LOGS => Some(id),
            _ => return None,
        };
        let service = Service::of_folder(folder)?;
        let day =
            Date::new(number(year, 4)? as i16, number(month, 2)? as i8, number(day, 2)? as i8)
                .ok()?;
        let name = file.strip_suffix(".gz").unwrap_or(file).strip_suffix(".json")?;
        let named = name
            .strip_prefix(account)?
            .strip_prefix('_')?
            .strip_prefix(folder)?
            .strip_prefix('_')?
            .strip_prefix(region)?
            .strip_prefix('_')?;
        // The name of a digest ends with its time, after the trail's name and region.
        let time = match service {
            Service::Digest => named.rsplit_once('_')?.1,
            _ => named.split_once('_').filter(|(_, id)| is_id(id))?.0,
        };
        let delivered = delivery_time(time)?;
        (is_account(account) && is_region(region) && delivered.date() == day).then_some(Self {
            organization,
            account,
            service,
            region,
            day,
            delivered: delivered.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second(),
        })
    }
}

/// The folder to which CloudTrail and other services of AWS deliver files.
pub(crate) const AWS_LOGS: &str = "AWSLogs";

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

pub(crate) fn is_organization(text: &str) -> bool {
    text.strip_prefix("o-").is_some_and(is_id)
}

pub(crate) fn is_region(text: &str) -> bool {
    text.contains('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Parses `text` as a number if it has exactly `digits` digits.
pub(crate) fn number(text: &str, digits: usize) -> Option<u16> {
    let is_number = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Parses a time such as `20260317T1510Z` or `20260317T151030Z`.
fn delivery_time(text: &str) -> Option<DateTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || !text.is_ascii() {
        return None;
    }
    let second = match time.len() {
        4 => 0,
        6 => number(&time[4..], 2)?,
        _ => return None,
    };
    DateTime::new(
        number(&date[..4], 4)? as i16,
        number(&date[4..6], 2)? as i8,
        number(&date[6..], 2)? as i8,
        number(&time[..2], 2)? as i8,
        number(&time[2..4], 2)? as i8,
        second as i8,
        0,
    )
    .ok()
}

/// Why a file is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The file was delivered before the time range begins.
    TooEarly,
    /// The file was delivered so long after the time range that all its events are newer.
    TooLate,
    /// The file belongs to an account that no search needs.
    Account,
    /// The file belongs to a region that no search needs.
    Region,
    /// The file has the events of an index that no search needs.
    Index,
    /// The file is a digest: it holds hashes of files.
    Digest,
    /// The file is in the folder of another service.
    OtherService,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooEarly => "delivered before the time range",
            Self::TooLate => "delivered after the time range",
            Self::Account => "of other accounts",
            Self::Region => "of other regions",
            Self::Index => "of other indexes",
            Self::Digest => "of digests",
            Self::OtherService => "of other services",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "111122223333_CloudTrail_eu-west-1_20260317T1510Z_YtBHTwEeHpUNbdiG.json.gz";

    #[test]
    fn the_layout_is_taken_apart() {
        let path = format!("/logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/17/{NAME}");
        let layout = Layout::parse(&path).unwrap();
        assert_eq!(layout.organization, None);
        assert_eq!((layout.account, layout.region), ("111122223333", "eu-west-1"));
        assert_eq!(layout.service, Service::Events);
        assert_eq!(layout.day, Date::constant(2026, 3, 17));
        // 2026-03-17T15:10:00Z
        assert_eq!(layout.delivered, 1_773_760_200);
    }

    #[test]
    fn organizations_digests_and_insights() {
        let day = "eu-west-1/2026/03/17";
        for (path, organization, service) in [
            (
                format!("s3://b/p/AWSLogs/o-abc123/111122223333/CloudTrail/{day}/{NAME}"),
                Some("o-abc123"),
                Service::Events,
            ),
            (
                format!(
                    "AWSLogs/111122223333/CloudTrail-Digest/{day}/111122223333_CloudTrail-Digest_\
                     eu-west-1_my_trail_us-east-1_20260317T151030Z.json.gz"
                ),
                None,
                Service::Digest,
            ),
            (
                format!(
                    "AWSLogs/111122223333/CloudTrail-Insight/{day}/111122223333_CloudTrail-Insight_\
                     eu-west-1_20260317T1510Z_abc.json"
                ),
                None,
                Service::Other,
            ),
        ] {
            let layout = Layout::parse(&path).unwrap();
            assert_eq!((layout.organization, layout.service), (organization, service), "{path}");
        }
    }

    #[test]
    fn what_is_almost_the_layout_is_none() {
        let folder = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/17";
        for path in [
            String::new(),
            NAME.to_owned(),
            format!("111122223333/CloudTrail/eu-west-1/2026/03/17/{NAME}"),
            format!("Logs/111122223333/CloudTrail/eu-west-1/2026/03/17/{NAME}"),
            // The folders have another account, region or day than the file name.
            format!("AWSLogs/444455556666/CloudTrail/eu-west-1/2026/03/17/{NAME}"),
            format!("AWSLogs/111122223333/CloudTrail/eu-west-2/2026/03/17/{NAME}"),
            format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/18/{NAME}"),
            format!("AWSLogs/111122223333/Config/eu-west-1/2026/03/17/{NAME}"),
            format!("{folder}/copy of {NAME}"),
            format!("{folder}/{}", NAME.replace("T1510Z", "T1560Z")),
            format!("{folder}/{}", NAME.replace("T1510Z", "T15é0Z")),
            format!("{folder}/{}", NAME.replace("YtBH", "Yt_H")),
            format!("{folder}/{}", NAME.replace(".json.gz", ".parquet")),
            format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/02/30/{NAME}"),
        ] {
            assert_eq!(Layout::parse(&path), None, "{path}");
        }
    }
}
