//! Holds back detections that cannot find anything in the logs, before anything is planned or read.

use std::collections::BTreeSet;
use std::sync::Arc;

use spilltrail_decode::{FileReport, LAKE_SOURCETYPES, SOURCETYPES};
use spilltrail_detect::AnalyzedContent;
use spilltrail_detect::STASH;
use spilltrail_event::fields::{self, OF_OTHER_PRODUCTS};
use spilltrail_knowledge::Knowledge;
use spilltrail_lake::Origins;
use spilltrail_search::analysis::{Analysis, Need, NeedKind, OF_FINDINGS, Offer};
use spilltrail_source::Wanted;

use super::pinned::Named;
use crate::clock::Clock;
use crate::error::AppError;
use crate::lake::TEXT_SOURCETYPE;
use crate::listing;
use crate::options::HuntOptions;

/// The chosen detections, divided into those that run and those that are held back.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The indexes of the detections that run.
    pub(super) run: Vec<usize>,
    /// The indexes of the detections that run after these, over the risk that their findings raise.
    pub(super) correlate: Vec<usize>,
    /// The indexes of the detections that are held back, with what each needs.
    pub(super) held: Vec<(usize, Need)>,
    /// Whether any of them may depend on the current time. Detections that are held back count,
    /// because rows may bring them back after the logs are listed.
    pub(super) ask_for_the_present: bool,
    /// Whether any of them has bounds of time of its own.
    pub(super) have_own_times: bool,
    /// Whether one of those that run has, so that events without a time are not found by it.
    pub(super) run_with_own_times: bool,
    /// Whether one of those that run has not, so that the range of the run applies to it.
    pub(super) run_in_range: bool,
    /// The sourcetypes and indexes that the detections name.
    pub(super) named: Named,
}

impl Chosen {
    /// Divides the detections by what they need. `offer` is what the logs can have.
    pub(super) fn new(chosen: &[usize], content: &AnalyzedContent, offer: &Offer) -> Self {
        let (mut run, mut correlate, mut held) = (Vec::new(), Vec::new(), Vec::new());
        let (mut ask_for_the_present, mut have_own_times) = (false, false);
        let (mut run_with_own_times, mut run_in_range) = (false, false);
        let mut named = Named::default();
        for index in chosen {
            let analysis = content.look_at(*index);
            named.add(&analysis);
            let unmet = analysis.unmet(offer);
            // Hundreds of published detections read data models that logs of CloudTrail do not feed.
            // They must not make every hunt look for its newest event first.
            if unmet.as_ref().is_none_or(|need| need.kind != NeedKind::DataModel) {
                ask_for_the_present |= analysis.facts.asks_for_present();
                have_own_times |= analysis.facts.has_own_times();
            }
            match unmet {
                Some(_) if analysis.reads_only_risk(&offer.knowledge) => {
                    content.keep(*index, analysis);
                    correlate.push(*index);
                }
                Some(need) => held.push((*index, need)),
                None => {
                    let has_own_times = analysis.facts.has_own_times();
                    run_with_own_times |= has_own_times;
                    run_in_range |= !has_own_times;
                    content.keep(*index, analysis);
                    run.push(*index);
                }
            }
        }
        let set = &content.set;
        let raises_risk = |index: &usize| set.detections[*index].outcome(&set.deployments).risk;
        if !run.iter().any(raises_risk) {
            held.extend(correlate.drain(..).map(|index| (index, Need::risk())));
        }
        Self {
            run,
            correlate,
            held,
            ask_for_the_present,
            have_own_times,
            run_with_own_times,
            run_in_range,
            named,
        }
    }
}

impl Chosen {
    /// Returns the lookups that the detections that run read.
    pub(super) fn lookups(&self, content: &AnalyzedContent) -> BTreeSet<String> {
        let run = self.run.iter().chain(&self.correlate);
        run.flat_map(|index| content.detection(*index).facts.lookups_read.clone()).collect()
    }

    /// Returns the lookups that the detections that are held back read.
    pub(super) fn lookups_of_held(&self, content: &AnalyzedContent) -> BTreeSet<String> {
        let held = self.held.iter();
        held.flat_map(|(index, _)| content.look_at(*index).facts.lookups_read.clone()).collect()
    }

    /// Returns the files that the detections may need, going by their paths.
    pub(super) fn wanted(&self, clock: &Clock) -> Wanted {
        if self.have_own_times { Wanted::default() } else { Wanted::in_time(clock.range) }
    }
}

