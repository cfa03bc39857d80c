//! What a change of the configuration would be, found before anything of it is written: its templates' versions, the rules that it
//! makes, and what it gives to whom.

use super::config::nothing;
use super::{App, AppError};
use crate::domain::compiled_config::{CheckedDocument, CompiledConfig, ConfigError};
use crate::domain::digest::{Digest, canonical};
use crate::domain::document::{ConfigDocument, PolicyTemplate, too_large};
use crate::domain::id::{PersonId, PolicyId, ServiceId};
use crate::domain::people::Directory;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::slack_directory::{SlackDirectory, moved_accounts};
use crate::domain::time::Timestamp;
use crate::store::Tx;
use std::collections::{BTreeMap, BTreeSet};

/// A document on its way into force, with everything that takes long and depends on nothing else: made before any lock is taken.
pub(super) struct Proposal {
    /// The document, or what is wrong with it.
    checked: Result<CheckedDocument, Vec<ConfigError>>,
    /// Its canonical JSON.
    text: String,
    /// The SHA-256 of that.
    digest: String,
}

impl Proposal {
    /// Checks and serialises a document.
    pub(super) fn new(document: ConfigDocument) -> Result<Self, AppError> {
        let text = canonical(&document).map_err(|error| AppError::Internal(error.to_string()))?;
        let digest = Digest::of(text.as_bytes()).to_string();
        let checked = match too_large(text.len()) {
            None => CheckedDocument::new(document),
            Some(message) => Err(vec![ConfigError {
                path: "configuration".to_owned(),
                message,
            }]),
        };
        Ok(Self {
            checked,
            text,
            digest,
        })
    }

    /// Whether it is this document.
    pub(super) fn is(&self, document: &ConfigDocument) -> bool {
        self.checked
            .as_ref()
            .is_ok_and(|checked| checked.document() == document)
    }

    /// Its canonical JSON.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What it is known by.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }
}

/// What holds while a change is planned.
#[derive(Clone, Copy)]
pub(super) enum Before<'a> {
    /// These rules.
    CompiledConfig(&'a CompiledConfig),
    /// This document, which may make no sense any more; none where nothing reads.
    Unchecked(Option<&'a ConfigDocument>),
}

impl Before<'_> {
    /// The document, where it reads.
    fn document(&self) -> Option<&ConfigDocument> {
        match self {
            Self::CompiledConfig(config) => Some(config.document()),
            Self::Unchecked(document) => *document,
        }
    }
}

/// A change that makes sense.
pub(super) struct Plan {
    /// What it makes of the rules.
    pub(super) config: CompiledConfig,
    /// Its canonical JSON.
    text: String,
    /// The SHA-256 of that.
    pub(super) digest: String,
    /// What was known of people before.
    slack_directory: SlackDirectory,
    /// Templates that are new or have changed, with their next versions.
    templates: Vec<(i64, PolicyTemplate)>,
}

impl App {
    /// Plans to put a document in the place of another one; what makes no sense is refused.
    pub(super) async fn plan(
        &self,
        tx: &mut Tx,
        before: Before<'_>,
        (proposal, version): (Proposal, i64),
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Plan, AppError> {
        let Proposal {
            checked,
            text,
            digest,
        } = proposal;
        let checked = checked.map_err(Refusal::Invalid)?;
        let document = checked.document();
        let (versions, templates) = next_templates(tx, before, document).await?;
        let slack_directory = tx.slack_directory().await?;
        let nothing = nothing();
        let old = before.document().unwrap_or(&nothing);
        let next = next_slack_directory(&slack_directory, old, (document, version), caller, now);
        Ok(Plan {
            config: CompiledConfig::of(version, checked, &versions, next),
            text,
            digest,
            slack_directory,
            templates,
        })
    }

    /// Writes what was planned, in the place of `before`. Who may, and who is told, others decide.
    pub(super) async fn save_plan(
        &self,
        tx: &mut Tx,
        plan: &Plan,
        before: Option<&ConfigDocument>,
        (caller, reason): (&Caller, Option<&str>),
        now: Timestamp,
    ) -> Result<(), AppError> {
        for (version, template) in &plan.templates {
            tx.insert_template(*version, template, now).await?;
        }
        let (version, row) = (plan.config.version(), (&*plan.text, &*plan.digest));
        tx.insert_config(version, row, &caller.principal, reason, now)
            .await?;
        if let Some(before) = before {
            tx.supersede_config(version - 1, before, plan.config.document())
                .await?;
        }
        tx.save_slack_directory(&plan.slack_directory, plan.config.slack_directory(), now)
            .await?;
        if let Some(before) = before {
            self.end_sign_ins(tx, before, &plan.config, now).await?;
        }
        if let Some(departed) = plan.departed(before.unwrap_or(&nothing())) {
            self.end_tokens(tx, &departed, caller, now).await?;
        }
        tx.reconsider_follow_ups(now).await?;
        Ok(tx.touch_open_cards(now).await?)
    }
}

impl Plan {
    /// The people before it, with what was known of them, and after it.
    pub(super) fn directories(&self, before: &ConfigDocument) -> (Directory, &Directory) {
        let old = Directory::compile_with(&before.directory, &self.slack_directory);
        (old, self.config.directory())
    }

