//! What people want to be told. They change their own preferences only.

use super::{App, AppError};
use crate::domain::audit::AuditEventKind;
use crate::domain::document::QuietHours;
use crate::domain::id::PersonId;
use crate::domain::preferences::{Preferences, PreferencesChange};
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use serde_json::json;

impl App {
    /// A person's preferences, and the quiet hours of the configuration.
    pub async fn preferences(
        &self,
        person: &PersonId,
    ) -> Result<(Preferences, Option<QuietHours>), AppError> {
        let mut tx = self.0.db.read().await?;
        let preferences = tx.preferences(person).await?;
        drop(tx);
        let config = self.compiled_config().await?;
        let notifications = config.document().notifications.as_ref();
        let quiet = notifications.and_then(|notifications| notifications.quiet_hours);
        Ok((preferences, quiet))
    }

    /// Changes the caller's own preferences. The inner error says what is wrong with the change.
    pub async fn change_preferences(
        &self,
        caller: &Caller,
        change: &PreferencesChange,
    ) -> Result<Result<Preferences, String>, AppError> {
        let Some(person) = caller.principal.person() else {
            let why = "Only people have preferences.".to_owned();
            return Err(Refusal::Forbidden(why).into());
        };
        let config = self.compiled_config().await?;
        let now = self.now();
        if let Err(why) = change.check(person, config.directory(), now) {
            return Ok(Err(why));
        }
        let changed = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                tx.lock_principals(std::slice::from_ref(&caller.principal))
                    .await?;
                let before = tx.preferences(person).await?;
                let after = change.applied_to(&before);
                if after != before {
                    tx.save_preferences(person, &after, now).await?;
                    let detail = json!({"before": before, "after": after});
                    let what = AuditEventKind::PreferencesChanged;
                    let event = self.own_event(now, what, caller, detail);
                    tx.record(&event).await?;
                }
                Ok(after)
            })
            .await?;
        self.notify_changes(&[]);
        Ok(Ok(changed))
    }
}
