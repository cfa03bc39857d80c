//! A bounded number of peers. When it is full, the peer that has kept us waiting longest is closed in favour of a new one: a stranger
//! who opens connections and sends nothing pushes out their own, and never a delivery that is being answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Peers that are served at once.
#[derive(Debug)]
pub struct Crowd {
    capacity: usize,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    count: usize,
    /// Counts up, so that the smallest key has waited longest.
    next: u64,
    /// Peers that we wait for, not those that wait for us.
    idle: BTreeMap<u64, CancellationToken>,
}

impl Crowd {
    /// At most `capacity` peers.
    pub fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity: capacity.max(1),
            members: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a new peer, which begins idle. None while we work for everybody who is here.
    pub fn enter(self: &Arc<Self>) -> Option<Seat> {
        let mut members = self.lock();
        if members.count >= self.capacity && !members.evict_longest_idle() {
            return None;
        }
        members.count += 1;
        drop(members);
        let seat = Seat {
            crowd: Arc::clone(self),
            evicted: CancellationToken::new(),
            place: Mutex::new(None),
        };
        seat.idle();
        Some(seat)
    }

    /// Closes the peer that has been idle longest. Says whether there was one.
    pub fn evict_longest_idle(&self) -> bool {
        self.lock().evict_longest_idle()
    }

    /// How many peers have a seat.
    pub fn count(&self) -> usize {
        self.lock().count
    }
}

impl Members {
    fn evict_longest_idle(&mut self) -> bool {
        let Some((_, evicted)) = self.idle.pop_first() else {
            return false;
        };
        self.count -= 1;
        evicted.cancel();
        true
    }
}

/// One peer's seat; it is free again when this is dropped.
#[derive(Debug)]
pub struct Seat {
    crowd: Arc<Crowd>,
    evicted: CancellationToken,
    place: Mutex<Option<u64>>,
}

impl Seat {
    /// We wait for the peer from now on, so it may be evicted.
    pub fn idle(&self) {
        let mut members = self.crowd.lock();
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if self.evicted.is_cancelled() {
            return;
        }
        if let Some(before) = place.take() {
            members.idle.remove(&before);
        }
        members.next += 1;
        let now = members.next;
        *place = Some(now);
        members.idle.insert(now, self.evicted.clone());
    }

    /// The peer waits for us from now on, so it keeps its seat.
    pub fn working(&self) {
        let mut members = self.crowd.lock();
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = place.take() {
            members.idle.remove(&before);
        }
    }

    /// Ends when this peer has to give way to a new one.
    pub async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.working();
        let mut members = self.crowd.lock();
        // whoever was evicted has been counted out already
        if !self.evicted.is_cancelled() {
            members.count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_evicted(seat: &Seat) -> bool {
        seat.evicted.is_cancelled()
    }

    #[test]
    fn the_peer_that_has_been_idle_longest_gives_way_r16() {
        let crowd = Crowd::new(2);
        let (first, second) = (
            crowd.enter().expect("a seat"),
            crowd.enter().expect("a seat"),
        );
        first.working();
        first.idle();
        let third = crowd.enter().expect("a seat");
        assert!(is_evicted(&second) && !is_evicted(&first) && !is_evicted(&third));
        assert_eq!(crowd.count(), 2);
        drop(second);
        assert_eq!(crowd.count(), 2);
        drop((first, third));
        assert_eq!(crowd.count(), 0);
    }

    #[test]
    fn nobody_gives_way_while_we_work_for_them_r16() {
        let crowd = Crowd::new(1);
        let seat = crowd.enter().expect("a seat");
        seat.working();
        assert!(crowd.enter().is_none());
        assert!(!is_evicted(&seat));
        seat.idle();
        assert!(crowd.enter().is_some());
        assert!(is_evicted(&seat));
        // an evicted peer cannot come back
        seat.idle();
        seat.working();
        assert_eq!(crowd.count(), 0);
    }
}
