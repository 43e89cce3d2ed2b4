//! Reads every event of log files once, for whoever stores them elsewhere.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;
use spilltrail_decode::{Decoder, FileReport, Rows};
use spilltrail_event::{Field, Predicate, ScanRequest};

use crate::feed::Content;
use crate::logs::Logs;
use crate::pass::{End, Finder, Give, Pass, Taker};
use crate::scan::ScanError;

/// What a reading hands on. The files come in their order, and so do the events of a file.
#[derive(Debug)]
pub enum Piece {
    /// Events of a file, with the wanted fields as columns.
    Events(RecordBatch),
    /// A file has no more events.
    End {
        /// The index of the file.
        index: usize,
        /// Whether all of it was read, without any damage.
        is_whole: bool,
    },
}

impl Logs {
    /// Reads all events of some files, by their indexes, and hands them to `take` until that breaks. The
    /// events of a file come between the ends of the file before it and its own.
    ///
    /// # Errors
    /// Fails if reading is canceled. Files that cannot be read are no error: [`Logs::report`] has them.
    pub fn read_all(
        &self,
        files: Vec<usize>,
        fields: &[Field],
        take: impl FnMut(Piece) -> ControlFlow<()> + Send,
    ) -> Result<(), ScanError> {
        let request = ScanRequest { predicate: Predicate::All, fields: fields.to_vec() };
        let requests: Arc<[ScanRequest]> = [request].into();
        let seen = self.seen_events();
        let finder = || EventFinder {
            logs: self,
            decoder: self.decoder(requests.clone(), seen.clone(), self.stop().clone()),
            spare: Vec::new(),
        };
        let taker = PieceTaker { take, failure: None };
        let threads = self.threads_of(self.threads());
        let outcome = Pass::new(self, files, threads, taker, self.stop().clone()).run(finder);
        End::error(outcome.end)?;
        // The columns are built from the fields, so that they always fit them.
        outcome.taker.failure.map_or(Ok(()), |_| Err(ScanError::Bug))
    }
}

/// Decodes the files that one thread reads.
struct EventFinder<'a> {
    logs: &'a Logs,
    decoder: Decoder,
    spare: Vec<u8>,
}

/// The rows of a file, or its end.
enum Found {
    Rows(Rows),
    End { index: usize, is_whole: bool },
}

impl Finder for EventFinder<'_> {
    type Found = Found;

    fn read(
        &mut self,
        index: usize,
        content: Result<Content, FileReport>,
        give: Give<'_, Found>,
    ) -> ControlFlow<()> {
        let mut sink = |_: usize, rows: Rows| {
            let memory = rows.memory() + rows.shared().map_or(0, |texts| texts.values().len());
            give(Found::Rows(rows), memory)
        };
        let report;
        (report, self.spare) = self.logs.read(index, content, &mut self.decoder, &mut sink);
        // The rows of a file end with it, so that whoever stores them knows what it has of each.
        self.decoder.finish(&mut sink)?;
        let is_whole = report.damage_count == 0;
        self.logs.note(index, report)?;
        give(Found::End { index, is_whole }, size_of::<usize>())
    }

    fn finish_run(&mut self, _: Give<'_, Found>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }
}

struct PieceTaker<T> {
    take: T,
    failure: Option<ArrowError>,
}

impl<T: FnMut(Piece) -> ControlFlow<()> + Send> Taker<Found> for PieceTaker<T> {
    fn take(&mut self, found: Found) -> ControlFlow<()> {
        let piece = match found {
            Found::End { index, is_whole } => Ok(Piece::End { index, is_whole }),
            Found::Rows(rows) => rows.into_batch().map(Piece::Events),
        };
        match piece {
            Ok(piece) => (self.take)(piece),
            Err(failure) => {
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;
    use spilltrail_event::Kind;

    use super::*;
    use crate::logs::ReadOptions;

    #[test]
    fn events_come_in_order_and_between_the_ends_of_files() {
        let folder = tempfile::tempdir().unwrap();
        for file in 0..30 {
            let event = |n| format!("{{\"file\":\"{file}\",\"n\":\"{n}\"}}\n");
            let text: String = (0..file * 3).map(event).collect();
            std::fs::write(folder.path().join(format!("{file:02}")), text).unwrap();
        }
        for threads in [1, 3] {
            let options = ReadOptions { threads: Some(threads), ..ReadOptions::default() };
            let names = [folder.path().display().to_string()];
            let logs = Logs::open(&names, Box::new(std::io::empty()), options);
            let files: Vec<usize> = (0..30).filter(|file| file % 4 != 3).collect();
            let fields = ["file", "n"].map(|name| Field::new(name, Kind::Text));
            let (mut ends, mut events) = (Vec::new(), Vec::new());
            let take = |piece| {
                match piece {
                    Piece::End { index, is_whole } => {
                        assert!(is_whole);
                        let expected: Vec<_> =
                            (0..index * 3).map(|n| (index.to_string(), n.to_string())).collect();
                        assert_eq!(events, expected);
                        events.clear();
                        ends.push(index);
                    }
                    Piece::Events(batch) => {
                        let column = |at: usize| batch.column(at).as_string_view().clone();
                        let (files, numbers) = (column(0), column(1));
                        let rows = (0..batch.num_rows()).map(|row| {
                            (files.value(row).to_owned(), numbers.value(row).to_owned())
                        });
                        events.extend(rows);
                    }
                }
                ControlFlow::Continue(())
            };
            logs.read_all(files.clone(), &fields, take).unwrap();
            assert_eq!(ends, files);
        }
    }
}
