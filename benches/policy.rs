//! What a request costs without the store: resolving and evaluating among 10,000 bindings and 1,000 templates (aim: below 50
//! microseconds), and a batch of 64 clicks. `cargo bench --bench policy`.

use countersign::domain::ask::Ask;
use countersign::domain::compiled_config::CompiledConfig;
use countersign::domain::decision::{Decision, DecisionKind, Via};
use countersign::domain::document::{
    Binding, ClusterDocument, ConfigDocument, Level, PolicyTemplate,
};
use countersign::domain::eligibility::{self, Involvement, PeopleInvolved};
use countersign::domain::id::{ActionId, PersonId, ProjectId};
use countersign::domain::pinned_policy::PinnedPolicy;
use countersign::domain::principal::Caller;
use countersign::domain::progress;
use countersign::domain::smallest;
use countersign::domain::target::Target;
use countersign::domain::time::Timestamp;
use divan::{Bencher, black_box};
use std::collections::BTreeMap;

const TEMPLATES: usize = 1_000;
const PROJECTS: usize = 2_500;
const NOON: Timestamp = Timestamp(1_767_614_400_000);

fn main() {
    divan::main();
}

fn template(n: usize) -> PolicyTemplate {
    let (scope, actions) = match n % 4 {
        0 if n == 0 => ("organization", "[release.deploy]"),
        0 => ("organization", "[cluster.scale]"),
        1 => ("project", "[release.deploy, promotion.execute]"),
        2 => ("cluster", "[cluster.sync, manifest.apply]"),
        _ => ("environment", "[release.deploy]"),
    };
    let yaml = format!(
        "{{id: policy-{n}, name: Policy {n}, description: What it protects and why, scope: {scope}, actions: {actions}, \
         approvers: {{teams: [team-1, team-2, team-3]}}, quorum: {{minApprovals: 2, minDistinctTeams: 2, requiredTeamIds: [team-1]}}, \
         conditions: {{startHour: 0, endHour: 23, timezone: Europe/Istanbul}}}}"
    );
    serde_saphyr::from_str(&yaml).expect("a template")
}

/// 10,000 bindings: every template many times, each resource with a handful.
fn document() -> ConfigDocument {
    let mut document: ConfigDocument =
        serde_saphyr::from_str("organization: acme").expect("a document");
    let resources = &mut document.resources;
    resources.environments = (0..50)
        .map(|n| format!("env-{n}").as_str().into())
        .collect();
    resources.projects = (0..PROJECTS)
        .map(|n| ProjectId::new(format!("project-{n}")))
        .collect();
    resources.clusters = (0..500)
        .map(|n| ClusterDocument {
            id: format!("cluster-{n}").as_str().into(),
            environment: format!("env-{}", n % 50).as_str().into(),
        })
        .collect();
    for n in 0..200 {
        let user = format!("{{id: person-{n}, name: Person {n}}}");
        document
            .directory
            .users
            .push(serde_saphyr::from_str(&user).expect("a user"));
    }
    for n in 0..10 {
        let members: Vec<String> = (0..20).map(|m| format!("person-{}", n * 20 + m)).collect();
        let team = format!(
            "{{id: team-{n}, name: Team {n}, members: [{}]}}",
            members.join(", ")
        );
        document
            .directory
            .teams
            .push(serde_saphyr::from_str(&team).expect("a team"));
    }
    document.policies = (0..TEMPLATES).map(template).collect();
    document.bindings = bindings();
    document
}

fn bindings() -> Vec<Binding> {
    let bind = |policy: usize, level: Level, resource: Option<String>| Binding {
        policy: format!("policy-{policy}").as_str().into(),
        level,
        resource,
    };
    let mut bindings: Vec<Binding> = (0..TEMPLATES)
        .step_by(4)
        .map(|policy| bind(policy, Level::Organization, None))
        .collect();
    for n in 0..3 * PROJECTS {
        let policy = 1 + 4 * (n % 250);
        bindings.push(bind(
            policy,
            Level::Project,
            Some(format!("project-{}", n % PROJECTS)),
        ));
    }
    for n in 0..2_000 {
        bindings.push(bind(
            2 + 4 * (n % 250),
            Level::Cluster,
            Some(format!("cluster-{}", n % 500)),
        ));
    }
    for n in 0..250 {
        bindings.push(bind(
            3 + 4 * n,
            Level::Environment,
            Some(format!("env-{}", n % 50)),
        ));
    }
    let mut seen = std::collections::HashSet::new();
    bindings.retain(|binding| seen.insert(binding.clone()));
    bindings
}

fn config() -> CompiledConfig {
    CompiledConfig::compile(1, document(), &BTreeMap::new()).expect("rules")
}

fn target() -> Target {
    Target {
        project: Some("project-77".into()),
        cluster: None,
        environment: Some("env-7".into()),
        release: Some("1.4.2".to_owned()),
    }
}

fn decisions(config: &CompiledConfig) -> Vec<Decision> {
    [20, 21, 40]
        .into_iter()
        .filter_map(|n| {
            config
                .directory()
                .person(&PersonId::new(format!("person-{n}")))
        })
        .map(|person| Decision {
            by: person.id.clone(),
            verdict: DecisionKind::Approve,
            comment: None,
            teams: person.teams.clone(),
            roles: person.roles.clone(),
            at: NOON,
            via: Via::Button,
            fresh_sign_in: false,
            author_left: false,
        })
        .collect()
}

