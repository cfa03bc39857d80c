//! Who may start, use, revoke and review a session (docs/decisions.md D27).

use super::{Session, SessionState};
use crate::domain::action::Action;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::BreakGlassConfig;
use crate::domain::english;
use crate::domain::id::{ChannelId, PersonId};
use crate::domain::people::{Directory, Person};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::target::Target;
use crate::domain::time::Timestamp;

/// Maximum number of people that a refusal names.
const NAMES_SHOWN: usize = 5;

impl CompiledConfig {
    /// Checks that this person may start a session, and returns the break-glass settings.
    pub fn may_start(&self, person: &PersonId) -> Result<&BreakGlassConfig, Refusal> {
        let Some(settings) = &self.document().break_glass else {
            let why = "Break-glass is not set up here: the configuration has no `breakGlass`. Ask for an approval instead.";
            return Err(Refusal::Forbidden(why.to_owned()));
        };
        let directory = self.directory();
        let mut allowed = directory.among(&settings.allowed);
        allowed.retain(|one| directory.is_entitled(&settings.allowed, one));
        if allowed.iter().any(|one| one.id == *person) {
            return Ok(settings);
        }
        let one = directory.person(person);
        if let Some(from) = one.and_then(|one| directory.entitled_from(&settings.allowed, one)) {
            return Err(Refusal::Forbidden(format!(
                "You may start break-glass sessions from {} on: you came to a team through a Slack group lately, and nobody else is known to have added you. Until then {} can.",
                from.rfc3339(),
                some_of(&allowed)
            )));
        }
        Err(Refusal::Forbidden(format!(
            "You may not start a break-glass session; {} can.",
            some_of(&allowed)
        )))
    }

    /// The session that covers this action of this caller on this target now; of several, the one that ends last.
    pub fn covering<'a>(
        &self,
        sessions: &'a [Session],
        caller: &Principal,
        action: &Action,
        target: &Target,
        now: Timestamp,
    ) -> Option<&'a Session> {
        sessions
            .iter()
            .filter(|session| self.covers(session, caller, action, target, now))
            .max_by_key(|session| (session.state.ran().map(|(_, end)| end), &session.id))
    }

    /// Whether this session covers the call now: it is active, the caller is a responder who still exists, and the scope matches.
    /// If break-glass was removed from the configuration, no session covers anything.
    pub fn covers(
        &self,
        session: &Session,
        caller: &Principal,
        action: &Action,
        target: &Target,
        now: Timestamp,
    ) -> bool {
        let there = match caller {
            Principal::Person(id) => self.directory().person(id).is_some_and(|one| one.active),
            Principal::Service(id) => self.service(id).is_some(),
            Principal::Operator | Principal::Bot => false,
        };
        there
            && self.document().break_glass.is_some()
            && session.state.is_active(now)
            && session.responders.contains(caller)
            && session.scope.covers(action, target)
    }

    /// Checks that this principal may revoke the session.
    pub fn check_revoke(&self, session: &Session, principal: &Principal) -> Result<(), Refusal> {
        let own = principal.person() == Some(&session.initiator)
            || session.responders.contains(principal);
        if own || self.is_administrator(principal) {
            return Ok(());
        }
        let why = "Only its initiator, its responders and administrators may end a session early.";
        Err(Refusal::Forbidden(why.to_owned()))
    }

    /// Checks that this person may review the session. The initiator, the responders, the requesters of its uses and the owners of
    /// services that could act under it may not. `involved` contains the requesters of the uses, and the owners by token.
    pub fn check_review(
        &self,
        session: &Session,
        involved: &[Principal],
        person: &PersonId,
    ) -> Result<(), Refusal> {
        let who = Principal::Person(person.clone());
        let owns = |responder: &Principal| match responder {
            Principal::Service(id) => self.service(id).is_some_and(|service| {
                let mut owners = service.owners.iter();
                owners.any(|owner| self.directory().canonical(owner) == person)
            }),
            Principal::Person(_) | Principal::Operator | Principal::Bot => false,
        };
        let took_part = session.initiator == *person
            || session.responders.contains(&who)
            || session.responders.iter().any(owns)
            || involved.contains(&who);
        if took_part {
            let why = "You took part in this session, so somebody else must review it.";
            return Err(Refusal::Forbidden(why.to_owned()));
        }
        match &session.state {
            SessionState::Ended { .. } => Ok(()),
            SessionState::Reviewed { review, .. } => Err(Refusal::SessionClosed(
                session.state.status(),
                format!("{} has reviewed it.", self.directory().name(&review.by)),
            )),
            SessionState::Pending | SessionState::Active { .. } => Err(Refusal::SessionClosed(
                session.state.status(),
                "It can be reviewed once it is over.".to_owned(),
            )),
            SessionState::NotStarted(_) => Err(Refusal::SessionClosed(
                session.state.status(),
                "It never started, so it owes no review.".to_owned(),
            )),
        }
    }

    /// The channel for the session's alerts: the current security channel, or else the one when the start was requested.
    pub fn security_channel<'a>(&'a self, session: &'a Session) -> &'a ChannelId {
        self.document()
            .break_glass
            .as_ref()
            .map_or(&session.channel, |settings| &settings.security_channel)
    }

    /// The people who receive direct messages about sessions, in addition to the security channel.
    pub fn told_of_sessions(&self) -> Vec<&Person> {
        let settings = self.document().break_glass.as_ref();
        settings.map_or_else(Vec::new, |settings| {
            self.directory().among(&settings.notify)
        })
    }

    /// Everyone who may change the configuration; they receive alerts that could not be delivered otherwise.
    pub fn administrators(&self) -> Vec<&Person> {
        let people = self.directory().people();
        people
            .filter(|person| self.is_administrator(&Principal::Person(person.id.clone())))
            .collect()
    }

    /// The display name of a principal.
    pub fn name_of(&self, principal: &Principal) -> String {
        name_of(self.directory(), principal)
    }
}

fn name_of(directory: &Directory, principal: &Principal) -> String {
    match principal {
        Principal::Person(id) => directory.name(id).to_owned(),
        Principal::Service(id) => id.to_string(),
        Principal::Operator => "the operator".to_owned(),
        Principal::Bot => "Countersign".to_owned(),
    }
}

fn some_of(people: &[&Person]) -> String {
    let mut names: Vec<String> = people
        .iter()
        .take(NAMES_SHOWN)
        .map(|person| person.name.clone())
        .collect();
    if people.len() > NAMES_SHOWN {
        names.push(format!("{} more", people.len() - NAMES_SHOWN));
    }
    if names.is_empty() {
        "nobody".to_owned()
    } else {
        english::list(&names)
    }
}
