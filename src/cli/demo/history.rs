//! Plays two weeks of a company through the use cases, on a clock that is moved from one event to the next. The workers run as well, so
//! the cards and messages of that time stand in the workspace.

use super::clock::DemoClock;
use super::story::{POLICY, SESSION, Step, Tale, When};
use super::tales::TALES;
use crate::app::{AppError, ApproverIdentity, Changed, DecisionInput, RequestRef};
use crate::bot::Bot;
use crate::domain::ask::Ask;
use crate::domain::break_glass::SessionAsk;
use crate::domain::config_edit::ConfigEdit;
use crate::domain::decision::{DecisionKind, Via};
use crate::domain::digest::{Digest, Payload, SeenDigest};
use crate::domain::id::SessionId;
use crate::domain::people::SlackAccount;
use crate::domain::principal::{Caller, Principal};
use crate::domain::request::Outcome;
use crate::domain::sign_in::Identity;
use crate::domain::time::{Span, Timestamp};

const DAY: i64 = Span::hours(24).0;
/// How many working days the history has.
const WORKING_DAYS: i64 = 10;
/// The service that the pipeline runs as.
const PIPELINE: &str = "ci";

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
enum Event {
    Ask(usize),
    Step(usize, Step),
    StartSession,
    RevokeSession,
    ProposePolicy,
    ApprovePolicy,
}

/// When the history begins, if it ends at `now`.
pub(super) fn beginning(now: Timestamp) -> Timestamp {
    time_of(When::Day(WORKING_DAYS, 6, 0), now)
}

/// Makes the history that ends at `now`.
pub(super) async fn play(bot: &Bot, clock: &DemoClock, now: Timestamp) -> Result<(), AppError> {
    let mut player = Player {
        bot,
        requests: vec![None; TALES.len()],
        policy: None,
        session: None,
    };
    for (at, event) in events(now) {
        let passes = at.0.saturating_sub(bot.app.now().0);
        clock.clock.advance(Span(passes.max(0)));
        Box::pin(player.happens(event)).await?;
        if matches!(
            event,
            Event::Ask(_) | Event::StartSession | Event::RevokeSession
        ) {
            bot.workers.settle().await?;
        }
    }
    bot.workers.settle().await
}

/// Everything that happens before `now`, in order.
fn events(now: Timestamp) -> Vec<(Timestamp, Event)> {
    let mut events = Vec::new();
    let mut add = |at: When, minutes: i64, event: Event| {
        events.push((time_of(at, now).plus(Span::minutes(minutes)), event));
    };
    for (number, tale) in TALES.iter().enumerate() {
        add(tale.at, 0, Event::Ask(number));
        for (minutes, step) in tale.steps {
            add(tale.at, *minutes, Event::Step(number, *step));
        }
    }
    add(SESSION.at, 0, Event::StartSession);
    add(SESSION.at, SESSION.revoked_after, Event::RevokeSession);
    add(POLICY.at, 0, Event::ProposePolicy);
    add(POLICY.at, POLICY.approved_after, Event::ApprovePolicy);
    events.retain(|(at, _)| *at < now);
    events.sort_by_key(|(at, _)| *at);
    events
}

fn time_of(when: When, now: Timestamp) -> Timestamp {
    match when {
        When::MinutesAgo(minutes) => now.plus(Span::minutes(-minutes)),
        When::Day(ago, hour, minute) => {
            let day = working_day(now.0.div_euclid(DAY), ago);
            Timestamp(day * DAY).plus(Span::minutes(hour * 60 + minute))
        }
    }
}

/// The day that lies so many working days before `today`; days are counted from 1970-01-01, a Thursday.
fn working_day(today: i64, ago: i64) -> i64 {
    let is_weekend = |day: i64| matches!((day + 4).rem_euclid(7), 0 | 6);
    let past = (1..).map(|back| today - back);
    past.filter(|day| !is_weekend(*day))
        .nth(usize::try_from(ago - 1).unwrap_or(0))
        .unwrap_or(today)
}

struct Player<'a> {
    bot: &'a Bot,
    /// Number and digest of each tale's request, once it was made.
    requests: Vec<Option<(i64, Digest)>>,
    policy: Option<i64>,
    session: Option<SessionId>,
}

