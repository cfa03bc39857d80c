//! What a change of the configuration would be, found before anything of it is written: its templates' versions, the rules that it
//! makes, and what it gives to whom.

use super::config::digest_of;
use super::{App, AppError};
use crate::domain::document::{Document, Template};
use crate::domain::id::{PersonId, PolicyId};
use crate::domain::people::Directory;
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::domain::roster::{Roster, moved_accounts};
use crate::domain::rules::{Problem, Rules};
use crate::domain::time::Timestamp;
use crate::store::{ConfigRow, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// A change that makes sense.
pub(super) struct Plan {
    /// What it makes of the rules.
    pub(super) rules: Rules,
    /// What was known of people before.
    roster: Roster,
    /// Templates that are new or have changed, with their next versions.
    templates: Vec<(i64, Template)>,
}

impl App {
    /// Plans to put a document in the place of another one; what makes no sense is refused.
    pub(super) async fn plan(
        &self,
        tx: &mut Tx,
        before: &Document,
        (document, version): (&Document, i64),
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Plan, AppError> {
        let (versions, templates) = next_templates(&tx.templates().await?, document);
        let roster = tx.roster().await?;
        let next = next_roster(&roster, before, (document, version), caller, now);
        let rules = Rules::compile_with(version, document.clone(), &versions, next)
            .map_err(Refusal::Invalid)?;
        Ok(Plan {
            rules,
            roster,
            templates,
        })
    }

    /// Writes what was planned. Who may, and who is told, others decide.
    pub(super) async fn carry_through(
        &self,
        tx: &mut Tx,
        plan: &Plan,
        caller: &Caller,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<ConfigRow, AppError> {
        for (version, template) in &plan.templates {
            tx.insert_template(*version, template, now).await?;
        }
        let document = plan.rules.document();
        let row = ConfigRow {
            version: plan.rules.version(),
            digest: digest_of(document)?,
            document: document.clone(),
        };
        tx.insert_config(&row, &caller.principal, reason, now)
            .await?;
        tx.save_roster(&plan.roster, plan.rules.roster(), now)
            .await?;
        tx.touch_open_cards(now).await?;
        Ok(row)
    }
}

impl Plan {
    /// Refuses what would leave a bound policy that nobody can complete, where somebody could before (design 2.2).
    pub(super) fn check_reach(&self, before: &Rules) -> Result<(), AppError> {
        let old: BTreeSet<PolicyId> = before
            .out_of_reach()
            .into_iter()
            .map(|short| short.policy)
            .collect();
        let place = |id: &PolicyId| {
            let mut policies = self.rules.document().policies.iter();
            policies
                .position(|template| template.id == *id)
                .unwrap_or(0)
        };
        let lost: Vec<Problem> = self
            .rules
            .out_of_reach()
            .into_iter()
            .filter(|short| !old.contains(&short.policy))
            .map(|short| Problem {
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

/// What is known of people beside the new document: who gave himself something in this edit has it for newer requests alone.
fn next_roster(
    roster: &Roster,
    before: &Document,
    (document, version): (&Document, i64),
    caller: &Caller,
    now: Timestamp,
) -> Roster {
    let mut next = roster.clone().settled(&document.directory, now);
    // nothing is older than the first configuration
    if version > 1 {
        let old = Directory::compile_with(&before.directory, roster);
        let new = Directory::compile_with(&document.directory, &next);
        let givers: BTreeSet<PersonId> = caller
            .principal
            .person()
            .into_iter()
            .chain(&caller.owners)
            .cloned()
            .collect();
        let moved = moved_accounts(&before.directory, &document.directory);
        next.gained = roster.gained_after((&old, &new), &givers, moved, now);
        next.note_joined(&document.directory, (&old, &new), now);
    }
    next.version += i64::from(next != *roster);
    next
}

/// The version of every template, and those that get a new, immutable one.
fn next_templates(
    stored: &BTreeMap<PolicyId, (i64, Template)>,
    document: &Document,
) -> (BTreeMap<PolicyId, i64>, Vec<(i64, Template)>) {
    let (mut versions, mut new) = (BTreeMap::new(), Vec::new());
    for template in &document.policies {
        let (version, is_new) = match stored.get(&template.id) {
            Some((version, same)) if same == template => (*version, false),
            Some((version, _)) => (version + 1, true),
            None => (1, true),
        };
        if versions.insert(template.id.clone(), version).is_none() && is_new {
            new.push((version, template.clone()));
        }
    }
    (versions, new)
}
