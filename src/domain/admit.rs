//! Validates an ask and finds the policies that gate it (docs/decisions.md D08, D14, D17, D38). All violations are returned
//! together.

use super::action::{self, Action};
use super::ask::{AdmittedRequest, Ask, NameKind, UnknownName, Violation, ViolationCode};
use super::break_glass::Session;
use super::compiled_config::CompiledConfig;
use super::document::Level;
use super::eligibility::{Involvement, PeopleInvolved};
use super::id::{ActionId, PersonId};
use super::pinned_policy::PinnedPolicy;
use super::principal::Principal;
use super::resolve::Reach;
use super::satisfiable;
use super::target::Target;
use super::text;
use super::time::{Span, Timestamp};

/// Maximum length of a release, in characters (docs/decisions.md D08).
const RELEASE_LIMIT: usize = 200;
/// How long a request may be pending if no policy says so (docs/decisions.md D09).
const EXPIRES_AFTER: Span = Span::hours(24);
/// How long a grant may be executed if no policy says so (docs/decisions.md D24).
const VALID_FOR: Span = Span::hours(1);

/// The policies that apply: the enforced ones, then the observed ones.
type PinnedAndObserved = (Vec<PinnedPolicy>, Vec<PinnedPolicy>);

impl CompiledConfig {
    /// Validates an ask and finds the policies that gate it at `now`. Returns all violations, with suggestions for unknown names.
    pub fn admit(&self, ask: &Ask, now: Timestamp) -> Result<AdmittedRequest, Vec<Violation>> {
        self.admit_under(ask, &[], now).map_err(|mut violations| {
            self.suggest_names(&mut violations);
            violations
        })
    }

    /// Like [`CompiledConfig::admit`], with active break-glass sessions: a session that covers the ask bypasses the policies that
    /// permit it. Adds no suggestions; see [`CompiledConfig::suggest_names`].
    pub fn admit_under(
        &self,
        ask: &Ask,
        sessions: &[Session],
        now: Timestamp,
    ) -> Result<AdmittedRequest, Vec<Violation>> {
        let mut broken = Vec::new();
        let target = self.target(ask, &mut broken);
        let action = self.asked_action(ask, &mut broken);
        if let Some(action) = &action {
            require(action, ask, &mut broken);
        }
        let gates = match &action {
            Some(action) if broken.is_empty() => self.resolve(&action.id, &target, now),
            _ => PinnedAndObserved::default(),
        };
        let cover = action
            .as_ref()
            .and_then(|action| self.covering(sessions, &ask.submitted_by, action, &target, now));
        self.finish(ask, action, target, gates, cover, broken)
    }

