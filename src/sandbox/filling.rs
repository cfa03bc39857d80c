//! Modals: filling in, submitting, closing.

use serde_json::{Value, json};

use super::acting::{ActError, Forge, person, top};
use super::deliver::{After, Answer, Delivery};
use super::forms::{Values, state_values};
use super::{Sandbox, payload};

impl Sandbox {
    /// Fills in and submits the modal on top.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn submit_view(
        &self,
        user: &str,
        values: impl Into<Values>,
    ) -> Result<Answer, ActError> {
        let delivery = self.submit_delivery(user, &values.into(), Forge::default())?;
        self.send(&delivery).await
    }

    /// The delivery of a submit, forged or not, not sent yet.
    ///
    /// # Errors
    /// [`ActError`].
    pub fn submit_delivery(
        &self,
        user: &str,
        values: &Values,
        forge: Forge,
    ) -> Result<Delivery, ActError> {
        let now_ms = self.now_ms();
        let (mut payload, after) = self.change(|state| {
            let person = person(state, user)?;
            let view = top(state, &person.id)?.clone();
            if view.body.get("submit").is_none_or(Value::is_null) {
                return Err(ActError::NoElement {
                    wanted: "submit".to_owned(),
                    there: "close".to_owned(),
                });
            }
            let values = state_values(&view.body, values).map_err(ActError::Form)?;
            let trigger = state.tickets.trigger(&person.id, now_ms);
            let mut payload =
                payload::envelope(&state.install, "view_submission", &person, &trigger);
            payload["view"] = payload::view_json(state, &view, &values);
            payload["response_urls"] = json!([]);
            Ok((
                payload,
                After::Submit {
                    user: person.id,
                    view_id: view.id,
                },
            ))
        })?;
        forge.apply(&mut payload);
        Ok(self.interaction(&payload, after))
    }

    /// Closes the modal on top; the bot hears of it only when it asked to. `None`: it did not ask.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn close_view(&self, user: &str) -> Result<Option<Answer>, ActError> {
        let payload = self.change(|state| {
            let person = person(state, user)?;
            let view = top(state, &person.id)?.clone();
            if let Some(stack) = state.modals.get_mut(&person.id) {
                stack.pop();
            }
            if view.body["notify_on_close"] != true {
                return Ok(None);
            }
            let mut payload = payload::envelope(&state.install, "view_closed", &person, "");
            if let Some(fields) = payload.as_object_mut() {
                fields.remove("trigger_id");
            }
            payload["view"] = payload::view_json(state, &view, &json!({}));
            payload["is_cleared"] = json!(false);
            Ok(Some(payload))
        })?;
        match payload {
            None => Ok(None),
            Some(payload) => self
                .send(&self.interaction(&payload, After::Nothing))
                .await
                .map(Some),
        }
    }
}
