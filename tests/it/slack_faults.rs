//! Slack fails in 24 ways, each of which is survived by name: the request goes on, and its card becomes true.

use crate::database::on_both;
use crate::world::{DEPLOY, world};
use countersign::domain::time::Span;
use countersign::sandbox::Fault;
use std::fs;
use std::path::Path;

/// The faults of single calls, by name.
fn faults() -> Vec<(&'static str, Fault)> {
    let code = Fault::api;
    vec![
        (
            "429 with Retry-After",
            Fault::RateLimited { retry_after: 20 },
        ),
        ("ok: false, ratelimited", code("ratelimited")),
        ("500", Fault::Http(500)),
        ("502 and 503", Fault::Http(503)),
        ("refused", Fault::Disconnect),
        ("timeout before sending", Fault::Timeout),
        ("timeout after acceptance", Fault::TimeoutAfterEffect),
        ("reset in the middle of the body", Fault::CutMidBody),
        ("bad JSON", Fault::BadJson),
        ("slow drip", Fault::SlowDrip),
        (
            "redirect",
            Fault::Redirect("http://127.0.0.1:1/".to_owned()),
        ),
        ("message_not_found", code("message_not_found")),
        ("channel_not_found", code("channel_not_found")),
        ("not_in_channel", code("not_in_channel")),
        ("is_archived", code("is_archived")),
        ("token_revoked", code("token_revoked")),
        ("account_inactive", code("account_inactive")),
        ("msg_blocks_too_long", code("msg_blocks_too_long")),
    ]
}

/// The faults that are not of a single call, each with the test that survives it.
const ELSEWHERE: [(&str, &str); 6] = [
    (
        "DNS",
        "each_way_of_failing_says_where_why_and_what_to_do_f5",
    ),
    ("TLS", "a_certificate_that_is_not_trusted_says_so_f5"),
    (
        "inbound duplicate",
        "delivery_sent_sixteen_times_is_one_decision_without_a_reply_sl2",
    ),
    (
        "inbound reordered",
        "click_on_a_closed_card_is_refused_and_refreshes_the_card_sl11",
    ),
    (
        "inbound clock off by ten minutes",
        "signature_timestamps_are_accepted_up_to_five_minutes_off_sl2",
    ),
    (
        "24 hours of outage",
        "five_hundred_decisions_during_an_outage_cost_one_update_per_card_no1",
    ),
];

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source file"));
        }
    }
}

#[test]
fn all_24_faults_have_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    sources(&root.join("tests/it"), &mut text);
    for (fault, test) in ELSEWHERE {
        assert!(
            text.contains(&format!("fn {test}(")),
            "{fault}: no test is called {test}"
        );
    }
    assert_eq!(faults().len() + ELSEWHERE.len(), 24);
}

on_both! {
    async fn each_fault_of_a_call_is_survived_and_the_card_becomes_true(kind) {
        let world = world!(kind);
        for (at, (name, fault)) in faults().into_iter().enumerate() {
            let number = at + 1;
            world.types("alice", &DEPLOY.replace("v1.4.2", &format!("v{number}"))).await;
            world.slack.fail_next_of("chat.update", fault);
            world.types("bob", &format!("approve {number}")).await;
            for _ in 0..3 {
                world.passes(Span::seconds(45)).await;
            }
            let card = world.card();
            assert!(card.contains(&format!("*#{number}*")) && card.contains("1 of 2"), "{name}: {card}");
            assert_eq!(world.slack.leftovers(), Vec::<String>::new(), "{name}");
            let behind = "SELECT count(*) FROM cards WHERE due_at IS NOT NULL";
            assert_eq!(world.database.count(behind).await, 0, "{name}");
        }
        world.finish().await;
    }
}
