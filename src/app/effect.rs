//! Effects: what Countersign itself does in the commit that approves it, after the same check as an execution (design 2.6).

use super::break_glass::start_refused;
use super::execute::Unmet;
use super::judge::Approval;
use super::{App, AppError, news_to_active};
use crate::domain::audit::What;
use crate::domain::execute::{self, Recheck};
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::{Effect, Outcome, Request, Status};
use crate::domain::rules::Rules;
use crate::domain::vote::{Door, Vote};
use crate::store::Tx;
use serde_json::{Value, json};

/// What became of a request whose effect was to run.
pub(super) struct EffectOutcome {
    /// Its status now.
    pub(super) status: Status,
    /// Why it did not run.
    pub(super) note: Option<String>,
}

impl App {
    /// Runs the effect of a request in the commit of the decision that completed its quorum, with the rules held exclusively. Where
    /// more is required now, the request stays pending; where it can never run any more, it is cancelled. The decision is recorded
    /// all the same.
    pub(super) async fn run_effect(
        &self,
        tx: &mut Tx,
        approval: Approval,
        effect: Effect,
        rules: &Rules,
        via: Door,
    ) -> Result<EffectOutcome, AppError> {
        let (now, bot) = (self.now(), Caller::bot());
        let Approval {
            mut request,
            votes,
            waits_until,
        } = approval;
        if request.state.status() == Status::Pending {
            return self
                .cancel_if_nobody_is_left(tx, &bot, request, &votes, rules)
                .await;
        }
        let note = match execute::recheck(&request, &votes, rules, false, now) {
            Recheck::Holds => {
                self.record_approval(tx, &request, via).await?;
                self.apply_effect(tx, &bot, &mut request, effect, rules)
                    .await?
            }
            Recheck::MoreIsRequired {
                gates,
                votes: cut,
                why,
            } => {
                if let Some(why) = stale(effect, &request, rules)? {
                    self.cancel_effect(tx, &bot, &mut request, why).await?
                } else {
                    let unmet = Unmet {
                        gates,
                        votes: &votes,
                        cut: &cut,
                        why: &why,
                        // it was never granted, so it waits no longer than it would have
                        waits_until: Some(waits_until),
                    };
                    self.wait_on(tx, &bot, &mut request, unmet, rules, now)
                        .await?;
                    Some(why)
                }
            }
            Recheck::Impossible { votes: cut, why } => {
                self.keep_cuts(tx, &request.id, (&votes, &cut), rules)
                    .await?;
                let why = match effect {
                    Effect::ConfigChange => why,
                    Effect::SessionStart => start_refused(&why),
                };
                self.cancel_effect(tx, &bot, &mut request, why).await?
            }
            Recheck::SessionEnded => return Err(Refusal::SessionEnded.into()),
        };
        self.send(tx, news_to_active(&request, rules), now).await?;
        Ok(EffectOutcome {
            status: request.state.status(),
            note,
        })
    }

    /// A request that still waits, and that nobody left could complete, does not wait any longer.
    async fn cancel_if_nobody_is_left(
        &self,
        tx: &mut Tx,
        bot: &Caller,
        mut request: Request,
        votes: &[Vote],
        rules: &Rules,
    ) -> Result<EffectOutcome, AppError> {
        let now = self.now();
        let mut note = None;
        if let Some(why) = execute::nobody_left(&request, votes, rules, now) {
            note = self
                .cancel_effect(tx, bot, &mut request, why.to_owned())
                .await?;
            self.send(tx, news_to_active(&request, rules), now).await?;
        }
        Ok(EffectOutcome {
            status: request.state.status(),
            note,
        })
    }

    /// Does what was approved; says why where it cannot be done any more, so that the request is cancelled.
    async fn apply_effect(
        &self,
        tx: &mut Tx,
        bot: &Caller,
        request: &mut Request,
        effect: Effect,
        rules: &Rules,
    ) -> Result<Option<String>, AppError> {
        let now = self.now();
        let done = match effect {
            Effect::ConfigChange => self.apply_approved(tx, bot, request, rules).await?,
            Effect::SessionStart => self.start_approved(tx, bot, request, rules, now).await?,
        };
        let detail = match done {
            Ok(detail) => detail,
            Err(why) => return self.cancel_effect(tx, bot, request, why).await,
        };
        let state = request.state.clone().execute(now);
        request.state = state
            .and_then(|state| state.complete(Outcome::Succeeded))
            .map_err(|wrong| Refusal::Closed(wrong.0))?;
        self.save(tx, bot, request, What::RequestCompleted, detail, now)
            .await?;
        Ok(None)
    }

    async fn cancel_effect(
        &self,
        tx: &mut Tx,
        bot: &Caller,
        request: &mut Request,
        why: String,
    ) -> Result<Option<String>, AppError> {
        let now = self.now();
        let state = request.state.clone().cancel(now);
        request.state = state.map_err(|wrong| Refusal::Closed(wrong.0))?;
        let detail = json!({"message": why});
        self.save(tx, bot, request, What::RequestCancelled, detail, now)
            .await?;
        Ok(Some(why))
    }

    async fn record_approval(
        &self,
        tx: &mut Tx,
        request: &Request,
        via: Door,
    ) -> Result<(), AppError> {
        let (what, detail) = (What::RequestApproved, approval_detail(request));
        let event = self.event(self.now(), what, &Principal::Bot, via, request, detail);
        Ok(tx.record(&event).await?)
    }
}

/// What an audit row says of a decided request: the digest, and the policies by which it was decided.
pub(super) fn approval_detail(request: &Request) -> Value {
    let policies: Vec<Value> = request
        .gates
        .iter()
        .map(|gate| json!({"id": gate.template.id, "version": gate.version}))
        .collect();
    json!({"digest": request.digest, "policies": policies})
}

/// Why a change could not be applied however many approve it, since it was made from an older version.
fn stale(effect: Effect, request: &Request, rules: &Rules) -> Result<Option<String>, AppError> {
    match effect {
        Effect::ConfigChange => super::config::stale(request, rules),
        Effect::SessionStart => Ok(None),
    }
}
