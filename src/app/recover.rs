//! The operator's way back in (docs/decisions.md D13): past gates and administrators, straight to the database, and loud about it.

use super::announce;
use super::config::nothing;
use super::config_change::{Before, Proposal};
use super::text::entered;
use super::{App, AppError, StoredConfig, outcome_messages};
use crate::domain::audit::AuditEventKind;
use crate::domain::decision::Via;
use crate::domain::diff::{before_and_after, diff};
use crate::domain::document::ConfigDocument;
use crate::domain::id::{ChannelId, RequestId, TokenId};
use crate::domain::message::Message;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::Status;
use crate::domain::time::Timestamp;
use crate::domain::token::Token;
use crate::store::{ListQuery, StoreError, Tx};
use serde_json::{Value, json};

/// What was put into force past every gate.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// What holds now.
    pub config: StoredConfig,
    /// What held before; none where nothing was stored, or nothing that reads.
    pub before: Option<ConfigDocument>,
    /// Whether anything has changed.
    pub changed: bool,
    /// Where it is told; none where no channel was or is configured.
    pub announced: Option<ChannelId>,
}

/// What was voided after a back-up was restored.
#[derive(Debug, Clone)]
pub struct Voided {
    /// The numbers of the requests, oldest first.
    pub requests: Vec<i64>,
    /// The API tokens, oldest first.
    pub tokens: Vec<Token>,
    /// How many break-glass sessions were ended.
    pub sessions: usize,
    /// Where it is told; none where no channel is configured.
    pub announced: Option<ChannelId>,
}

impl App {
    /// Puts a document into force, whatever gates it and whoever administers. The stored rules may be such that nobody can change
    /// them, or that they do not compile any more; the new ones must.
    pub async fn recover(
        &self,
        document: &ConfigDocument,
        reason: &str,
    ) -> Result<Recovered, AppError> {
        let reason = &stated(reason)?;
        let proposal = Proposal::new(document.clone())?;
        let recovered = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                tx.lock_config().await?;
                self.recover_in(tx, (proposal, document), reason, self.now())
                    .await
            })
            .await?;
        self.notify_changes(&[]);
        Ok(recovered)
    }

    async fn recover_in(
        &self,
        tx: &mut Tx,
        (proposal, document): (Proposal, &ConfigDocument),
        reason: &str,
        now: Timestamp,
    ) -> Result<Recovered, AppError> {
        let version = tx.config_version().await?;
        let before = readable(tx).await?;
        if before.as_ref() == Some(document) {
            return Ok(Recovered {
                config: StoredConfig {
                    version,
                    document: document.clone(),
                },
                before,
                changed: false,
                announced: None,
            });
        }
        let by = Caller::operator(Via::Cli);
        let next = (proposal, version + 1);
        let plan = self
            .plan(tx, Before::Unchecked(before.as_ref()), next, &by, now)
            .await?;
        self.save_plan(tx, &plan, before.as_ref(), (&by, Some(reason)), now)
            .await?;
        let version = plan.config.version();
        let (was, is) = match &before {
            Some(before) => before_and_after(before, document),
            None => (Value::Null, json!(document)),
        };
        let detail = json!({
            "version": version, "digest": plan.digest, "reason": reason, "before": was, "after": is,
        });
        tx.record(&self.own_event(now, AuditEventKind::Recovered, &by, detail))
            .await?;
        let channel = before.as_ref().and_then(announce::place);
        let channel = channel.or_else(|| announce::place(document)).cloned();
        let head = format!(
            "The operator has put a configuration into force past its gates and administrators (`countersign recover`, version {version})."
        );
        let nothing = nothing();
        let old = before.as_ref().unwrap_or(&nothing);
        for text in announce::texts(head, &diff(old, document), reason) {
            self.alert(tx, channel.as_ref(), text, now).await?;
        }
        if let Some(before) = &before {
            let (before, after) = plan.directories(before);
            let news = announce::of_groups(channel.as_ref(), document, (&before, after));
            self.send(tx, news, now).await?;
        }
        Ok(Recovered {
            config: StoredConfig {
                version,
                document: document.clone(),
            },
            before,
            changed: true,
            announced: channel,
        })
    }

    /// Cancels every request that is open, revokes every API token, and ends every break-glass session. After a back-up was restored,
    /// what was executed since reads as not executed, or as not even approved, and could be executed once more (threats OP5, R36);
    /// a token that was revoked since works again.
    pub async fn void_open(&self, reason: &str) -> Result<Voided, AppError> {
        let reason = &stated(reason)?;
        let (voided, moved) = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                tx.lock_config().await?;
                self.void_in(tx, reason, self.now()).await
            })
            .await?;
        self.notify_changes(&moved);
        Ok(voided)
    }

    async fn void_in(
        &self,
        tx: &mut Tx,
        reason: &str,
        now: Timestamp,
    ) -> Result<(Voided, Vec<(RequestId, i64)>), AppError> {
        let by = Caller::operator(Via::Cli);
        let open = tx.list(EVERY_OPEN, false).await?;
        let ids: Vec<&RequestId> = open.iter().rev().map(|one| &one.request.id).collect(); // oldest first
        tx.lock_requests(&ids, false).await?;
        let document = readable(tx).await?;
        let webhooks = document
            .as_ref()
            .map_or(&[][..], |document| document.webhooks.as_slice());
        let (mut numbers, mut moved) = (Vec::new(), Vec::new());
        for loaded in tx.requests(&ids, false).await? {
            let mut request = loaded.request;
            // what time has ended is void already
            let Ok(cancelled) = request.state.clone().cancel(now) else {
                continue;
            };
            let was = request.state.status();
            request.state = cancelled;
            tx.save_request(&mut request).await?;
            let message = format!(
                "void after a restored back-up, since it may have been executed after that back-up was made: {reason}"
            );
            let detail = json!({"was": was, "message": message});
            let event = self.event(
                now,
                AuditEventKind::RequestCancelled,
                &Principal::Operator,
                by.via,
                &request,
                detail,
            );
            self.record_with_webhooks(tx, &event, &request, webhooks)
                .await?;
            tx.touch_cards(&request.id, now).await?;
            self.send(tx, outcome_messages(&request), now).await?;
            numbers.push(request.number);
            moved.push((request.id, request.version));
        }
        numbers.sort_unstable();
        let sessions = self.end_sessions(tx, &by, now).await?;
        let why = format!("a back-up was restored: {reason}");
        let tokens = self.end_all_tokens(tx, &by, &why, now).await?;
        // one that was ended after the back-up is alive in it
        let sign_ins = tx.end_all_sign_ins(now).await?;
        let ended: Vec<&TokenId> = tokens.iter().map(|token| &token.id).collect();
        let detail = json!({
            "voided": numbers, "sessions": sessions, "tokens": ended, "signIns": sign_ins, "reason": reason,
        });
        tx.record(&self.own_event(now, AuditEventKind::Recovered, &by, detail))
            .await?;
        let channel = document.as_ref().and_then(announce::place).cloned();
        let text = void_text(&numbers, sessions, tokens.len(), reason);
        self.alert(tx, channel.as_ref(), text, now).await?;
        let voided = Voided {
            requests: numbers,
            tokens,
            sessions,
            announced: channel,
        };
        Ok((voided, moved))
    }

    /// Ends every active session: it may have been revoked after the back-up was made.
    async fn end_sessions(
        &self,
        tx: &mut Tx,
        by: &Caller,
        now: Timestamp,
    ) -> Result<usize, AppError> {
        let active = tx.active_sessions(now).await?;
        if active.is_empty() {
            return Ok(0);
        }
        let (config, _) = self.lock_config_for_session(tx).await?;
        let mut ended = 0;
        for session in active {
            let mut session = session.canonicalize_people(config.directory());
            if let Ok(over) = session.state.clone().revoke(now, by.principal.clone()) {
                session.state = over;
                self.close_session(tx, by, &session, &config, now).await?;
                ended += 1;
            }
        }
        Ok(ended)
    }

    async fn alert(
        &self,
        tx: &mut Tx,
        channel: Option<&ChannelId>,
        text: String,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let message = channel
            .cloned()
            .map(|channel| Message::Alert { channel, text });
        self.send(tx, message.into_iter().collect(), now).await
    }
}

