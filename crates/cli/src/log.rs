//! What is known of bugs and of answers from elsewhere, on standard error where `SPILLTRAIL_LOG` is set.

use log::{LevelFilter, Log, Metadata, Record};

/// Prints what the program itself has to say; what its libraries say is for those who develop them.
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

/// Has the log printed, if the environment asks for it.
pub(crate) fn start() {
    let is_wanted = std::env::var_os("SPILLTRAIL_LOG").is_some_and(|value| value != "0");
    if is_wanted && log::set_logger(&StandardError).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}
