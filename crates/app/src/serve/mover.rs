//! Moves events from the log of arriving events to the table, and keeps the table in order.
//!
//! It has a thread of its own, because writing files and waiting for the disk must hold nobody up who
//! takes events or answers requests.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use jiff::civil::Date;
use spilltrail_lake::{Compaction, EventTable, LakeError, Wal, WalReader, move_batches};
use tokio_util::sync::CancellationToken;

use super::events::{ServeEvent, ServeSink};
use super::options::Retention;
use super::trouble::Trouble;
use crate::lake::MovedRows;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long events stay in the log at most. Searches see them there, too, but read them more slowly.
const OLDEST: Duration = Duration::from_secs(30);
/// The bytes of events, before compression, from which on they are moved at once.
const MOST_BYTES: u64 = 64 << 20;
/// The bytes of events that are moved together.
const BYTES_OF_MOVE: u64 = 128 << 20;
/// How often old events are dropped, and files deleted that stopped to count.
const TIDY_EVERY: Duration = Duration::from_mins(5);
/// How long a server works before it drops anything. The clock of a machine that has just started may be
/// wrong, and what is dropped by a wrong one does not come back.
const BEFORE_DROPS: Duration = Duration::from_mins(10);
/// How far the clock may have gone ahead of the time that has passed, before it is not trusted. A machine that
/// sleeps at night passes no time.
const LEAP: Duration = Duration::from_hours(24);
/// How long nothing is dropped after that, unless the clock goes back.
const AFTER_LEAP: Duration = Duration::from_hours(24);
/// How long files that stopped to count are kept, for searches that opened the table before.
const KEPT: Duration = Duration::from_hours(2);
/// How long is waited after a failure, at first and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What the mover works on.
pub(super) struct Mover {
    pub(super) wal: Arc<Wal>,
    pub(super) table: EventTable,
    pub(super) retention: Retention,
    pub(super) sink: Arc<dyn ServeSink>,
    pub(super) cancel: CancellationToken,
    /// Whether files may have become small and many since they were put together last.
    pub(super) may_compact: bool,
}

