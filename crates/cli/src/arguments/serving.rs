//! The options of `serve`, and of the commands that work on its data folder.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use spilltrail_app as app;

use super::{ContentOptions, FilterOptions, Format, LimitOptions, bytes};
use crate::examples;

/// The data folder of a server.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataOptions {
    /// The data folder of the server. Default: `data` below `[serve]` in the configuration file.
    #[arg(long = "data", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    /// This one.
    On(SocketAddr),
    /// None.
    Off,
}

/// How long ago a run can be that runs again because events were late, in seconds: a week.
const LATE_LOOK_BACK: i64 = 7 * 86_400;

/// Reads an address to listen on.
pub(crate) fn listen(text: &str) -> Result<Listen, String> {
    match text {
        "off" => Ok(Listen::Off),
        text => text.parse().map(Listen::On).map_err(|_| {
            "expected an address with a port, such as 127.0.0.1:8088 or [::]:8088, or `off`".into()
        }),
    }
}

#[derive(Debug, Args)]
#[command(after_help = examples::SERVE)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    pub(crate) data: DataOptions,
    /// Where senders of events connect: an address with a port, or `off`. Default: 127.0.0.1:8088.
    #[arg(long, value_name = "ADDRESS", value_parser = listen)]
    pub(crate) hec: Option<Listen>,
    /// Where the API answers: an address with a port, or `off`. Default: 127.0.0.1:8089.
    #[arg(long, value_name = "ADDRESS", value_parser = listen)]
    pub(crate) api: Option<Listen>,
    /// Time zone of schedules. Default: UTC.
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// Days of events that are kept. Default: all.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep_days: Option<u32>,
    /// MaxMind database for iplocation.
    #[arg(long, value_name = "FILE")]
    pub(crate) geoip: Option<PathBuf>,
    /// Check the configuration and the content, tell what would run, and end.
    #[arg(long)]
    pub(crate) check_config: bool,
    #[command(flatten)]
    pub(crate) filters: FilterOptions,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
    /// What the configuration file says beside the flags.
    #[arg(skip)]
    pub(crate) file: crate::config::ServeKeys,
    /// The allow-list of the configuration file.
    #[arg(skip)]
    pub(crate) allow: Vec<app::AllowEntry>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token for a sender of events, and print it. It is not shown again.
    Add(TokenAddOptions),
    /// List the tokens, without their secrets.
    List(TokenListOptions),
    /// Remove a token: its sender is refused from now on.
    Remove(TokenNamedOptions),
    /// Refuse the sender of a token for now.
    Disable(TokenNamedOptions),
    /// Take events of a token again.
    Enable(TokenNamedOptions),
}

#[derive(Debug, Args)]
#[command(after_help = examples::TOKEN)]
pub(crate) struct TokenAddOptions {
    /// The name by which people know it.
    pub(crate) name: String,
    /// The index of events that name none. Default: main.
    #[arg(long, value_name = "NAME")]
    pub(crate) index: Option<String>,
    /// The sourcetype of events that name none.
    #[arg(long, value_name = "NAME")]
    pub(crate) sourcetype: Option<String>,
    /// The source of events that name none.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// The host of events that name none.
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// An index that events may name. Repeatable. Without it, all but those of the server itself.
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_index: Vec<String>,
    /// The sender asks later whether its events are stored, as with indexer acknowledgement.
    #[arg(long)]
    pub(crate) use_ack: bool,
    /// The token may be in the query of a request, for senders that set no header. Queries end up in logs of
    /// proxies.
    #[arg(long)]
    pub(crate) query_string: bool,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Debug, Args)]
pub(crate) struct TokenListOptions {
    /// How the list is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Debug, Args)]
pub(crate) struct TokenNamedOptions {
    /// The name of the token.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

impl TokenCommand {
    /// Returns the data folder, to fill it in.
    pub(crate) fn data_mut(&mut self) -> &mut DataOptions {
        match self {
            Self::Add(options) => &mut options.data,
            Self::List(options) => &mut options.data,
            Self::Remove(options) | Self::Disable(options) | Self::Enable(options) => {
                &mut options.data
            }
        }
    }
}

impl DataOptions {
    /// Returns the data folder.
    ///
    /// # Errors
    /// Fails if neither a flag nor the configuration file names it.
    pub(crate) fn folder(&self) -> anyhow::Result<app::DataFolder> {
        let data = self.data.as_deref().ok_or_else(|| {
            anyhow::anyhow!(
                "name the data folder of the server: `--data DIR`, or `data` below `[serve]` in the \
                 configuration file"
            )
        })?;
        Ok(app::DataFolder::new(data))
    }
}

impl ServeOptions {
    /// Returns the options of the server.
    ///
    /// # Errors
    /// Fails if no data folder is named.
    pub(crate) fn serve(&self) -> anyhow::Result<app::ServeOptions> {
        Ok(app::ServeOptions {
            data: self.data.folder()?.path().to_owned(),
            content: self.content.of_server(),
            select: self.filters.selection(),
            zone: self.tz.clone().unwrap_or_else(|| "UTC".to_owned()),
            allow: self.allow.clone(),
            geoip: self.geoip.clone(),
            retention: app::Retention {
                days: self.keep_days,
                by_index: self.file.days_by_index(),
                ..app::Retention::default()
            },
            late_look_back: LATE_LOOK_BACK,
            sourcetypes: self.file.sourcetypes.clone(),
            priorities: self.file.priorities(),
            overrides: self.file.overrides(),
            inputs: self.file.inputs(),
            outputs: self.file.output.clone(),
            memory_limit: self.limits.memory_limit.map(bytes),
            threads: self.limits.threads.map(|count| usize::try_from(count).unwrap_or(1)),
            ..app::ServeOptions::default()
        })
    }
}
