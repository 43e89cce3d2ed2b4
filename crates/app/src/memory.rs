//! Memory limit of a run, and the peak memory that it used.

use std::sync::Arc;

use spilltrail_search::pool::{self, ProcessMemory, SearchMemory};

/// Divisor that sets the size of the event spool: it may hold 1/16 of the operators' limit, in
/// addition to that limit. Events that do not fit wait on disk.
const SPOOL_PART: usize = 16;
/// Upper bound of the event spool in memory, in bytes.
const MAX_SPOOL: usize = 64 << 20;

/// Memory limit and peak memory use of all searches of a run, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// The limit.
    pub limit: usize,
    /// The most memory that the searches held at the same time.
    pub peak: usize,
}

/// Memory budget that the searches of a run share.
#[derive(Debug, Clone)]
pub(crate) struct RunMemory {
    /// Limit for the operators of all searches together, in bytes.
    limit: usize,
    process: Arc<ProcessMemory>,
}

impl RunMemory {
    /// Returns the budget of a run whose searches may hold `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        // The spool enforces its own bound, so its share is reserved up front.
        let spool = spool(limit);
        let process = ProcessMemory::new(limit.saturating_add(spool));
        process.set_aside(spool);
        Self { limit, process }
    }

    /// Returns the limit for all searches together, in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the memory that events may use while they wait for their searches, in bytes.
    pub(crate) fn spool(&self) -> usize {
        spool(self.limit)
    }

    /// Returns the budget of one search when `searches` of them run at the same time.
    pub(crate) fn share(&self, searches: usize) -> Arc<SearchMemory> {
        self.process.search(self.limit / searches)
    }

    /// Returns the limit and the peak so far, without the memory reserved for the spool.
    pub(crate) fn used(&self) -> MemoryUse {
        let peak = self.process.peak().saturating_sub(self.spool());
        MemoryUse { limit: self.limit, peak }
    }
}

fn spool(limit: usize) -> usize {
    (limit / SPOOL_PART).min(MAX_SPOOL)
}

/// Returns the default memory limit of a single search, in bytes.
pub(crate) fn of_search() -> usize {
    pool::search_limit(of_machine())
}

/// Returns the memory of the machine in bytes, or the limit in `/sys/fs/cgroup/memory.max` if
/// that is lower. Returns `None` if neither can be read.
fn of_machine() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

/// Returns the value of `MemTotal` in the text of `/proc/meminfo`, in bytes.
fn total_of(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_the_machine() {
        assert_eq!(total_of("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16 << 10));
        assert_eq!(total_of("MemFree: 1 kB"), None);
    }
}
