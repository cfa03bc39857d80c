//! Clicks on messages, in modals and on the Home tab.

use serde_json::{Value, json};

use super::acting::{ActError, Element, Forge, Place, person, top};
use super::deliver::{After, Answer, Delivery};
use super::forms::{Values, elements_of, option_of, state_values};
use super::state::{State, User, View};
use super::{Sandbox, payload};

impl Sandbox {
    /// Clicks a button of a message.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn click(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        action_id: &str,
    ) -> Result<Answer, ActError> {
        self.click_with(user, channel, ts, action_id, Forge::default())
            .await
    }

    /// Clicks a button of a message, with a forged interaction.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn click_with(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        action_id: &str,
        forge: Forge,
    ) -> Result<Answer, ActError> {
        self.press(
            user,
            Place::Message { channel, ts },
            action_id.into(),
            forge,
        )
        .await
    }

    /// Clicks in the topmost modal.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn click_in_modal(&self, user: &str, action_id: &str) -> Result<Answer, ActError> {
        self.press(user, Place::Modal, action_id.into(), Forge::default())
            .await
    }

    /// Clicks on the Home tab; `value` distinguishes buttons with the same action id.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn click_home(
        &self,
        user: &str,
        action_id: &str,
        value: Option<&str>,
    ) -> Result<Answer, ActError> {
        let element = Element {
            value,
            ..action_id.into()
        };
        self.press(user, Place::Home, element, Forge::default())
            .await
    }

    /// Uses any element anywhere, forged or not.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn press(
        &self,
        user: &str,
        place: Place<'_>,
        element: Element<'_>,
        forge: Forge,
    ) -> Result<Answer, ActError> {
        let delivery = self.press_delivery(user, place, element, forge)?;
        self.send(&delivery).await
    }

    /// The delivery of a click, without sending it, so that it can be sent late, twice, in another order or with another signature.
    ///
    /// # Errors
    /// [`ActError`].
    pub fn press_delivery(
        &self,
        user: &str,
        place: Place<'_>,
        element: Element<'_>,
        forge: Forge,
    ) -> Result<Delivery, ActError> {
        let now_ms = self.now_ms();
        let mut payload = self.change(|state| {
            let person = person(state, user)?;
            let trigger = state.tickets.trigger(&person.id, now_ms);
            let mut payload = payload::envelope(&state.install, "block_actions", &person, &trigger);
            let blocks = match place {
                Place::Message { channel, ts } => {
                    self.press_message(state, &mut payload, &person, channel, ts, now_ms)?
                }
                Place::Modal => press_view(state, &mut payload, top(state, &person.id)?),
                Place::Home => press_view(
                    state,
                    &mut payload,
                    state.homes.get(&person.id).ok_or(ActError::NoView)?,
                ),
            };
            let action_ts = state.next_ts(now_ms);
            payload["actions"] = json!([action(&blocks, element, &action_ts)?]);
            Ok(payload)
        })?;
        forge.apply(&mut payload);
        Ok(self.interaction(&payload, After::Nothing))
    }

    fn press_message(
        &self,
        state: &mut State,
        payload: &mut Value,
        person: &User,
        channel: &str,
        ts: &str,
        now_ms: i64,
    ) -> Result<Vec<Value>, ActError> {
        let seen = state
            .channel(channel)
            .filter(|c| state.can_see(&person.id, c));
        let id = seen
            .map(|c| c.id.clone())
            .ok_or_else(|| ActError::NoChannel(channel.to_owned()))?;
        let path = state.tickets.reply_path(&person.id, &id, Some(ts), now_ms);
        let missing = || ActError::NoMessage {
            channel: id.clone(),
            ts: ts.to_owned(),
        };
        let channel = state.channels.get(&id).ok_or_else(missing)?;
        let mine =
            |only_for: &Option<String>| only_for.as_ref().is_none_or(|only| *only == person.id);
        let message = channel
            .messages
            .get(ts)
            .filter(|m| mine(&m.only_for))
            .ok_or_else(missing)?;
        payload::on_message(
            payload,
            state,
            channel,
            message,
            &format!("{}{path}", self.url()),
        );
        Ok(message.blocks.clone())
    }
}

fn press_view(state: &State, payload: &mut Value, view: &View) -> Vec<Value> {
    // blank fields do not prevent a click inside the view
    let values = state_values(&view.body, &Values::default()).unwrap_or_else(|_| json!({}));
    payload::on_view(payload, state, view, &values);
    view.body["blocks"].as_array().cloned().unwrap_or_default()
}

/// The entry of `actions[]`: the element as it is now, with what was chosen.
fn action(blocks: &[Value], wanted: Element<'_>, action_ts: &str) -> Result<Value, ActError> {
    let all = blocks.iter().flat_map(|block| {
        elements_of(block)
            .into_iter()
            .map(move |element| (block, element))
    });
    let fits = |(block, element): &(&Value, &Value)| {
        element["action_id"] == wanted.action_id
            && wanted.block_id.is_none_or(|id| block["block_id"] == id)
            && wanted.value.is_none_or(|value| element["value"] == value)
    };
    let Some((block, element)) = all.clone().find(fits) else {
        let there: Vec<_> = all
            .filter_map(|(_, element)| element["action_id"].as_str())
            .collect();
        return Err(ActError::NoElement {
            wanted: wanted.action_id.to_owned(),
            there: there.join(", "),
        });
    };
    let mut action = json!({
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": action_ts,
    });
    for field in ["text", "value", "style", "confirm", "url", "placeholder"] {
        if let Some(value) = element.get(field) {
            action[field] = value.clone();
        }
    }
    if let Some(value) = wanted.option {
        let option = option_of(element, value);
        let missing = || ActError::NoElement {
            wanted: value.to_owned(),
            there: "other options".to_owned(),
        };
        let option = option.ok_or_else(missing)?;
        let many = matches!(
            element["type"].as_str(),
            Some("checkboxes" | "multi_static_select" | "multi_external_select")
        );
        if many {
            action["selected_options"] = json!([option]);
        } else {
            action["selected_option"] = option;
        }
    }
    Ok(action)
}
