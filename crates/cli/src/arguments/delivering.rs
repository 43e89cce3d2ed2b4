//! The options of the command about what a server sends to its outputs.

use clap::{Args, Subcommand};
use spilltrail_store::DeliveryState;

use super::{DataOptions, Format};
use crate::examples;

#[derive(Debug, Subcommand)]
pub(crate) enum DeliveriesCommand {
    /// List what was sent to which output, and what became of it.
    List(DeliveriesListOptions),
    /// Send again what was given up or has arrived.
    Repeat(DeliveriesRepeatOptions),
}

#[derive(Debug, Args)]
#[command(after_help = examples::DELIVERIES)]
pub(crate) struct DeliveriesListOptions {
    /// Only deliveries to this output.
    #[arg(long, value_name = "NAME")]
    pub(crate) output: Option<String>,
    /// Only deliveries with this state: waiting, done, or dead for those that were given up.
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub(crate) state: Option<DeliveryState>,
    /// Only deliveries about this finding, by its id or the beginning of it.
    #[arg(long, value_name = "ID")]
    pub(crate) finding: Option<String>,
    /// The most deliveries that are listed.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// How the list is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Debug, Args)]
#[command(after_help = examples::DELIVERIES)]
pub(crate) struct DeliveriesRepeatOptions {
    /// The output.
    pub(crate) output: String,
    /// The numbers of the deliveries, as `deliveries list` shows them.
    #[arg(value_name = "NUMBER", required_unless_present = "dead")]
    pub(crate) numbers: Vec<u64>,
    /// All deliveries to the output that were given up.
    #[arg(long, conflicts_with = "numbers")]
    pub(crate) dead: bool,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

impl DeliveriesCommand {
    /// Returns the data folder, to fill it in.
    pub(crate) fn data_mut(&mut self) -> &mut DataOptions {
        match self {
            Self::List(options) => &mut options.data,
            Self::Repeat(options) => &mut options.data,
        }
    }
}

fn state(text: &str) -> Result<DeliveryState, String> {
    DeliveryState::parse(text).ok_or_else(|| {
        let names = DeliveryState::ALL.map(DeliveryState::name);
        format!("expected one of {}", names.join(", "))
    })
}
