//! How many connections each address has: one that opens very many and says nothing leaves places for others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections that are open, by address.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<HashMap<IpAddr, usize>>);

/// The place of a connection, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    /// Takes a place for a connection from an address; returns `None` if it has `most` already.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Place> {
        let address = address.to_canonical();
        let mut open = self.open();
        let count = open.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Place { places: self.clone(), address })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_places_of_its_own() {
        let places = Arc::new(Places::default());
        let take = |address: &str| places.take(address.parse().unwrap(), 2);
        let (one, two) = (take("10.0.0.1"), take("::ffff:10.0.0.1"));
        assert!(one.is_some() && two.is_some() && take("10.0.0.1").is_none());
        let other = take("10.0.0.2");
        assert!(other.is_some());
        drop(one);
        assert!(take("10.0.0.1").is_some(), "a place is free again");
        drop((two, other));
        assert!(places.open().is_empty(), "nothing is kept of who has gone");
    }
}
