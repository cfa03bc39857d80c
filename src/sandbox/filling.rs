//! Forms in modals: filling in, submitting, closing.

use serde_json::{Value, json};

use super::acting::{ActError, Forge, person, top};
use super::deliver::{After, Answer, Delivery};
use super::elements::options_problem;
use super::forms::{Values, state_values};
use super::{Sandbox, payload};

/// The block of a long list, provided that enough was typed for the client to ask for options.
fn long_list<'a>(view: &'a Value, action_id: &str, typed: &str) -> Result<&'a Value, ActError> {
    let missing = || ActError::NoElement {
        wanted: action_id.to_owned(),
        there: "no long list of this name".to_owned(),
    };
    let mut blocks = view["blocks"].as_array().into_iter().flatten();
    let block = blocks.find(|block| {
        let element = &block["element"];
        let long =
            element["type"] == "external_select" || element["type"] == "multi_external_select";
        long && element["action_id"] == action_id
    });
    let block = block.ok_or_else(missing)?;
    let least = block["element"]["min_query_length"].as_u64().unwrap_or(3);
    let length = u64::try_from(typed.chars().count()).unwrap_or(u64::MAX);
    if length < least {
        return Err(missing());
    }
    Ok(block)
}

/// The options in an answer, checked as Slack does.
fn offered(answer: &Answer) -> Result<Vec<Value>, ActError> {
    let bad = |what: String| Err(ActError::BadAnswer(what));
    let body = answer.json().unwrap_or_default();
    let Some(options) = body["options"].as_array().filter(|_| answer.is_ack()) else {
        return bad("a long list is answered with options".to_owned());
    };
    if let Some(problem) = options_problem(options) {
        return bad(problem);
    }
    Ok(options.clone())
}

impl Sandbox {
    /// Fills in and submits the topmost modal.
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

    /// The delivery of a submitted form, forged or not, without sending it.
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
            let values = state_values(&view.with_offered(), values).map_err(ActError::Form)?;
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

    /// Types into a long list of the topmost modal and returns the offered options, as value and text.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn suggest(
        &self,
        user: &str,
        action_id: &str,
        typed: &str,
    ) -> Result<Vec<(String, String)>, ActError> {
        let (payload, view_id) = self.change(|state| {
            let person = person(state, user)?;
            let view = top(state, &person.id)?.clone();
            let block = long_list(&view.body, action_id, typed)?;
            let mut payload = payload::envelope(&state.install, "block_suggestion", &person, "");
            if let Some(fields) = payload.as_object_mut() {
                fields.remove("trigger_id");
            }
            payload["action_id"] = json!(action_id);
            payload["block_id"] = block["block_id"].clone();
            payload["value"] = json!(typed);
            payload["container"] = json!({"type": "view", "view_id": view.id});
            payload["view"] = payload::view_json(state, &view, &json!({}));
            Ok((payload, view.id))
        })?;
        let delivery = self.interaction(&payload, After::Nothing);
        let answer = self.send(&delivery).await?;
        let options = offered(&answer)?;
        self.change(|state| {
            let view = state.view_mut(&view_id).ok_or(ActError::NoView)?;
            let all = view.offered.entry(action_id.to_owned()).or_default();
            all.extend(options.iter().cloned());
            Ok(())
        })?;
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let read = |option: &Value| (word(&option["value"]), word(&option["text"]["text"]));
        Ok(options.iter().map(read).collect())
    }

    /// Closes the topmost modal. The bot is notified only if it asked for that; otherwise the result is `None`.
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
