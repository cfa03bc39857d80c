//! Slack's limits hold, and nobody's text becomes markup, whatever a request says.

use super::fixtures::{config, decision, home_of, later, logged, partly, with_payload};
use crate::domain::ask::Ask;
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decision::DecisionKind;
use crate::domain::diff::{Change, Difference, Line};
use crate::domain::document::{Binding, Level, PolicyTemplate, SlackIdentities};
use crate::domain::people::Directory;
use crate::domain::principal::Principal;
use crate::domain::request_details::RequestDetails;
use crate::slack::ui::pages::Page;
use crate::slack::ui::{
    Message, audit, card, content, details, direct, home, policies, policy_form, reject, replies,
    request_form, review,
};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// Checks one block kit part and all that is in it.
fn check(part: &Value) -> Result<(), TestCaseError> {
    if let Some(list) = part.as_array() {
        return list.iter().try_for_each(check);
    }
    let Some(members) = part.as_object() else {
        return Ok(());
    };
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let most = |value: &Value, most: usize| -> Result<(), TestCaseError> {
        let length = length(value);
        prop_assert!(length > 0 && length <= most, "{length} > {most}: {part}");
        Ok(())
    };
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    match part["type"].as_str().unwrap_or_default() {
        "section" => {
            if part["text"].is_object() {
                most(&part["text"]["text"], 3_000)?;
            }
            prop_assert!(count(&part["fields"]) <= 10);
            for field in part["fields"].as_array().into_iter().flatten() {
                most(&field["text"], 2_000)?;
            }
        }
        "context" => {
            prop_assert!((1..=10).contains(&count(&part["elements"])));
            for element in part["elements"].as_array().into_iter().flatten() {
                most(&element["text"], 2_000)?;
            }
        }
        "actions" => prop_assert!((1..=25).contains(&count(&part["elements"]))),
        "input" => {
            most(&part["label"]["text"], 2_000)?;
            most(&part["block_id"], 255)?;
            if part["hint"].is_object() {
                most(&part["hint"]["text"], 2_000)?;
            }
        }
        "static_select" | "multi_static_select" | "checkboxes" => {
            let groups = part["option_groups"].as_array();
            let options = groups.map_or(count(&part["options"]), |groups| {
                groups
                    .iter()
                    .map(|group| count(&group["options"]))
                    .max()
                    .unwrap_or(0)
            });
            let limit = if part["type"] == "checkboxes" {
                10
            } else {
                100
            };
            prop_assert!((1..=limit).contains(&options), "{options}");
        }
        "header" => most(&part["text"]["text"], 150)?,
        "button" => {
            most(&part["action_id"], 255)?;
            most(&part["text"]["text"], 75)?;
            most(&part["value"], 2_000)?;
            most(&part["accessibility_label"], 75)?;
        }
        "modal" => {
            most(&part["title"]["text"], 24)?;
            prop_assert!(length(&part["private_metadata"]) <= 3_000);
            prop_assert!(part.to_string().len() < 60_000);
        }
        "mrkdwn" => no_foreign_node(part["text"].as_str().unwrap_or_default())?,
        _ => {}
    }
    if members.contains_key("value")
        && members.contains_key("text")
        && !members.contains_key("type")
    {
        most(&part["text"]["text"], 75)?;
        most(&part["value"], 150)?;
    }
    if members.contains_key("deny") {
        most(&part["title"]["text"], 100)?;
        most(&part["text"]["text"], 300)?;
        most(&part["confirm"]["text"], 30)?;
    }
    members.values().try_for_each(check)
}

/// Checks a message: its blocks, and that Slack takes all of them together.
pub(super) fn check_message(message: &Message) -> Result<(), TestCaseError> {
    prop_assert!(message.blocks.len() <= 50);
    let length = message.text.chars().count();
    let most = if message.blocks.is_empty() {
        12_000
    } else {
        1_500
    };
    prop_assert!((1..=most).contains(&length), "{length}");
    no_foreign_node(&message.text)?;
    message.blocks.iter().try_for_each(check)?;
    let words: usize = message.blocks.iter().map(words).sum();
    prop_assert!(words <= 13_200, "{words}");
    Ok(())
}

/// The characters of all texts within; what Slack counts is not documented, and messages were seen refused from there on.
fn words(part: &Value) -> usize {
    match part {
        Value::Array(parts) => parts.iter().map(words).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if name == "text" => text.chars().count(),
                other => words(other),
            })
            .sum(),
        _ => 0,
    }
}

/// Only dates, mentions and channels of ours are nodes.
fn no_foreign_node(mrkdwn: &str) -> Result<(), TestCaseError> {
    for node in mrkdwn.split('<').skip(1) {
        let ours = ["!date^", "@U", "#C"]
            .iter()
            .any(|start| node.starts_with(start));
        prop_assert!(ours && node.contains('>'), "{mrkdwn}");
    }
    Ok(())
}

