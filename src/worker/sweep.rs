//! What time makes due: sessions that end or owe a review, expiry, stored responses to forget, audit rows to seal.

use super::Workers;
use super::ticked::Ticked;

impl Workers {
    /// Each step by itself; sessions end before the requests that they allowed.
    pub(super) async fn tick_sweeps(&self) -> Ticked {
        let (app, mut ticked) = (&self.app, Ticked::default());
        ticked.take_in(app, "ending sessions", app.close_sessions().await);
        ticked.take_in(app, "asking for reviews", app.ask_for_reviews().await);
        ticked.take_in(app, "expiry", app.expire_overdue().await);
        ticked.take_in(app, "inspecting rows", app.inspect_rows().await);
        ticked.take_in(app, "forgetting stored responses", app.forget().await);
        ticked.take_in(app, "sealing the audit log", app.seal().await);
        let retried = app.retry_set_aside().await;
        ticked.take_in(app, "retrying unreadable rows", retried);
        ticked
    }
}
