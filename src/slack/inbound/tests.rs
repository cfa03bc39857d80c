use super::*;
use proptest::prelude::*;
use serde_json::json;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn form(pairs: &[(&str, &str)]) -> Vec<u8> {
    serde_urlencoded::to_string(pairs)
        .expect("pairs of text encode")
        .into_bytes()
}

fn interaction(payload: &serde_json::Value) -> Result<Inbound, NotUnderstood> {
    parse(FORM, &form(&[("payload", &payload.to_string())]))
}

fn event(payload: &serde_json::Value) -> Result<Inbound, NotUnderstood> {
    parse(JSON, payload.to_string().as_bytes())
}

fn click() -> serde_json::Value {
    json!({
        "type": "block_actions", "api_app_id": "A1", "trigger_id": "1.2.3",
        "team": {"id": "T1", "domain": "acme", "enterprise_id": "E1"},
        "user": {"id": "U1", "name": "bob", "team_id": "T1"},
        "container": {"type": "message", "channel_id": "C1", "message_ts": "1.2"},
        "channel": {"id": "C1", "name": "approvals"},
        "message": {"metadata": {"event_payload": {"n": 3}}, "text": "old"},
        "response_url": "https://hooks.slack.com/actions/T1/1/x",
        "actions": [{"type": "button", "action_id": "approve", "value": "req sha", "block_id": "b"}],
    })
}

#[test]
fn a_command_reads() {
    let body = form(&[
        ("command", "/approval"),
        ("text", "inbox"),
        ("user_id", "U1"),
        ("team_id", "T1"),
        ("api_app_id", "A1"),
        ("is_enterprise_install", "false"),
        ("trigger_id", "9.9"),
    ]);
    let Ok(Inbound::Command(command)) = parse(&format!("{FORM}; charset=utf-8"), &body) else {
        panic!("a command");
    };
    assert_eq!(command.text.as_deref(), Some("inbox"));
    let inbound = Inbound::Command(command);
    assert_eq!(Delivery::of(&inbound, &body).key, "slack:9.9");
}

#[test]
fn a_click_reads_and_says_from_where_it_comes() {
    let Ok(Inbound::Interaction(read)) = interaction(&click()) else {
        panic!("a click");
    };
    assert_eq!(read.kind, InteractionKind::BlockActions);
    assert_eq!(read.channel_id(), Some("C1"));
    let clicked = read.action().expect("an action");
    assert_eq!(clicked.action_id.as_deref(), Some("approve"));
    assert_eq!(
        read.origin(),
        Origin {
            app_id: Some("A1".into()),
            team_id: Some("T1".into()),
            enterprise_id: Some("E1".into()),
            user_id: Some("U1".into()),
        }
    );
}

/// In a shared channel `team` is the app's workspace and `user.team_id` the clicker's.
#[test]
fn the_clickers_workspace_is_the_users_own_b46() {
    let mut payload = click();
    payload["user"]["team_id"] = json!("TFOREIGN");
    let origin = interaction(&payload).ok().and_then(|read| read.origin());
    assert_eq!(
        origin.and_then(|origin| origin.team_id).as_deref(),
        Some("TFOREIGN")
    );
}

#[test]
fn unusual_but_real_forms_parse() {
    let org_wide = json!({"type": "block_actions", "team": null, "enterprise": {"id": "E1", "name": "x"},
        "is_enterprise_install": true, "user": {"id": "W1", "team_id": "T7"}, "view": {"id": "V1", "state": {}},
        "actions": [{"type": "workflow_button"}], "container": {"type": "new_kind"}});
    let Ok(Inbound::Interaction(read)) = interaction(&org_wide) else {
        panic!("an org-wide click");
    };
    assert_eq!(read.origin().team_id.as_deref(), Some("T7"));
    assert_eq!(
        read.view
            .as_ref()
            .and_then(|view| view.input("comment", "comment")),
        None
    );
    for kind in [
        "view_submission",
        "view_closed",
        "shortcut",
        "message_action",
        "block_suggestion",
    ] {
        let read = interaction(&json!({"type": kind, "team": null, "view": null, "user": {}}));
        assert!(matches!(read, Ok(Inbound::Interaction(_))), "{kind}");
    }
    let uninstalled = json!({"type": "event_callback", "api_app_id": "A1", "event_id": "Ev1",
        "event": {"type": "app_uninstalled"}, "authorizations": [{"team_id": null}]});
    assert!(matches!(event(&uninstalled), Ok(Inbound::Event(_))));
    for user in [json!("U1"), json!({"id": "U1", "deleted": true})] {
        let changed =
            json!({"type": "event_callback", "event": {"type": "user_change", "user": user}});
        let Ok(Inbound::Event(read)) = event(&changed) else {
            panic!("an event");
        };
        assert_eq!(read.event.user_id(), Some("U1"));
    }
}

