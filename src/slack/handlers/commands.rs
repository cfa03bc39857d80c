//! Slash commands: each verb leads to one use case, and the answer is for the one who typed it.

use super::context::Context;
use super::modals::Opening;
use super::reply::{Handled, Reply};
use super::{break_glass, decisions, policies, preferences, requests};
use crate::app::{App, ListFilter, RequestRef};
use crate::domain::action::RequestType;
use crate::domain::ask::Ask;
use crate::domain::decision::{DecisionKind, Via};
use crate::domain::request::Status;
use crate::domain::time::Span;
use crate::slack::inbound::Command;
use crate::slack::inbound::command::{self, Approval};
use crate::slack::ui::{self, help, replies};

pub(super) async fn handle(context: &Context, typed: &Command) -> Handled {
    context.account().await?;
    let text = typed.text.as_deref().unwrap_or_default();
    let opening = Opening::of_command(typed);
    if typed.command.as_deref() == Some("/breakglass") {
        return break_glass::command(context, opening, text).await;
    }
    match command::parse(text) {
        Ok(approval) => self::approval(context, approval, typed, opening).await,
        Err(error) => Ok(Reply::Answer(help::misread(&error, text))),
    }
}

async fn approval(
    context: &Context,
    approval: Approval,
    typed: &Command,
    opening: Opening,
) -> Handled {
    match approval {
        Approval::Help => Ok(Reply::Answer(help::help())),
        Approval::Approve(request, comment) => {
            let kind = DecisionKind::Approve;
            decisions::by_command(context, &opening, request, kind, comment).await
        }
        Approval::Reject(request, comment) => {
            let kind = DecisionKind::Reject;
            decisions::by_command(context, &opening, request, kind, comment).await
        }
        Approval::Request(ask) => {
            let asked_in = typed.channel();
            requests::by_command(context, Ask { asked_in, ..ask }, opening).await
        }
        Approval::Explain(ask) => explain(context, &ask).await,
        Approval::Inbox(kind) => inbox(context, kind).await,
        Approval::Show(request) => show(context, &request).await,
        Approval::Cancel(request) => cancel(context, &request).await,
        Approval::Policies => policies::list(context).await,
        Approval::Audit(events) => audit(context, events).await,
        Approval::Stats(window) => stats(context, window).await,
        Approval::Stale => stale(context).await,
        Approval::Notify(change) => preferences::notify(context, &change).await,
        Approval::Away { until, delegate } => preferences::away(context, until, delegate).await,
        Approval::Back => preferences::back(context).await,
    }
}

async fn explain(context: &Context, ask: &Ask) -> Handled {
    let actor = context.actor().await?;
    let caller = actor.caller(Via::Command);
    let explained = context.app().explain(&caller, ask).await?;
    let message = help::explained(&explained, actor.config.directory());
    Ok(Reply::Answer(message))
}

async fn inbox(context: &Context, kind: Option<RequestType>) -> Handled {
    let actor = context.actor().await?;
    let filter = ListFilter {
        statuses: vec![Status::Pending],
        kind,
        limit: 20,
        ..ListFilter::default()
    };
    let page = context.app().list(filter).await?;
    let message = help::inbox(&page, &actor.person.id, actor.config.directory());
    Ok(Reply::Answer(message))
}

async fn show(context: &Context, request: &RequestRef) -> Handled {
    context.actor().await?;
    let shown = context.app().show(request).await?;
    Ok(Reply::Answer(ui::card(&shown)))
}

async fn cancel(context: &Context, request: &RequestRef) -> Handled {
    let caller = context.actor().await?.caller(Via::Command);
    let cancelled = context
        .app()
        .cancel(&caller, request, Some(context.once()))
        .await?;
    Ok(Reply::Answer(replies::cancelled(&cancelled)))
}

async fn audit(context: &Context, events: u32) -> Handled {
    let actor = context.actor().await?;
    let caller = actor.caller(Via::Command);
    let events = context.app().latest_events(&caller, events).await?;
    let message = ui::audit::audit(&events, actor.config.directory());
    Ok(Reply::Answer(message))
}

async fn stale(context: &Context) -> Handled {
    let caller = context.actor().await?.caller(Via::Command);
    let report = context.app().stale_report().await?;
    let may_cancel = |shown: &_| App::may_cancel(&caller, shown, &report.config);
    Ok(Reply::Answer(ui::stale::report(&report, may_cancel)))
}

async fn stats(context: &Context, window: Span) -> Handled {
    let actor = context.actor().await?;
    let stats = context.app().latency(window).await?;
    let message = ui::stats::stats(&stats, window, actor.config.directory());
    Ok(Reply::Answer(message))
}
