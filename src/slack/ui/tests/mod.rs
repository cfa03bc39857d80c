mod fixtures;
mod limits;
mod longest;
mod on_web;

use super::content::{self, Offer};
use super::{
    Message, audit, card, card_value, details, direct, help, pages, policies, policy_form,
    read_value, reject, replies, request_form, review,
};
use crate::app::LoggedEvent;
use crate::domain::ask::Ask;
use crate::domain::audit::AuditEventKind;
use crate::domain::diff::diff;
use crate::domain::digest::Digest;
use crate::domain::document::{Risk, ShowPayload};
use crate::domain::eligibility::{Ineligible, Involvement};
use crate::domain::people::Directory;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::request::Status;
use crate::domain::request_details::RequestDetails;
use crate::domain::violation::{AskField, Violation, ViolationCode};
use crate::slack::inbound::View;
use crate::slack::inbound::command::ParseError;
use fixtures::{approved, every_state, home_of, logged, partly, pending, with_payload};
use serde_json::Value;

/// What a person reads, block by block, with the buttons in brackets.
fn read(blocks: &[Value]) -> String {
    let mut lines = Vec::new();
    for block in blocks {
        let texts = [&block["text"]].into_iter().chain(array(&block["fields"]));
        let small = array(&block["elements"]).filter(|_| block["type"] == "context");
        lines.extend(
            texts
                .chain(small)
                .filter_map(|text| text["text"].as_str().map(str::to_owned)),
        );
        let buttons = array(&block["elements"]).chain([&block["accessory"]]);
        let buttons: Vec<String> = buttons
            .filter(|b| b["type"] == "button")
            .map(button)
            .collect();
        if !buttons.is_empty() {
            lines.push(buttons.join(" "));
        }
        if block["type"] == "input" {
            lines.push(format!(
                "<{}: {}>",
                block["block_id"], block["label"]["text"]
            ));
        }
    }
    lines.join("\n")
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn button(button: &Value) -> String {
    let style = button["style"]
        .as_str()
        .map_or(String::new(), |s| format!(" {s}"));
    let asks = if button["confirm"].is_object() {
        " ?"
    } else {
        ""
    };
    format!(
        "[{}{style}{asks}]",
        button["text"]["text"].as_str().unwrap_or_default()
    )
}

fn blocks(view: &Value) -> String {
    read(&array(&view["blocks"]).cloned().collect::<Vec<_>>())
}

fn message(message: &Message) -> String {
    format!("text: {}\n{}", message.text, read(&message.blocks))
}

#[test]
fn cards_of_every_state() {
    let cards: Vec<String> = every_state()
        .iter()
        .map(|(state, shown)| format!("== {state}\n{}", message(&card(shown))))
        .collect();
    insta::assert_snapshot!(cards.join("\n\n"));
}

#[test]
fn the_card_as_slack_gets_it() {
    insta::assert_json_snapshot!(card(&partly()).body());
}

#[test]
fn direct_messages_of_every_state() {
    let messages: Vec<String> = every_state()
        .iter()
        .map(|(state, shown)| format!("== {state}\n{}", message(&direct::news(shown))))
        .collect();
    insta::assert_snapshot!(messages.join("\n\n"));
}

#[test]
fn details_and_home() {
    let details = format!(
        "== pending\n{}\n\n== approved\n{}",
        blocks(&details::details(&partly(), true)),
        blocks(&details::details(&approved(), false))
    );
    insta::assert_snapshot!("details", details);
    let home = format!(
        "== busy\n{}\n\n== empty\n{}",
        blocks(&home_of(
            &[pending()],
            &[partly(), approved()],
            Some(&events())
        )),
        blocks(&home_of(&[], &[], None))
    );
    insta::assert_snapshot!("home", home);
}

fn events() -> [LoggedEvent; 4] {
    let bob = || Principal::Person("bob".into());
    [
        logged(
            AuditEventKind::Recovered,
            Principal::Operator,
            Some("locked out"),
        ),
        logged(AuditEventKind::RequestBypassed, bob(), None),
        logged(
            AuditEventKind::SessionStarted,
            bob(),
            Some("the database is <down>"),
        ),
        logged(AuditEventKind::VoteApproved, bob(), Some("looks fine")),
    ]
}

/// Highlighted in words and by a sign, wherever it is shown.
#[test]
fn the_audit_log_marks_break_glass_in_words() {
    let told = audit::audit(&events(), &Directory::default());
    insta::assert_snapshot!("audit", message(&told));
}

#[test]
fn forms_read_well() {
    let reject = reject::form(&pending());
    assert_eq!(reject["title"]["text"], "Reject #42");
    assert_eq!(reject["submit"]["text"], "Reject request");
    let forms = format!(
        "== reject\n{}\n\n== new request\n{}",
        blocks(&reject),
        blocks(&request_form::request_form(&fixtures::config(), &Ask::default()).expect("a form")),
    );
    insta::assert_snapshot!("forms", forms);
}

#[test]
fn policies_read_well() {
    let config = fixtures::config();
    let policies = &config.document().policies;
    let pages = format!(
        "== list\n{}\n\n== for everybody\n{}\n\n== for an administrator\n{}\n\n== edit\n{}\n\n== bind\n{}\n\n== unbind\n{}",
        message(&policies::list(config.document(), true)),
        blocks(&policies::view(&policies[0], &config, false)),
        blocks(&policies::view(&policies[2], &config, true)),
        blocks(&policy_form::edit(&config, Some(&policies[1])).expect("a form")),
        blocks(&policy_form::bind(&config, &policies[0])),
        blocks(&policy_form::unbind(
            &config,
            &config.document().bindings[0]
        )),
    );
    insta::assert_snapshot!("policies", pages);
}

/// What was filled in without a change is the policy that is stored.
#[test]
fn a_policy_form_that_is_sent_as_it_was_opened_changes_nothing() {
    let config = fixtures::config();
    for policy in &config.document().policies {
        let form = policy_form::edit(&config, Some(policy)).expect("a form");
        let view = as_sent(&form);
        assert_eq!(policy_form::read(&view, Some(policy)).as_ref(), Ok(policy));
    }
}

/// A form as Slack sends it when nobody has changed anything in it.
fn as_sent(form: &Value) -> View {
    let mut values = serde_json::Map::new();
    for block in array(&form["blocks"]).filter(|block| block["type"] == "input") {
        let (name, element) = (
            block["block_id"].as_str().expect("a name"),
            &block["element"],
        );
        let state = serde_json::json!({
            "value": element["initial_value"],
            "selected_option": element["initial_option"],
            "selected_options": element["initial_options"],
        });
        values.insert(name.to_owned(), serde_json::json!({ name: state }));
    }
    let mut view = form.clone();
    view["state"] = serde_json::json!({ "values": values });
    serde_json::from_value(view).expect("a view")
}

#[test]
fn a_configuration_change_reads_as_what_differs() {
    let before = fixtures::config().document().clone();
    let mut after = before.clone();
    after.policies[0].quorum.min_approvals = 1;
    after.policies[0].description = "`<!channel>` \u{202e}".to_owned();
    after.bindings.pop();
    let mut shown = with_payload(r#"{"document":{},"madeFrom":1}"#);
    shown.difference = Some(diff(&before, &after));
    assert_eq!(content::offer(&shown), Offer::Review);
    insta::assert_snapshot!("change", message(&card(&shown)));
}

#[test]
fn on_home_what_the_line_does_not_say_is_reviewed_sl9() {
    let first = |shown: RequestDetails| {
        let home = home_of(&[shown], &[], None);
        let buttons = array(&home["blocks"])
            .filter(|block| block["type"] == "actions")
            .nth(1);
        buttons.expect("buttons")["elements"][0]["action_id"].clone()
    };
    assert_eq!(first(pending()), "review");
    assert_eq!(first(with_payload("null")), "approve");
    let mut long = with_payload("null");
    long.request.target.release = Some("v".repeat(500));
    assert_eq!(first(long), "review");
}

#[test]
fn answers_begin_with_the_specifications_sentence() {
    let violation = Violation::new(
        AskField::Environment,
        ViolationCode::UnknownResource,
        "unknown environment `prod`; did you mean `production`?",
    );
    let shown = pending();
    let refusals = [
        Refusal::NotEligible(Ineligible::NotNamed),
        Refusal::NotEligible(Ineligible::Excluded(Involvement::Requester)),
        Refusal::AlreadyReviewed,
        Refusal::Closed(Status::Approved),
        Refusal::DigestMismatch,
        Refusal::NotFound,
        Refusal::Violations(vec![violation]),
    ];
    let mut answers: Vec<String> = refusals
        .iter()
        .map(|refusal| replies::refusal(refusal, Some(&shown)).text)
        .collect();
    answers.push(replies::submitted(&shown, true).text);
    answers.push(replies::submitted(&shown, false).text);
    answers.push(replies::submitted(&every_state()[6].1, true).text);
    let misread = ParseError("Unknown word `<!here>`; did you mean `help`?".to_owned());
    answers.push(help::misread(&misread, "<!here> `x`").text);
    insta::assert_snapshot!(answers.join("\n\n"));
}

#[test]
fn a_value_carries_request_and_digest_and_nothing_else() {
    let shown = pending();
    let value = card_value(&shown);
    let request = &shown.request;
    assert_eq!(
        read_value(&value),
        Some((request.id.clone(), request.digest.clone()))
    );
    assert!(value.len() <= 2_000);
    for foreign in [
        "",
        "42",
        request.id.as_str(),
        &format!("{value} approve"),
        &value.replace(' ', "  "),
        &value.to_uppercase(),
    ] {
        assert_eq!(read_value(foreign), None, "{foreign}");
    }
}

#[test]
fn a_critical_action_has_no_green_button_and_asks() {
    let mut shown = pending();
    shown.action.risk = Risk::Critical;
    let shown = message(&card(&shown));
    assert!(shown.contains("[Approve ?] [Reject] [Details]"), "{shown}");
}

#[test]
fn what_does_not_fit_is_reviewed_sl9() {
    let long = format!("\"{}\"", "rm -rf / ".repeat(400));
    let shown = with_payload(&long);
    assert_eq!(content::offer(&shown), Offer::Review);
    let card = message(&card(&shown));
    assert!(card.contains("[Review] [Reject] [Details]"), "{card}");
    assert!(!card.contains("[Approve"), "{card}");
    // nor can it be approved from Details, which do not show it
    let details = details::details(&shown, shown.is_pending()).to_string();
    assert!(!details.contains(r#""value":"approve""#));
    assert!(details.contains(r#""value":"reject""#));
}

#[test]
fn details_show_what_can_be_approved_there_sl9() {
    let details = details::details(&pending(), true).to_string();
    assert!(details.contains(r#""value":"approve""#));
    assert!(details.contains("api:1.4.2"), "{details}");
}

/// What stands in the code blocks of a view, as Slack shows it.
fn code_in(view: &Value) -> String {
    let code = array(&view["blocks"]).filter_map(|block| {
        let text = block["text"]["text"].as_str()?;
        text.strip_prefix("```")?.strip_suffix("```")
    });
    let code: String = code.collect();
    code.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[test]
fn review_shows_every_byte_of_what_has_the_digest_sl9() {
    let long = format!("\"{}\"", "é<`😀\u{202e}x".repeat(6_000));
    let shown = with_payload(&long);
    let document = content::document(&shown).expect("it may be shown");
    assert_eq!(Digest::of(document.as_bytes()), shown.request.digest);
    let reading = content::reading(&shown).expect("it may be read");
    let pages = reading.pages();
    assert!(pages.len() > 2);
    let mut seen = Vec::new();
    let mut read_back = String::new();
    for page in 1..=u32::try_from(pages.len()).expect("few pages") {
        let view = review::review(&shown, page, &seen).expect("a page");
        read_back += &code_in(&view);
        let words = blocks(&view);
        assert!(words.contains(&format!("Page {page} of {}", pages.len())));
        assert!(words.contains("not shown on this page"));
        assert!(words.contains("[Approve primary] [Reject]"));
        let left = pages.len() - usize::try_from(page).expect("a small number");
        assert_eq!(words.contains("not been opened yet"), left > 0);
        let view: View = serde_json::from_value(view).expect("a view");
        seen = review::pages_seen(&view);
        assert_eq!(seen, (1..=page).collect::<Vec<_>>());
    }
    // the pages together are the document, with JSON's own escapes where a character would not be seen
    let read_back: Value = serde_json::from_str(&read_back).expect("JSON");
    let read_back = crate::domain::digest::canonical(&read_back).expect("canonical");
    assert_eq!(read_back, document);
    assert_eq!(review::review(&shown, 0, &[]), None);
    assert_eq!(review::review(&shown, 99, &[]), None);
}

const DIFF: &str = "--- a/app.yaml\n+++ b/app.yaml\n@@ -1,3 +1,3 @@\n kind: Deployment\n \n-  replicas: 2 \n+\treplicas: 3\n+  note: <!here> `x` \u{202e}\r\n";

fn text_payload(text: &str) -> String {
    serde_json::json!({"contentType": "text/x-diff", "text": text}).to_string()
}

#[test]
fn a_text_is_read_line_by_line_and_nothing_in_it_is_unseen_b13_sl9() {
    let shown = with_payload(&text_payload(DIFF));
    assert_eq!(content::offer(&shown), Offer::Whole);
    let fed = with_payload(&format!(
        r#"{{"command":["kubectl","apply","-f","-"],"input":{}}}"#,
        text_payload("kind: Pod\n")
    ));
    let read = [
        message(&card(&shown)),
        blocks(&details::details(&shown, shown.is_pending())),
        blocks(&review::review(&shown, 1, &[]).expect("a page")),
        message(&card(&fed)),
        blocks(&review::review(&fed, 1, &[]).expect("a page")),
    ];
    insta::assert_snapshot!(read.join("\n\n== next\n"));
    assert_ne!(
        card(&with_payload(&text_payload("tr"))),
        card(&with_payload(&text_payload("tr ")))
    );
}

#[test]
fn a_long_text_is_reviewed_sl9() {
    for long in ["x\n".repeat(61), "long ".repeat(800), "a\n".repeat(300_000)] {
        let shown = with_payload(&text_payload(&long));
        assert_eq!(content::offer(&shown), Offer::Review);
        let card = message(&card(&shown));
        assert!(card.contains("[Review]") && !card.contains("[Approve"));
    }
}

/// The review of a text says which action, which target, which kind, and the text: what has the digest, and nothing else.
#[test]
fn a_reviewed_text_is_what_has_the_digest_b12() {
    let shown = with_payload(&text_payload(&DIFF.repeat(40)));
    let reading = content::reading(&shown).expect("it may be read");
    let mut read = String::new();
    for block in reading.pages().iter().flat_map(pages::Page::blocks) {
        let text = block["text"]["text"].as_str().expect("a text").to_owned();
        match text.strip_prefix("```\n") {
            None => read.push_str(text.trim_matches('`')),
            Some(lines) => read = format!("{read}\n{}", lines.trim_end_matches("\n```")),
        }
    }
    let read = read.replace("&lt;", "<").replace("&gt;", ">");
    let (head, text) = read.split_once('\n').expect("a head and a text");
    let head: Value = serde_json::from_str(head).expect("JSON");
    let target = crate::domain::digest::canonical(&head["target"]).expect("canonical");
    let kind = &head["contentType"];
    let text = Value::from(crate::domain::content::tests::read_back(text));
    let document = format!(
        r#"{{"action":{},"payload":{{"contentType":{kind},"text":{text}}},"target":{target}}}"#,
        head["action"]
    );
    assert_eq!(Digest::of(document.as_bytes()), shown.request.digest);
}

#[test]
fn a_payload_that_a_policy_keeps_out_is_on_no_surface() {
    let mut shown = with_payload(r#"{"secret":"hunter2"}"#);
    shown.request.gates[0].template = fixtures::template(ShowPayload::Never);
    let words = message(&card(&shown));
    assert!(words.contains("[Approve primary]"), "{words}");
    assert!(words.contains("kept out of Slack"), "{words}");
    let everything = [
        card(&shown).body(),
        details::details(&shown, shown.is_pending()),
        direct::news(&shown).body(),
        home_of(
            std::slice::from_ref(&shown),
            std::slice::from_ref(&shown),
            None,
        ),
    ];
    for surface in everything {
        assert!(!surface.to_string().contains("hunter2"), "{surface}");
    }
    assert_eq!(review::review(&shown, 1, &[]), None);
}

#[test]
fn a_payload_for_details_only_is_reviewed() {
    let mut shown = with_payload(r#"{"image":"api:1.4.2"}"#);
    shown.request.gates[0].template = fixtures::template(ShowPayload::Details);
    let words = message(&card(&shown));
    assert!(
        words.contains("[Review]") && !words.contains("api:1.4.2"),
        "{words}"
    );
    let review = review::review(&shown, 1, &[]).expect("a page");
    assert!(review.to_string().contains("api:1.4.2"));
}

#[test]
fn pages_seen_of_a_changed_modal_are_only_numbers() {
    for carried in ["", "x", "{}", r#"{"seen":["a"]}"#, r#"{"seen":[-1]}"#] {
        let view = View {
            private_metadata: Some(carried.to_owned()),
            ..View::default()
        };
        assert_eq!(review::pages_seen(&view), Vec::<u32>::new(), "{carried}");
    }
}
