//! Sign-ins to the web pages. Only the hash of a secret is stored.

use super::{StoreError, Tx, json, on_db, read, sql};
use crate::domain::id::{PersonId, SignInId};
use crate::domain::sign_in::SignIn;
use crate::domain::time::Timestamp;

sql! {
    INSERT = "INSERT INTO sign_ins (id, secret_hash, person, identity, started_at, seen_at, authenticated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    BY_HASH = "SELECT id, person, identity, started_at, seen_at, authenticated_at FROM sign_ins WHERE secret_hash = $1 AND ended_at IS NULL";
    OF_PERSON = "SELECT id, person, identity, started_at, seen_at, authenticated_at FROM sign_ins
        WHERE person = $1 AND ended_at IS NULL AND started_at > $2 AND seen_at > $3 ORDER BY started_at DESC, id DESC LIMIT 200";
    ALL = "SELECT id, person, identity, started_at, seen_at, authenticated_at FROM sign_ins
        WHERE ended_at IS NULL AND started_at > $1 AND seen_at > $2 ORDER BY started_at DESC, id DESC LIMIT 200";
    BY_ID = "SELECT id, person, identity, started_at, seen_at, authenticated_at FROM sign_ins WHERE id = $1 AND ended_at IS NULL";
    SEEN = "UPDATE sign_ins SET seen_at = $2 WHERE id = $1 AND seen_at < $3 AND ended_at IS NULL";
    END = "UPDATE sign_ins SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    END_OF_PERSON = "UPDATE sign_ins SET ended_at = $2 WHERE person = $1 AND ended_at IS NULL";
    END_ALL = "UPDATE sign_ins SET ended_at = $1 WHERE ended_at IS NULL";
    END_UNTIL = "UPDATE sign_ins SET ended_at = $3 WHERE ended_at IS NULL AND (started_at <= $1 OR seen_at <= $2)";
    LIVE = "SELECT id, person, identity, started_at, seen_at, authenticated_at FROM sign_ins WHERE ended_at IS NULL";
    FORGET = "DELETE FROM sign_ins WHERE started_at < $1";
}

#[derive(Debug, sqlx::FromRow)]
struct SignInRow {
    id: String,
    person: String,
    identity: String,
    started_at: i64,
    seen_at: i64,
    authenticated_at: Option<i64>,
}

impl SignInRow {
    fn sign_in(self) -> Result<SignIn, StoreError> {
        Ok(SignIn {
            id: read("id", self.id.parse())?,
            person: PersonId::new(self.person),
            identity: read("identity", serde_json::from_str(&self.identity))?,
            started_at: Timestamp(self.started_at),
            seen_at: Timestamp(self.seen_at),
            authenticated_at: self.authenticated_at.map(Timestamp),
        })
    }
}

impl Tx {
    /// Stores a sign-in under the hash of its secret.
    pub async fn insert_sign_in(
        &mut self,
        sign_in: &SignIn,
        secret_hash: &str,
    ) -> Result<(), StoreError> {
        let identity = json(&sign_in.identity)?;
        on_db!(self, |c| sqlx::query(INSERT)
            .bind(sign_in.id.as_str())
            .bind(secret_hash)
            .bind(sign_in.person.as_str())
            .bind(&identity)
            .bind(sign_in.started_at.0)
            .bind(sign_in.seen_at.0)
            .bind(sign_in.authenticated_at.map(|at| at.0))
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The sign-in with this hash, unless it has ended or cannot be read.
    pub async fn sign_in_by_hash(
        &mut self,
        secret_hash: &str,
    ) -> Result<Option<SignIn>, StoreError> {
        let row: Option<SignInRow> = on_db!(self, |c| sqlx::query_as(BY_HASH)
            .bind(secret_hash)
            .fetch_optional(c)
            .await)?;
        Ok(row.and_then(|row| self.readable_sign_in(row)))
    }

    /// The sign-in with this id, unless it has ended or cannot be read.
    pub async fn sign_in(&mut self, id: &SignInId) -> Result<Option<SignIn>, StoreError> {
        let row: Option<SignInRow> = on_db!(self, |c| sqlx::query_as(BY_ID)
            .bind(id.as_str())
            .fetch_optional(c)
            .await)?;
        Ok(row.and_then(|row| self.readable_sign_in(row)))
    }

    /// The newest 200 sign-ins that have not been ended, were started after one time and seen after another: of one person, or of
    /// everybody.
    pub async fn sign_ins(
        &mut self,
        of: Option<&PersonId>,
        started: Timestamp,
        seen: Timestamp,
    ) -> Result<Vec<SignIn>, StoreError> {
        let rows: Vec<SignInRow> = on_db!(self, |c| if let Some(person) = of {
            let list = sqlx::query_as(OF_PERSON).bind(person.as_str());
            list.bind(started.0).bind(seen.0).fetch_all(c).await
        } else {
            let list = sqlx::query_as(ALL).bind(started.0);
            list.bind(seen.0).fetch_all(c).await
        })?;
        let readable = rows
            .into_iter()
            .filter_map(|row| self.readable_sign_in(row));
        Ok(readable.collect())
    }

    /// Every sign-in that has not ended.
    pub async fn all_sign_ins(&mut self) -> Result<Vec<SignIn>, StoreError> {
        let rows: Vec<SignInRow> = on_db!(self, |c| sqlx::query_as(LIVE).fetch_all(c).await)?;
        let readable = rows
            .into_iter()
            .filter_map(|row| self.readable_sign_in(row));
        Ok(readable.collect())
    }

    /// Ends the sign-ins that began by one time, or were last used by another.
    pub async fn end_sign_ins_until(
        &mut self,
        started: Timestamp,
        seen: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(END_UNTIL)
            .bind(started.0)
            .bind(seen.0)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// An unreadable sign-in is none.
    fn readable_sign_in(&self, row: SignInRow) -> Option<SignIn> {
        let id = row.id.clone();
        self.readable("sign_ins", &id, row.sign_in())
    }

    /// Records that the browser was seen, unless that was recorded after `unless_since`.
    pub async fn sign_in_seen(
        &mut self,
        id: &SignInId,
        now: Timestamp,
        unless_since: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(SEEN)
            .bind(id.as_str())
            .bind(now.0)
            .bind(unless_since.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Ends a sign-in. Returns `false` if it does not exist or has ended.
    pub async fn end_sign_in(&mut self, id: &SignInId, now: Timestamp) -> Result<bool, StoreError> {
        let ended = on_db!(self, |c| sqlx::query(END)
            .bind(id.as_str())
            .bind(now.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(ended == 1)
    }

    /// Ends every sign-in of a person, including unreadable ones. Returns how many.
    pub async fn end_sign_ins_of(
        &mut self,
        person: &PersonId,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        on_db!(self, |c| sqlx::query(END_OF_PERSON)
            .bind(person.as_str())
            .bind(now.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    }

    /// Ends every sign-in, including unreadable ones. Returns how many.
    pub async fn end_all_sign_ins(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        on_db!(self, |c| sqlx::query(END_ALL)
            .bind(now.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    }

    /// Deletes the sign-ins that began before this time.
    pub async fn forget_sign_ins(&mut self, before: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(FORGET)
            .bind(before.0)
            .execute(c)
            .await
            .map(|_| ()))
    }
}
