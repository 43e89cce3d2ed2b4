//! Content with the analyses of its searches, which need no events.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use spilltrail_content::{ContentSet, lookup_stem};
use spilltrail_search::analysis::{Analysis, LookupWriters, analyze};

/// A content set with the analyses of its searches, each computed once, on first use.
#[derive(Debug)]
pub struct AnalyzedContent {
    /// The content set.
    pub set: Arc<ContentSet>,
    detections: Vec<OnceLock<Arc<Analysis>>>,
    /// Names without extensions of the lookups that any search of the content writes.
    written: OnceLock<BTreeSet<String>>,
}

impl AnalyzedContent {
    /// Creates the content with no search analyzed yet.
    #[must_use]
    pub fn new(set: Arc<ContentSet>) -> Self {
        let detections = set.detections.iter().map(|_| OnceLock::new()).collect();
        Self { set, detections, written: OnceLock::new() }
    }

    /// Returns the analysis of the detection at index `index` of the content.
    ///
    /// # Panics
    /// Panics if the content has no such detection.
    #[must_use]
    pub fn detection(&self, index: usize) -> &Arc<Analysis> {
        let search = &self.set.detections[index].search;
        self.detections[index].get_or_init(|| Arc::new(analyze(search, &self.set.macros)))
    }

    /// Returns the analysis of the detection at index `index`, which is not stored, unless it was
    /// before. There may be thousands of detections that never run.
    ///
    /// # Panics
    /// As [`AnalyzedContent::detection`].
    #[must_use]
    pub fn look_at(&self, index: usize) -> Arc<Analysis> {
        let search = &self.set.detections[index].search;
        let known = self.detections[index].get().cloned();
        known.unwrap_or_else(|| Arc::new(analyze(search, &self.set.macros)))
    }

    /// Stores the analysis that [`AnalyzedContent::look_at`] returned.
    pub fn keep(&self, index: usize, analysis: Arc<Analysis>) {
        if let Some(place) = self.detections.get(index) {
            // An analysis that is already there is the same.
            let _ = place.set(analysis);
        }
    }

    /// Returns true if a detection or a baseline writes this lookup, under any of its names.
    #[must_use]
    pub fn fills_lookup(&self, name: &str) -> bool {
        let written = self.written.get_or_init(|| self.written());
        self.set.names_of_lookup(name).into_iter().any(|name| written.contains(name))
    }

    /// Returns true if the analyzed search adds rows to this lookup, and no baseline fills it: it is the
    /// search's own list, which is empty at first.
    #[must_use]
    pub fn is_own_list(&self, name: &str, analysis: &Analysis) -> bool {
        let names = self.set.names_of_lookup(name);
        let has = |lookups: &BTreeSet<String>| {
            lookups.iter().any(|lookup| names.iter().any(|name| *name == lookup_stem(lookup)))
        };
        if !has(&analysis.facts.lookups_extended) {
            return false;
        }
        let writers = LookupWriters::new(&self.set.macros);
        let mut baselines = self.set.baselines.iter();
        !baselines.any(|baseline| {
            writers.may_include(&baseline.search)
                && has(&analyze(&baseline.search, &self.set.macros).facts.lookups_written)
        })
    }

    fn written(&self) -> BTreeSet<String> {
        let mut written = BTreeSet::new();
        let mut add = |analysis: &Analysis| {
            let names = analysis.facts.lookups_written.iter();
            written.extend(names.map(|name| lookup_stem(name).to_owned()));
        };
        let macros = &self.set.macros;
        let writers = LookupWriters::new(macros);
        for (detection, known) in self.set.detections.iter().zip(&self.detections) {
            // Other detections may never run, so their analyses are not stored.
            match known.get() {
                Some(known) => add(known),
                None if writers.may_include(&detection.search) => {
                    add(&analyze(&detection.search, macros));
                }
                None => {}
            }
        }
        let baselines = self.set.baselines.iter();
        let baselines = baselines.filter(|baseline| writers.may_include(&baseline.search));
        baselines.for_each(|baseline| add(&analyze(&baseline.search, macros)));
        written
    }
}
