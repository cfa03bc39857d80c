//! Validates an ask and finds the policies that gate it (docs/decisions.md D08, D14, D17, D38). All violations are returned
//! together.

use super::action::{self, Action};
use super::ask::{AdmittedRequest, Ask};
use super::break_glass::Session;
use super::compiled_config::CompiledConfig;
use super::document::Level;
use super::eligibility::{Involvement, PeopleInvolved};
use super::id::{ActionId, PersonId};
use super::pinned_policy::PinnedPolicy;
use super::principal::{Caller, Principal};
use super::resolve::Reach;
use super::satisfiable;
use super::target::Target;
use super::text;
use super::time::{Span, Timestamp};
use super::violation::{AskField, NameKind, UnknownName, Violation, ViolationCode};

/// Maximum length of a release, in characters (docs/decisions.md D08).
const RELEASE_LIMIT: usize = 200;
/// How long a request may be pending if no policy says so (docs/decisions.md D09).
const EXPIRES_AFTER: Span = Span::hours(24);
/// How long a grant may be executed if no policy says so (docs/decisions.md D24).
const VALID_FOR: Span = Span::hours(1);

/// What an ask means under a configuration, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub(super) struct ResolvedAsk {
    pub(super) action: Option<Action>,
    pub(super) target: Target,
    /// The policies that gate it, as far as the target says; none while a name is unknown.
    pub(super) gates: Vec<PinnedPolicy>,
    pub(super) observed: Vec<PinnedPolicy>,
    /// Whether the action and every named resource exist.
    pub(super) names_exist: bool,
    pub(super) violations: Vec<Violation>,
}

/// The people behind an ask.
#[derive(Debug, Clone)]
pub(super) struct Parties<'a> {
    requester: Principal,
    caller: &'a Caller,
    /// As given.
    authors: &'a [String],
}

impl<'a> Parties<'a> {
    pub(super) fn of(ask: &'a Ask, caller: &'a Caller) -> Self {
        Self {
            requester: ask.requester(caller),
            caller,
            authors: &ask.authors,
        }
    }

    /// A caller who asks in their own name.
    fn only(caller: &'a Caller) -> Self {
        Self {
            requester: caller.principal.clone(),
            caller,
            authors: &[],
        }
    }
}