pub(super) fn hostile(words: &str, many: usize, payload: usize) -> RequestDetails {
    let long = "é<&".repeat(payload);
    let mut shown = with_payload(&if many.is_multiple_of(2) {
        format!("\"{long}\"")
    } else {
        serde_json::json!({"contentType": "text/plain", "text": format!("{words}\n{long}")})
            .to_string()
    });
    let base = partly();
    shown.request.reason = Some(words.repeat(30));
    shown.request.target.release = Some(words.chars().take(200).collect());
    shown.action.name = words.to_owned();
    for person in shown.people.values_mut() {
        words.clone_into(&mut person.name);
    }
    shown.difference = (many % 2 == 1).then(|| Difference {
        lines: vec![
            Line {
                change: Change::Changed,
                text: words.repeat(3),
                path: words.to_owned(),
            };
            many * 20
        ],
        touches: vec!["routes", "directory"],
        weakens: vec![words.to_owned(); many],
    });
    for n in 0..many {
        let mut policy = base.policies[0].clone();
        policy.name = words.to_owned();
        policy.missing = vec![words.to_owned(); 3];
        policy.description = words.to_owned();
        shown.policies.push(policy.clone());
        shown.observed.push(policy);
        let at = later(i64::try_from(n).unwrap_or(0));
        shown
            .decisions
            .push(decision("bob", DecisionKind::Approve, Some(words), at));
        let mut event = base.timeline[0].clone();
        event.note = Some(words.to_owned());
        shown.timeline.push(event);
        shown.waiting_for.push(words.into());
    }
    shown
}

/// An installation with long names and many of everything.
fn large(words: &str, many: usize) -> CompiledConfig {
    let mut document = config().document().clone();
    let name: String = words
        .chars()
        .filter(|sign| !sign.is_control())
        .take(200)
        .collect();
    let name = if name.trim().is_empty() {
        "x".to_owned()
    } else {
        name
    };
    let template = PolicyTemplate {
        name: name.clone(),
        description: name.clone(),
        ..document.policies[0].clone()
    };
    for n in 0..many {
        let id = format!("{}-{n}", "i".repeat(90));
        document.resources.projects.push(id.as_str().into());
        document.resources.environments.push(id.as_str().into());
        let mut user = document.directory.users[0].clone();
        (user.id, user.name, user.slack) =
            (id.as_str().into(), name.clone(), SlackIdentities::default());
        document.directory.users.push(user);
        let mut team = document.directory.teams[0].clone();
        (team.id, team.name) = (id.as_str().into(), name.clone());
        document.directory.teams.push(team);
        document.policies.push(PolicyTemplate {
            id: id.as_str().into(),
            ..template.clone()
        });
        document.bindings.push(Binding {
            policy: document.policies[0].id.clone(),
            level: Level::Environment,
            resource: Some(id),
        });
    }
    CompiledConfig::compile(1, document, &BTreeMap::new())
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn every_limit_holds_for_forms_and_policies(
        words in prop_oneof!["\\PC{1,200}", Just("é😀".repeat(90)), Just("<!channel> `x` ".repeat(12))],
        many in 0_usize..150,
    ) {
        let config = large(&words, many);
        let ask = Ask { reason: Some("é".repeat(3_000)), ..Ask::default() };
        let form = request_form::request_form(&config, &ask);
        prop_assert!(form.is_some());
        let policy = &config.document().policies[0];
        let edit = policy_form::edit(&config, Some(policy));
        prop_assert!(edit.is_some());
        let views = [
            policies::view(policy, &config, true),
            policy_form::bind(&config, policy),
            policy_form::unbind(&config, &config.document().bindings[0]),
        ];
        for view in form.iter().chain(&edit).chain(&views) {
            prop_assert!(view["blocks"].as_array().is_some_and(|blocks| blocks.len() <= 100));
            check(view)?;
        }
        let list = policies::list(config.document(), true);
        prop_assert!(list.body().to_string().chars().count() < 13_200 * 3);
        check_message(&list)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_limit_holds_and_no_text_is_markup_sl8(
        words in prop_oneof![
            "(?s).{1,150}",
            "[<>&*_~`]{1,150}",
            Just("<!channel> <@U1> <https://evil.example|Approve> &lt;!here&gt; \u{202e}\u{200b} :x: ".repeat(3)),
            Just("é😀".repeat(90)),
        ],
        many in 0_usize..45,
        payload in 0_usize..20_000,
    ) {
        let shown = hostile(&words, many, payload);
        let card = card(&shown);
        check_message(&card)?;
        let size = card.body().to_string().chars().count();
        prop_assert!(size < 13_000, "{size}");
        check(&details::details(&shown, shown.is_pending()))?;
        let event = logged(AuditEventKind::SessionStarted, Principal::Person(words.as_str().into()), Some(&words));
        let events = vec![event; 50];
        let pending = vec![shown.clone(); home::PAGE as usize];
        let lately = vec![shown.clone(); 11];
        let home = home_of(&pending, &lately, Some(&events[..home::EVENTS as usize]));
        prop_assert!(home["blocks"].as_array().is_some_and(|blocks| blocks.len() <= 100));
        let size = home.to_string().len();
        prop_assert!(size < 60_000, "{size}");
        check(&home)?;
        let log = audit::audit(&events, &Directory::default());
        check_message(&log)?;
        check(&reject::form(&shown))?;
        check_message(&direct::news(&shown))?;
        check_message(&replies::submitted(&shown, true))?;
        if let Some(review) = review::review(&shown, 1, &[]) {
            check(&review)?;
        }
    }
}

/// The largest payload there is: every page within the limits, and all of them together all of it.
#[test]
fn a_mebibyte_is_reviewed_page_by_page_sl9() {
    let payload = format!("\"{}\"", "é<`😀\u{202e}".repeat((1 << 20) / 13));
    let shown = with_payload(&payload);
    check(&card(&shown).body()["blocks"]).expect("a card");
    check(&details::details(&shown, shown.is_pending())).expect("details");
    let reading = content::reading(&shown).expect("it may be shown");
    let pages = reading.pages();
    let characters: usize = pages.iter().map(Page::characters).sum();
    assert_eq!(characters, reading.characters());
    for page in [1, pages.len() / 2, pages.len()] {
        let page = u32::try_from(page).expect("few pages");
        let view = review::review(&shown, page, &[]).expect("a page");
        check(&view).expect("within the limits");
    }
}
