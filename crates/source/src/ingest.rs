//! Reads every event of log files once, for whoever stores them elsewhere.

use std::ops::ControlFlow;

use spilltrail_decode::{EventReader, FileReport, FoundEvent};

use crate::feed::Content;
use crate::logs::{Logs, scratch};
use crate::pass::{End, Finder, Give, Pass, Taker};
use crate::scan::ScanError;

/// Collects events on one of the threads that read. The files that it sees come in their order, but other
/// threads see those between them.
pub trait Collect: Send {
    /// What is handed on together.
    type Piece: Send;

    /// Takes note that a file begins, by its index.
    fn begin(&mut self, file: usize);

    /// Takes an event of the file.
    fn see(&mut self, event: &FoundEvent<'_>);

    /// Takes note that the file has no more events. `is_whole` says that all of it was read, without any
    /// damage.
    fn end(&mut self, is_whole: bool);

    /// Returns true if what was collected is to be handed on now, also within a file. The more is handed
    /// on together, the less the threads wait for one another.
    fn is_full(&self) -> bool;

    /// Returns what was collected, and its bytes in memory.
    fn take(&mut self) -> (Self::Piece, usize);
}

impl Logs {
    /// Reads all events of some files, by their indexes, on so many threads or the usual number. What the
    /// collector of each thread hands on comes to `take` in the order of the files, until that breaks.
    ///
    /// # Errors
    /// Fails if reading is canceled. Files that cannot be read are no error: [`Logs::report`] has them.
    pub fn read_events<C: Collect>(
        &self,
        files: Vec<usize>,
        threads: Option<usize>,
        collector: impl Fn() -> C + Sync,
        take: impl FnMut(C::Piece) -> ControlFlow<()> + Send,
    ) -> Result<(), ScanError> {
        let finder = || EventFinder {
            logs: self,
            reader: EventReader::new(self.sourcetype(), self.stop().clone(), scratch),
            collector: collector(),
            spare: Vec::new(),
        };
        let threads = threads.unwrap_or_else(|| self.threads());
        let pass = Pass::new(self, files, threads, PieceTaker(take), self.stop().clone());
        End::error(pass.run(finder).end)
    }
}

/// Reads the files of one thread.
struct EventFinder<'a, C> {
    logs: &'a Logs,
    reader: EventReader,
    collector: C,
    spare: Vec<u8>,
}

impl<C: Collect> Finder for EventFinder<'_, C> {
    type Found = C::Piece;

    fn read(
        &mut self,
        index: usize,
        content: Result<Content, FileReport>,
        give: Give<'_, C::Piece>,
    ) -> ControlFlow<()> {
        let Self { logs, reader, collector, spare } = self;
        collector.begin(index);
        let mut visit = |event: &FoundEvent<'_>| {
            collector.see(event);
            if !collector.is_full() {
                return ControlFlow::Continue(());
            }
            let (piece, bytes) = collector.take();
            give(piece, bytes)
        };
        let origin = logs.origin(index);
        let report = match content {
            Ok(Content::Held(mut bytes)) => {
                let report = reader.read_whole(&mut bytes, &origin, &mut visit);
                *spare = bytes;
                report
            }
            Ok(Content::Stream(input)) => reader.read(input, &origin, &mut visit),
            Err(report) => report,
        };
        let is_whole = report.damage_count == 0;
        logs.note(index, report)?;
        collector.end(is_whole);
        ControlFlow::Continue(())
    }

    fn finish_run(&mut self, give: Give<'_, C::Piece>) -> ControlFlow<()> {
        let (piece, bytes) = self.collector.take();
        give(piece, bytes)
    }

    fn spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }
}

struct PieceTaker<T>(T);

impl<P, T: FnMut(P) -> ControlFlow<()> + Send> Taker<P> for PieceTaker<T> {
    fn take(&mut self, piece: P) -> ControlFlow<()> {
        (self.0)(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::ReadOptions;

    /// What was read of files: their indexes, with the texts of their events up to their ends.
    #[derive(Default)]
    struct Texts {
        most: usize,
        held: usize,
        piece: Vec<Step>,
    }

    #[derive(Debug, PartialEq)]
    enum Step {
        Begin(usize),
        Text(String),
        End(bool),
    }

    impl Collect for Texts {
        type Piece = Vec<Step>;

        fn begin(&mut self, file: usize) {
            self.piece.push(Step::Begin(file));
        }

        fn see(&mut self, event: &FoundEvent<'_>) {
            self.held += 1;
            self.piece.push(Step::Text(event.text.to_owned()));
        }

        fn end(&mut self, is_whole: bool) {
            self.piece.push(Step::End(is_whole));
        }

        fn is_full(&self) -> bool {
            self.held >= self.most
        }

        fn take(&mut self) -> (Vec<Step>, usize) {
            self.held = 0;
            (std::mem::take(&mut self.piece), 1)
        }
    }

    #[test]
    fn events_come_in_order_and_between_the_begins_and_ends_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let text = |file: usize, n: usize| format!("{{\"file\":\"{file}\",\"n\":\"{n}\"}}");
        let is_cut = |file: usize| file % 7 == 1;
        for file in 0..30 {
            let mut lines: String = (0..file * 3).map(|event| text(file, event) + "\n").collect();
            lines.push_str(if is_cut(file) { "{\"file\":" } else { "" });
            std::fs::write(folder.path().join(format!("{file:02}")), lines).unwrap();
        }
        let files: Vec<usize> = (0..30).filter(|file| file % 4 != 3).collect();
        let expected: Vec<Step> = files
            .iter()
            .flat_map(|file| {
                let texts = (0..file * 3).map(|n| Step::Text(text(*file, n)));
                let end = Step::End(!is_cut(*file));
                std::iter::once(Step::Begin(*file)).chain(texts).chain([end])
            })
            .collect();
        for (threads, most) in [(1, 1), (1, 1000), (3, 1), (3, 10), (3, 1000)] {
            let options = ReadOptions { threads: Some(threads), ..ReadOptions::default() };
            let names = [folder.path().display().to_string()];
            let logs = Logs::open(&names, Box::new(std::io::empty()), options);
            let mut found = Vec::new();
            let take = |mut piece: Vec<Step>| {
                found.append(&mut piece);
                ControlFlow::Continue(())
            };
            let collector = || Texts { most, ..Texts::default() };
            logs.read_events(files.clone(), None, collector, take).unwrap();
            assert_eq!(found, expected, "{threads} {most}");
        }
    }
}