impl CompiledConfig {
    /// Validates an ask and finds the policies that gate it at `now`. Returns all violations, with suggestions for unknown names.
    pub fn admit(
        &self,
        ask: &Ask,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<AdmittedRequest, Vec<Violation>> {
        let admitted = self.admit_under(ask, caller, &[], now);
        admitted.map_err(|mut violations| {
            self.suggest_names(&mut violations);
            violations
        })
    }

    /// Like [`CompiledConfig::admit`], with active break-glass sessions: a session that covers the ask bypasses the policies that
    /// permit it. Adds no suggestions; see [`CompiledConfig::suggest_names`].
    pub fn admit_under(
        &self,
        ask: &Ask,
        caller: &Caller,
        sessions: &[Session],
        now: Timestamp,
    ) -> Result<AdmittedRequest, Vec<Violation>> {
        let resolved = self.resolve_ask(ask, now);
        let cover = resolved.action.as_ref().and_then(|action| {
            self.covering(sessions, &caller.principal, action, &resolved.target, now)
        });
        let parties = Parties::of(ask, caller);
        self.finish(resolved, ask.reason.as_deref(), &parties, cover)
    }

    /// Validates a change of Countersign's own configuration. It has no target, and every bound policy that names
    /// `environment.policy_update` gates it.
    pub fn admit_config_change(
        &self,
        reason: Option<&str>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<AdmittedRequest, Vec<Violation>> {
        let (gates, observed) = self.gates_of_config_change(now);
        let resolved = ResolvedAsk {
            action: self.action(&ActionId::from(action::POLICY_UPDATE)).cloned(),
            gates,
            observed,
            ..ResolvedAsk::default()
        };
        self.finish(resolved, reason, &Parties::only(caller), None)
    }

    /// Validates the start of a break-glass session that covers `reach`.
    pub fn admit_break_glass_start(
        &self,
        reason: &str,
        caller: &Caller,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<AdmittedRequest, Vec<Violation>> {
        let (gates, observed) = self.gates_of_break_glass_start(reach, now);
        let resolved = ResolvedAsk {
            action: self.action(&ActionId::from(action::BREAK_GLASS)).cloned(),
            gates,
            observed,
            ..ResolvedAsk::default()
        };
        self.finish(resolved, Some(reason), &Parties::only(caller), None)
    }

    /// Reads action and target, and finds the policies that apply to them at `now`.
    pub(super) fn resolve_ask(&self, ask: &Ask, now: Timestamp) -> ResolvedAsk {
        let mut violations = Vec::new();
        let target = self.target(ask, &mut violations);
        let action = self.asked_action(ask, &mut violations);
        let names_exist = violations.is_empty();
        let required = action.as_ref().map(|action| missing(action, ask));
        violations.extend(required.into_iter().flatten());
        let (gates, observed) = match &action {
            Some(action) if names_exist => self.resolve(&action.id, &target, now),
            _ => Default::default(),
        };
        ResolvedAsk {
            action,
            target,
            gates,
            observed,
            names_exist,
            violations,
        }
    }

    /// Validates the rest: the reason, the people, and that every quorum can be met.
    pub(super) fn finish(
        &self,
        resolved: ResolvedAsk,
        reason: Option<&str>,
        parties: &Parties<'_>,
        cover: Option<&Session>,
    ) -> Result<AdmittedRequest, Vec<Violation>> {
        let ResolvedAsk {
            action,
            target,
            gates,
            observed,
            names_exist: _,
            violations: mut broken,
        } = resolved;
        // what gates a target that is not complete is not known
        let gates = if broken.is_empty() { gates } else { Vec::new() };
        let (bypassed, gates): (Vec<PinnedPolicy>, Vec<PinnedPolicy>) = gates
            .into_iter()
            .partition(|gate| cover.is_some() && gate.template.break_glass_bypass);
        let reason = self::reason(reason, &mut broken);
        let authors = self.authors(parties, &mut broken);
        broken.extend(self.requester_violation(parties));
        let excluded = self.excluded(parties, &authors);
        if reason.is_none() {
            broken.extend(gates.iter().filter_map(reason_required));
        }
        for short in satisfiable::shortfalls(&gates, &excluded, &[], self.directory()) {
            let message = unsatisfiable(&gates, &short);
            broken.push(Violation {
                policy: Some(short.policy),
                ..Violation::new(AskField::Whole, ViolationCode::Unsatisfiable, message)
            });
        }
        let Some(action) = action.filter(|_| broken.is_empty()) else {
            return Err(broken);
        };
        let until = |session: &Session| Some((session.id.clone(), session.state.ran()?.1));
        let session = cover.filter(|_| !bypassed.is_empty()).and_then(until);
        let decisive = if gates.is_empty() { &bypassed } else { &gates };
        let shortest =
            |span: fn(&PinnedPolicy) -> Span, none| decisive.iter().map(span).min().unwrap_or(none);
        Ok(AdmittedRequest {
            expires_after: shortest(|gate| gate.template.expires_after, EXPIRES_AFTER),
            valid_for: shortest(|gate| gate.template.valid_for, VALID_FOR),
            requester: parties.requester.clone(),
            action,
            target,
            reason,
            authors,
            gates,
            observed,
            bypassed,
            session,
            excluded,
        })
    }

    fn asked_action(&self, ask: &Ask, broken: &mut Vec<Violation>) -> Option<Action> {
        if ask.action == action::BREAK_GLASS {
            broken.push(Violation::new(
                AskField::Action,
                ViolationCode::OwnRoute,
                "start a break-glass session with `/breakglass start` or POST /v1/break-glass",
            ));
        }
        let found = self.action(&ActionId::new(&*ask.action));
        if found.is_none() {
            let unknown = UnknownName {
                kind: NameKind::Action,
                name: ask.action.clone(),
            };
            broken.push(Violation::unknown(
                AskField::Action,
                ViolationCode::UnknownAction,
                "action",
                unknown,
            ));
        }
        found.cloned()
    }

    fn target(&self, ask: &Ask, broken: &mut Vec<Violation>) -> Target {
        let registry = self.registry();
        let mut known = |level: Level, name: &str| {
            let has = registry.has(level, name);
            if !has {
                broken.push(Violation::unknown_resource(level, name));
            }
            has
        };
        let project = ask
            .project
            .as_deref()
            .filter(|name| known(Level::Project, name));
        let cluster = ask
            .cluster
            .as_deref()
            .filter(|name| known(Level::Cluster, name));
        let environment = ask
            .environment
            .as_deref()
            .filter(|name| known(Level::Environment, name));
        let home = cluster.and_then(|name| registry.environment_of(&name.into()));
        if let (Some(cluster), Some(home), Some(environment)) = (cluster, home, environment)
            && home.as_str() != environment
        {
            broken.push(Violation::new(
                AskField::Cluster,
                ViolationCode::ContradictsRegistry,
                format!("cluster `{cluster}` belongs to `{home}`, not to `{environment}`"),
            ));
        }
        if let Some(release) = &ask.release {
            let violation = |why| Violation::new(AskField::Release, ViolationCode::Payload, why);
            broken.extend(release_trouble(release).map(violation));
        }
        Target {
            project: project.map(Into::into),
            cluster: cluster.map(Into::into),
            environment: environment.map(Into::into).or_else(|| home.cloned()),
            release: ask.release.clone(),
        }
    }

    pub(super) fn authors(
        &self,
        parties: &Parties<'_>,
        broken: &mut Vec<Violation>,
    ) -> Vec<PersonId> {
        let mut authors: Vec<PersonId> = Vec::new();
        for name in parties.authors {
            let id = PersonId::new(&**name);
            if self.directory().person(&id).is_none() {
                broken.push(unknown_person(AskField::Authors, "author", name));
            } else if !authors.contains(&id) {
                authors.push(id);
            }
        }
        authors
    }

    /// The requester must exist and be active; a service that asks in its own name needs an active owner.
    fn requester_violation(&self, parties: &Parties<'_>) -> Option<Violation> {
        let violation =
            |message| Violation::new(AskField::Requester, ViolationCode::UnknownPerson, message);
        match &parties.requester {
            Principal::Person(id) => match self.directory().person(id) {
                None => Some(unknown_person(
                    AskField::Requester,
                    "requester",
                    id.as_str(),
                )),
                Some(person) if !person.active => {
                    Some(violation(format!("the requester `{id}` is not active")))
                }
                Some(_) => None,
            },
            Principal::Service(id) => {
                let has_owner = self
                    .owners(parties)
                    .any(|owner| self.directory().is_active(owner));
                (!has_owner).then(|| {
                    violation(format!("nobody who is active answers for the service `{id}`; name active owners, or let it ask on behalf of a person"))
                })
            }
            Principal::Operator | Principal::Bot => None,
        }
    }

    /// Everyone who owns a service that submits the ask or that it is for, by token or by configuration.
    fn owners<'a>(&'a self, parties: &'a Parties<'_>) -> impl Iterator<Item = &'a PersonId> {
        let configured = [&parties.caller.principal, &parties.requester]
            .into_iter()
            .filter_map(|principal| match principal {
                Principal::Service(id) => self.service(id),
                Principal::Person(_) | Principal::Operator | Principal::Bot => None,
            })
            .flat_map(|service| &service.owners);
        parties.caller.owners.iter().chain(configured)
    }

    /// Requester, submitter, owners and authors. A person with several of these roles is stored with the first.
    pub(super) fn excluded(&self, parties: &Parties<'_>, authors: &[PersonId]) -> PeopleInvolved {
        let mut excluded = PeopleInvolved::default();
        let mut exclude = |id: &PersonId, part| {
            let id = self.directory().canonical(id).clone();
            excluded.0.entry(id).or_insert(part);
        };
        if let Some(id) = parties.requester.person() {
            exclude(id, Involvement::Requester);
        }
        if let Some(id) = parties.caller.principal.person() {
            exclude(id, Involvement::Submitter);
        }
        for id in self.owners(parties) {
            exclude(id, Involvement::Owner);
        }
        for id in authors {
            exclude(id, Involvement::Author);
        }
        excluded
    }
}

fn unknown_person(field: AskField, what: &str, name: &str) -> Violation {
    let unknown = UnknownName {
        kind: NameKind::Person,
        name: name.to_owned(),
    };
    Violation::unknown(field, ViolationCode::UnknownPerson, what, unknown)
}

/// The resources that the action requires and the ask leaves out: a missing resource would match no binding and so avoid policies.
fn missing(action: &Action, ask: &Ask) -> Vec<Violation> {
    let is_missing = |level: &&Level| match level {
        Level::Organization => false,
        Level::Project => ask.project.is_none(),
        Level::Cluster => ask.cluster.is_none(),
        Level::Environment => ask.environment.is_none() && ask.cluster.is_none(),
    };
    let violation = |level: &Level| {
        let article = if *level == Level::Environment {
            "an"
        } else {
            "a"
        };
        let message = format!("{} needs {article} {}", action.id, level.as_str());
        Violation::new((*level).into(), ViolationCode::TargetRequired, message)
    };
    let missing = action.requires.iter().filter(is_missing);
    missing.map(violation).collect()
}

fn reason(given: Option<&str>, broken: &mut Vec<Violation>) -> Option<String> {
    match text::entered("reason", given) {
        Ok(reason) => reason,
        Err(violation) => {
            broken.push(violation);
            // The invalid value counts as given, so that it is not also reported as missing.
            given.map(str::to_owned)
        }
    }
}

fn release_trouble(release: &str) -> Option<String> {
    if text::is_blank(release) {
        return Some("a release is 1 to 200 printable characters".to_owned());
    }
    let fault = text::check_line(release, RELEASE_LIMIT).err()?;
    Some(format!("the release {fault}"))
}

fn reason_required(gate: &PinnedPolicy) -> Option<Violation> {
    let template = &gate.template;
    let message = || format!("{} needs a reason; say why", template.name);
    template.conditions.require_reason.then(|| Violation {
        policy: Some(template.id.clone()),
        ..Violation::new(AskField::Reason, ViolationCode::ReasonRequired, message())
    })
}

/// Why nobody could meet a policy, and what to name if the policy gates only because the target leaves out a level.
fn unsatisfiable(gates: &[PinnedPolicy], short: &satisfiable::Shortfall) -> String {
    let gate = gates.iter().find(|gate| gate.template.id == short.policy);
    let name = gate.map_or(short.policy.as_str(), |gate| gate.template.name.as_str());
    let hint = gate.and_then(|gate| Some((gate.left_out_reason()?, gate.left_out?.as_str())));
    let hint = hint.map_or_else(String::new, |(why, level)| {
        format!(" ({why}; name the {level} to be gated by its policies alone)")
    });
    format!("{name}: {}{hint}", short.message)
}
