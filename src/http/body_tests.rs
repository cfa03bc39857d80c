//! What is read, what is refused, and with which status.

use super::*;
use crate::domain::digest::Payload;
use axum::http::HeaderValue;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    action: String,
    payload: Option<Payload>,
}

fn refused(text: &str) -> (u16, String) {
    let problem = parse::<Body>(text.as_bytes()).expect_err(text);
    (problem.status, problem.code.clone())
}

#[test]
fn only_unparsable_bodies_are_400() {
    for broken in [
        "{",
        "not json",
        r#"{"action":"x"}}"#,
        r#"{"action":"x",}"#,
        "\u{feff}{}",
    ] {
        assert_eq!(
            refused(broken),
            (400, "malformed_body".to_owned()),
            "{broken}"
        );
    }
    for unfit in [
        "",
        "{}",
        "null",
        "[]",
        r#"{"action":1}"#,
        r#"{"action":"x","extra":1}"#,
        r#"{"action":"x","action":"y"}"#,
    ] {
        assert_eq!(refused(unfit), (422, "invalid_body".to_owned()), "{unfit}");
    }
    let body: Body = parse(br#"{"action":"x","payload":{"a":[1]}}"#).expect("fits");
    assert_eq!((body.action.as_str(), body.payload.is_some()), ("x", true));
}

#[test]
fn ambiguous_payload_is_a_violation_ap10() {
    for payload in [
        r#"{"a":1,"a":2}"#,
        r#"[{"x":{"y":1,"y":1}}]"#,
        "9007199254740993",
    ] {
        let text = format!(r#"{{"action":"x","payload":{payload}}}"#);
        let problem = parse::<Body>(text.as_bytes()).expect_err("must be refused");
        assert_eq!(problem.code, "policy_violations", "{payload}");
        assert_eq!(problem.violations[0].rule, ViolationCode::Payload);
        assert!(
            problem.violations[0].message.starts_with("`payload"),
            "{problem:?}"
        );
    }
}

#[test]
fn a_message_names_the_place() {
    let problem = parse::<Body>(br#"{"action":1}"#).expect_err("no text");
    assert!(
        problem.detail.starts_with("`action`: "),
        "{}",
        problem.detail
    );
}

#[test]
fn a_deep_body_is_refused_ap9() {
    let deep = format!(
        r#"{{"action":"x","payload":{}1{}}}"#,
        "[".repeat(4_000),
        "]".repeat(4_000)
    );
    assert_eq!(refused(&deep).0, 400);
}

fn key(values: &[&str]) -> Result<Option<String>, u16> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(
            IDEMPOTENCY_KEY,
            HeaderValue::from_bytes(value.as_bytes()).expect("a header"),
        );
    }
    idempotency_key(&headers).map_err(|problem| problem.status)
}

#[test]
fn idempotency_keys_are_short_printable_and_single_ap6() {
    assert_eq!(key(&[]), Ok(None));
    assert_eq!(key(&["run 42/a"]), Ok(Some("run 42/a".to_owned())));
    assert_eq!(key(&[&"k".repeat(255)]).map(|key| key.is_some()), Ok(true));
    for bad in ["", "ä", "a\tb", &"k".repeat(256)] {
        assert_eq!(key(&[bad]), Err(422), "{bad}");
    }
    assert_eq!(key(&["a", "a"]), Err(422));
}

#[test]
fn a_key_belongs_to_its_principal_and_to_one_content_ap6() {
    let call = |asked: &str, body: &[u8]| Call {
        body: (),
        key: Some("k".to_owned()),
        fingerprint: fingerprint(asked, body),
    };
    let alice = Caller::person("alice".into(), crate::domain::decision::Via::Api);
    let bob = Caller::person("bob".into(), crate::domain::decision::Via::Api);
    let first = call("POST /v1/requests", b"{}")
        .once(&alice)
        .expect("has a key");
    assert_eq!(first.key, "api:person:alice:k");
    assert_eq!(first.keep.to_string(), "7days");
    assert_ne!(
        call("POST /v1/requests", b"{}")
            .once(&bob)
            .map(|once| once.key),
        Some(first.key)
    );
    for (asked, body) in [
        ("POST /v1/requests", b"{ }".as_slice()),
        ("POST /v1/requests/1/cancel", b"{}"),
    ] {
        let other = call(asked, body).once(&alice).expect("has a key");
        assert_ne!(other.fingerprint, first.fingerprint);
    }
}

#[test]
fn texts_may_have_newlines_and_tabs_and_format_characters() {
    for good in [
        "a\nb\tc",
        "zero\u{200b}width \u{202e}bidi",
        &"é".repeat(text::LONGEST),
    ] {
        assert_eq!(
            super::text("reason", Some(good)).ok(),
            Some(Some(good.to_owned()))
        );
    }
    let of_windows = super::text("reason", Some("a\r\nb\r\n"));
    assert_eq!(of_windows.ok(), Some(Some("a\nb".to_owned())));
    for bad in [
        "bell\u{7}",
        "nul\0",
        "c1 \u{9b}",
        &"x".repeat(text::LONGEST + 1),
    ] {
        let refused = super::text("reason", Some(bad)).map_err(|problem| problem.status);
        assert_eq!(refused, Err(422), "{bad:?}");
    }
    assert!(check_name("release", Some("two\nlines")).is_err());
}

#[test]
fn media_types() {
    let with = |text: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(text));
        json_or_nothing(&headers).map_err(|problem| problem.status)
    };
    assert!(json_or_nothing(&HeaderMap::new()).is_ok());
    assert_eq!(with("application/json; charset=utf-8"), Ok(()));
    assert_eq!(with("text/plain"), Err(415));
}

