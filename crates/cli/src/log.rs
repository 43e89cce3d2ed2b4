//! Logs details of bugs and of remote responses to standard error if `SPILLTRAIL_LOG` is set.

use log::{LevelFilter, Log, Metadata, Record};

/// Logger that prints the records of Spilltrail's own crates and ignores those of other libraries.
struct StandardError;

impl Log for StandardError {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("spilltrail")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_lowercase();
            crate::report::line(format_args!("{level}: {}", record.args()));
        }
    }

    fn flush(&self) {}
}

/// Installs the logger if the environment variable `SPILLTRAIL_LOG` is set and not `0`.
pub(crate) fn start() {
    let is_wanted = std::env::var_os("SPILLTRAIL_LOG").is_some_and(|value| value != "0");
    if is_wanted && log::set_logger(&StandardError).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}
