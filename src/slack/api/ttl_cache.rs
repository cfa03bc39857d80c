//! Answers of Slack that are believed for a while.

use crate::domain::time::{Span, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long an answer is believed.
pub(in crate::slack) const TTL: Span = Span::minutes(10);

/// Answers by id, at most `capacity` of them, each for [`TTL`].
#[derive(Debug)]
pub(in crate::slack) struct TtlCache<T> {
    capacity: usize,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    answers: HashMap<String, (T, Timestamp)>,
    /// Counts what was forgotten.
    generation: Generation,
}

/// The state of the cache when a question was asked: the answer is not kept if anything was forgotten since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::slack) struct Generation(u64);

impl<T: Clone> TtlCache<T> {
    pub(in crate::slack) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            state: Mutex::new(State {
                answers: HashMap::new(),
                generation: Generation(0),
            }),
        }
    }

    /// The answer, if it is known and young; else the generation to keep the new answer under.
    pub(in crate::slack) fn get(&self, id: &str, now: Timestamp) -> Result<T, Generation> {
        let state = self.lock();
        match state.answers.get(id) {
            // a clock that went back makes an answer old as well
            Some((answer, at)) if *at <= now && now < at.plus(TTL) => Ok(answer.clone()),
            _ => Err(state.generation),
        }
    }

    /// Keeps an answer, unless something was forgotten after the question was asked.
    pub(in crate::slack) fn keep(&self, id: &str, answer: T, now: Timestamp, asked: Generation) {
        let mut state = self.lock();
        if state.generation != asked {
            return;
        }
        if state.answers.len() >= self.capacity {
            state.answers.retain(|_, (_, at)| now < at.plus(TTL));
        }
        if state.answers.len() >= self.capacity {
            state.answers.clear();
        }
        state.answers.insert(id.to_owned(), (answer, now));
    }

    /// Forgets one answer, because Slack says that it has changed.
    pub(in crate::slack) fn forget(&self, id: &str) {
        let mut state = self.lock();
        state.generation.0 += 1;
        state.answers.remove(id);
    }

    /// Forgets all answers.
    pub(in crate::slack) fn forget_all(&self) {
        let mut state = self.lock();
        state.generation.0 += 1;
        state.answers.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_800_000_000_000);

    fn asked(cache: &TtlCache<u8>, id: &str) -> Generation {
        cache.get(id, START).expect_err("not known")
    }

    #[test]
    fn an_answer_is_believed_for_ten_minutes() {
        let cache = TtlCache::new(10);
        cache.keep("C1", 1, START, asked(&cache, "C1"));
        assert_eq!(cache.get("C1", START), Ok(1));
        assert_eq!(cache.get("C1", START.plus(Span(599_999))), Ok(1));
        assert!(cache.get("C1", START.plus(TTL)).is_err());
        assert!(cache.get("C1", Timestamp(START.0 - 1)).is_err());
        assert!(cache.get("C2", START).is_err());
    }

    #[test]
    fn an_answer_from_before_a_change_is_not_kept_after_it() {
        let cache = TtlCache::new(10);
        let before = asked(&cache, "C1");
        cache.keep("C1", 1, START, before);
        cache.forget("C1");
        cache.keep("C1", 1, START, before);
        let after = asked(&cache, "C1");
        cache.keep("C1", 2, START, after);
        cache.keep("C2", 3, START, after);
        assert_eq!(
            (cache.get("C1", START), cache.get("C2", START)),
            (Ok(2), Ok(3))
        );
        cache.forget_all();
        assert!(cache.get("C1", START).is_err() && cache.get("C2", START).is_err());
        cache.keep("C2", 3, START, after);
        assert!(cache.get("C2", START).is_err());
    }

    #[test]
    fn the_cache_is_bounded_and_drops_old_answers_first() {
        let cache = TtlCache::new(10);
        let asked = asked(&cache, "0");
        for n in 0..9 {
            cache.keep(&n.to_string(), n, START, asked);
        }
        let later = START.plus(Span::minutes(5));
        cache.keep("young", 1, later, asked);
        let end = START.plus(TTL);
        cache.keep("new", 2, end, asked);
        assert_eq!(
            (cache.get("young", end), cache.get("new", end)),
            (Ok(1), Ok(2))
        );
        assert_eq!(cache.lock().answers.len(), 2);
        for n in 0..30 {
            cache.keep(&format!("more {n}"), n, end, asked);
            assert!(cache.lock().answers.len() <= 10);
        }
    }
}