/// Every request that may still be executed, now or once it is approved.
const EVERY_OPEN: ListQuery<'static> = ListQuery {
    statuses: &[
        Status::Pending,
        Status::Allowed,
        Status::Approved,
        Status::Bypassed,
    ],
    kind: None,
    requester: None,
    below: i64::MAX,
    limit: i64::MAX,
};

/// The stored document; none where it does not read, which is no reason to refuse a better one.
async fn readable(tx: &mut Tx) -> Result<Option<ConfigDocument>, AppError> {
    match tx.config().await {
        Ok(row) => Ok(row.map(|row| row.document)),
        Err(StoreError::Unreadable(why)) => {
            tracing::warn!(why, "stored configuration unreadable");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn stated(reason: &str) -> Result<String, AppError> {
    let why = "Say why: the reason is announced and stays in the audit log.";
    entered("reason", Some(reason))?.ok_or_else(|| Refusal::Forbidden(why.to_owned()).into())
}

fn void_text(numbers: &[i64], sessions: usize, tokens: usize, reason: &str) -> String {
    /// So many are named; the rest is counted.
    const NAMES_SHOWN: usize = 50;
    let mut names: Vec<String> = numbers
        .iter()
        .take(NAMES_SHOWN)
        .map(|number| format!("#{number}"))
        .collect();
    if numbers.len() > NAMES_SHOWN {
        names.push(format!("and {} more", numbers.len() - NAMES_SHOWN));
    }
    let what = if numbers.is_empty() {
        "There was none".to_owned()
    } else {
        names.join(", ")
    };
    let ended = match sessions {
        0 => String::new(),
        1 => " One break-glass session was ended.".to_owned(),
        many => format!(" {many} break-glass sessions were ended."),
    };
    let revoked = match tokens {
        0 => String::new(),
        1 => {
            " One API token was revoked; make a new one with `countersign token create`.".to_owned()
        }
        many => format!(
            " {many} API tokens were revoked; make new ones with `countersign token create`."
        ),
    };
    format!(
        "The operator restored a back-up (`countersign recover --restored`). Requests that were executed after that back-up may read as \
         open again, so every open request was cancelled: {what}. Whoever still needs one has to ask again.{ended}{revoked} Reason: {reason}"
    )
}
