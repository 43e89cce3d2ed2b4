//! A store that does as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use spilltrail_lake::{Commit, Origin};
use spilltrail_server::hec::{Inbox, InboxError, Stored};
use tokio::sync::Semaphore;

/// An event that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) origin: Origin,
    pub(crate) raw: Vec<u8>,
    pub(crate) time: Option<i64>,
    pub(crate) fields: Option<String>,
}

/// What the store does with a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Store,
    /// Refuses the commit at once.
    Refuse(InboxError),
    /// Takes the commit, and fails then.
    Fail(InboxError),
    /// Stores the commit when [`TestInbox::release`] is called.
    Hold,
    Panic,
}

/// A store in memory.
#[derive(Debug)]
pub(crate) struct TestInbox {
    state: Arc<Mutex<State>>,
    released: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    steps: VecDeque<Step>,
    commits: Vec<Vec<Kept>>,
    appended: usize,
    is_full: bool,
    is_nearly_full: bool,
}

impl TestInbox {
    /// Does these steps, and stores everything after them.
    pub(crate) fn new(steps: &[Step]) -> Arc<Self> {
        let steps = steps.iter().cloned().collect();
        let state = Arc::new(Mutex::new(State { steps, ..State::default() }));
        Arc::new(Self { state, released: Arc::new(Semaphore::new(0)) })
    }

    /// Stores one commit that is held.
    pub(crate) fn release(&self) {
        self.released.add_permits(1);
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.state.lock().unwrap().is_full = is_full;
    }

    pub(crate) fn set_nearly_full(&self, is_nearly_full: bool) {
        self.state.lock().unwrap().is_nearly_full = is_nearly_full;
    }

    /// Returns how many commits came.
    pub(crate) fn appended(&self) -> usize {
        self.state.lock().unwrap().appended
    }

    /// Returns the commits that were stored.
    pub(crate) fn commits(&self) -> Vec<Vec<Kept>> {
        self.state.lock().unwrap().commits.clone()
    }

    /// Returns the events that were stored.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        self.commits().concat()
    }

    /// Returns the texts of the events that were stored.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.kept().into_iter().map(|kept| String::from_utf8(kept.raw).unwrap()).collect()
    }
}

fn events(commit: &Commit) -> Vec<Kept> {
    let mut found = Vec::new();
    for batch in &commit.batches {
        let take = |event: spilltrail_lake::Event<'_>| {
            found.push(Kept {
                origin: batch.origin.clone(),
                raw: event.raw.to_vec(),
                time: event.time,
                fields: event.fields.map(str::to_owned),
            });
        };
        batch.events().unwrap().each(take).unwrap();
    }
    found
}

impl Inbox for TestInbox {
    fn append(&self, commit: Commit) -> Result<Stored, InboxError> {
        let step = {
            let mut state = self.state.lock().unwrap();
            state.appended += 1;
            state.steps.pop_front().unwrap_or(Step::Store)
        };
        let (state, released) = (self.state.clone(), self.released.clone());
        let store = move || state.lock().unwrap().commits.push(events(&commit));
        match step {
            Step::Store => {
                store();
                Ok(Box::pin(std::future::ready(Ok(()))))
            }
            Step::Refuse(error) => Err(error),
            Step::Fail(error) => Ok(Box::pin(std::future::ready(Err(error)))),
            Step::Hold => Ok(Box::pin(async move {
                released.acquire().await.unwrap().forget();
                store();
                Ok(())
            })),
            Step::Panic => panic!("the store was told to"),
        }
    }

    fn trouble(&self) -> Option<InboxError> {
        self.state.lock().unwrap().is_full.then_some(InboxError::Full)
    }

    fn is_nearly_full(&self) -> bool {
        self.state.lock().unwrap().is_nearly_full
    }
}
