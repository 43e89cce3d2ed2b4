//! The options of `detections`.

use clap::{Args, Subcommand};

use super::{ContentOptions, FilterOptions, Format, ShowFormat};
use crate::examples;

#[derive(Debug, Subcommand)]
pub(crate) enum DetectionsCommand {
    /// List detections: name, type, risk score, techniques, stories.
    List(DetectionsListOptions),
    /// Show all of a detection: its search line by line, what it says, when it is wrong.
    Show(DetectionsShowOptions),
}

#[derive(Debug, Args)]
#[command(after_help = examples::LIST)]
pub(crate) struct DetectionsListOptions {
    /// List baselines, the searches that fill lookups, instead of detections.
    #[arg(long)]
    pub(crate) baselines: bool,
    #[command(flatten)]
    pub(crate) filters: FilterOptions,
    /// How the list is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}

#[derive(Debug, Args)]
#[command(after_help = examples::SHOW)]
pub(crate) struct DetectionsShowOptions {
    /// Name, id or file name of the detection, a part of it, or a pattern with `*`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// How the detection is written: text for a person, or one JSON object.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ShowFormat,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}
