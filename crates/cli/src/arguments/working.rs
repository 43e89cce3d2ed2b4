//! The options of the commands that work with what a server has found and does.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use spilltrail_store::{Disposition, Level, TriageStatus};

use super::{ContentOptions, DataOptions, Format, ShowFormat};
use crate::examples;

#[derive(Debug, Subcommand)]
pub(crate) enum FindingsCommand {
    /// List findings, newest first: notables that are not closed, unless asked otherwise.
    List(FindingsListOptions),
    /// Show all of a finding: what it says, its events, who did what about it.
    Show(FindingsShowOptions),
    /// Give findings to somebody, and set them in progress.
    Assign(AssignOptions),
    /// Close findings.
    Close(CloseOptions),
    /// Open findings again.
    Reopen(ReopenOptions),
    /// Set how far findings are, how urgent, and what they turned out to be.
    Set(SetOptions),
    /// Write a comment to findings.
    Comment(CommentOptions),
}

#[derive(Debug, Args)]
#[command(after_help = examples::FINDINGS)]
pub(crate) struct FindingsListOptions {
    /// All findings, not only notables.
    #[arg(long)]
    pub(crate) all: bool,
    /// Only findings with this status: new, in-progress, pending, resolved or closed. Repeatable.
    #[arg(long, value_name = "STATUS", value_parser = status)]
    pub(crate) status: Vec<TriageStatus>,
    /// Only findings of this owner; `-` for those of nobody.
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
    /// Only findings of this detection, by name or id; `*` stands for any characters.
    #[arg(long, value_name = "NAME")]
    pub(crate) detection: Option<String>,
    /// Only findings about this, such as a user; `*` stands for any characters.
    #[arg(long, value_name = "ENTITY")]
    pub(crate) entity: Option<String>,
    /// Only findings of at least this urgency: informational, low, medium, high or critical.
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub(crate) urgency: Option<Level>,
    /// Only findings of what happened since then, such as -7d@d.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Only findings of what happened before then.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// Only findings with this text in their title.
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Findings that are withdrawn, too: late events have shown that there was nothing.
    #[arg(long)]
    pub(crate) withdrawn: bool,
    /// Findings that the allow-list hides, too.
    #[arg(long)]
    pub(crate) hidden: bool,
    /// The most findings that are listed.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// How the list is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Debug, Args)]
pub(crate) struct FindingsShowOptions {
    /// The id of the finding, or its first characters.
    pub(crate) id: String,
    /// How it is written: text for a person, or one JSON object.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ShowFormat,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

/// Findings that are changed, and by whom.
#[derive(Debug, Args)]
pub(crate) struct ChangedOptions {
    /// The ids of findings, or their first characters.
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Who does it. Default: the user of this session.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) who: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Debug, Args)]
pub(crate) struct AssignOptions {
    #[command(flatten)]
    pub(crate) changed: ChangedOptions,
    /// Who gets them; `-` for nobody.
    #[arg(long, value_name = "NAME")]
    pub(crate) to: String,
    /// What there is to say.
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = examples::CLOSE)]
pub(crate) struct CloseOptions {
    #[command(flatten)]
    pub(crate) changed: ChangedOptions,
    /// What they turned out to be: true-positive, benign-positive, false-positive-logic,
    /// false-positive-data, other or undetermined.
    #[arg(long, value_name = "DISPOSITION", value_parser = disposition)]
    pub(crate) disposition: Option<Disposition>,
    /// What there is to say.
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ReopenOptions {
    #[command(flatten)]
    pub(crate) changed: ChangedOptions,
    /// What there is to say.
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

/// The urgency that somebody sets; `None` for the one that is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnUrgency(pub(crate) Option<Level>);

#[derive(Debug, Args)]
pub(crate) struct SetOptions {
    #[command(flatten)]
    pub(crate) changed: ChangedOptions,
    /// How far somebody has come: new, in-progress, pending, resolved or closed.
    #[arg(long, value_name = "STATUS", value_parser = status)]
    pub(crate) status: Option<TriageStatus>,
    /// How urgent they are, informational, low, medium, high or critical; `computed` for what follows from
    /// severity and priority.
    #[arg(long, value_name = "LEVEL", value_parser = own_urgency)]
    pub(crate) urgency: Option<OwnUrgency>,
    /// What they turned out to be, as for `close`.
    #[arg(long, value_name = "DISPOSITION", value_parser = disposition)]
    pub(crate) disposition: Option<Disposition>,
    /// What there is to say.
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CommentOptions {
    #[command(flatten)]
    pub(crate) changed: ChangedOptions,
    /// What there is to say.
    #[arg(long, short = 'm', visible_alias = "comment", value_name = "TEXT")]
    pub(crate) message: String,
}

#[derive(Debug, Args)]
#[command(after_help = examples::RISK)]
pub(crate) struct RiskOptions {
    /// What the risk is of, such as a user: lists what raised it. Without it, what has the most risk.
    pub(crate) entity: Option<String>,
    /// Only risk since then.
    #[arg(long, value_name = "TIME", default_value = "-7d", allow_hyphen_values = true)]
    pub(crate) since: String,
    /// Only what has at least this score.
    #[arg(long, value_name = "SCORE")]
    pub(crate) min_score: Option<u32>,
    /// The most rows that are listed.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// How the list is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// List what runs when, how the last run went, and what was missed.
    List(ScheduleListOptions),
    /// List runs, newest first, with what became of each.
    Runs(ScheduleRunsOptions),
    /// Let a detection run.
    Enable(ScheduleEnableOptions),
    /// Let a detection not run any more.
    Disable(ScheduleEnableOptions),
    /// Let a detection run at other times, or over other events.
    Set(ScheduleSetOptions),
    /// Let a detection run as its file says.
    Reset(ScheduleResetOptions),
}

#[derive(Debug, Args)]
#[command(after_help = examples::SCHEDULE)]
pub(crate) struct ScheduleListOptions {
    /// Count what was late, failed or was missed since then.
    #[arg(long, value_name = "TIME", default_value = "-7d", allow_hyphen_values = true)]
    pub(crate) since: String,
    /// How the list is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleRunsOptions {
    /// Only runs of this detection, by name or id.
    pub(crate) detection: Option<String>,
    /// Only runs since then.
    #[arg(long, value_name = "TIME", default_value = "-24h", allow_hyphen_values = true)]
    pub(crate) since: String,
    /// Only runs that did not go as planned: made again because events were late, failed, skipped, or with
    /// something to tell.
    #[arg(long)]
    pub(crate) problems: bool,
    /// The most runs that are listed.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// How the list is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleEnableOptions {
    /// Name, id or file name of the detection.
    pub(crate) detection: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Who does it. Default: the user of this session.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) who: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}

#[derive(Debug, Args)]
#[command(after_help = examples::SCHEDULE_SET)]
pub(crate) struct ScheduleSetOptions {
    /// Name, id or file name of the detection.
    pub(crate) detection: String,
    /// When it runs: a cron expression of five fields.
    #[arg(long, value_name = "CRON")]
    pub(crate) cron: Option<String>,
    /// Where the events of a run begin, relative to its time, such as -70m@m.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) earliest: Option<String>,
    /// Where they end, such as -10m@m, or `now`.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) latest: Option<String>,
    /// How many minutes later it may start, or `auto`.
    #[arg(long, value_name = "MINUTES")]
    pub(crate) window: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Who does it. Default: the user of this session.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) who: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleResetOptions {
    /// Name, id or file name of the detection.
    pub(crate) detection: String,
    #[command(flatten)]
    pub(crate) data: DataOptions,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AllowCommand {
    /// List what is known to be harmless, and how often each entry hid a finding.
    List(AllowListOptions),
    /// Hide findings from the next run on.
    Add(Box<AllowAddOptions>),
    /// Hide them no longer.
    Remove(AllowRemoveOptions),
}

#[derive(Debug, Args)]
pub(crate) struct AllowListOptions {
    /// Entries that were removed, too.
    #[arg(long)]
    pub(crate) removed: bool,
    /// How the list is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Debug, Args)]
#[command(after_help = examples::ALLOW)]
pub(crate) struct AllowAddOptions {
    /// The detection, by name or id; `*` stands for any characters.
    #[arg(long, value_name = "NAME")]
    pub(crate) detection: String,
    /// The field of its results.
    #[arg(long, value_name = "FIELD")]
    pub(crate) field: String,
    /// The harmless value: a text, in which `*` stands for any characters, or a network such as 10.0.0.0/8.
    #[arg(long, value_name = "VALUE")]
    pub(crate) value: String,
    /// A further field with its value; only findings that have all of them are hidden. Repeatable.
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(crate) and: Vec<String>,
    /// Why it is harmless.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// The time of the first findings that it hides, such as -1h, or a date. Default: all before its end.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) starts: Option<String>,
    /// The time from which on it hides no findings, such as +30d, or a date. Default: it does not end.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// Who answers for it. Default: the user of this session.
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}

#[derive(Debug, Args)]
pub(crate) struct AllowRemoveOptions {
    /// The number of the entry.
    pub(crate) id: i64,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Debug, Args)]
#[command(after_help = examples::INDEX)]
pub(crate) struct IndexOptions {
    /// How the list is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Debug, Args)]
#[command(after_help = examples::BACKUP)]
pub(crate) struct BackupOptions {
    /// The folder of the copy. It is made, and must not have anything in it.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Debug, Args)]
#[command(after_help = examples::BACKUP)]
pub(crate) struct RestoreOptions {
    /// The folder of the copy.
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

fn listed<T>(all: impl Iterator<Item = T>, name: impl Fn(T) -> &'static str) -> String {
    all.map(name).collect::<Vec<_>>().join(", ")
}

fn status(text: &str) -> Result<TriageStatus, String> {
    TriageStatus::parse(text).ok_or_else(|| {
        format!("expected one of {}", listed(TriageStatus::ALL.into_iter(), TriageStatus::name))
    })
}

/// Reads a level that something can have.
pub(crate) fn level(text: &str) -> Result<Level, String> {
    let levels = || Level::ALL.into_iter().filter(|level| *level != Level::Unknown);
    levels()
        .find(|level| level.name() == text)
        .ok_or_else(|| format!("expected one of {}", listed(levels(), Level::name)))
}

fn own_urgency(text: &str) -> Result<OwnUrgency, String> {
    match text {
        "computed" => Ok(OwnUrgency(None)),
        text => level(text).map(|level| OwnUrgency(Some(level))),
    }
}

fn disposition(text: &str) -> Result<Disposition, String> {
    Disposition::parse(text).ok_or_else(|| {
        format!("expected one of {}", listed(Disposition::ALL.into_iter(), Disposition::name))
    })
}

impl FindingsCommand {
    /// Returns the data folder, to fill it in.
    pub(crate) fn data_mut(&mut self) -> &mut DataOptions {
        match self {
            Self::List(options) => &mut options.data,
            Self::Show(options) => &mut options.data,
            Self::Assign(options) => &mut options.changed.data,
            Self::Close(options) => &mut options.changed.data,
            Self::Reopen(options) => &mut options.changed.data,
            Self::Set(options) => &mut options.changed.data,
            Self::Comment(options) => &mut options.changed.data,
        }
    }
}

impl ScheduleCommand {
    /// Returns the data folder and the content, to fill them in.
    pub(crate) fn parts_mut(&mut self) -> (&mut DataOptions, &mut ContentOptions) {
        match self {
            Self::List(options) => (&mut options.data, &mut options.content),
            Self::Runs(options) => (&mut options.data, &mut options.content),
            Self::Enable(options) | Self::Disable(options) => {
                (&mut options.data, &mut options.content)
            }
            Self::Set(options) => (&mut options.data, &mut options.content),
            Self::Reset(options) => (&mut options.data, &mut options.content),
        }
    }
}

impl AllowCommand {
    /// Returns the data folder, to fill it in.
    pub(crate) fn data_mut(&mut self) -> &mut DataOptions {
        match self {
            Self::List(options) => &mut options.data,
            Self::Add(options) => &mut options.data,
            Self::Remove(options) => &mut options.data,
        }
    }
}