    /// Validates a change of Countersign's own configuration. It has no target, and every bound policy that names
    /// `environment.policy_update` gates it. Only the reason and the people of the ask are used.
    pub fn admit_config_change(
        &self,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<AdmittedRequest, Vec<Violation>> {
        let action = self.action(&ActionId::from(action::POLICY_UPDATE)).cloned();
        let gates = self.gates_of_config_change(now);
        self.finish(ask, action, Target::default(), gates, None, Vec::new())
    }

    /// Validates the start of a break-glass session that covers `reach`. Only the reason and the people of the ask are used.
    pub fn admit_break_glass_start(
        &self,
        ask: &Ask,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<AdmittedRequest, Vec<Violation>> {
        let action = self.action(&ActionId::from(action::BREAK_GLASS)).cloned();
        let gates = self.gates_of_break_glass_start(reach, now);
        self.finish(ask, action, Target::default(), gates, None, Vec::new())
    }

    fn finish(
        &self,
        ask: &Ask,
        action: Option<Action>,
        target: Target,
        (gates, observed): PinnedAndObserved,
        cover: Option<&Session>,
        mut broken: Vec<Violation>,
    ) -> Result<AdmittedRequest, Vec<Violation>> {
        let (bypassed, gates): PinnedAndObserved = gates
            .into_iter()
            .partition(|gate| cover.is_some() && gate.template.break_glass_bypass);
        let reason = reason(ask.reason.as_deref(), &mut broken);
        let authors = self.authors(ask, &mut broken);
        self.people(ask, &mut broken);
        let excluded = self.excluded(ask, &authors);
        if reason.is_none() {
            broken.extend(gates.iter().filter_map(reason_required));
        }
        for short in satisfiable::shortfalls(&gates, &excluded, &[], self.directory()) {
            broken.push(Violation {
                message: unsatisfiable(&gates, &short),
                policy: Some(short.policy),
                rule: ViolationCode::Unsatisfiable,
                unknown: None,
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

    pub(super) fn asked_action(&self, ask: &Ask, broken: &mut Vec<Violation>) -> Option<Action> {
        if ask.action == action::BREAK_GLASS {
            broken.push(Violation::new(
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
                ViolationCode::UnknownAction,
                "action",
                unknown,
            ));
        }
        found.cloned()
    }

    pub(super) fn target(&self, ask: &Ask, broken: &mut Vec<Violation>) -> Target {
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
                ViolationCode::ContradictsRegistry,
                format!("cluster `{cluster}` belongs to `{home}`, not to `{environment}`"),
            ));
        }
        if let Some(release) = &ask.release {
            broken.extend(
                release_trouble(release).map(|why| Violation::new(ViolationCode::Payload, why)),
            );
        }
        Target {
            project: project.map(Into::into),
            cluster: cluster.map(Into::into),
            environment: environment.map(Into::into).or_else(|| home.cloned()),
            release: ask.release.clone(),
        }
    }

    pub(super) fn authors(&self, ask: &Ask, broken: &mut Vec<Violation>) -> Vec<PersonId> {
        let mut authors: Vec<PersonId> = Vec::new();
        for name in &ask.authors {
            let id = PersonId::new(&**name);
            if self.directory().person(&id).is_none() {
                broken.push(Self::unknown_person("author", name));
            } else if !authors.contains(&id) {
                authors.push(id);
            }
        }
        authors
    }

    fn unknown_person(what: &str, name: &str) -> Violation {
        let unknown = UnknownName {
            kind: NameKind::Person,
            name: name.to_owned(),
        };
        Violation::unknown(ViolationCode::UnknownPerson, what, unknown)
    }

    /// Checks that the people of the ask exist, and that a service that asks in its own name has an owner.
    fn people(&self, ask: &Ask, broken: &mut Vec<Violation>) {
        match &ask.requester {
            Principal::Person(id) => match self.directory().person(id) {
                None => broken.push(Self::unknown_person("requester", id.as_str())),
                Some(person) if !person.active => broken.push(Violation::new(
                    ViolationCode::UnknownPerson,
                    format!("the requester `{id}` is not active"),
                )),
                Some(_) => {}
            },
            Principal::Service(id) => {
                if !self
                    .owners(ask)
                    .any(|owner| self.directory().is_active(owner))
                {
                    broken.push(Violation::new(
                        ViolationCode::UnknownPerson,
                        format!("nobody who is active answers for the service `{id}`; name active owners, or let it ask on behalf of a person"),
                    ));
                }
            }
            Principal::Operator | Principal::Bot => {}
        }
    }

    /// Everyone who owns a service that submitted the ask or that it is for, by token or by configuration.
    fn owners<'a>(&'a self, ask: &'a Ask) -> impl Iterator<Item = &'a PersonId> {
        let configured = [&ask.submitted_by, &ask.requester]
            .into_iter()
            .filter_map(|principal| match principal {
                Principal::Service(id) => self.service(id),
                Principal::Person(_) | Principal::Operator | Principal::Bot => None,
            })
            .flat_map(|service| &service.owners);
        ask.owners.iter().chain(configured)
    }

    /// Submitter, requester, owners and authors. A person with several of these roles is stored with the first.
    pub(super) fn excluded(&self, ask: &Ask, authors: &[PersonId]) -> PeopleInvolved {
        let mut excluded = PeopleInvolved::default();
        let mut exclude = |id: &PersonId, part| {
            let id = self.directory().canonical(id).clone();
            excluded.0.entry(id).or_insert(part);
        };
        if let Some(id) = ask.requester.person() {
            exclude(id, Involvement::Requester);
        }
        if let Some(id) = ask.submitted_by.person() {
            exclude(id, Involvement::Submitter);
        }
        for id in self.owners(ask) {
            exclude(id, Involvement::Owner);
        }
        for id in authors {
            exclude(id, Involvement::Author);
        }
        excluded
    }
}

/// Reports resources that the action requires and the ask leaves out: a missing resource would match no binding and so avoid
/// policies.
fn require(action: &Action, ask: &Ask, broken: &mut Vec<Violation>) {
    for level in &action.requires {
        let given = match level {
            Level::Organization => true,
            Level::Project => ask.project.is_some(),
            Level::Cluster => ask.cluster.is_some(),
            Level::Environment => ask.environment.is_some() || ask.cluster.is_some(),
        };
        if !given {
            let article = if *level == Level::Environment {
                "an"
            } else {
                "a"
            };
            broken.push(Violation::new(
                ViolationCode::TargetRequired,
                format!("{} needs {article} {}", action.id, level.as_str()),
            ));
        }
    }
}

fn reason(given: Option<&str>, broken: &mut Vec<Violation>) -> Option<String> {
    match text::said("reason", given) {
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
    template.conditions.require_reason.then(|| Violation {
        policy: Some(template.id.clone()),
        rule: ViolationCode::ReasonRequired,
        message: format!("{} needs a reason; say why", template.name),
        unknown: None,
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
