//! The operator's way back in (design 2.2, 3.1): past gates and administrators, straight to the database, and loud about it.

use super::announce;
use super::config::nothing;
use super::{App, AppError, StoredConfig, news_of};
use crate::domain::audit::What;
use crate::domain::diff::diff;
use crate::domain::document::Document;
use crate::domain::id::{ChannelId, RequestId};
use crate::domain::message::Message;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::Status;
use crate::domain::time::Timestamp;
use crate::domain::vote::Door;
use crate::store::{ListQuery, StoreError, Tx};
use serde_json::json;

/// What was put into force past every gate.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// What holds now.
    pub config: StoredConfig,
    /// What held before; none where nothing was stored, or nothing that reads.
    pub before: Option<Document>,
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
    /// How many break-glass sessions were ended.
    pub sessions: usize,
    /// Where it is told; none where no channel is configured.
    pub announced: Option<ChannelId>,
}

impl App {
    /// Puts a document into force, whatever gates it and whoever administers. The stored rules may be such that nobody can change
    /// them, or that they do not compile any more; the new ones must.
    pub async fn recover(&self, document: &Document, reason: &str) -> Result<Recovered, AppError> {
        let reason = stated(reason)?;
        let recovered = self
            .0
            .db
            .unit::<_, AppError>(async |tx| {
                tx.lock_rules().await?;
                self.recover_in(tx, document, reason, self.now()).await
            })
            .await?;
        self.moved(&[]);
        Ok(recovered)
    }

    async fn recover_in(
        &self,
        tx: &mut Tx,
        document: &Document,
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
        let by = Caller::operator(Door::Cli);
        let old = before.clone().unwrap_or_else(nothing);
        let plan = self
            .plan(tx, &old, (document, version + 1), &by, now)
            .await?;
        let row = self
            .carry_through(tx, &plan, &by, Some(reason), now)
            .await?;
        let detail = json!({
            "version": row.version, "digest": row.digest, "reason": reason, "before": before, "after": row.document,
        });
        tx.record(&self.own_event(now, What::Recovered, &by, detail))
            .await?;
        let channel = before.as_ref().and_then(announce::place);
        let channel = channel.or_else(|| announce::place(document)).cloned();
        let head = format!(
            "The operator has put a configuration into force past its gates and administrators (`countersign recover`, version {}).",
            row.version
        );
        for text in announce::told(head, &diff(&old, document), reason) {
            self.alert(tx, channel.as_ref(), text, now).await?;
        }
        Ok(Recovered {
            config: StoredConfig {
                version: row.version,
                document: row.document,
            },
            before,
            changed: true,
            announced: channel,
        })
    }

    /// Voids every grant that was not executed, and ends every break-glass session. After a back-up was restored, what was executed since reads as not executed, and could
    /// be executed once more (threat OP5).
    pub async fn void_grants(&self, reason: &str) -> Result<Voided, AppError> {
        let reason = stated(reason)?;
        let (voided, moved) = self
            .0
            .db
            .unit::<_, AppError>(async |tx| {
                tx.lock_rules().await?;
                self.void_in(tx, reason, self.now()).await
            })
            .await?;
        self.moved(&moved);
        Ok(voided)
    }

    async fn void_in(
        &self,
        tx: &mut Tx,
        reason: &str,
        now: Timestamp,
    ) -> Result<(Voided, Vec<(RequestId, i64)>), AppError> {
        let by = Caller::operator(Door::Cli);
        let grants = tx.list(EVERY_GRANT, false).await?;
        let ids: Vec<&RequestId> = grants.iter().rev().map(|one| &one.request.id).collect(); // oldest first
        tx.lock_requests(&ids, false).await?;
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
            let detail =
                json!({"was": was, "message": format!("void after a restored back-up: {reason}")});
            let event = self.event(
                now,
                What::RequestCancelled,
                &Principal::Operator,
                by.via,
                &request,
                detail,
            );
            tx.record(&event).await?;
            tx.touch_cards(&request.id, now).await?;
            self.send(tx, news_of(&request), now).await?;
            numbers.push(request.number);
            moved.push((request.id, request.version));
        }
        numbers.sort_unstable();
        let sessions = self.end_sessions(tx, &by, now).await?;
        let detail = json!({"voided": numbers, "sessions": sessions, "reason": reason});
        tx.record(&self.own_event(now, What::Recovered, &by, detail))
            .await?;
        let document = readable(tx).await?;
        let channel = document.as_ref().and_then(announce::place).cloned();
        let text = void_text(&numbers, sessions, reason);
        self.alert(tx, channel.as_ref(), text, now).await?;
        let voided = Voided {
            requests: numbers,
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
        let (rules, _) = self.hold_rules(tx).await?;
        let mut ended = 0;
        for mut session in active {
            if let Ok(over) = session.state.clone().revoke(now, by.principal.clone()) {
                session.state = over;
                self.close_session(tx, by, &session, &rules, now).await?;
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

/// Every request that may still be executed.
const EVERY_GRANT: ListQuery<'static> = ListQuery {
    statuses: &[Status::Allowed, Status::Approved, Status::Bypassed],
    kind: None,
    requester: None,
    below: i64::MAX,
    limit: i64::MAX,
};

/// The stored document; none where it does not read, which is no reason to refuse a better one.
async fn readable(tx: &mut Tx) -> Result<Option<Document>, AppError> {
    match tx.config().await {
        Ok(row) => Ok(row.map(|row| row.document)),
        Err(StoreError::Unreadable(why)) => {
            tracing::warn!(why, "the stored configuration does not read");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn stated(reason: &str) -> Result<&str, AppError> {
    let reason = reason.trim();
    if reason.is_empty() {
        let why = "Say why: the reason is announced and stays in the audit log.";
        return Err(Refusal::Forbidden(why.to_owned()).into());
    }
    Ok(reason)
}

fn void_text(numbers: &[i64], sessions: usize, reason: &str) -> String {
    /// So many are named; the rest is counted.
    const NAMED: usize = 50;
    let mut names: Vec<String> = numbers
        .iter()
        .take(NAMED)
        .map(|number| format!("#{number}"))
        .collect();
    if numbers.len() > NAMED {
        names.push(format!("and {} more", numbers.len() - NAMED));
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
    format!(
        "The operator has restored a back-up, so that every permission not used yet is void (`countersign recover --restored`): {what}. \
         Whoever still needs one asks again.{ended} Reason: {reason}"
    )
}