impl Player<'_> {
    async fn happens(&mut self, event: Event) -> Result<(), AppError> {
        match event {
            Event::Ask(number) => self.ask(number).await,
            Event::Step(number, step) => self.step(number, step).await,
            Event::StartSession => self.start_session().await,
            Event::RevokeSession => self.revoke_session().await,
            Event::ProposePolicy => self.propose_policy().await,
            Event::ApprovePolicy => match self.policy {
                Some(number) => {
                    self.decide(number, POLICY.approver, DecisionKind::Approve, None)
                        .await
                }
                None => Ok(()),
            },
        }
    }

    async fn ask(&mut self, number: usize) -> Result<(), AppError> {
        let tale = &TALES[number];
        let asked = self
            .bot
            .app
            .submit(&caller(tale.who), ask_of(tale)?, None)
            .await?;
        let request = asked.shown.request;
        self.requests[number] = Some((request.number, request.digest));
        Ok(())
    }

    async fn step(&self, number: usize, step: Step) -> Result<(), AppError> {
        let Some((request, digest)) = &self.requests[number] else {
            return Ok(());
        };
        let (named, app) = (RequestRef::Number(*request), &self.bot.app);
        let requester = caller(TALES[number].who);
        match step {
            Step::Approve(who, comment) => {
                self.decide(*request, who, DecisionKind::Approve, comment)
                    .await?;
            }
            Step::ApproveOnWeb(who, comment) => {
                self.approve_on_web(*request, who, comment).await?;
            }
            Step::Reject(who, why) => {
                self.decide(*request, who, DecisionKind::Reject, Some(why))
                    .await?;
            }
            Step::Execute => {
                let seen = SeenDigest::from(digest.clone());
                app.execute(&requester, &named, seen, None).await?;
            }
            Step::Succeed => {
                app.complete(&requester, &named, Outcome::Succeeded, None, None)
                    .await?;
            }
            Step::Fail(why) => {
                let why = Some(why.to_owned());
                app.complete(&requester, &named, Outcome::Failed, why, None)
                    .await?;
            }
            Step::Cancel => {
                app.cancel(&requester, &named, None).await?;
            }
        }
        Ok(())
    }

    async fn decide(
        &self,
        request: i64,
        who: &str,
        verdict: DecisionKind,
        comment: Option<&str>,
    ) -> Result<(), AppError> {
        let input = DecisionInput {
            identity: ApproverIdentity::Person(who.into()),
            request: RequestRef::Number(request),
            digest: None,
            verdict,
            comment: comment.map(str::to_owned),
            pages_seen: Vec::new(),
            via: Via::Button,
            authentication: None,
            once: None,
        };
        self.bot.app.decide(input).await.map(drop)
    }

    async fn approve_on_web(
        &self,
        request: i64,
        who: &str,
        comment: Option<&str>,
    ) -> Result<(), AppError> {
        let app = &self.bot.app;
        let config = app.compiled_config().await?;
        let person = config.directory().person(&who.into());
        let Some(identity) = person.and_then(|person| person.slack.first()) else {
            return Ok(());
        };
        let account = SlackAccount {
            enterprise_id: None,
            team_id: identity.team_id.clone().unwrap_or_default(),
            user_id: identity.user_id.clone(),
        };
        let began = app.sign_in(Identity::Slack(account.clone()), Some(app.now()));
        let input = DecisionInput {
            identity: ApproverIdentity::Slack(account),
            request: RequestRef::Number(request),
            digest: None,
            verdict: DecisionKind::Approve,
            comment: comment.map(str::to_owned),
            pages_seen: Vec::new(),
            via: Via::Web,
            authentication: began.await?.sign_in.authentication(),
            once: None,
        };
        app.decide(input).await.map(drop)
    }

    async fn start_session(&mut self) -> Result<(), AppError> {
        let ask = SessionAsk {
            reason: SESSION.reason.to_owned(),
            actions: vec!["cluster".to_owned()],
            clusters: Some(vec![SESSION.cluster.to_owned()]),
            duration: Some(Span::minutes(SESSION.minutes)),
            ..SessionAsk::default()
        };
        let initiator = caller(SESSION.who);
        let started = self.bot.app.start_session(&initiator, ask, None).await?;
        self.session = Some(started.session.session.id);
        Ok(())
    }

    async fn revoke_session(&self) -> Result<(), AppError> {
        if let Some(id) = &self.session {
            let initiator = caller(SESSION.who);
            self.bot.app.revoke_session(&initiator, id, None).await?;
        }
        Ok(())
    }

    async fn propose_policy(&mut self) -> Result<(), AppError> {
        let config = self.bot.app.config().await?;
        let known = config.document.policies.iter();
        let Some(policy) = known.clone().find(|each| each.id.as_str() == POLICY.policy) else {
            return Ok(());
        };
        let mut changed = policy.clone();
        POLICY.description.clone_into(&mut changed.description);
        let edit = ConfigEdit::PutPolicy(Box::new(changed));
        let reason = Some(POLICY.reason.to_owned());
        let author = caller(POLICY.who);
        let change = self.bot.app.change_config(&author, edit, None, reason);
        if let Changed::Requested(shown) = change.await? {
            self.policy = Some(shown.request.number);
        }
        Ok(())
    }
}

/// A person in Slack, or the pipeline with its token.
fn caller(who: &str) -> Caller {
    if who == PIPELINE {
        return Caller {
            principal: Principal::Service(PIPELINE.into()),
            owners: Vec::new(),
            acts_for_others: false,
            via: Via::Api,
        };
    }
    Caller::person(who.into(), Via::Command)
}

fn ask_of(tale: &Tale) -> Result<Ask, AppError> {
    let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
    let payload = tale
        .payload
        .map(serde_json::from_str::<Payload>)
        .transpose();
    Ok(Ask {
        action: tale.action.to_owned(),
        project: text(tale.project),
        cluster: text(tale.cluster),
        environment: text(tale.environment),
        release: text(tale.release),
        reason: text(Some(tale.reason)),
        payload: payload.map_err(|error| AppError::Internal(error.to_string()))?,
        ..Ask::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2026-11-23, 10:00 UTC.
    const MONDAY: Timestamp = Timestamp(1_795_428_000_000);

    #[test]
    fn history_lies_on_working_days_of_the_last_two_weeks() {
        let friday = time_of(When::Day(1, 8, 30), MONDAY);
        assert_eq!(friday.rfc3339(), "2026-11-20T08:30:00.000Z");
        assert_eq!(beginning(MONDAY).rfc3339(), "2026-11-09T06:00:00.000Z");
        let events = events(MONDAY);
        assert!(
            events
                .iter()
                .all(|(at, _)| *at < MONDAY && *at >= beginning(MONDAY))
        );
        assert!(events.is_sorted_by_key(|(at, _)| *at));
    }
}
