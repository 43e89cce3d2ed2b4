//! The lines of files that hold no JSON.

use std::ops::ControlFlow;

use spilltrail_decode::for_each_line;

use crate::feed::Content;
use crate::logs::{Logs, scratch};

impl Logs {
    /// Returns the indexes of the files that were read and hold no JSON, in the order of the files.
    #[must_use]
    pub fn files_without_json(&self) -> Vec<usize> {
        let problems = self.problems_by_file().into_iter();
        problems.filter(|(_, report)| report.holds_no_json()).map(|(index, _)| index).collect()
    }

    /// Returns the names that the user gave and by which the file at this index was found.
    pub fn names_given_for(&self, index: usize) -> impl Iterator<Item = &str> {
        let found = self.given().iter().filter(move |given| given.files.contains(&index));
        found.map(|given| &*given.name)
    }

    /// Calls `visit` with each line of the file at this index that is not blank, until it breaks or the
    /// run is stopped. A file that is no text has no lines. Waits for disk and network, so it must not
    /// be called from an async task.
    ///
    /// # Errors
    /// Returns why the file cannot be read further.
    pub fn for_each_line(
        &self,
        index: usize,
        visit: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let content = Content::open(&self.files()[index], Vec::new()).map_err(|report| {
            let damages = report.damages.into_iter().map(|damage| damage.message);
            damages.collect::<Vec<String>>().join("; ")
        })?;
        for_each_line(content.into_input(), scratch, &mut |line| {
            if self.stop().is_set() { ControlFlow::Break(()) } else { visit(line) }
        })
    }
}
