//! How many pages may listen at once.

use crate::domain::id::PersonId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Streams of one person: hidden pages close theirs.
const PER_PERSON: usize = 8;
/// Streams of everybody at this replica.
const TOGETHER: usize = 1_000;

/// The streams that are open at this replica.
#[derive(Debug, Default)]
pub struct Streams(Mutex<HashMap<PersonId, usize>>);

impl Streams {
    /// A place for another stream of this person; none where there are enough.
    pub fn open(self: &Arc<Self>, person: &PersonId) -> Option<OpenStream> {
        let mut open = self.lock();
        let own = open.get(person).copied().unwrap_or(0);
        if own >= PER_PERSON || open.values().sum::<usize>() >= TOGETHER {
            return None;
        }
        open.insert(person.clone(), own + 1);
        Some(OpenStream {
            streams: Arc::clone(self),
            person: person.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PersonId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open stream; its place is free again when this is dropped.
#[derive(Debug)]
pub struct OpenStream {
    streams: Arc<Streams>,
    person: PersonId,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        if let Some(own) = open.get_mut(&self.person) {
            *own -= 1;
        }
        open.retain(|_, own| *own > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_limited_per_person_and_together_w11() {
        let streams = Arc::new(Streams::default());
        let of = |person: &str| streams.open(&PersonId::new(person));
        let mut held: Vec<_> = (0..PER_PERSON).filter_map(|_| of("bob")).collect();
        assert!(held.len() == PER_PERSON && of("bob").is_none() && of("carol").is_some());
        held.pop();
        held.extend(of("bob"));
        assert_eq!(held.len(), PER_PERSON, "a closed one makes room");
        let others = (0..TOGETHER).filter_map(|n| of(&format!("person{n}")));
        held.extend(others);
        assert!(held.len() == TOGETHER && of("carol").is_none());
        drop(held);
        assert!(streams.lock().is_empty());
    }
}
