//! The configuration: loaded, compiled, changed.

use super::announce;
use super::config_change::{Before, Proposal};
use super::submit::Draft;
use super::text::entered;
use super::{App, AppError};
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::{CompiledConfig, ConfigError};
use crate::domain::config_edit::ConfigEdit;
use crate::domain::decision::Via;
use crate::domain::diff::{Difference, before_and_after, diff};
use crate::domain::digest::content_digest;
use crate::domain::document::{
    Administrators, ConfigDocument, DirectoryDocument, Limits, Resources, Routes,
};
use crate::domain::id::RequestId;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::{Effect, Outcome, Request};
use crate::domain::request_details::RequestDetails;
use crate::store::{StoreError, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The configuration as it is stored.
#[derive(Debug, Clone)]
pub struct StoredConfig {
    /// Its version.
    pub version: i64,
    /// The document.
    pub document: ConfigDocument,
}

/// What became of a change of the configuration.
#[derive(Debug, Clone)]
pub enum Changed {
    /// It holds now.
    Applied(StoredConfig),
    /// It is the same document.
    Unchanged(StoredConfig),
    /// It is gated, and has become this request.
    Requested(Box<RequestDetails>),
}

/// What a unit made of a change.
enum Done {
    /// These rules hold now.
    Applied(Arc<CompiledConfig>),
    /// These rules hold as before.
    Unchanged(Arc<CompiledConfig>),
    /// It has become this request.
    Requested(Box<RequestDetails>),
}

fn stored(config: &CompiledConfig) -> StoredConfig {
    StoredConfig {
        version: config.version(),
        document: config.document().clone(),
    }
}

/// The rules of an empty store: no resources, no people, so that everything is refused.
pub(super) fn empty_config() -> Result<CompiledConfig, AppError> {
    CompiledConfig::compile(0, nothing(), &BTreeMap::new())
        .map_err(|problems| Refusal::Invalid(problems).into())
}

/// The document of an empty store.
pub(super) fn nothing() -> ConfigDocument {
    ConfigDocument {
        organization: "unconfigured".to_owned(),
        resources: Resources::default(),
        directory: DirectoryDocument::default(),
        policies: Vec::new(),
        bindings: Vec::new(),
        routes: Routes::default(),
        services: Vec::new(),
        actions: Vec::new(),
        webhooks: Vec::new(),
        limits: Limits::default(),
        reminders: None,
        notifications: None,
        email: None,
        console: None,
        break_glass: None,
        administrators: Administrators::default(),
    }
}

/// The rules that are stored. What of them this release cannot read could restrict, so it refuses everything instead of guessing.
pub(super) async fn load(tx: &mut Tx) -> Result<CompiledConfig, AppError> {
    let Some(row) = tx.config().await.map_err(unreadable)? else {
        return empty_config();
    };
    let versions = tx.template_versions().await?;
    let slack_directory = tx.slack_directory().await.map_err(unreadable)?;
    CompiledConfig::compile_with(row.version, row.document, &versions, slack_directory).map_err(
        |problems| {
            AppError::UnreadableConfig(format!("it does not compile: {}", in_words(&problems)))
        },
    )
}

fn unreadable(error: StoreError) -> AppError {
    match error {
        StoreError::Unreadable(why) => AppError::UnreadableConfig(why),
        other => other.into(),
    }
}

fn in_words(problems: &[ConfigError]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl App {
    /// The stored configuration.
    pub async fn config(&self) -> Result<StoredConfig, AppError> {
        Ok(stored(&*self.compiled_config().await?))
    }

    /// Loads a file's document into an empty store, or applies it once where it was never seen here; a known one changes nothing, so
    /// that edits made since survive a restart.
    pub async fn load_file(
        &self,
        document: ConfigDocument,
        file: &str,
    ) -> Result<Changed, AppError> {
        let caller = Caller::operator(Via::File);
        let proposal = Proposal::new(document)?;
        let known = proposal.digest();
        if self.0.db.read().await?.knows_document(known).await? {
            return Ok(Changed::Unchanged(self.config().await?));
        }
        let reason = Some(format!("loaded from {file}"));
        Box::pin(self.change(&caller, proposal, None, reason)).await
    }

    /// Changes the configuration; `made_from` is the version the document was made from (`None`: whatever is stored). Where a policy
    /// gates it, it becomes a request, and the bot applies exactly this document when that is approved (docs/decisions.md D10).
    pub(super) async fn try_change_config(
        &self,
        caller: &Caller,
        edit: ConfigEdit,
        made_from: Option<i64>,
        reason: Option<String>,
    ) -> Result<Changed, AppError> {
        let reason = entered("reason", reason.as_deref())?;
        let (document, made_from) = match edit {
            ConfigEdit::Replace(document) => (*document, made_from),
            edit => {
                // the rest of the document is what is stored, so the change is always made from that version
                let config = self.compiled_config().await?;
                check_version(&config, made_from)?;
                (edit.applied_to(config.document()), Some(config.version()))
            }
        };
        let proposal = Proposal::new(document)?;
        Box::pin(self.change(caller, proposal, made_from, reason)).await
    }

    async fn change(
        &self,
        caller: &Caller,
        proposal: Proposal,
        made_from: Option<i64>,
        reason: Option<String>,
    ) -> Result<Changed, AppError> {
        let changed = self
            .0
            .db
            .transaction(async |tx| {
                // boxed, as it holds several documents
                Box::pin(self.change_in(tx, caller, proposal, made_from, reason)).await
            })
            .await
            .map_err(|error| self.with_suggestions(error))?;
        self.notify_changes(&[]);
        Ok(match changed {
            Done::Applied(config) => {
                self.hold(config.clone());
                Changed::Applied(stored(&config))
            }
            Done::Unchanged(config) => Changed::Unchanged(stored(&config)),
            Done::Requested(shown) => Changed::Requested(shown),
        })
    }

    async fn change_in(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        proposal: Proposal,
        made_from: Option<i64>,
        reason: Option<String>,
    ) -> Result<Done, AppError> {
        tx.lock_config().await?;
        let versions = tx.config_versions().await?;
        let config = self.compiled_config_at(tx, versions).await?;
        let caller = &self.with_owners(tx, caller, self.now()).await?;
        check_right(&config, caller)?;
        check_version(&config, made_from)?;
        // asked once more under the lock: two replicas may start with the same new file
        let known = caller.via == Via::File && tx.knows_document(proposal.digest()).await?;
        if known || (versions.config > 0 && proposal.is(config.document())) {
            return Ok(Done::Unchanged(config));
        }
        if config.gates_of_config_change(self.now()).0.is_empty() {
            // what gates a change depends on the hour; the operator's file is loaded at the start, which an unsure clock must not stop
            if caller.via != Via::File {
                self.check_clock()?;
            }
            let applied = self.apply(tx, caller, &config, proposal, reason.as_deref());
            return applied.await.map(|config| Done::Applied(Arc::new(config)));
        }
        self.request_change(tx, caller, &config, proposal, reason)
            .await
    }

    /// Puts a document into force; gives the rules that it makes.
    async fn apply(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        config: &CompiledConfig,
        proposal: Proposal,
        reason: Option<&str>,
    ) -> Result<CompiledConfig, AppError> {
        let (now, version) = (self.now(), config.version() + 1);
        let before = config.document();
        let plan = self
            .plan(
                tx,
                Before::CompiledConfig(config),
                (proposal, version),
                caller,
                now,
            )
            .await?;
        plan.check_reach(config)?;
        let replaced = (config.version() > 0).then_some(before);
        self.save_plan(tx, &plan, replaced, (caller, reason), now)
            .await?;
        let after = plan.config.document();
        let (old, new) = before_and_after(before, after);
        let detail = json!({
            "version": version, "digest": plan.digest, "reason": reason, "before": old, "after": new,
        });
        tx.record(&self.own_event(now, AuditEventKind::ConfigChanged, caller, detail))
            .await?;
        let mut news = announce::of_change(before, (after, version), &caller.principal, reason);
        let directories = (config.directory(), plan.config.directory());
        news.extend(announce::of_groups(
            announce::place(before),
            after,
            directories,
        ));
        self.send(tx, news, now).await?;
        Ok(plan.config)
    }

    /// The change becomes a request whose payload is the new document.
    async fn request_change(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        config: &CompiledConfig,
        proposal: Proposal,
        reason: Option<String>,
    ) -> Result<Done, AppError> {
        let now = self.now();
        let made_from = config.version();
        if !matches!(caller.principal, Principal::Operator | Principal::Bot) {
            self.check_limits(tx, config, &caller.principal, now)
                .await?;
        }
        // keys in order and no spaces: the canonical form of a `Change`
        let payload = format!(
            r#"{{"document":{},"madeFrom":{made_from}}}"#,
            proposal.text()
        );
        // what makes no sense never becomes a request
        let next = (proposal, made_from + 1);
        let plan = self
            .plan(tx, Before::CompiledConfig(config), next, caller, now)
            .await?;
        plan.check_reach(config)?;
        let admitted = config
            .admit_config_change(reason.as_deref(), caller, now)
            .map_err(Refusal::Violations)?;
        let digest = content_digest(&admitted.action.id, &admitted.target, &payload);
        tx.know_document(&plan.digest, now).await?;
        let draft = Draft {
            id: RequestId::from_uuid(self.0.ids.next(now)),
            requester: caller.principal.clone(),
            payload,
            digest,
            session: None,
            replaces: None,
            callback_url: None,
            asked_in: None,
        };
        let request = self
            .file_request(tx, caller, config, &admitted, draft, now)
            .await?;
        let shown = self.show_in(tx, &request.id).await?;
        Ok(Done::Requested(Box::new(shown)))
    }

    /// Applies an approved change; says why not where another version is stored by now.
    pub(super) async fn apply_approved(
        &self,
        tx: &mut Tx,
        bot: &Caller,
        request: &Request,
        config: &CompiledConfig,
    ) -> Result<Result<Value, String>, AppError> {
        if let Some(why) = stale(request, config)? {
            return Ok(Err(why));
        }
        let change = Change::of(request)?;
        // whoever has a part in the request answers for what is changed in their name
        let bot = Caller {
            owners: request.excluded.0.keys().cloned().collect(),
            ..bot.clone()
        };
        let reason = request.reason.as_deref();
        let proposal = Proposal::new(change.document)?;
        match self.apply(tx, &bot, config, proposal, reason).await {
            Ok(applied) => Ok(Ok(
                json!({"version": applied.version(), "outcome": Outcome::Succeeded}),
            )),
            // found before anything was written
            Err(AppError::Refused(Refusal::Invalid(problems))) => Ok(Err(unusable(&format!(
                "it is no longer valid: {}",
                in_words(&problems)
            )))),
            Err(error) => Err(error),
        }
    }
}

/// Why an approved change cannot be applied any more, since it was made from an older version.
pub(super) fn stale(
    request: &Request,
    config: &CompiledConfig,
) -> Result<Option<String>, AppError> {
    let (made_from, stored) = (Change::of(request)?.made_from, config.version());
    Ok((made_from != stored).then(|| {
        unusable(&format!(
            "it was made from version {made_from}, and version {stored} is stored now"
        ))
    }))
}

fn unusable(why: &str) -> String {
    format!("config_changed: {why}; nothing was applied")
}

/// What the payload of a change says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    /// The whole new document.
    document: ConfigDocument,
    /// The version it was made from.
    made_from: i64,
}

impl Change {
    fn of(request: &Request) -> Result<Self, StoreError> {
        serde_json::from_str(&request.payload)
            .map_err(|error| StoreError::Unreadable(format!("a configuration change: {error}")))
    }
}

/// How a request that changes the configuration differs from the version it was made from; nothing for any other request, and
/// where one of the two cannot be read.
pub(super) async fn difference(
    tx: &mut Tx,
    request: &Request,
    config: &CompiledConfig,
) -> Result<Option<Difference>, AppError> {
    if request.effect() != Some(Effect::ConfigChange) {
        return Ok(None);
    }
    let Ok(change) = serde_json::from_str::<Change>(&request.payload) else {
        return Ok(None);
    };
    if change.made_from == config.version() {
        return Ok(Some(diff(config.document(), &change.document)));
    }
    // an older version that cannot be read is only missing from the display
    let before = match tx.config_at(change.made_from).await {
        Err(StoreError::Unreadable(_)) => None,
        other => other?,
    };
    Ok(before.map(|before| diff(&before, &change.document)))
}

fn check_right(config: &CompiledConfig, caller: &Caller) -> Result<(), AppError> {
    config.check_may_change(&caller.principal)?;
    check_answered(config, caller)
}

/// A service changes the configuration in its own name only while somebody active answers for it.
fn check_answered(config: &CompiledConfig, caller: &Caller) -> Result<(), AppError> {
    let mut owners = caller.owners.iter();
    let answered = owners.any(|owner| config.directory().is_active(owner));
    if answered || !matches!(caller.principal, Principal::Service(_)) {
        return Ok(());
    }
    let why = "This service has no active owner; name active owners, or let an administrator make the change.";
    Err(Refusal::Forbidden(why.to_owned()).into())
}

fn check_version(config: &CompiledConfig, made_from: Option<i64>) -> Result<(), AppError> {
    match made_from {
        Some(made_from) if made_from != config.version() => Err(Refusal::Stale(format!(
            "It was made from version {made_from}; version {} is stored. Read it again and repeat your change.",
            config.version()
        ))
        .into()),
        _ => Ok(()),
    }
}
