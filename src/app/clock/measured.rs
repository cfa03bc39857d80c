//! Time as the database tells it (docs/decisions.md D26, threat ST6): between readings the machine's steady clock counts on, so that nobody who
//! sets the clock on the wall moves a deadline; and a clock that jumps is not believed until two readings agree.

use crate::domain::time::{Span, Timestamp};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What differs by more has jumped, in milliseconds.
const LARGEST_STEP: i64 = 2_000;
/// A reading that took longer tells too little, in milliseconds.
const SLOWEST_READING: i64 = 1_000;
/// How long a reading does while nothing looks wrong, in milliseconds.
const READING_LIFETIME: i64 = 10_000;

/// What a machine's own clocks show at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// The clock that people and time servers set.
    pub wall: Timestamp,
    /// The one that only counts; it may stand still while the machine sleeps.
    pub steady: Span,
}

impl Machine {
    /// By how much the two clocks went apart since `then`: the one was set, or the other slept.
    fn apart_since(self, then: Self) -> i64 {
        let wall = self.wall.0.saturating_sub(then.wall.0);
        wall.saturating_sub(self.steady.0.saturating_sub(then.steady.0))
    }
}

/// One reading, from which time counts on.
#[derive(Debug, Clone, Copy)]
struct Reading {
    told: i64,
    at: Machine,
}

impl Reading {
    /// What the clock must show now, if it goes on as it did.
    fn expects(self, now: Machine) -> i64 {
        self.told
            .saturating_add(now.steady.0.saturating_sub(self.at.steady.0))
    }

    /// Whether a later reading is what this one made expect.
    fn agrees_with(self, later: Self) -> bool {
        jump(self.expects(later.at), later.told) <= LARGEST_STEP
    }
}

fn jump(one: i64, other: i64) -> i64 {
    one.saturating_sub(other).saturating_abs()
}

#[derive(Debug, Default)]
struct Kept {
    /// What time counts on from.
    believed: Option<Reading>,
    /// A reading that contradicts it, until another one agrees with either.
    doubt: Option<Reading>,
    /// The latest time that was told; the next is no earlier.
    latest: Option<i64>,
}

/// The database's clock as this machine knows it.
pub struct Measured {
    machine: Box<dyn Fn() -> Machine + Send + Sync>,
    kept: Mutex<Kept>,
}

impl fmt::Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured")
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

impl Measured {
    pub(super) fn new(machine: impl Fn() -> Machine + Send + Sync + 'static) -> Self {
        Self {
            machine: Box::new(machine),
            kept: Mutex::default(),
        }
    }

    /// What the machine's clocks show.
    pub fn machine(&self) -> Machine {
        (self.machine)()
    }

    /// A reading: what the other clock told between two moments of this machine.
    pub fn hear(&self, told: Timestamp, asked: Machine, heard: Machine) {
        let took = heard.steady.0.saturating_sub(asked.steady.0);
        if !(0..=SLOWEST_READING).contains(&took) {
            return;
        }
        let half = Span(took / 2);
        let reading = Reading {
            told: told.0,
            at: Machine {
                wall: Timestamp(heard.wall.0.saturating_sub(half.0)),
                steady: Span(heard.steady.0.saturating_sub(half.0)),
            },
        };
        let mut kept = self.lock();
        match (kept.believed, kept.doubt) {
            (None, _) => kept.believed = Some(reading),
            (Some(believed), None) if believed.agrees_with(reading) => {
                kept.believed = Some(reading);
            }
            (Some(_), Some(doubt)) if doubt.agrees_with(reading) => {
                // the clock really is elsewhere now, and may be behind what was told before
                *kept = Kept {
                    believed: Some(reading),
                    ..Kept::default()
                };
            }
            (Some(_), _) => kept.doubt = Some(reading),
        }
    }

    /// The time; never earlier than it was told before, but where two readings say so.
    pub fn now(&self) -> Timestamp {
        let machine = self.machine();
        let mut kept = self.lock();
        let now = kept
            .believed
            .map_or(machine.wall.0, |reading| reading.expects(machine));
        let now = kept.latest.map_or(now, |latest| latest.max(now));
        if kept.believed.is_some() {
            kept.latest = Some(now);
        }
        Timestamp(now)
    }

    /// Whether there was a good reading.
    pub fn is_set(&self) -> bool {
        self.lock().believed.is_some()
    }

    /// Whether nothing speaks against the time it tells: the last two readings agree, and so do the machine's own clocks since.
    pub fn is_sure(&self) -> bool {
        let machine = self.machine();
        let kept = self.lock();
        let steady = |reading: Reading| jump(machine.apart_since(reading.at), 0) <= LARGEST_STEP;
        kept.doubt.is_none() && kept.believed.is_some_and(steady)
    }

