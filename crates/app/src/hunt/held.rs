//! Holds back detections that cannot find anything in the logs, before anything is planned or read.

use spilltrail_decode::SOURCETYPES;
use spilltrail_detect::AnalyzedContent;
use spilltrail_search::analysis::{Need, Offer};
use spilltrail_source::Wanted;

use crate::clock::Clock;
use crate::options::HuntOptions;

/// The chosen detections, divided into those that run and those that are held back.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The indexes of the detections that run.
    pub(super) run: Vec<usize>,
    /// The indexes of the detections that are held back, with what each needs.
    pub(super) held: Vec<(usize, Need)>,
    /// Whether any of them may depend on the current time. Detections that are held back count,
    /// because rows may bring them back after the logs are listed.
    pub(super) ask_for_the_present: bool,
    /// Whether any of them has bounds of time of its own.
    pub(super) have_own_times: bool,
}

impl Chosen {
    /// Divides the detections by what they need. `offer` is what the logs can have; without it,
    /// only what no logs can have holds a detection back.
    pub(super) fn new(chosen: &[usize], content: &AnalyzedContent, offer: Option<&Offer>) -> Self {
        let (mut run, mut held) = (Vec::new(), Vec::new());
        let (mut ask_for_the_present, mut have_own_times) = (false, false);
        for index in chosen {
            let analysis = content.look_at(*index);
            if analysis.data_model().is_none() {
                ask_for_the_present |= analysis.facts.asks_for_present();
                have_own_times |= analysis.facts.has_own_times();
            }
            let unmet = || offer.and_then(|offer| analysis.unmet(offer));
            match analysis.data_model().or_else(unmet) {
                Some(need) => held.push((*index, need)),
                None => {
                    content.keep(*index, analysis);
                    run.push(*index);
                }
            }
        }
        Self { run, held, ask_for_the_present, have_own_times }
    }
}

impl Chosen {
    /// Returns the files that the detections may need, going by their paths.
    pub(super) fn wanted(&self, clock: &Clock) -> Wanted {
        if self.have_own_times { Wanted::default() } else { Wanted::in_time(clock.range) }
    }
}

/// Returns what the logs of a hunt can have, as far as it is known before they are read; `None` if
/// nothing is known.
///
/// Rows of plain JSON are not covered: each may have a sourcetype of its own.
pub(super) fn offer(options: &HuntOptions) -> Option<Offer> {
    if options.run.read.index.is_some() {
        // The user says what the logs are, and any name may be that of an index.
        return None;
    }
    let sourcetypes = match options.run.read.sourcetype.as_deref() {
        // All events are then plain rows, CloudTrail included.
        Some("json") => return None,
        // Any row may be an event of the product that the user names.
        Some(named) if !SOURCETYPES.contains(&named) => return None,
        Some(named) => vec![named.to_owned()],
        None => SOURCETYPES.iter().map(|name| (*name).to_owned()).collect(),
    };
    Some(Offer { sourcetypes, logs: options.logs.clone() })
}
