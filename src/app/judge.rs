//! One unit's decisions, in order: what each click changes, what is recorded, who is told.

use super::decide::{Click, Clicker, Decided};
use super::once::Kept;
use super::{App, AppError, news_of, recognised};
use crate::domain::audit::What;
use crate::domain::decide::{self, Cast};
use crate::domain::id::{OutboxId, RequestId};
use crate::domain::people::Person;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::request::{Request, Status};
use crate::domain::rules::Rules;
use crate::domain::time::Timestamp;
use crate::domain::vote::{Door, Verdict};
use crate::store::{Answer, Judgement, Loaded, NewVote};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// One unit's decisions: the requests as they move from click to click, and what is to be written in the end.
pub(super) struct Session<'a> {
    app: &'a App,
    now: Timestamp,
    rules: &'a Rules,
    dockets: BTreeMap<RequestId, Loaded>,
    changed: BTreeSet<RequestId>,
    kept: Vec<Answer>,
    pub(super) judgement: Judgement,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        app: &'a App,
        now: Timestamp,
        rules: &'a Rules,
        loaded: Vec<Loaded>,
        kept: Vec<Answer>,
    ) -> Self {
        let dockets = loaded
            .into_iter()
            .map(|one| recognised(one, rules.directory()))
            .map(|one| (one.request.id.clone(), one))
            .collect();
        Self {
            app,
            now,
            rules,
            dockets,
            changed: BTreeSet::new(),
            kept,
            judgement: Judgement::default(),
        }
    }

    pub(super) fn has_effect(&self) -> bool {
        !self.changed.is_empty() || !self.judgement.events.is_empty()
    }

    pub(super) fn changed(&self) -> Vec<&Request> {
        self.changed
            .iter()
            .filter_map(|id| self.dockets.get(id))
            .map(|docket| &docket.request)
            .collect()
    }

    /// The requests whose last quorum was met in this unit.
    pub(super) fn approved(&self) -> Vec<Request> {
        let approved = |request: &&&Request| request.state.status() == Status::Approved;
        let changed = self.changed();
        changed.iter().filter(approved).copied().cloned().collect()
    }

    pub(super) fn moved(&self) -> Vec<(RequestId, i64)> {
        self.changed()
            .iter()
            .map(|request| (request.id.clone(), request.version + 1))
            .collect()
    }

    /// Hears one click. An error undoes the whole unit; a refusal is an answer.
    pub(super) fn hear(
        &mut self,
        click: &Click,
        id: &RequestId,
    ) -> Result<Result<Decided, Refusal>, AppError> {
        if let Some(before) = self.before(click)? {
            return Ok(before);
        }
        let Some(mut docket) = self.dockets.remove(id) else {
            return Ok(Err(Refusal::NotFound));
        };
        let asked = docket.request.created_at;
        let voter = self.voter(&click.clicker, asked);
        let voter = voter.as_deref();
        let cast = Cast {
            voter,
            linked_since: self.is_linked_since(&click.clicker, asked),
            digest: click.digest.as_deref(),
            verdict: click.verdict,
            comment: click.comment.as_deref(),
            at: self.now,
            via: click.via,
        };
        let outcome = decide::cast(&mut docket.request, &mut docket.votes, cast);
        let actor = actor(&click.clicker, voter);
        let heard = match &outcome {
            Ok(()) => {
                self.record_vote(click, &actor, &docket);
                Ok(self.decided(&docket.request, false))
            }
            Err(refusal) => {
                self.record_refusal(click, &actor, &docket.request, refusal);
                Err(refusal.clone())
            }
        };
        self.keep_answer(click, id, &outcome)?;
        self.dockets.insert(id.clone(), docket);
        Ok(heard)
    }

    /// The clicker as they count for what was asked at that time (threat B68).
    fn voter(&self, clicker: &Clicker, asked: Timestamp) -> Option<Cow<'a, Person>> {
        let directory = self.rules.directory();
        let id = match clicker {
            Clicker::Slack(account) => &directory.by_slack(account)?.id,
            Clicker::Person(id) => id,
        };
        let mut voter = directory.person_as_of(id, asked)?;
        if let Clicker::Slack(account) = clicker
            && directory.is_refused(account)
        {
            voter.to_mut().active = false;
        }
        Some(voter)
    }

    fn is_linked_since(&self, clicker: &Clicker, asked: Timestamp) -> bool {
        match clicker {
            Clicker::Slack(account) => self.rules.directory().is_linked_since(account, asked),
            Clicker::Person(_) => false,
        }
    }

    fn before(&self, click: &Click) -> Result<Option<Result<Decided, Refusal>>, AppError> {
        let Some(once) = &click.once else {
            return Ok(None);
        };
        let rows = self.kept.iter().chain(&self.judgement.answers);
        let Some(row) = rows.into_iter().find(|row| row.key == once.key) else {
            return Ok(None);
        };
        let kept = match once.repeats(row) {
            Ok(kept) => kept,
            Err(AppError::Refused(refusal)) => return Ok(Some(Err(refusal))),
            Err(error) => return Err(error),
        };
        let docket = kept.request.and_then(|id| self.dockets.get(&id));
        Ok(Some(docket.map_or(Err(Refusal::NotFound), |docket| {
            Ok(self.decided(&docket.request, true))
        })))
    }

    fn decided(&self, request: &Request, repeated: bool) -> Decided {
        Decided {
            request: request.id.clone(),
            number: request.number,
            status: request.state.clone().at(self.now).status(),
            repeated,
        }
    }

    fn record_vote(&mut self, click: &Click, actor: &Principal, docket: &Loaded) {
        let (request, Some(vote)) = (&docket.request, docket.votes.last()) else {
            return;
        };
        let what = match vote.verdict {
            Verdict::Approve => What::VoteApproved,
            Verdict::Reject => What::VoteRejected,
        };
        let detail = json!({
            "digest": request.digest, "comment": vote.comment, "teams": vote.teams, "roles": vote.roles,
            "pagesSeen": click.pages_seen,
        });
        self.record(what, actor, click.via, request, detail);
        let ended = match request.state.status() {
            Status::Approved => Some(What::RequestApproved),
            Status::Rejected => Some(What::RequestRejected),
            _ => None,
        };
        if let Some(what) = ended {
            let policies: Vec<Value> = request
                .gates
                .iter()
                .map(|gate| json!({"id": gate.template.id, "version": gate.version}))
                .collect();
            self.record(
                what,
                &Principal::Bot,
                click.via,
                request,
                json!({"digest": request.digest, "policies": policies}),
            );
            for message in news_of(request) {
                let id = OutboxId::from_uuid(self.app.0.ids.next(self.now));
                self.judgement.messages.push((id, message));
            }
        }
        self.judgement.votes.push(NewVote {
            request: request.id.clone(),
            vote: vote.clone(),
            digest: request.digest.clone(),
            pages_seen: click.pages_seen.clone(),
        });
        self.changed.insert(request.id.clone());
    }

    /// Somebody who may not decide tried to: that is worth a row; a second click of the same approver is not.
    fn record_refusal(
        &mut self,
        click: &Click,
        actor: &Principal,
        request: &Request,
        refusal: &Refusal,
    ) {
        if let Refusal::NotEligible(why) = refusal {
            let detail = json!({"why": why.to_string(), "verdict": click.verdict, "account": account(&click.clicker)});
            self.record(What::VoteRefused, actor, click.via, request, detail);
        }
    }

    fn record(
        &mut self,
        what: What,
        actor: &Principal,
        via: Door,
        request: &Request,
        detail: Value,
    ) {
        let event = self.app.event(self.now, what, actor, via, request, detail);
        self.judgement.events.push(event);
    }

    /// A delivery's answer is kept where it had an effect; of an API key only a yes is kept.
    fn keep_answer(
        &mut self,
        click: &Click,
        id: &RequestId,
        outcome: &Result<(), Refusal>,
    ) -> Result<(), AppError> {
        let Some(once) = &click.once else {
            return Ok(());
        };
        let kept = match outcome {
            Ok(()) => true,
            Err(refusal) => matches!(refusal, Refusal::NotEligible(_)) && click.via != Door::Api,
        };
        if kept {
            let answer = once.answer(&Kept::request(id), self.now)?;
            self.judgement.answers.push(answer);
        }
        Ok(())
    }
}

/// Whom an audit row names: the person, or the bot for an account that belongs to nobody (which the row describes).
fn actor(clicker: &Clicker, voter: Option<&Person>) -> Principal {
    match (clicker, voter) {
        (_, Some(person)) => Principal::Person(person.id.clone()),
        (Clicker::Person(id), None) => Principal::Person(id.clone()),
        (Clicker::Slack(_), None) => Principal::Bot,
    }
}

fn account(clicker: &Clicker) -> Value {
    match clicker {
        Clicker::Slack(account) => json!({"team": account.team_id, "user": account.user_id}),
        Clicker::Person(_) => Value::Null,
    }
}
