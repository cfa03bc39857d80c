//! The one source of time; tests set theirs by hand.

mod measured;

pub use measured::{Machine, Measured};

use super::{App, AppError};
use crate::domain::time::{Span, Timestamp};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// How often it is asked whether the clock must be read again.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Tells the time, and waits for a point in it.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock. Use cases over a database measure it, see [`Measured`].
    System,
    /// The clock of the database, counted on by the machine.
    Measured(Arc<Measured>),
    /// A clock that moves when it is told to.
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// A clock that stands at `at`.
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(watch::Sender::new(at)))
    }

    /// A clock that reads what it is told, and counts on by these machine's clocks.
    pub fn measured(machine: impl Fn() -> Machine + Send + Sync + 'static) -> Self {
        Self::Measured(Arc::new(Measured::new(machine)))
    }

    /// The clock that use cases go by.
    pub(super) fn over_a_database(self) -> Self {
        match self {
            Self::System => Self::measured(this_machine),
            other @ (Self::Measured(_) | Self::Manual(_)) => other,
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => this_machine().wall,
            Self::Measured(clock) => clock.now(),
            Self::Manual(time) => *time.borrow(),
        }
    }

    /// What only counts, whatever somebody sets; a clock that tests move by hand has one hand alone.
    pub(super) fn steady(&self) -> Span {
        match self {
            Self::System => this_machine().steady,
            Self::Measured(clock) => clock.machine().steady,
            Self::Manual(time) => Span(time.borrow().0),
        }
    }

    /// Whether it has ever been read.
    pub fn is_set(&self) -> bool {
        match self {
            Self::Measured(clock) => clock.is_set(),
            Self::System | Self::Manual(_) => true,
        }
    }

    /// Whether it is believed; not after a jump, until two readings agree.
    pub fn is_sure(&self) -> bool {
        match self {
            Self::Measured(clock) => clock.is_sure(),
            Self::System | Self::Manual(_) => true,
        }
    }

    /// Waits until the clock shows `at`.
    pub async fn until(&self, at: Timestamp) {
        match self {
            Self::System | Self::Measured(_) => {
                let left = at.0.saturating_sub(self.now().0);
                tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
            }
            Self::Manual(time) => {
                // an error would mean that nobody holds the clock any more, and so nobody waits
                let _ = time.subscribe().wait_for(|now| *now >= at).await;
            }
        }
    }

    /// Moves a manual clock on.
    pub fn advance(&self, by: Span) {
        if let Self::Manual(time) = self {
            time.send_modify(|now| *now = now.plus(by));
        }
    }
}

/// Both clocks of this machine at once: the one on the wall, which can be set, and the one that only counts.
fn this_machine() -> Machine {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let whole = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let steady = whole(START.elapsed());
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    Machine {
        wall: Timestamp(wall.map_or(0, whole)),
        steady: Span(steady),
    }
}

/// Reads the clock, and goes on reading it.
pub(super) async fn start(app: &App) {
    start_pulse(app);
    measure_or_warn(app).await;
    let reading = app.clone();
    app.keep_running("clock reader", move || read_on(reading.clone()));
}

async fn read_on(app: App) {
    loop {
        tokio::time::sleep(RECHECK_INTERVAL).await;
        if let Clock::Measured(clock) = &app.0.clock
            && clock.is_due()
        {
            measure_or_warn(&app).await;
        }
    }
}

/// Beats once a second, whatever the database does.
fn start_pulse(app: &App) {
    let beating = app.clone();
    app.keep_running("pulse", move || beat_on(beating.clone()));
}

async fn beat_on(app: App) {
    loop {
        app.beat();
        tokio::time::sleep(RECHECK_INTERVAL).await;
    }
}

async fn measure_or_warn(app: &App) {
    if let Err(error) = app.measure().await {
        tracing::warn!(%error, "the clock could not be read");
    }
}

impl App {
    /// Reads the database's clock once; on `SQLite`, the machine's.
    pub(super) async fn measure(&self) -> Result<(), AppError> {
        let Clock::Measured(clock) = &self.0.clock else {
            return Ok(());
        };
        let asked = clock.machine();
        let told = self.0.db.time().await?;
        let heard = clock.machine();
        let was_sure = clock.is_sure();
        clock.hear(told.unwrap_or(heard.wall), asked, heard);
        match (was_sure, clock.is_sure()) {
            (true, false) => {
                tracing::error!("the clock has jumped; nothing is executed until it is sure");
            }
            (false, true) => tracing::info!("the clock is sure"),
            (true, true) | (false, false) => {}
        }
        Ok(())
    }
}