#[test]
fn inputs_of_a_modal_read() {
    let view: View = serde_json::from_value(json!({"state": {"values": {
        "comment": {"comment": {"type": "plain_text_input", "value": "fine"}},
        "verdict": {"verdict": {"type": "radio_buttons", "selected_option": {"value": "reject"}}},
        "empty": {"empty": {"type": "radio_buttons", "selected_option": null}}}}}))
    .expect("a view");
    assert_eq!(view.input("comment", "comment"), Some("fine"));
    assert_eq!(view.input("verdict", "verdict"), Some("reject"));
    assert_eq!(view.input("empty", "empty"), None);
}

#[test]
fn unusable_deliveries_are_named() {
    let named = |read| match read {
        Ok(Inbound::Unusable { kind }) => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        named(interaction(&json!({"type": "dialog_suggestion"}))),
        "dialog_suggestion"
    );
    assert_eq!(
        named(interaction(&json!({"type": "block_actions", "user": 5}))),
        "block_actions"
    );
    assert_eq!(
        named(event(&json!({"type": "app_rate_limited"}))),
        "app_rate_limited"
    );
    assert_eq!(named(event(&json!({"a": 1}))), "without a type");
}

#[test]
fn each_body_is_of_exactly_one_kind_sl3() {
    let payload = click().to_string();
    let twice = form(&[("payload", &payload), ("payload", &payload)]);
    assert_eq!(parse(FORM, &twice), Err(NotUnderstood::Form));
    let both = form(&[("payload", &payload), ("command", "/approval")]);
    assert_eq!(parse(FORM, &both), Err(NotUnderstood::Form));
    assert_eq!(parse(FORM, b"a=b"), Err(NotUnderstood::Form));
    assert_eq!(
        parse(JSON, &form(&[("payload", &payload)])),
        Err(NotUnderstood::Json)
    );
    assert_eq!(
        parse("text/plain", payload.as_bytes()),
        Err(NotUnderstood::ContentType)
    );
    // a click sent as an event, and an event sent as a click
    assert!(matches!(event(&click()), Ok(Inbound::Unusable { .. })));
    let wrapped = json!({"type": "event_callback", "event": {"type": "user_change"}});
    assert!(matches!(
        interaction(&wrapped),
        Ok(Inbound::Unusable { .. })
    ));
    // an event that says, in somebody's words, what a form would say
    let words = r#"{"type":"event_callback","event":{"type":"user_change","x":"&command=/approval&text=approve 1&user_id=U1&"}}"#;
    assert!(matches!(
        parse(JSON, words.as_bytes()),
        Ok(Inbound::Event(_))
    ));
    assert_eq!(parse(FORM, words.as_bytes()), Err(NotUnderstood::Form));
    assert_eq!(
        parse(FORM, format!(" \n{words}").as_bytes()),
        Err(NotUnderstood::Form)
    );
    // a list of fields is no object
    for list in [
        r#"["event_callback"]"#,
        r#"["url_verification","x"]"#,
        " [null]",
    ] {
        assert_eq!(
            parse(JSON, list.as_bytes()),
            Err(NotUnderstood::Json),
            "{list}"
        );
        let sent = parse(FORM, &form(&[("payload", list)]));
        assert_eq!(sent, Err(NotUnderstood::Json), "{list}");
        assert_eq!(
            Inbound::from_command(list),
            Err(NotUnderstood::Json),
            "{list}"
        );
    }
    // two types in one object, of which two readers could each believe another
    let double = br#"{"type":"url_verification","challenge":"x","type":"event_callback"}"#;
    assert_eq!(parse(JSON, double), Err(NotUnderstood::Json));
    let users = r#"{"type":"block_actions","user":{"id":"U1"},"user":{"id":"U2"}}"#;
    assert!(matches!(
        parse(FORM, &form(&[("payload", users)])),
        Ok(Inbound::Unusable { .. })
    ));
}

#[test]
fn ssl_check_never_dispatches_sl3() {
    let body = form(&[
        ("ssl_check", "1"),
        ("command", "/approval"),
        ("text", "approve 1"),
    ]);
    assert_eq!(parse(FORM, &body), Ok(Inbound::SslCheck));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body: Vec<u8>, which in 0_usize..3) {
        let kind = [FORM, JSON, "multipart/form-data"][which];
        if let Ok(inbound) = parse(kind, &body) {
            let _ = (inbound.origin(), Delivery::of(&inbound, &body));
        }
    }

    #[test]
    fn arbitrary_payloads_never_panic(
        kind in prop::sample::select(vec!["block_actions", "view_submission", "view_closed", "shortcut", "message_action", "block_suggestion", "x"]),
        key in prop::sample::select(vec!["team", "user", "view", "actions", "channel", "container", "enterprise", "trigger_id"]),
        value in prop::sample::select(vec!["null", "5", "[]", "{}", "[null]", "\"x\"", "{\"id\":null}", "{\"id\":{}}", "[{\"value\":1}]"]),
    ) {
        let payload = format!(r#"{{"type":"{kind}","{key}":{value}}}"#);
        let read = parse(FORM, &form(&[("payload", &payload)]));
        prop_assert!(read.is_ok(), "{payload} {read:?}");
    }
}
