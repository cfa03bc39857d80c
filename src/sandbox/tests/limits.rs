use serde_json::{Value, json};

use crate::sandbox::blocks::{check_message, check_view};

fn refused(blocks: Value) -> String {
    let blocks: Vec<Value> = serde_json::from_value(blocks).expect("a list");
    match check_message(&blocks) {
        Ok(()) => "fine".to_owned(),
        Err(error) => format!("{}: {}", error.code, error.messages.join("; ")),
    }
}

fn text(length: usize) -> Value {
    json!({"type": "plain_text", "text": "ä".repeat(length)})
}

fn button(id: &str, label: usize, value: usize) -> Value {
    json!({"type": "button", "action_id": id, "text": text(label), "value": "v".repeat(value)})
}

fn actions(elements: &[Value]) -> Value {
    json!([{"type": "actions", "elements": elements}])
}

type Change<'a> = &'a dyn Fn(&mut Value);

/// Each limit: content that just fits, and the pointer that Slack names for content that is one too large.
#[test]
fn every_limit_holds_at_its_edge() {
    let section = |length| json!([{"type": "section", "text": text(length)}]);
    let fields = |count, length| json!([{"type": "section", "fields": vec![text(length); count]}]);
    let header = |length| json!([{"type": "header", "text": text(length)}]);
    let context = |count| json!([{"type": "context", "elements": vec![text(1); count]}]);
    let named = |length| json!([{"type": "divider", "block_id": "b".repeat(length)}]);
    let many = |count: usize| {
        actions(
            &(0..count)
                .map(|n| button(&n.to_string(), 1, 1))
                .collect::<Vec<_>>(),
        )
    };
    let select = |count: usize| {
        let options: Vec<_> = (0..count)
            .map(|n| json!({"text": text(75), "value": n.to_string()}))
            .collect();
        actions(&[json!({"type": "static_select", "action_id": "a", "options": options})])
    };
    let confirm = |title, body, yes| {
        let mut asked = button("a", 1, 1);
        asked["confirm"] = json!({"title": text(title), "text": text(body), "confirm": text(yes)});
        actions(&[asked])
    };
    let cases = [
        (section(3000), section(3001), "/blocks/0/text/text"),
        (fields(6, 2000), fields(1, 2001), "/blocks/0/fields/0/text"),
        (fields(10, 1), fields(11, 1), "/blocks/0/fields"),
        (header(150), header(151), "/blocks/0/text/text"),
        (context(10), context(11), "/blocks/0/elements"),
        (named(255), named(256), "/blocks/0/block_id"),
        (many(25), many(26), "/blocks/0/elements"),
        (select(100), select(101), "/blocks/0/elements/0/options"),
        (
            actions(&[button("a", 75, 2000)]),
            actions(&[button("a", 76, 1)]),
            "/blocks/0/elements/0/text/text",
        ),
        (
            actions(&[button("a", 1, 2000)]),
            actions(&[button("a", 1, 2001)]),
            "/blocks/0/elements/0/value",
        ),
        (
            actions(&[button(&"i".repeat(255), 1, 1)]),
            actions(&[button(&"i".repeat(256), 1, 1)]),
            "/blocks/0/elements/0/action_id",
        ),
        (
            confirm(100, 300, 30),
            confirm(101, 300, 30),
            "/blocks/0/elements/0/confirm/title/text",
        ),
        (
            confirm(100, 300, 30),
            confirm(100, 301, 30),
            "/blocks/0/elements/0/confirm/text/text",
        ),
        (
            confirm(100, 300, 30),
            confirm(100, 300, 31),
            "/blocks/0/elements/0/confirm/confirm/text",
        ),
        (
            json!(vec![json!({"type": "divider"}); 50]),
            json!(vec![json!({"type": "divider"}); 51]),
            "/blocks",
        ),
    ];
    for (fits, breaks, pointer) in cases {
        assert_eq!(refused(fits), "fine", "{pointer}");
        let told = refused(breaks);
        assert!(
            told.starts_with("invalid_blocks: ")
                && told.ends_with(&format!("[json-pointer:{pointer}]")),
            "{told}"
        );
    }
}