    /// Who is gone after it, or was gone before: nobody who comes later under the same id gets what was theirs (threat R27).
    /// Nobody where people and services stay as they were.
    fn departed(&self, before: &ConfigDocument) -> Option<Departed<'_>> {
        let after = self.config.document();
        if before.directory == after.directory && before.services == after.services {
            return None;
        }
        let known = |document: &ConfigDocument| -> BTreeSet<ServiceId> {
            let services = document.services.iter();
            services.map(|service| service.id.clone()).collect()
        };
        let services = known(before);
        let left = known(after);
        let (before, after) = self.directories(before);
        Some(Departed {
            before,
            after,
            services: services.difference(&left).cloned().collect(),
        })
    }

    /// Refuses what would leave a bound policy that nobody can complete, where somebody could before (docs/decisions.md D13).
    pub(super) fn check_reach(&self, before: &CompiledConfig) -> Result<(), AppError> {
        let short = self.config.unsatisfiable_policies();
        if short.is_empty() {
            return Ok(());
        }
        let old: BTreeSet<PolicyId> = before
            .unsatisfiable_policies()
            .into_iter()
            .map(|short| short.policy)
            .collect();
        let place = |id: &PolicyId| {
            let mut policies = self.config.document().policies.iter();
            policies
                .position(|template| template.id == *id)
                .unwrap_or(0)
        };
        let lost: Vec<ConfigError> = short
            .into_iter()
            .filter(|short| !old.contains(&short.policy))
            .map(|short| ConfigError {
                path: format!("policies[{}].quorum", place(&short.policy)),
                message: format!("could not be met any more: {}", short.message),
            })
            .collect();
        if lost.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Invalid(lost).into())
        }
    }
}

/// People and services that a change has removed.
pub(super) struct Departed<'a> {
    before: Directory,
    after: &'a Directory,
    services: BTreeSet<ServiceId>,
}

impl Departed<'_> {
    /// Whether this person is gone. An empty directory before says nothing: it was never filled, or could not be read.
    pub(super) fn person(&self, id: &PersonId) -> bool {
        let is_in = |directory: &Directory| directory.person(directory.canonical(id)).is_some();
        let was_known = self.before.people().next().is_none() || is_in(&self.before);
        !(was_known && is_in(self.after))
    }

    /// Whether this principal is gone.
    pub(super) fn principal(&self, principal: &Principal) -> bool {
        match principal {
            Principal::Person(id) => self.person(id),
            Principal::Service(id) => self.services.contains(id),
            Principal::Operator | Principal::Bot => false,
        }
    }
}

/// What is known of people beside the new document: who gave himself something in this edit has it for newer requests alone.
fn next_slack_directory(
    slack_directory: &SlackDirectory,
    before: &ConfigDocument,
    (document, version): (&ConfigDocument, i64),
    caller: &Caller,
    now: Timestamp,
) -> SlackDirectory {
    let mut next = slack_directory
        .clone()
        .resolve_groups(&document.directory, now);
    // nothing is older than the first configuration
    if version > 1 {
        let old = Directory::compile_with(&before.directory, slack_directory);
        let new = Directory::compile_with(&document.directory, &next);
        let givers: BTreeSet<PersonId> = caller
            .principal
            .person()
            .into_iter()
            .chain(&caller.owners)
            .cloned()
            .collect();
        let moved = moved_accounts(
            (&before.directory, before.oidc_issuer()),
            (&document.directory, document.oidc_issuer()),
        );
        next.recent_memberships =
            slack_directory.recent_memberships_after((&old, &new), &givers, moved, now);
        next.note_joined(&document.directory, (&old, &new), now);
    }
    next.version += i64::from(next != *slack_directory);
    next
}

/// Templates that are looked up one by one; for more than this all of them are read at once.
const LOOKED_UP: usize = 16;

/// The version of every template, and those that get a new, immutable one.
async fn next_templates(
    tx: &mut Tx,
    before: Before<'_>,
    document: &ConfigDocument,
) -> Result<(BTreeMap<PolicyId, i64>, Vec<(i64, PolicyTemplate)>), AppError> {
    let held = |id: &PolicyId| match before {
        // the version of a template in force is the latest one
        Before::CompiledConfig(config) => config.versioned_template(id),
        Before::Unchecked(_) => None,
    };
    let ids = document.policies.iter().map(|template| &template.id);
    let stored = stored_templates(tx, ids.filter(|id| held(id).is_none()).collect()).await?;
    let (mut versions, mut new) = (BTreeMap::new(), Vec::new());
    for template in &document.policies {
        let id = &template.id;
        let stored = stored
            .get(id)
            .map(|(version, stored)| (*version, stored.as_ref()));
        let held = held(id).map(|(version, held)| (version, Some(held)));
        let (version, is_new) = match held.or(stored) {
            Some((version, Some(same))) if same == template => (version, false),
            Some((version, _)) => (version + 1, true),
            None => (1, true),
        };
        if versions.insert(id.clone(), version).is_none() && is_new {
            new.push((version, template.clone()));
        }
    }
    Ok((versions, new))
}

/// The latest version of these templates, as far as they ever were; an unreadable one counts as another.
async fn stored_templates(
    tx: &mut Tx,
    ids: Vec<&PolicyId>,
) -> Result<BTreeMap<PolicyId, (i64, Option<PolicyTemplate>)>, AppError> {
    if ids.len() > LOOKED_UP {
        return Ok(tx.templates().await?);
    }
    let mut stored = BTreeMap::new();
    for id in ids {
        if let Some(template) = tx.template(id).await? {
            stored.insert(id.clone(), template);
        }
    }
    Ok(stored)
}
