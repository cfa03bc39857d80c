//! Start, then Done or Failed: what was requested in Slack is also executed from Slack, through the same use cases as everywhere.

use super::context::Context;
use super::reply::{Handled, Reply};
use crate::app::RequestRef;
use crate::domain::decision::Via;
use crate::domain::digest::Digest;
use crate::domain::id::RequestId;
use crate::domain::request::Outcome;
use crate::slack::ui::{read_value, replies};

/// Executes what was granted: it counts once, and everything is checked again.
pub(super) async fn start(context: &Context, value: &str) -> Handled {
    let (request, digest): (RequestId, Digest) =
        read_value(value).ok_or_else(replies::foreign_button)?;
    let caller = context.actor().await?.caller(Via::Button);
    let request = RequestRef::Id(request);
    let executed = context
        .app()
        .execute(&caller, &request, digest.into(), Some(context.once()))
        .await?;
    Ok(Reply::Done(replies::started(&executed.shown)))
}

/// Records how it ended.
pub(super) async fn complete(context: &Context, value: &str, outcome: Outcome) -> Handled {
    let (request, _): (RequestId, Digest) =
        read_value(value).ok_or_else(replies::foreign_button)?;
    let caller = context.actor().await?.caller(Via::Button);
    let request = RequestRef::Id(request);
    let shown = context
        .app()
        .complete(&caller, &request, outcome, None, Some(context.once()))
        .await?;
    Ok(Reply::Done(replies::completed(&shown, outcome)))
}
