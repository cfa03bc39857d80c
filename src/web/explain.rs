//! `/explain`: what would happen to a request, without asking. Everything is in the address, so that a question can be sent to somebody.

use super::Web;
use super::access::Visitor;
use super::approvals::view::{PolicyView, policy_view};
use super::failure::Failure;
use super::fields::Fields;
use super::page::{Shell, render};
use super::policies;
use crate::app::Explained;
use crate::domain::ask::Ask;
use crate::domain::decision::Via;
use crate::domain::document::ConfigDocument;
use crate::domain::explain::PolicyReason;
use crate::domain::id::PersonId;
use crate::domain::people::Directory;
use crate::domain::principal::Caller;
use crate::domain::progress::PolicyProgress;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

/// Names that are listed before the rest becomes a number.
const NAMES_SHOWN: usize = 20;

/// The question, as it stands in the address. Blank means left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Question {
    action: String,
    requester: String,
    project: String,
    cluster: String,
    environment: String,
    release: String,
    reason: String,
}

/// A draft of a policy, as it was sent.
struct Draft {
    id: String,
    yaml: String,
    resource: String,
}

/// A field with its options: each with its value, its text, and whether it is chosen.
struct Choice {
    name: &'static str,
    label: &'static str,
    options: Vec<(String, String, bool)>,
}

struct Answer {
    violations: Vec<String>,
    is_gated: bool,
    policies: Vec<(PolicyView, String)>,
    others: Vec<PolicyReason>,
    eligible: String,
    smallest_set: String,
}

#[derive(Template)]
#[template(path = "explain.html", config = "src/web/askama.toml")]
struct ExplainPage {
    shell: Shell,
    question: Question,
    choices: Vec<Choice>,
    answer: Option<Answer>,
    draft: Option<Draft>,
}

/// `GET /explain`
pub(super) async fn show(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Query(question): Query<Question>,
) -> Result<Response, Failure> {
    let answer = if question.action.is_empty() {
        None
    } else {
        // nothing is asked for in anybody's name
        let caller = Caller::person(question.requester(&visitor), Via::Web);
        let explained = web.app.explain(&caller, &question.ask()).await?;
        Some(answer(explained, visitor.signed_in.config.directory()))
    };
    Ok(page(&visitor, question, answer, None))
}

/// `POST /approval-policies/{id}/explain`: the same under a draft of a policy.
pub(super) async fn under_draft(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let text = |name: &str| fields.get(name).unwrap_or_default().to_owned();
    let question = Question {
        action: text("action"),
        requester: text("requester"),
        project: text("project"),
        cluster: text("cluster"),
        environment: text("environment"),
        release: text("release"),
        reason: text("reason"),
    };
    let draft = Draft {
        yaml: text("policy"),
        resource: text("resource"),
        id,
    };
    let edit = policies::form::edit(&draft.id, &draft.yaml)?;
    let document = policies::replay::draft(&visitor, &edit, fields.get("resource"));
    let answer = if question.action.is_empty() {
        None
    } else {
        let caller = Caller::person(question.requester(&visitor), Via::Web);
        let ask = question.ask();
        let explained = web.app.explain_under(&caller, &ask, document);
        let explained = explained
            .await
            .map_err(|error| policies::back(error.into()))?;
        Some(answer(explained, visitor.signed_in.config.directory()))
    };
    Ok(page(&visitor, question, answer, Some(draft)))
}

fn page(
    visitor: &Visitor,
    question: Question,
    answer: Option<Answer>,
    draft: Option<Draft>,
) -> Response {
    render(&ExplainPage {
        shell: Shell::of(visitor, "policies"),
        choices: choices(&question, visitor),
        question,
        answer,
        draft,
    })
}

impl Question {
    fn requester(&self, visitor: &Visitor) -> PersonId {
        given(&self.requester).map_or_else(|| visitor.person().clone(), PersonId::new)
    }

    fn ask(&self) -> Ask {
        Ask {
            action: self.action.clone(),
            project: given(&self.project),
            cluster: given(&self.cluster),
            environment: given(&self.environment),
            release: given(&self.release),
            reason: given(&self.reason),
            ..Ask::default()
        }
    }
}

fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn choices(question: &Question, visitor: &Visitor) -> Vec<Choice> {
    let config = &visitor.signed_in.config;
    let ConfigDocument { resources, .. } = config.document();
    let ids = |ids: &mut dyn Iterator<Item = &str>, chosen: &str| {
        let option = |id: &str| (id.to_owned(), id.to_owned(), id == chosen);
        ids.map(option).collect::<Vec<_>>()
    };
    let requester = question.requester(visitor);
    let actions = config.actions().iter().map(|action| {
        let id = action.id.to_string();
        let is_chosen = id == question.action;
        (id, action.name.clone(), is_chosen)
    });
    let people = config.directory().people().map(|person| {
        let is_chosen = person.id == requester;
        (person.id.to_string(), person.name.clone(), is_chosen)
    });
    vec![
        choice("action", "Action", actions.collect()),
        choice("requester", "Requester", people.collect()),
        choice(
            "project",
            "Project",
            ids(
                &mut resources.projects.iter().map(AsRef::as_ref),
                &question.project,
            ),
        ),
        choice(
            "cluster",
            "Cluster",
            ids(
                &mut resources.clusters.iter().map(|one| one.id.as_str()),
                &question.cluster,
            ),
        ),
        choice(
            "environment",
            "Environment",
            ids(
                &mut resources.environments.iter().map(AsRef::as_ref),
                &question.environment,
            ),
        ),
    ]
}

fn choice(name: &'static str, label: &'static str, options: Vec<(String, String, bool)>) -> Choice {
    Choice {
        name,
        label,
        options,
    }
}

fn answer(explained: Explained, directory: &Directory) -> Answer {
    let with_reasons = |policies: &[PolicyProgress], why: Vec<PolicyReason>, remark| {
        let both = policies.iter().zip(why);
        both.map(|(policy, why)| (policy_view(policy, remark), why.why))
            .collect::<Vec<_>>()
    };
    let mut policies = with_reasons(&explained.policies, explained.because, "");
    let is_gated = !policies.is_empty();
    let observed = "observed only, gates nothing";
    policies.extend(with_reasons(
        &explained.observed,
        explained.observed_because,
        observed,
    ));
    let violations = explained.violations.iter();
    Answer {
        violations: violations.map(|one| one.message.clone()).collect(),
        is_gated,
        policies,
        others: explained.others,
        eligible: names(&explained.eligible, directory),
        smallest_set: names(&explained.smallest_set, directory),
    }
}

fn names(people: &[PersonId], directory: &Directory) -> String {
    let shown = people.iter().take(NAMES_SHOWN);
    let mut names: Vec<String> = shown.map(|id| directory.name(id).to_owned()).collect();
    if people.len() > NAMES_SHOWN {
        names.push(format!("{} more", people.len() - NAMES_SHOWN));
    }
    names.join(", ")
}
