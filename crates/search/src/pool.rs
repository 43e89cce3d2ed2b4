//! The memory of a process, and how much of it each search may hold.
//!
//! [`ProcessMemory`] is the memory of the whole process. A [`SearchMemory`] is the memory pool of
//! one search, with a limit of its own. The engine's operators and ours request from it the memory
//! that they hold.
//!
//! # Why we have our own policy
//!
//! An operator that can spill starts to spill when a request is refused, but spilling needs memory,
//! too. A sort must hold the batch for which it was refused, and must merge at least two of its
//! files; groups are sorted before they are written. The engine's own pools refuse this memory as
//! well, and the search fails. They also divide the memory among all operators of a plan, including
//! those that have not started, so that with many operators no share is large enough for a batch.
//!
//! Here, operators that can spill must leave part of the limit free:
//!
//! - An operator that can spill is refused if it would hold more than `SHARE`, or if all operators
//!   together would hold more than `SOFT`. Two such operators fit, and no more than two work at a
//!   time: one returns its rows while the next one takes them.
//! - A refused operator is about to spill. Until it holds only half of what it held at the refusal,
//!   its requests are granted up to the whole limit. The same is true for an operator that holds
//!   less than `FLOOR`, whatever the others hold, because it has nothing to spill.
//! - A sort spills by merging the rows that it holds. The merge is a consumer of its own, needs one
//!   and a half times their memory, and fails if it is refused. So a sort is refused beyond `SORT`,
//!   or when its rows could no longer be merged. While it spills, it is granted only little more:
//!   the merged rows wait in memory to be written, and a refusal makes the sort write them.
//! - A merge may hold `MERGE`, which is enough for the rows of a sort. It merges as many spilled
//!   files at a time as this allows.
//! - An operator that cannot spill is granted memory until all operators together hold `FIXED`. The
//!   rest is reserved for operators that are spilling.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// A fraction of the limit, in sixteenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part(usize);

impl Part {
    fn of(self, limit: usize) -> usize {
        // Dividing first avoids an overflow, because the limit may be `usize::MAX`.
        limit / 16 * self.0
    }
}

/// The most that one operator that can spill may hold before it spills.
const SHARE: Part = Part(6);
/// The most that all operators together may hold before those that can spill have to.
const SOFT: Part = Part(12);
/// The amount that every operator may hold, as long as the whole limit is not exceeded.
const FLOOR: Part = Part(1);
/// The most that a sort may hold before it spills.
const SORT: Part = Part(4);
/// The most that a merge may hold: one and a half times as much as a sort.
const MERGE: Part = Part(6);
/// The most that all operators together may hold when one that cannot spill requests memory.
const FIXED: Part = Part(14);

/// The default memory limit of a hunt, in bytes. Its detections run one after the other, and most
/// need little memory.
pub const HUNT_LIMIT: usize = 56 << 20;

/// Returns the default memory limit of a single search in bytes: a quarter of the machine's memory,
/// but at least 256 MiB and at most 2 GiB.
#[must_use]
pub fn search_limit(machine: Option<u64>) -> usize {
    let quarter = machine.and_then(|bytes| usize::try_from(bytes / 4).ok());
    quarter.unwrap_or_default().clamp(256 << 20, 2 << 30)
}

/// The memory of a process that all of its searches together may hold.
#[derive(Debug)]
pub struct ProcessMemory {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl ProcessMemory {
    /// Creates a process memory of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), peak: AtomicUsize::new(0) })
    }

    /// Returns the limit in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the most bytes that were held at one time.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Reserves bytes for a component that limits its own memory.
    pub fn set_aside(&self, bytes: usize) {
        self.grow(bytes);
    }

    /// Returns the memory pool of one search, which may hold at most `limit` bytes.
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

/// The memory pool of one search, as part of a process's memory.
#[derive(Debug)]
pub struct SearchMemory {
    process: Arc<ProcessMemory>,
    limit: usize,
    held: Mutex<Held>,
    /// The aggregate functions of the search's plans that keep values; their groups may be large.
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
    /// The bytes that it held when it was refused, as long as it is spilling.
    refused_at: Option<usize>,
}

/// How a consumer reacts to a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It spills.
    Spills,
    /// It spills, which needs memory for a merge.
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
    /// Returns the limit of the search in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Adds aggregate functions that the message of a refusal names.
    pub(crate) fn name_statistics(&self, names: BTreeSet<&'static str>) {
        self.statistics.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
    }

    /// Returns the error of a refusal; its message is written for the user.
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

    /// Returns whether a consumer may hold `bytes` more.
    ///
    /// `is_part` means that the consumer also holds memory in another reservation. Those are groups
    /// that are combined while their files are merged, and they cannot spill.
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

/// The beginning of the engine's consumer name of a sort.
const SORTER: &str = "ExternalSorter[";
/// The beginning of the engine's consumer name of a merge of a sort's rows, in memory or in files.
const SORT_MERGE: &str = "ExternalSorterMerge";

/// The activities of consumers in the user's words, each with the beginning of the consumer's name.
/// Consumers that are not listed have the name of a command.
const DOINGS: &[(&str, &str)] = &[
    ("ExternalSorter", "sorting"),
    ("TopK", "sorting"),
    ("compact", "sorting"),
    ("SingleHashAggregateStream", STATISTICS),
    ("OrderedFinalAggregateStream", STATISTICS),
    ("GroupedHashAggregateStream", STATISTICS),
    ("AggregateStream", STATISTICS),
    ("event_statistics", "`eventstats`"),
    ("stream_statistics", "`streamstats`"),
    ("rows", "keeping the rows of a subsearch"),
];

const STATISTICS: &str = "statistics";

/// The beginning of a refusal's message, by which [`crate::error`] recognizes it.
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
        // While it spills, further requests are granted.
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
        // Rows that wait to be written do not take the memory that the merge needs.
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
