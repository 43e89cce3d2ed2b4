//! Tells the user's own detections from those of a large collection.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use spilltrail_app::Content;
use spilltrail_content::Detection;

/// The most detections of a folder that its user has written: a larger one is a collection.
const MOST_OWN: usize = 20;

/// The detections that the user wrote or named.
pub(super) struct Own {
    /// Whether the user named the detections of this hunt.
    are_named: bool,
    /// The content folders with few detections.
    folders: HashSet<PathBuf>,
}

impl Own {
    pub(super) fn new(content: &Content, are_named: bool) -> Self {
        let mut counts: HashMap<&PathBuf, usize> = HashMap::new();
        for root in content.set.detections.iter().filter_map(|detection| detection.root.as_ref()) {
            *counts.entry(root).or_default() += 1;
        }
        let few = counts.into_iter().filter(|(_, count)| *count <= MOST_OWN);
        let folders = few.map(|(root, _)| root.clone()).collect();
        Self { are_named, folders }
    }

    pub(super) fn has(&self, detection: &Detection) -> bool {
        self.are_named || detection.root.as_ref().is_some_and(|root| self.folders.contains(root))
    }
}
