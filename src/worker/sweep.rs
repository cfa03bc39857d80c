//! What time makes due: sessions that end or owe a review, expiry, stored responses to forget, audit rows to seal.

use super::Workers;
use super::ticked::{Ticked, in_time};

impl Workers {
    /// Each step by itself; sessions end before the requests that they allowed.
    pub(super) async fn tick_sweeps(&self) -> Ticked {
        let (app, mut ticked) = (&self.app, Ticked::default());
        ticked.take_in(app, "ending sessions", in_time(app.close_sessions()).await);
        ticked.take_in(
            app,
            "asking for reviews",
            in_time(app.ask_for_reviews()).await,
        );
        ticked.take_in(app, "expiry", in_time(app.expire_overdue()).await);
        let followed = in_time(app.follow_up()).await;
        ticked.take_in(app, "following up requests", followed);
        ticked.take_in(app, "digest", in_time(app.send_digest()).await);
        ticked.take_in(app, "inspecting rows", in_time(app.inspect_rows()).await);
        ticked.take_in(
            app,
            "forgetting stored responses",
            in_time(app.forget()).await,
        );
        ticked.take_in(app, "sealing the audit log", in_time(app.seal()).await);
        let retried = in_time(app.retry_set_aside()).await;
        ticked.take_in(app, "retrying unreadable rows", retried);
        ticked
    }
}