#[test]
fn names_are_unique_where_slack_wants_them_unique() {
    let twice = refused(actions(&[button("same", 1, 1), button("same", 1, 1)]));
    assert!(twice.contains("`action_id` same already exists"), "{twice}");
    let blocks = refused(
        json!([{"type": "divider", "block_id": "b"}, {"type": "divider", "block_id": "b"}]),
    );
    assert!(blocks.contains("`block_id` b already exists"), "{blocks}");
    let across = json!([
        actions(&[button("same", 1, 1)])[0],
        actions(&[button("same", 1, 1)])[0]
    ]);
    assert_eq!(refused(across), "fine", "two blocks may use one action id");
}

#[test]
fn shapes_slack_does_not_know_are_refused() {
    for blocks in [
        json!([{"type": "headline", "text": "x"}]),
        json!([{"text": "no type"}]),
        json!([{"type": "section"}]),
        json!([{"type": "header", "text": {"type": "mrkdwn", "text": "*x*"}}]),
        json!([{"type": "section", "text": {"type": "mrkdwn", "text": ""}}]),
        json!([{"type": "section", "text": "bare"}]),
        json!([{"type": "actions", "elements": []}]),
        json!([{"type": "actions", "elements": [{"type": "plain_text_input", "action_id": "a"}]}]),
        json!([{"type": "actions", "elements": [{"type": "button", "text": text(1), "style": "green"}]}]),
        json!([{"type": "input", "label": text(1), "element": button("a", 1, 1)}]),
        json!([{"type": "alert", "text": text(1)}]),
        json!([{"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}]),
    ] {
        assert!(
            refused(blocks.clone()).starts_with("invalid_blocks: "),
            "{blocks}"
        );
    }
}

#[test]
fn a_message_has_a_limit_for_all_its_text() {
    let long = |last| json!([{"type": "section", "text": text(3000)}, {"type": "section", "text": text(3000)}, {"type": "section", "text": text(3000)}, {"type": "section", "text": text(3000)}, {"type": "section", "text": text(last)}]);
    assert_eq!(refused(long(1200)), "fine");
    assert_eq!(refused(long(1201)), "msg_blocks_too_long: ");
}

#[test]
fn views_have_limits_of_their_own() {
    let base = super::modal();
    let checked = |change: &dyn Fn(&mut Value)| {
        let mut view = base.clone();
        change(&mut view);
        check_view(&view).map_err(|error| format!("{}: {}", error.code, error.messages.join("; ")))
    };
    assert_eq!(checked(&|_| {}), Ok(()));
    assert_eq!(checked(&|view| view["title"] = text(24)), Ok(()));
    let cases: [(Change, &str); 8] = [
        (&|view| view["title"] = text(25), "/view/title/text"),
        (&|view| view["submit"] = text(25), "/view/submit/text"),
        (
            &|view| view["private_metadata"] = json!("m".repeat(3001)),
            "/view/private_metadata",
        ),
        (
            &|view| view["callback_id"] = json!("c".repeat(256)),
            "/view/callback_id",
        ),
        (
            &|view| view["submit"] = Value::Null,
            "missing required field: submit",
        ),
        (
            &|view| view["blocks"] = json!(vec![json!({"type": "divider"}); 101]),
            "/view/blocks",
        ),
        (
            &|view| view["blocks"][0]["element"]["max_length"] = json!(3001),
            "/view/blocks/0/element/max_length",
        ),
        (
            &|view| view["blocks"] = json!([{"type": "section", "text": text(3001)}]),
            "/view/blocks/0/text/text",
        ),
    ];
    for (change, told) in cases {
        let error = checked(change).expect_err(told);
        assert!(
            error.starts_with("invalid_arguments: ") && error.contains(told),
            "{error}"
        );
    }
    let fat = checked(&|view| view["unused"] = json!("x".repeat(250_000)));
    assert_eq!(fat, Err("view_too_large: ".to_owned()));
}
