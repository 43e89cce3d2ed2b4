//! Logs what the program does to standard error if `SPILLTRAIL_LOG` is set: details of bugs, or all that a
//! server does, with the ids of requests and runs.

use log::{Log, Metadata, Record};
use tracing::Level;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that says how much is logged.
const VARIABLE: &str = "SPILLTRAIL_LOG";

/// Hands on the records of Spilltrail's own crates, and ignores those of other libraries.
struct Records;

impl Log for Records {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_own(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args();
        match record.level() {
            log::Level::Error => tracing::error!("{text}"),
            log::Level::Warn => tracing::warn!("{text}"),
            log::Level::Info => tracing::info!("{text}"),
            log::Level::Debug => tracing::debug!("{text}"),
            log::Level::Trace => tracing::trace!("{text}"),
        }
    }

    fn flush(&self) {}
}

fn is_own(target: &str) -> bool {
    target.starts_with("spilltrail")
}

/// Returns the level that a value of the variable asks for; `None` for no log.
fn level_of(value: &str) -> Option<Level> {
    match value.to_lowercase().as_str() {
        "" | "0" | "off" => None,
        "error" => Some(Level::ERROR),
        "info" => Some(Level::INFO),
        "debug" => Some(Level::DEBUG),
        "trace" => Some(Level::TRACE),
        // Any other value says that something is wanted.
        _ => Some(Level::WARN),
    }
}

/// Starts to log if the environment variable asks for it.
pub(crate) fn start() {
    let Some(level) = crate::config::variable(VARIABLE).and_then(|value| level_of(&value)) else {
        return;
    };
    let own = filter_fn(move |metadata| is_own(metadata.target()) && *metadata.level() <= level);
    let printed = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_filter(own);
    // Both fail only if something else logs already.
    if tracing_subscriber::registry().with(printed).try_init().is_ok()
        && log::set_logger(&Records).is_ok()
    {
        let most = level.as_str().parse().unwrap_or(log::LevelFilter::Warn);
        log::set_max_level(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_is_logged() {
        for (value, expected) in [
            ("", None),
            ("0", None),
            ("off", None),
            ("1", Some(Level::WARN)),
            ("yes", Some(Level::WARN)),
            ("info", Some(Level::INFO)),
            ("DEBUG", Some(Level::DEBUG)),
            ("error", Some(Level::ERROR)),
        ] {
            assert_eq!(level_of(value), expected, "{value}");
        }
    }
}