proptest! {
    #[test]
    fn an_id_in_a_path_reads_back_or_is_no_request(text in "\\PC{0,40}") {
        match text.parse::<RequestRef>() {
            Ok(RequestRef::Id(id)) => prop_assert_eq!(id.as_str(), text),
            Ok(RequestRef::Number(number)) => {
                prop_assert!(number >= 0);
                let digits = text.strip_prefix('#').unwrap_or(&text);
                prop_assert!(digits.bytes().all(|b| b.is_ascii_digit()));
            }
            Err(_) => {}
        }
    }

    #[test]
    fn every_made_id_and_number_is_found(bits in any::<u128>(), number in 0_i64..100_000_000_000_000_000) {
        let id = crate::domain::id::RequestId::from_uuid(uuid::Uuid::from_u128(bits));
        prop_assert_eq!(id.to_string().parse(), Ok(RequestRef::Id(id)));
        prop_assert_eq!(number.to_string().parse(), Ok(RequestRef::Number(number)));
        prop_assert_eq!(format!("#{number}").parse(), Ok(RequestRef::Number(number)));
    }

    #[test]
    fn random_bodies_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(problem) = parse::<Body>(&bytes) {
            prop_assert!(problem.status == 400 || problem.status == 422);
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only what is refused is looked at")]
struct Query {
    kind: Option<crate::domain::action::RequestType>,
    limit: Option<u32>,
}

fn query_refused(text: &str) -> String {
    let problem = query::<Query>(text).expect_err(text);
    assert_eq!(
        (problem.status, problem.code.as_str()),
        (422, "invalid_query")
    );
    problem.detail.clone()
}

#[test]
fn a_query_that_is_refused_is_repeated_as_it_was_sent_f5() {
    for (sent, said) in [
        ("limit=abc", "`limit=abc`: expected a whole number."),
        (
            "kind=release&limit=-1",
            "`limit=-1`: expected a whole number.",
        ),
        ("limit=", "`limit=`: expected a whole number."),
        (
            "limit=4294967296",
            "`limit=4294967296`: the number is out of range.",
        ),
        (
            "limit=1&limits=2",
            "`limits=2`: expected `kind` or `limit`.",
        ),
        (
            "limit=1&limit=2",
            "`limit=1&limit=2`: duplicate field `limit`. Send each parameter once.",
        ),
    ] {
        assert_eq!(query_refused(sent), said);
    }
    let kinds = query_refused("kind=everything%60");
    assert!(
        kinds.starts_with("`kind=everything%60`: expected one of `"),
        "{kinds}"
    );
    let long = query_refused(&format!("limit={}", "x".repeat(5_000)));
    assert!(long.chars().count() < 200, "{long}");
}

#[test]
fn headers_that_are_refused_are_repeated_as_they_were_sent_f5() {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; a=`b`"));
    let problem = json_or_nothing(&headers).expect_err("no JSON");
    assert_eq!(
        problem.detail,
        "`Content-Type: text/plain; a='b'` was sent. Send `Content-Type: application/json`."
    );
    headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("first"));
    headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("second"));
    let problem = idempotency_key(&headers).expect_err("two keys");
    let said = "`Idempotency-Key` was sent as `first` and `second`.";
    assert!(problem.detail.starts_with(said), "{}", problem.detail);
}

#[test]
fn a_long_value_in_a_body_is_not_repeated_whole_f5() {
    let body = format!(
        r#"{{"action":"x","payload":1,"{}":1}}"#,
        "k".repeat(100_000)
    );
    let problem = parse::<Body>(body.as_bytes()).expect_err("an unknown field");
    assert!(problem.detail.len() < 1_000, "{}", problem.detail.len());
    assert!(
        problem.detail.contains("expected `action` or `payload`"),
        "{}",
        problem.detail
    );
    assert_eq!(sent("a\nb`c"), "a\\nb'c");
}
