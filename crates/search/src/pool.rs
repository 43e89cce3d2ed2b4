//! The memory of a process, and what each search may hold of it.
//!
//! [`ProcessMemory`] is the whole; a [`SearchMemory`] is what one search sees of it, with a limit of its
//! own. The engine's operators and ours ask it for what they hold.
//!
//! # Why the policy is our own
//!
//! An operator that can spill starts to when it is refused, and spilling needs memory: a sort must hold
//! the batch that it was refused for, and merges at least two of its files; groups are sorted before they
//! are written. The engine's own pools refuse that, too, and the search fails. They also divide what
//! there is among all operators of a plan, those that have not begun included, so that with many of them
//! no share holds a batch.
//!
//! So here the limit is not reached by what can wait on disk:
//!
//! - Who can spill is refused beyond `SHARE` for itself, or as soon as all together have `SOFT`. Two
//!   such operators fit, and more are not at work at a time: one gives what it has, the next takes it.
//! - Who was refused is about to spill. Until it holds half of what it held then, it gets what it asks
//!   for, up to the whole limit. So does who holds less than `FLOOR`, whoever has the rest: with
//!   nothing in hand there is nothing to spill.
//! - A sort spills by merging what it holds, for which it needs as much and half as much again, under
//!   another name, and fails if it does not get that. So it is refused beyond `SORT`, or when what it
//!   holds could not be merged any more. While it spills it is given little: the rows that are merged wait
//!   to be written, and a refusal has them written.
//! - What merges gets `MERGE`, which is enough for what a sort holds. Of files it merges as many as it
//!   has room for.
//! - Who cannot spill gets all up to `FIXED`; what is above is left to those that are spilling.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// A part of the limit, in sixteenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part(usize);

impl Part {
    fn of(self, limit: usize) -> usize {
        // The limit may be `usize::MAX`.
        limit / 16 * self.0
    }
}

/// What one operator that can spill may hold before it does.
const SHARE: Part = Part(6);
/// What all hold when those that can spill have to.
const SOFT: Part = Part(12);
/// What everybody gets.
const FLOOR: Part = Part(1);
/// What a sort may hold before it spills.
const SORT: Part = Part(4);
/// What merging may hold: half as much again as a sort.
const MERGE: Part = Part(6);
/// What all may hold when one that cannot spill asks.
const FIXED: Part = Part(14);

/// What a hunt may hold where nobody says: its detections run one after the other, and most need little.
pub const HUNT_LIMIT: usize = 56 << 20;

/// Returns what a single search may hold where nobody says: a quarter of the machine's memory, at least
/// 256 MiB and at most 2 GiB.
#[must_use]
pub fn search_limit(machine: Option<u64>) -> usize {
    let quarter = machine.and_then(|bytes| usize::try_from(bytes / 4).ok());
    quarter.unwrap_or_default().clamp(256 << 20, 2 << 30)
}

/// All memory of a process that its searches may hold.
#[derive(Debug)]
pub struct ProcessMemory {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl ProcessMemory {
    /// Returns so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), peak: AtomicUsize::new(0) })
    }

    /// Returns the bytes that there are.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the most bytes that were held at a time.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Sets bytes aside for something that bounds itself.
    pub fn set_aside(&self, bytes: usize) {
        self.grow(bytes);
    }

    /// Returns what one search sees of it, `limit` bytes at most.
    #[must_use]
    pub fn search(self: &Arc<Self>, limit: usize) -> Arc<SearchMemory> {
        let limit = limit.min(self.limit);
        let statistics = Mutex::default();
        Arc::new(SearchMemory { process: self.clone(), limit, held: Mutex::default(), statistics })
    }

    fn grow(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.peak.fetch_max(used, Ordering::Relaxed);
    }

    fn try_grow(&self, bytes: usize) -> bool {
        let grown = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        let grown = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown);
        if let Ok(before) = grown {
            self.peak.fetch_max(before + bytes, Ordering::Relaxed);
        }
        grown.is_ok()
    }

    fn shrink(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The memory of a process as one search sees it.
#[derive(Debug)]
pub struct SearchMemory {
    process: Arc<ProcessMemory>,
    limit: usize,
    held: Mutex<Held>,
    /// The statistics functions of the plans whose groups may be large.
    statistics: Mutex<BTreeSet<&'static str>>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    consumers: HashMap<usize, Consumer>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Consumer {
    held: usize,
    /// What it held when it was refused, while it spills.
    refused_at: Option<usize>,
}

/// How a consumer takes a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It spills.
    Spills,
    /// It spills, which needs memory for merging.
    Sorts,
    /// It merges fewer files at a time.
    Merges,
    /// It fails.
    Fails,
}

