//! How much memory a run may hold, and how much it held.

use std::sync::Arc;

use spilltrail_search::pool::{self, ProcessMemory, SearchMemory};

/// The spool of waiting events takes this fraction of the memory that operators may hold, beside it;
/// more events wait on disk.
const SPOOL_PART: usize = 16;
/// The most memory that waiting events may take, in bytes.
const MAX_SPOOL: usize = 64 << 20;

/// What all searches of a run may hold, and the most that they held at a time, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// What they may hold.
    pub limit: usize,
    /// The most that they held.
    pub peak: usize,
}

/// The memory of a run.
#[derive(Debug, Clone)]
pub(crate) struct RunMemory {
    /// What the operators of all searches may hold, in bytes.
    limit: usize,
    process: Arc<ProcessMemory>,
}

impl RunMemory {
    /// Returns the memory of a run whose searches may hold `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        // Events that wait are bounded where they wait.
        let spool = spool(limit);
        let process = ProcessMemory::new(limit.saturating_add(spool));
        process.set_aside(spool);
        Self { limit, process }
    }

    /// Returns what all searches may hold, in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns what events may take while they wait for their searches, in bytes.
    pub(crate) fn spool(&self) -> usize {
        spool(self.limit)
    }

    /// Returns the memory of a search, if so many run at a time.
    pub(crate) fn share(&self, searches: usize) -> Arc<SearchMemory> {
        self.process.search(self.limit / searches)
    }

    /// Returns what was held so far.
    pub(crate) fn used(&self) -> MemoryUse {
        let peak = self.process.peak().saturating_sub(self.spool());
        MemoryUse { limit: self.limit, peak }
    }
}

fn spool(limit: usize) -> usize {
    (limit / SPOOL_PART).min(MAX_SPOOL)
}

/// Returns what a single search may hold if nobody says otherwise, in bytes.
pub(crate) fn of_search() -> usize {
    pool::search_limit(of_machine())
}

/// Returns the bytes of memory that the machine has, or the control group that the process is in if that
/// is less; `None` where neither is known.
fn of_machine() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

/// Returns the bytes of memory that the system's text names.
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
