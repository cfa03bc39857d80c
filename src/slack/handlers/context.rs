//! What a handler needs to know of one delivery: who acts, where, and under which key it counts once.

use super::reply::Failure;
use super::{Dispatcher, REFUSED_ACCOUNTS};
use crate::app::{App, IdempotencyKey};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decision::Via;
use crate::domain::eligibility::Ineligible;
use crate::domain::people::{Person, SlackAccount};
use crate::domain::principal::Caller;
use crate::domain::time::Span;
use crate::slack::api::client::Slack;
use crate::slack::inbound::Delivery;
use crate::slack::inbound::installation::Installation;
use crate::slack::ui::replies;
use std::sync::Arc;
use tokio::sync::OnceCell;
use tracing::{info, warn};

/// How long the key of a delivery is kept (docs/decisions.md D23).
const DELIVERY_KEPT: Span = Span::hours(24);

/// One admitted delivery. The account and the person behind it are looked up when first needed, so that a modal need not wait for
/// them. Cheap to clone.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) dispatcher: Dispatcher,
    sender: Arc<Sender>,
}

struct Sender {
    installation: Installation,
    user_id: Option<String>,
    delivery: Delivery,
    actor: OnceCell<Actor>,
}

/// An active person of the directory, and the configuration that says so.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) person: Person,
    pub(super) config: Arc<CompiledConfig>,
}

impl Actor {
    /// The caller of a use case.
    pub(super) fn caller(&self, via: Via) -> Caller {
        Caller::person(self.person.id.clone(), via)
    }
}

impl Context {
    pub(super) fn new(
        dispatcher: &Dispatcher,
        installation: &Installation,
        user_id: Option<&str>,
        delivery: Delivery,
    ) -> Self {
        Self {
            dispatcher: dispatcher.clone(),
            sender: Arc::new(Sender {
                installation: installation.clone(),
                user_id: user_id.map(str::to_owned),
                delivery,
                actor: OnceCell::new(),
            }),
        }
    }

    pub(super) fn app(&self) -> &App {
        &self.dispatcher.0.app
    }

    pub(super) fn slack(&self) -> &Slack {
        &self.dispatcher.0.reply_sender.slack
    }

    /// The id of the Slack user who acts, as the delivery names it.
    pub(super) fn user_id(&self) -> Option<&str> {
        self.sender.user_id.as_deref()
    }

    /// Runs beside the acknowledgement; shutdown waits for it.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.dispatcher.0.reply_sender.spawn(work);
    }

    /// The key under which this delivery takes effect once.
    pub(super) fn once(&self) -> IdempotencyKey {
        IdempotencyKey {
            key: self.sender.delivery.key.clone(),
            fingerprint: self.sender.delivery.fingerprint.clone(),
            keep: DELIVERY_KEPT,
        }
    }

    /// The account that acts, if it is a full, active member of our workspace.
    pub(super) async fn account(&self) -> Result<SlackAccount, Failure> {
        self.dispatcher
            .account(&self.sender.installation, self.user_id())
            .await
    }

    /// The person behind the account, for everything but decisions, which find the person in their own transaction.
    pub(super) async fn actor(&self) -> Result<&Actor, Failure> {
        let find = async || self.dispatcher.actor(&self.account().await?).await;
        self.sender.actor.get_or_try_init(find).await
    }
}

impl Dispatcher {
    /// The account of the user who acts, or why it may do nothing.
    pub(super) async fn account(
        &self,
        installation: &Installation,
        user_id: Option<&str>,
    ) -> Result<SlackAccount, Failure> {
        let user_id = user_id.filter(|id| !id.is_empty() && id.len() <= 64);
        let Some(user_id) = user_id else {
            return Err(replies::unchecked().into());
        };
        let asked_at = self.0.app.now();
        let slack = &self.0.reply_sender.slack;
        let found = self
            .0
            .access
            .look(slack, installation, user_id, asked_at)
            .await;
        if let Ok((access, Some(user))) = &found
            && user.id == user_id
        {
            self.share_access(installation, user, access, asked_at)
                .await;
        }
        match found.map(|(access, _)| access) {
            Ok(Ok(account)) => Ok(account),
            Ok(Err(why)) => {
                if let Some(left_out) = REFUSED_ACCOUNTS.admit() {
                    info!(user_id, %why, left_out, "refused an account without access");
                }
                Err(replies::access_denied(why).into())
            }
            Err(error) => {
                warn!(%error, "account access lookup failed");
                Err(replies::unchecked().into())
            }
        }
    }

    /// The active person of the directory with this account.
    pub(super) async fn actor(&self, account: &SlackAccount) -> Result<Actor, Failure> {
        let config = self.0.app.compiled_config().await?;
        let directory = config.directory();
        let person = match directory.by_slack(account) {
            None => return Err(replies::not_listed(&Ineligible::Unknown).into()),
            Some(person) if !person.active || directory.is_refused(account) => {
                return Err(replies::not_listed(&Ineligible::Inactive).into());
            }
            Some(person) => person.clone(),
        };
        Ok(Actor { person, config })
    }
}