impl Mover {
    /// Starts the thread. It ends when the token is canceled, after the move that is under way.
    pub(super) fn start(self) -> std::io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || runtime.block_on(self.run());
        std::thread::Builder::new().name("mover".to_owned()).spawn(work)
    }

    async fn run(mut self) {
        let mut rows = MovedRows::default();
        let started = Instant::now();
        let mut clock = Clock::new(started, jiff::Timestamp::now().into());
        let (mut moved_at, mut tidied_at) = (started, None::<Instant>);
        let mut wait = FIRST_WAIT;
        let mut trouble = Trouble::new(self.sink.clone(), "lake", "");
        while self.pause(EVERY).await {
            if let Some(leap) = clock.see(Instant::now(), jiff::Timestamp::now().into()) {
                let what = format!(
                    "the clock went ahead by {} days at once; no old events are dropped for a day, unless \
                     it goes back",
                    leap.as_secs() / 86_400
                );
                self.sink.event(ServeEvent::Warning { part: "lake", what: &what });
            }
            let may_drop = started.elapsed() >= BEFORE_DROPS && clock.is_trusted(Instant::now());
            match self.step(&mut rows, &mut moved_at, &mut tidied_at, may_drop).await {
                Ok(()) => {
                    trouble.works();
                    wait = FIRST_WAIT;
                }
                Err(error) => {
                    // Nothing is lost: what was not moved is in the log. What is full may get room.
                    trouble.failed(&error);
                    if !self.pause(wait).await {
                        break;
                    }
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// Waits, and returns false if the work has to end.
    async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.cancel.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }

    async fn step(
        &mut self,
        rows: &mut MovedRows,
        moved_at: &mut Instant,
        tidied_at: &mut Option<Instant>,
        may_drop: bool,
    ) -> Result<(), LakeError> {
        let moved = self.move_if_due(rows, moved_at).await;
        // What makes room comes whatever became of the move, which may lack it.
        if tidied_at.is_none_or(|at| at.elapsed() >= TIDY_EVERY) {
            *tidied_at = Some(Instant::now());
            self.make_room(may_drop).await?;
        }
        moved?;
        // One at a time, so that events do not wait for all of them.
        let how = Compaction { least_files: 4, ..Compaction::default() };
        if self.may_compact && !self.cancel.is_cancelled() {
            match self.table.compact(&how).await? {
                Some(done) => {
                    let (index, files) = (done.index.as_str(), done.files);
                    self.sink.event(ServeEvent::Compacted { index, files });
                }
                None => self.may_compact = false,
            }
        }
        Ok(())
    }

    async fn move_if_due(
        &mut self,
        rows: &mut MovedRows,
        moved_at: &mut Instant,
    ) -> Result<(), LakeError> {
        let size = WalReader::open(self.wal.path())?.size()?;
        if size.batches == 0 {
            *moved_at = Instant::now();
        } else if moved_at.elapsed() >= OLDEST || size.bytes >= MOST_BYTES {
            let moved = move_batches(&self.wal, &mut self.table, BYTES_OF_MOVE, rows).await;
            // A move that fails has read some, and the next one may not read them again.
            if let Some(partly) = rows.take_partly() {
                let what = partly.to_string();
                self.sink.event(ServeEvent::Warning { part: "lake", what: &what });
            }
            let moved = moved?;
            for (number, error) in &moved.damaged {
                let reason = format!("batch {number} is damaged and set aside: {error}");
                self.sink.event(ServeEvent::Warning { part: "lake", what: &reason });
            }
            *moved_at = Instant::now();
            self.may_compact = true;
            self.sink.event(ServeEvent::Moved { batches: moved.batches, events: moved.events });
        }
        Ok(())
    }

    /// Drops what is too old, if it may, and deletes files that stopped to count.
    async fn make_room(&mut self, may_drop: bool) -> Result<(), LakeError> {
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        self.table.refresh().await?;
        let mut lake_bytes = 0;
        for size in self.table.indexes()? {
            lake_bytes += size.bytes;
            let days = self.retention.days_of(&size.index).filter(|_| may_drop);
            let Some(day) = first_kept(today, days) else {
                continue;
            };
            let dropped = self.table.drop_before(&size.index, day).await?;
            if dropped.files > 0 {
                let (index, events) = (size.index.as_str(), dropped.rows);
                lake_bytes = lake_bytes.saturating_sub(dropped.bytes);
                self.sink.event(ServeEvent::Dropped { index, events, before: day });
            }
        }
        let now: SystemTime = jiff::Timestamp::now().into();
        self.table.vacuum(now - KEPT).await?;
        let log_bytes = WalReader::open(self.wal.path())?.size()?.bytes;
        self.sink.event(ServeEvent::Tidied { lake_bytes, log_bytes });
        Ok(())
    }
}

/// Looks after the clock of the machine: what is dropped by a wrong one does not come back.
#[derive(Debug)]
pub(super) struct Clock {
    /// The last time that both were looked at.
    seen: (Instant, SystemTime),
    /// When the clock went ahead last.
    leaped: Option<Instant>,
}

impl Clock {
    pub(super) fn new(passed: Instant, shown: SystemTime) -> Self {
        Self { seen: (passed, shown), leaped: None }
    }

    /// Compares the clock with the time that has passed. Returns how far it went ahead, if that is too far.
    pub(super) fn see(&mut self, passed: Instant, shown: SystemTime) -> Option<Duration> {
        let (passed_before, shown_before) = std::mem::replace(&mut self.seen, (passed, shown));
        let passed_since = passed.saturating_duration_since(passed_before);
        match shown.duration_since(shown_before + passed_since) {
            Ok(ahead) if ahead > LEAP => {
                self.leaped = Some(passed);
                Some(ahead)
            }
            Err(behind) if behind.duration() > LEAP => {
                self.leaped = None;
                None
            }
            _ => None,
        }
    }

    pub(super) fn is_trusted(&self, passed: Instant) -> bool {
        self.leaped.is_none_or(|at| passed.saturating_duration_since(at) >= AFTER_LEAP)
    }
}

/// Returns the first day that is kept; `None` keeps all.
fn first_kept(today: Date, days: Option<u32>) -> Option<Date> {
    today.checked_sub(jiff::Span::new().try_days(days?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_ahead_is_not_trusted_for_a_day() {
        let (began, shown) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let hours = Duration::from_hours;
        let mut clock = Clock::new(began, shown);
        // Each look is an hour later; the clock shows what is given.
        let mut look = |hour: u64, shown_hour: u64| {
            let leap = clock.see(began + hours(hour), shown + hours(shown_hour));
            (leap.map(|leap| leap.as_secs() / 3600), clock.is_trusted(began + hours(hour)))
        };
        assert_eq!(look(1, 1), (None, true));
        assert_eq!(look(2, 9602), (Some(9600), false));
        assert_eq!(look(3, 9603), (None, false));
        assert_eq!(look(4, 4), (None, true));
        assert_eq!(look(5, 9605), (Some(9600), false));
        assert_eq!(look(28, 9628), (None, false));
        assert_eq!(look(29, 9629), (None, true));
    }
}
