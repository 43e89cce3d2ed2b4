//! The last batch with an event in each part of the time that runs covered.

use super::Arrival;
use crate::moment::{Interval, Moment};

/// The time that runs covered, cut wherever one of their intervals begins or ends.
#[derive(Debug)]
pub(super) struct Segments {
    /// Where segments begin, in order, and where the last one ends.
    bounds: Vec<Moment>,
    /// The last batch with an event in each segment, which lies between two bounds.
    last: Vec<Option<u64>>,
}

impl Segments {
    pub(super) fn new<'a>(
        intervals: impl Iterator<Item = Interval>,
        arrivals: impl Iterator<Item = &'a Arrival>,
    ) -> Self {
        let mut bounds: Vec<Moment> =
            intervals.flat_map(|interval| [interval.from, interval.to]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let mut segments = Self { last: vec![None; bounds.len().saturating_sub(1)], bounds };
        let mut spans: Vec<(u64, Interval)> = arrivals
            .flat_map(|arrival| arrival.spans.iter().map(|span| (arrival.batch, *span)))
            .collect();
        // The highest numbers first: a segment that has one never changes again.
        spans.sort_unstable_by(|one, other| other.cmp(one));
        segments.fill(spans);
        segments
    }

    /// Gives each segment the first batch that has a span in it.
    fn fill(&mut self, spans: Vec<(u64, Interval)>) {
        // The next segment at or after each that has no batch yet, so that none is visited twice.
        let mut next: Vec<usize> = (0..=self.last.len()).collect();
        for (batch, span) in spans {
            let mut at = root(&mut next, self.range(span).start);
            let end = self.range(span).end;
            while at < end {
                self.last[at] = Some(batch);
                next[at] = at + 1;
                at = root(&mut next, at + 1);
            }
        }
    }

    /// Returns the last batch with an event in an interval, as far as it was covered.
    pub(super) fn last(&self, interval: Interval) -> Option<u64> {
        self.last.get(self.range(interval))?.iter().copied().flatten().max()
    }

    /// Returns the segments that an interval overlaps.
    fn range(&self, interval: Interval) -> std::ops::Range<usize> {
        // The segment with the first moment of the interval, and the one after that with its last.
        let start = self.bounds.partition_point(|bound| *bound <= interval.from).saturating_sub(1);
        let end = self.bounds.partition_point(|bound| *bound < interval.to).min(self.last.len());
        start.min(end)..end
    }
}

/// Follows a chain to its end, and shortens it for the next time.
fn root(next: &mut [usize], start: usize) -> usize {
    let mut end = start;
    while next[end] != end {
        end = next[end];
    }
    let mut at = start;
    while next[at] != end {
        at = std::mem::replace(&mut next[at], end);
    }
    end
}