fn excluded() -> PeopleInvolved {
    PeopleInvolved(BTreeMap::from([(
        PersonId::from("person-1"),
        Involvement::Requester,
    )]))
}

#[divan::bench]
fn resolve(bencher: Bencher) {
    let (config, action, target) = (config(), ActionId::from("release.deploy"), target());
    bencher.bench_local(|| config.resolve(black_box(&action), black_box(&target), NOON));
}

#[divan::bench]
fn resolve_and_evaluate(bencher: Bencher) {
    let (config, action, target) = (config(), ActionId::from("release.deploy"), target());
    let (decisions, excluded) = (decisions(&config), excluded());
    bencher.bench_local(|| {
        let (gates, _) = config.resolve(black_box(&action), black_box(&target), NOON);
        progress::evaluate(&gates, &excluded, &decisions, config.directory())
    });
}

#[divan::bench]
fn admit(bencher: Bencher) {
    let (config, ask, caller) = (config(), ask(), caller());
    bencher.bench_local(|| {
        config
            .admit(black_box(&ask), &caller, NOON)
            .expect("admitted")
    });
}

fn ask() -> Ask {
    Ask {
        action: "release.deploy".to_owned(),
        project: Some("project-77".to_owned()),
        environment: Some("env-7".to_owned()),
        reason: Some("a new version".to_owned()),
        ..Ask::default()
    }
}

fn caller() -> Caller {
    Caller::person("person-1".into(), Via::Api)
}

/// What `decide` asks of the domain for 64 clicks: may this person, and is it enough now?
#[divan::bench]
fn batch_of_64_clicks(bencher: Bencher) {
    let config = config();
    let (gates, _): (Vec<PinnedPolicy>, _) =
        config.resolve(&"release.deploy".into(), &target(), NOON);
    let (decisions, excluded) = (decisions(&config), excluded());
    let person = config
        .directory()
        .person(&"person-40".into())
        .expect("a person")
        .clone();
    bencher.bench_local(|| {
        (0..64)
            .filter(|_| {
                eligibility::check(black_box(&gates), &excluded, &person).is_ok()
                    && progress::all_satisfied(&gates, &excluded, black_box(&decisions))
            })
            .count()
    });
}

#[divan::bench]
fn smallest_set(bencher: Bencher) {
    let config = config();
    let (gates, _) = config.resolve(&"release.deploy".into(), &target(), NOON);
    let excluded = excluded();
    bencher.bench_local(|| {
        smallest::smallest_set(black_box(&gates), &excluded, &[], config.directory())
    });
}

/// A company of 50,000 in 500 teams, where anyone may approve.
fn company(quorum: &str) -> CompiledConfig {
    let mut document: ConfigDocument = serde_saphyr::from_str(
        "organization: acme\nresources: {environments: [env-7], projects: [project-77]}",
    )
    .expect("a document");
    for n in 0..50_000 {
        let user = format!("{{id: person-{n}, name: Person {n}}}");
        let users = &mut document.directory.users;
        users.push(serde_saphyr::from_str(&user).expect("a user"));
    }
    for n in 0..500 {
        let members: Vec<String> = (0..100)
            .map(|m| format!("person-{}", n * 100 + m))
            .collect();
        let team = format!(
            "{{id: team-{n}, name: Team, members: [{}]}}",
            members.join(", ")
        );
        let teams = &mut document.directory.teams;
        teams.push(serde_saphyr::from_str(&team).expect("a team"));
    }
    let policy = format!(
        "{{id: gate, name: Gate, scope: organization, approvers: anyone, quorum: {quorum}}}"
    );
    document.policies = vec![serde_saphyr::from_str(&policy).expect("a template")];
    document.bindings =
        vec![serde_saphyr::from_str("{policy: gate, level: organization}").expect("a binding")];
    CompiledConfig::compile(1, document, &BTreeMap::new()).expect("rules")
}

#[divan::bench(args = ["{minApprovals: 2}", "{minDistinctTeams: 3}", "{requiredTeamIds: [team-499], minApprovals: 3}"])]
fn admit_in_a_company_of_50_000(bencher: Bencher, quorum: &str) {
    let (config, ask, caller) = (company(quorum), ask(), caller());
    bencher.bench_local(|| {
        config
            .admit(black_box(&ask), &caller, NOON)
            .expect("admitted")
    });
}

#[divan::bench]
fn waiting_for_in_a_company_of_50_000(bencher: Bencher) {
    let config = company("{minApprovals: 2}");
    let (gates, _) = config.resolve(&"release.deploy".into(), &target(), NOON);
    let excluded = excluded();
    bencher.bench_local(|| {
        progress::waiting_for(black_box(&gates), &excluded, &[], config.directory()).len()
    });
}

#[divan::bench]
fn compile(bencher: Bencher) {
    bencher
        .with_inputs(document)
        .bench_local_values(|document| {
            CompiledConfig::compile(1, document, &BTreeMap::new()).expect("rules")
        });
}
