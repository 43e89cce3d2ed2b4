//! Commands on the data folder of a server, whether or not it runs.

pub(crate) mod allow;
pub(crate) mod backup;
pub(crate) mod deliveries;
pub(crate) mod findings;
pub(crate) mod index;
pub(crate) mod risk;
pub(crate) mod schedule;

use anyhow::{Context, Result, bail};
use jiff::tz::TimeZone;
use spilltrail_app::DataFolder;
use spilltrail_event::Value;
use spilltrail_schedule::Moment;
use spilltrail_search::rows::Row;
use spilltrail_spl::time::resolve;
use spilltrail_store::{Desk, StoreReader};

use crate::report;

/// Opens what a server has stored.
///
/// # Errors
/// Fails if no server has worked in the folder, or if its store cannot be read.
fn reader(folder: &DataFolder) -> Result<StoreReader> {
    check(folder)?;
    Ok(StoreReader::open(&folder.store())?)
}

/// Opens what a server has stored, to change it.
///
/// # Errors
/// Fails as [`reader`] does.
fn desk(folder: &DataFolder) -> Result<Desk> {
    check(folder)?;
    Ok(Desk::open(&folder.store())?)
}

/// Says so if no server works in the folder: then nothing is found any more.
fn doubt_server(folder: &DataFolder) {
    if !StoreReader::has_server(&folder.store()) {
        report::line(format_args!(
            "note: no server works in {} now; this is what there was when it stopped",
            folder.path().display()
        ));
    }
}

fn check(folder: &DataFolder) -> Result<()> {
    if folder.store().is_file() {
        return Ok(());
    }
    bail!(
        "no server has worked in {}; `spilltrail serve --data {0}` starts one",
        folder.path().display()
    )
}

/// Returns the present.
fn now() -> Moment {
    jiff::Timestamp::now().into()
}

/// Reads a time of an option, such as `-7d@d`, in UTC.
fn moment(option: &str, text: &str) -> Result<Moment> {
    let now = jiff::Timestamp::now().as_second() as f64;
    let time = resolve(text, now, &TimeZone::UTC)
        .with_context(|| format!("`--{option} {text}` is no time"))?;
    time.and_then(Moment::of_seconds)
        .with_context(|| format!("`--{option} {text}` is no time; an example is `-7d@d`"))
}

/// Returns the name of the user of this session.
fn who(named: Option<&str>) -> String {
    let user = || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let named = named.map(str::to_owned).or_else(user).or_else(user_of_process);
    named.unwrap_or_else(|| "unknown".to_owned())
}

/// Returns the user of this process by the number that the system gives, as where no session is: in a
/// container, or run by a schedule.
fn user_of_process() -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let uid = std::fs::metadata("/proc/self").ok()?.uid();
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = users.lines().find_map(|line| {
            let mut parts = line.split(':');
            let (name, number) = (parts.next()?, parts.nth(1)?);
            (number.parse() == Ok(uid)).then(|| name.to_owned())
        });
        Some(name.unwrap_or_else(|| format!("uid {uid}")))
    }
    #[cfg(not(unix))]
    None
}

/// Returns a time as it is shown, to the second.
fn shown(moment: Moment) -> Value<'static> {
    Value::text(moment.to_string())
}

/// Returns a time in seconds as it is shown.
fn shown_seconds(time: f64) -> Value<'static> {
    Moment::of_seconds(time).map_or(Value::Null, shown)
}

fn optional(text: Option<&str>) -> Value<'static> {
    text.map_or(Value::Null, |text| Value::text(text.to_owned()))
}

/// Returns a row with these columns.
fn row(columns: &[&str], values: impl IntoIterator<Item = Value<'static>>) -> Row {
    columns.iter().map(|name| (*name).to_owned()).zip(values).collect()
}
