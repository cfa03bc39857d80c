//! What people want to be told.

use super::{StoreError, Tx, json, on_db, sql};
use crate::domain::id::PersonId;
use crate::domain::preferences::Preferences;
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

sql! {
    GET = "SELECT wishes FROM preferences WHERE person = $1";
    ALL = "SELECT person, wishes FROM preferences";
    SAVE = "INSERT INTO preferences (person, wishes, changed_at) VALUES ($1, $2, $3)
        ON CONFLICT (person) DO UPDATE SET wishes = excluded.wishes, changed_at = excluded.changed_at";
}

/// Wishes that this release cannot read count as none: the person is told everything.
fn wishes_of(person: &str, text: &str) -> Preferences {
    serde_json::from_str(text).unwrap_or_else(|error| {
        tracing::warn!(person, %error, "preferences unreadable, defaults used");
        Preferences::default()
    })
}

impl Tx {
    /// A person's preferences.
    pub async fn preferences(&mut self, person: &PersonId) -> Result<Preferences, StoreError> {
        let row: Option<(String,)> = on_db!(self, |c| sqlx::query_as(GET)
            .bind(person.as_str())
            .fetch_optional(c)
            .await)?;
        Ok(row.map_or_else(Preferences::default, |(text,)| {
            wishes_of(person.as_str(), &text)
        }))
    }

    /// The preferences of everybody who has changed theirs.
    pub async fn all_preferences(&mut self) -> Result<BTreeMap<PersonId, Preferences>, StoreError> {
        let rows: Vec<(String, String)> = on_db!(self, |c| sqlx::query_as(ALL).fetch_all(c).await)?;
        let read = |(person, text): (String, String)| {
            let wishes = wishes_of(&person, &text);
            (PersonId::from(person.as_str()), wishes)
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Saves a person's preferences.
    pub async fn save_preferences(
        &mut self,
        person: &PersonId,
        preferences: &Preferences,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let text = json(preferences)?;
        on_db!(self, |c| sqlx::query(SAVE)
            .bind(person.as_str())
            .bind(&text)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }
}
