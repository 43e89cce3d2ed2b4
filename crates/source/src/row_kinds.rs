//! Remembers the kinds of the fields of JSON rows for all searches of a run.
//!
//! Names do not show whether a field of a row has several values, so the files with rows are read
//! before a search is planned. Many searches would read them as often as there are searches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use spilltrail_event::{Field, Kind};

/// The kinds of the fields of all rows, by name.
pub(crate) type Kinds = HashMap<String, Kind>;

/// What is known of the fields of rows.
#[derive(Debug, Default)]
pub(crate) struct RowKinds(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// No search has asked yet.
    #[default]
    New,
    /// One search has asked, and only what it wants was looked for.
    AskedOnce,
    Known(Arc<Kinds>),
    /// There are more names than are remembered.
    TooMany,
}

impl RowKinds {
    /// Returns the kinds of all fields if more than one search asks; `look` returns these fields, or
    /// `None` if there are too many names, and runs at most once unless it fails.
    ///
    /// The kind of a field covers its values in all rows, so it can be wider than those in the rows
    /// that a search matches.
    pub(crate) fn known<E>(
        &self,
        look: impl FnOnce() -> Result<Option<Vec<Field>>, E>,
    ) -> Result<Option<Arc<Kinds>>, E> {
        // Other searches wait, because they need the same.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::New => *state = State::AskedOnce,
            State::AskedOnce => {
                *state = match look()? {
                    Some(fields) => State::Known(Arc::new(
                        fields.into_iter().map(|field| (field.name, field.kind)).collect(),
                    )),
                    None => State::TooMany,
                };
            }
            State::Known(_) | State::TooMany => {}
        }
        Ok(match &*state {
            State::Known(kinds) => Some(kinds.clone()),
            State::New | State::AskedOnce | State::TooMany => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_search_learns_all_kinds() {
        let kinds = RowKinds::default();
        let fields = vec![Field::new("tags", Kind::Multi)];
        let known = |looked: Result<Option<Vec<Field>>, ()>| kinds.known(|| looked);
        assert_eq!(known(Err(())), Ok(None));
        assert_eq!(known(Err(())), Err(()));
        let found = known(Ok(Some(fields))).unwrap().unwrap();
        assert_eq!(found.get("tags"), Some(&Kind::Multi));
        assert_eq!(known(Err(())), Ok(Some(found)));
        let kinds = RowKinds::default();
        let known = |looked: Result<Option<Vec<Field>>, ()>| kinds.known(|| looked);
        assert_eq!(
            [known(Ok(None)), known(Ok(None)), known(Err(()))],
            [Ok(None), Ok(None), Ok(None)]
        );
    }
}
