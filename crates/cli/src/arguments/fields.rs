//! The options of `fields`.

use clap::Args;
use spilltrail_app::{self as app, CancellationToken};

use super::{Format, SharedOptions};
use crate::examples;

#[derive(Debug, Args)]
#[command(
    after_help = examples::FIELDS,
    override_usage = "spilltrail fields [OPTIONS] <LOGS>...\n       spilltrail fields [OPTIONS] --lake <DIR>"
)]
pub(crate) struct FieldsOptions {
    /// Files, folders, patterns, s3://bucket/prefix, or `-` for standard input.
    #[arg(required_unless_present = "lake", conflicts_with = "lake", value_name = "LOGS")]
    pub(crate) logs: Vec<String>,
    /// Count only the events that this search finds.
    #[arg(long, value_name = "SPL", default_value = "*")]
    pub(crate) search: String,
    /// How the list is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) shared: SharedOptions,
}

impl FieldsOptions {
    /// Returns the options of the search whose fields are counted.
    pub(crate) fn search(&self, cancel: CancellationToken) -> app::SearchOptions {
        app::SearchOptions {
            search: app::SearchText::Spl(self.search.clone()),
            until: None,
            input: app::Input::Logs(self.logs.clone()),
            run: self.shared.run(cancel),
        }
    }
}
