//! Effects: what Countersign itself does in the commit that approves it, after the same check as an execution (docs/decisions.md D25).

use super::break_glass::start_refused;
use super::decide::Approval;
use super::execute::Unmet;
use super::{App, AppError, news_to_active};
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decision::{Decision, Via};
use crate::domain::execute::{self, Recheck};
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::{Effect, Outcome, Request, Status};
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
        config: &CompiledConfig,
        via: Via,
    ) -> Result<EffectOutcome, AppError> {
        let (now, bot) = (self.now(), Caller::bot());
        let Approval {
            mut request,
            decisions,
            waits_until,
        } = approval;
        if request.state.status() == Status::Pending {
            return self
                .cancel_if_nobody_is_left(tx, &bot, request, &decisions, config)
                .await;
        }
        self.check_clock()?; // an error undoes the decision as well, so that it can be made again
        let note = match execute::recheck(&request, &decisions, config, false, now) {
            Recheck::Holds => {
                self.record_approval(tx, &request, via).await?;
                self.apply_effect(tx, &bot, &mut request, effect, config)
                    .await?
            }
            Recheck::MoreIsRequired {
                gates,
                decisions: cut,
                why,
            } => {
                if let Some(why) = stale(effect, &request, config)? {
                    self.cancel_effect(tx, &bot, &mut request, why).await?
                } else {
                    let unmet = Unmet {
                        gates,
                        decisions: &decisions,
                        cut: &cut,
                        why: &why,
                        // it was never granted, so it waits no longer than it would have
                        waits_until: Some(waits_until),
                    };
                    self.wait_on(tx, &bot, &mut request, unmet, config, now)
                        .await?;
                    Some(why)
                }
            }
            Recheck::Impossible {
                decisions: cut,
                why,
            } => {
                self.save_reduced(tx, &request.id, (&decisions, &cut), config)
                    .await?;
                let why = match effect {
                    Effect::ConfigChange => why,
                    Effect::SessionStart => start_refused(&why),
                };
                self.cancel_effect(tx, &bot, &mut request, why).await?
            }
            Recheck::SessionEnded => return Err(Refusal::SessionEnded.into()),
        };
        self.send(tx, news_to_active(&request, config), now).await?;
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
        decisions: &[Decision],
        config: &CompiledConfig,
    ) -> Result<EffectOutcome, AppError> {
        let now = self.now();
        let mut note = None;
        if let Some(why) = execute::nobody_left(&request, decisions, config, now) {
            note = self
                .cancel_effect(tx, bot, &mut request, why.to_owned())
                .await?;
            self.send(tx, news_to_active(&request, config), now).await?;
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
        config: &CompiledConfig,
    ) -> Result<Option<String>, AppError> {
        let now = self.now();
        let done = match effect {
            Effect::ConfigChange => self.apply_approved(tx, bot, request, config).await?,
            Effect::SessionStart => self.start_approved(tx, bot, request, config, now).await?,
        };
        let detail = match done {
            Ok(detail) => detail,
            Err(why) => return self.cancel_effect(tx, bot, request, why).await,
        };
        let state = request.state.clone().execute(now);
        request.state = state
            .and_then(|state| state.complete(Outcome::Succeeded))
            .map_err(|wrong| Refusal::Closed(wrong.0))?;
        self.save(
            tx,
            bot,
            request,
            AuditEventKind::RequestCompleted,
            detail,
            now,
        )
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
        self.save(
            tx,
            bot,
            request,
            AuditEventKind::RequestCancelled,
            detail,
            now,
        )
        .await?;
        Ok(Some(why))
    }

    async fn record_approval(
        &self,
        tx: &mut Tx,
        request: &Request,
        via: Via,
    ) -> Result<(), AppError> {
        let (what, detail) = (AuditEventKind::RequestApproved, approval_detail(request));
        let event = self.event(self.now(), what, &Principal::Bot, via, request, detail);
        self.record_about(tx, &event, request).await
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
fn stale(
    effect: Effect,
    request: &Request,
    config: &CompiledConfig,
) -> Result<Option<String>, AppError> {
    match effect {
        Effect::ConfigChange => super::config::stale(request, config),
        Effect::SessionStart => Ok(None),
    }
}