impl Manner {
    fn of(consumer: &MemoryConsumer) -> Self {
        if consumer.name().starts_with(SORTER) {
            Self::Sorts
        } else if consumer.can_spill() {
            Self::Spills
        } else if consumer.name().starts_with(SORT_MERGE) {
            Self::Merges
        } else {
            Self::Fails
        }
    }
}

impl SearchMemory {
    /// Returns the bytes that the search may hold.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Adds statistics functions that a refusal names.
    pub(crate) fn name_statistics(&self, names: BTreeSet<&'static str>) {
        self.statistics.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
    }

    /// Returns the error of a refusal, in words that may reach the user.
    fn refusal(&self, consumer: &str) -> DataFusionError {
        let known = DOINGS.iter().find(|(name, _)| consumer.starts_with(name));
        let doing = match known {
            Some((_, STATISTICS)) => {
                let names = self.statistics.lock().unwrap_or_else(PoisonError::into_inner);
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                format!(
                    "computing {}",
                    if names.is_empty() { STATISTICS.to_owned() } else { names.join(", ") }
                )
            }
            Some((_, doing)) => (*doing).to_owned(),
            None => format!("`{consumer}`"),
        };
        DataFusionError::ResourcesExhausted(format!(
            "{REFUSED} {} MiB in memory, and {doing} needs more",
            self.limit >> 20
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a consumer may have `bytes` more. `is_part` says that it holds something in another
    /// reservation, too: groups that are put together while their files are merged, which cannot spill.
    fn allows(
        &self,
        manner: Manner,
        all: usize,
        (consumer, is_part): (Consumer, bool),
        bytes: usize,
    ) -> bool {
        let all = all.saturating_add(bytes);
        let own = consumer.held.saturating_add(bytes);
        let is_little = own <= FLOOR.of(self.limit) || consumer.held == 0;
        let fits = |own_part: Part, all_part: Part| {
            own <= own_part.of(self.limit) && all <= all_part.of(self.limit)
        };
        all <= self.limit
            && match manner {
                Manner::Spills => {
                    is_little || is_part || consumer.refused_at.is_some() || fits(SHARE, SOFT)
                }
                Manner::Sorts => match consumer.refused_at {
                    Some(refused_at) => own <= refused_at + 2 * FLOOR.of(self.limit),
                    None => {
                        let can_merge = all.saturating_add(own / 2 * 3) <= self.limit;
                        is_little || can_merge && fits(SORT, SOFT)
                    }
                },
                Manner::Merges => is_little || own <= MERGE.of(self.limit),
                Manner::Fails => is_little || all <= FIXED.of(self.limit),
            }
    }
}

impl MemoryPool for SearchMemory {
    fn name(&self) -> &'static str {
        "search"
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.lock().consumers.remove(&consumer.id());
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let mut held = self.lock();
        held.all += additional;
        held.consumers.entry(reservation.consumer().id()).or_default().held += additional;
        self.process.grow(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut held = self.lock();
        held.all -= shrink;
        let consumer = held.consumers.entry(reservation.consumer().id()).or_default();
        consumer.held -= shrink;
        if consumer.refused_at.is_some_and(|refused_at| consumer.held <= refused_at / 2) {
            consumer.refused_at = None;
        }
        self.process.shrink(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.lock();
        let all = held.all;
        let manner = Manner::of(reservation.consumer());
        let consumer = held.consumers.entry(reservation.consumer().id()).or_default();
        let is_part = reservation.size() < consumer.held;
        let is_granted = additional == 0
            || self.allows(manner, all, (*consumer, is_part), additional)
                && self.process.try_grow(additional);
        if !is_granted {
            consumer.refused_at.get_or_insert(consumer.held);
            return Err(self.refusal(reservation.consumer().name()));
        }
        consumer.held += additional;
        held.all += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.lock().all
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

impl fmt::Display for SearchMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "search memory of {} MiB", self.limit >> 20)
    }
}

/// The engine's name of a sort.
const SORTER: &str = "ExternalSorter[";
/// The engine's name of what merges what a sort holds or has written.
const SORT_MERGE: &str = "ExternalSorterMerge";

/// What consumers do, in a user's words. A name is the beginning of the consumer's; other names are those
/// of commands.
const DOINGS: &[(&str, &str)] = &[
    ("ExternalSorter", "sorting"),
    ("TopK", "sorting"),
    ("SingleHashAggregateStream", STATISTICS),
    ("OrderedFinalAggregateStream", STATISTICS),
    ("GroupedHashAggregateStream", STATISTICS),
    ("AggregateStream", STATISTICS),
    ("event_statistics", "`eventstats`"),
    ("stream_statistics", "`streamstats`"),
    ("rows", "keeping the rows of a subsearch"),
];

const STATISTICS: &str = "statistics";

/// The beginning of the message of a refusal; `error` recognizes it.
pub(crate) const REFUSED: &str = "the search may hold";

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 16 << 10;

    fn consumer(name: &str, can_spill: bool, memory: &Arc<SearchMemory>) -> MemoryReservation {
        let pool: Arc<dyn MemoryPool> = memory.clone();
        MemoryConsumer::new(name).with_can_spill(can_spill).register(&pool)
    }

    fn sixteenths(count: usize) -> usize {
        count << 10
    }

    #[test]
    fn who_can_spill_is_refused_first_and_then_gets_what_spilling_needs() {
        let memory = ProcessMemory::new(LIMIT).search(LIMIT);
        let sort = consumer("sort", true, &memory);
        assert!(sort.try_grow(sixteenths(6)).is_ok());
        assert!(sort.try_grow(1).is_err());
        // While it spills.
        assert!(sort.try_grow(sixteenths(4)).is_ok());
        sort.shrink(sixteenths(8));
        assert!(sort.try_grow(sixteenths(4)).is_ok() && sort.try_grow(1).is_err());
    }

    #[test]
    fn a_sort_leaves_what_merging_it_needs() {
        let memory = ProcessMemory::new(LIMIT).search(LIMIT);
        let groups = consumer("SingleHashAggregateStream[0]", true, &memory);
        assert!(groups.try_grow(sixteenths(6)).is_ok());
        let sort = consumer("ExternalSorter[0]", true, &memory);
        let merge = consumer("ExternalSorterMerge[0]", false, &memory);
        while sort.try_grow(100).is_ok() {}
        let held = sort.size();
        assert!(held > sixteenths(3) && held <= sixteenths(4), "{held}");
        // Rows that wait to be written do not take what merging needs.
        while sort.try_grow(100).is_ok() {}
        assert!(merge.try_grow(held).is_ok(), "{}", memory.reserved());
    }

    #[test]
    fn with_nothing_in_hand_there_is_always_something() {
        let memory = ProcessMemory::new(LIMIT).search(LIMIT);
        let [one, two, three] = [(); 3].map(|()| consumer("sort", true, &memory));
        assert!(one.try_grow(sixteenths(6)).is_ok() && two.try_grow(sixteenths(6)).is_ok());
        assert!(three.try_grow(sixteenths(3)).is_ok());
        assert!(three.try_grow(1).is_err(), "beyond what all may hold");
    }

    #[test]
    fn merging_leaves_something_and_what_is_fixed_leaves_something_to_spilling() {
        let memory = ProcessMemory::new(LIMIT).search(LIMIT);
        let merge = consumer("ExternalSorterMerge[0]", false, &memory);
        assert!(merge.try_grow(sixteenths(6)).is_ok() && merge.try_grow(1).is_err());
        let rows = consumer("rows", false, &memory);
        assert!(rows.try_grow(sixteenths(7)).is_ok());
        let error = rows.try_grow(sixteenths(2)).unwrap_err().to_string();
        assert!(error.contains("keeping the rows of a subsearch"), "{error}");
    }

    #[test]
    fn a_search_gets_a_quarter_of_the_machine() {
        for (machine, limit) in
            [(None, 256), (Some(512 << 20), 256), (Some(4 << 30), 1024), (Some(64 << 30), 2048)]
        {
            assert_eq!(search_limit(machine), limit << 20, "{machine:?}");
        }
    }

    #[test]
    fn searches_share_the_memory_of_the_process() {
        let process = ProcessMemory::new(LIMIT);
        let (one, two) = (process.search(LIMIT), process.search(LIMIT / 2));
        let (rows, others) = (consumer("rows", false, &one), consumer("rows", false, &two));
        assert!(rows.try_grow(sixteenths(12)).is_ok());
        assert!(others.try_grow(sixteenths(5)).is_err() && others.try_grow(sixteenths(4)).is_ok());
        drop(rows);
        assert_eq!((process.peak(), one.reserved(), two.reserved()), (LIMIT, 0, 4 << 10));
    }
}