/// Returns what the logs of a hunt can have, as far as it is known before they are read.
///
/// What events have in their own text is known only after they are read: see [`Seen`].
pub(super) async fn offer(
    options: &HuntOptions,
    knowledge: &Arc<Knowledge>,
) -> Result<Offer, AppError> {
    let read = &options.run.read;
    let indexes = listing::indexes(read).await?;
    let Origins { sourcetypes: given, sources, has_more_sources } = listing::origins(read).await?;
    let mut sourcetypes: Vec<String> = match &read.sourcetype {
        Some(named) => vec![named.clone()],
        None => {
            let recognized = SOURCETYPES.iter().map(|name| (*name).to_owned());
            // Texts that are not JSON, of which senders say nothing.
            let texts = read.lake.as_ref().map(|_| TEXT_SOURCETYPE.to_owned());
            let given: BTreeSet<String> = given.into_iter().chain(texts).collect();
            recognized.chain(given.into_iter().filter(|name| !is_recognized(name))).collect()
        }
    };
    let mut own = own(&sourcetypes);
    if has_more_sources {
        own.push(fields::SOURCE.to_owned());
    }
    let has_findings = |indexes: &BTreeSet<String>| {
        indexes.iter().any(|index| OF_FINDINGS.contains(&index.as_str()))
    };
    if indexes.as_ref().is_some_and(has_findings) {
        sourcetypes.push(STASH.to_owned());
    }
    let knowledge = knowledge.clone();
    let logs = options.logs.iter().cloned().chain(sources).collect();
    let index = read.index.clone();
    Ok(Offer { sourcetypes, logs, own, index, indexes, knowledge })
}

/// Returns what the events can have that come to a server, if they can have these sourcetypes. They may come
/// into any index.
pub(crate) fn offer_of_server(sourcetypes: BTreeSet<String>, knowledge: &Arc<Knowledge>) -> Offer {
    let sourcetypes: Vec<String> = sourcetypes.into_iter().collect();
    let own = own(&sourcetypes);
    Offer { sourcetypes, own, knowledge: knowledge.clone(), ..Offer::default() }
}

fn is_recognized(name: &str) -> bool {
    SOURCETYPES.contains(&name)
}

/// Returns the fields by which searches pick events and that may be in the text of events that can have
/// these sourcetypes. Events of any other product are plain rows, and may have any field; so are all events
/// that somebody calls `json`.
fn own(sourcetypes: &[String]) -> Vec<String> {
    let is_of_rows = |name: &String| name != TEXT_SOURCETYPE && !is_recognized(name);
    if !sourcetypes.iter().any(is_of_rows) && sourcetypes != ["json"] {
        return Vec::new();
    }
    let more = ["eventtype", "tag", fields::SOURCE];
    more.iter().chain(OF_OTHER_PRODUCTS).map(|name| (*name).to_owned()).collect()
}

/// What the logs of a hunt turned out to have.
#[derive(Debug)]
pub(super) struct Seen {
    /// The sourcetypes of the events that were read; `None` if it is not known what is there.
    sourcetypes: Option<Offer>,
    /// The same without the members by which events say themselves what they are.
    recognized: Option<Offer>,
}

impl Seen {
    /// Returns what the events have; `is_complete` says whether every file was read.
    pub(super) fn new(offer: &Offer, read: &FileReport, is_complete: bool) -> Self {
        let known = Some(offer.clone()).filter(|_| read.events > 0);
        let is_read = |name: &String| match name.as_str() {
            "aws:cloudtrail" => cloudtrail_events(read) > 0,
            "json_no_timestamp" => read.invocations > 0,
            name if LAKE_SOURCETYPES.contains(&name) => read.lake > 0,
            _ => read.rows > 0,
        };
        let recognized = known.map(|offer| {
            // A sourcetype that the user names is that of all events.
            let sourcetypes = match offer.sourcetypes.as_slice() {
                [_] => offer.sourcetypes.clone(),
                all => all.iter().filter(|name| is_read(name)).cloned().collect(),
            };
            Offer { sourcetypes, ..offer.clone() }
        });
        // What was not read may have any sourcetype.
        let complete = recognized.clone().filter(|_| is_complete);
        let sourcetypes = complete.map(|offer| with_own(&offer, read));
        Self { sourcetypes, recognized }
    }

    /// Returns the sourcetype that a search looks for and that no event has.
    pub(super) fn lacks(&self, analysis: &Analysis) -> Option<Need> {
        let need = analysis.unmet(self.sourcetypes.as_ref()?)?;
        matches!(need.kind, NeedKind::Sourcetype | NeedKind::DataModel).then_some(need)
    }

    /// Returns true if a search names a sourcetype that events were recognized to have.
    pub(super) fn has_what_is_named(&self, analysis: &Analysis) -> bool {
        let Some(recognized) = &self.recognized else { return false };
        let named = analysis.facts.origins.get(fields::SOURCETYPE);
        let is_named = named.is_some_and(|names| names.iter().any(|name| name != "*"));
        is_named && analysis.unmet(recognized).is_none()
    }
}

/// Returns the number of events that are CloudTrail's.
pub(super) fn cloudtrail_events(read: &FileReport) -> u64 {
    read.events.saturating_sub(read.rows + read.lake + read.invocations)
}

/// Returns the offer with the members by which events say themselves what they are.
pub(super) fn with_own(offer: &Offer, read: &FileReport) -> Offer {
    let own = read.own_names.names().map(str::to_owned);
    Offer { own: offer.own.iter().cloned().chain(own).collect(), ..offer.clone() }
}
