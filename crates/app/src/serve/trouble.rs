//! Remembers of one thing whether it works, and tells what is wrong once, not at each attempt.

use std::fmt::Display;
use std::sync::Arc;

use super::events::{ServeEvent, ServeSink};

/// Whether one thing of a part of the server works.
#[derive(Debug)]
pub struct Trouble {
    sink: Arc<dyn ServeSink>,
    part: &'static str,
    name: String,
    /// What is wrong.
    told: Option<String>,
}

impl Trouble {
    /// Takes a thing of a part that works.
    #[must_use]
    pub fn new(sink: Arc<dyn ServeSink>, part: &'static str, name: &str) -> Self {
        Self { sink, part, name: name.to_owned(), told: None }
    }

    /// Takes note of what is wrong, and tells it unless it was told last.
    pub fn failed(&mut self, reason: &dyn Display) {
        let reason = reason.to_string();
        if self.told.as_ref() != Some(&reason) {
            let (part, name) = (self.part, self.name.as_str());
            self.sink.event(ServeEvent::Problem { part, name, reason: &reason });
            self.told = Some(reason);
        }
    }

    /// Takes note that it works.
    pub fn works(&mut self) {
        if self.told.take().is_some() {
            self.sink.event(ServeEvent::Solved { part: self.part, name: &self.name });
        }
    }

    /// Takes note of an outcome, and returns what worked.
    pub fn of<T>(&mut self, outcome: Result<T, impl Display>) -> Option<T> {
        match outcome {
            Ok(done) => {
                self.works();
                Some(done)
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<String>>);

    impl ServeSink for Told {
        fn event(&self, event: ServeEvent<'_>) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{event:?}"));
        }
    }

    #[test]
    fn what_is_wrong_is_told_once() {
        let told = Arc::new(Told::default());
        let mut trouble = Trouble::new(told.clone(), "inputs", "trail");
        trouble.works();
        for (outcome, expected) in [
            (
                Err("no route"),
                &["Problem { part: \"inputs\", name: \"trail\", reason: \"no route\" }"][..],
            ),
            (Err("no route"), &[]),
            (
                Err("refused"),
                &["Problem { part: \"inputs\", name: \"trail\", reason: \"refused\" }"],
            ),
            (Ok(1), &["Solved { part: \"inputs\", name: \"trail\" }"]),
            (Ok(1), &[]),
            (
                Err("refused"),
                &["Problem { part: \"inputs\", name: \"trail\", reason: \"refused\" }"],
            ),
        ] {
            assert_eq!(trouble.of(outcome), outcome.ok());
            assert_eq!(std::mem::take(&mut *told.0.lock().unwrap()), expected);
        }
    }
}