    /// Whether it is time for another reading.
    pub(super) fn is_due(&self) -> bool {
        let machine = self.machine();
        let last = self.lock().believed;
        let old = |reading: Reading| {
            machine.steady.0.saturating_sub(reading.at.steady.0) >= READING_LIFETIME
        };
        last.is_none_or(old) || !self.is_sure()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A machine and another clock, both set by hand.
    struct Hands {
        machine: Arc<Mutex<Machine>>,
        other: i64,
        clock: Measured,
    }

    impl Hands {
        /// The other clock is an hour ahead of the wall.
        fn new() -> Self {
            let machine = Arc::new(Mutex::new(Machine {
                wall: Timestamp(1_000_000),
                steady: Span(0),
            }));
            let shown = machine.clone();
            Self {
                clock: Measured::new(move || *shown.lock().expect("hands")),
                machine,
                other: 4_600_000,
            }
        }

        fn passes(&mut self, ms: i64) {
            let mut machine = self.machine.lock().expect("hands");
            machine.wall.0 += ms;
            machine.steady.0 += ms;
            self.other += ms;
        }

        fn reads(&self) {
            let machine = self.clock.machine();
            self.clock.hear(Timestamp(self.other), machine, machine);
        }

        fn state(&self) -> (i64, bool) {
            (self.clock.now().0 - self.other, self.clock.is_sure())
        }
    }

    #[test]
    fn first_reading_makes_the_clock_usable() {
        let mut hands = Hands::new();
        assert!(!hands.clock.is_set() && !hands.clock.is_sure() && hands.clock.is_due());
        let asked = hands.clock.machine();
        hands.passes(SLOWEST_READING + 1);
        hands.clock.hear(Timestamp(0), asked, hands.clock.machine());
        assert!(!hands.clock.is_set(), "a slow answer is no reading");
        hands.reads();
        assert_eq!(hands.state(), (0, true));
        hands.passes(READING_LIFETIME - 1);
        assert_eq!((hands.state(), hands.clock.is_due()), ((0, true), false));
        hands.passes(1);
        assert!(hands.clock.is_due());
    }

    #[test]
    fn setting_the_wall_clock_does_not_move_time_st6() {
        for step in [-600_000, 600_000] {
            let mut hands = Hands::new();
            hands.reads();
            hands.machine.lock().expect("hands").wall.0 += step;
            // what it was, set or slept, one cannot tell: time goes on, but nothing is executed until it is read again
            assert_eq!(hands.state(), (0, false));
            assert!(hands.clock.is_due());
            hands.passes(1_000);
            hands.reads();
            assert_eq!(hands.state(), (0, true));
        }
    }

    #[test]
    fn a_jump_of_more_than_two_seconds_is_believed_when_two_readings_agree_st6() {
        for step in [-600_000, -2_001, 2_001, 600_000] {
            let mut hands = Hands::new();
            hands.reads();
            hands.passes(1_000);
            hands.other += step;
            hands.reads();
            assert_eq!(hands.state(), (-step, false), "{step}");
            assert!(hands.clock.is_due());
            hands.passes(1_000);
            hands.reads();
            assert_eq!(hands.state(), (0, true), "{step}");
        }
    }

    #[test]
    fn two_different_jumps_do_not_agree_st6() {
        let mut hands = Hands::new();
        hands.reads();
        for step in [600_000, -300_000, 5_000] {
            hands.passes(1_000);
            hands.other += step;
            hands.reads();
            assert!(!hands.clock.is_sure(), "{step}");
        }
        hands.passes(1_000);
        hands.reads();
        assert_eq!(hands.state(), (0, true));
    }

    #[test]
    fn machine_that_slept_is_unsure_until_two_readings_agree_st6() {
        let mut hands = Hands::new();
        hands.reads();
        // the steady clock stood still
        hands.machine.lock().expect("hands").wall.0 += 60_000;
        hands.other += 60_000;
        assert!(!hands.clock.is_sure());
        hands.reads();
        assert!(!hands.clock.is_sure());
        hands.passes(1_000);
        hands.reads();
        assert_eq!(hands.state(), (0, true));
    }

    #[test]
    fn a_small_step_is_followed_and_time_never_runs_backwards() {
        let mut hands = Hands::new();
        hands.reads();
        let before = hands.clock.now();
        hands.other -= 1_500;
        hands.reads();
        assert_eq!(hands.clock.now(), before, "it stands still instead");
        hands.passes(2_000);
        assert_eq!(hands.state(), (0, true));
    }
}
