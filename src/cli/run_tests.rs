//! Only the approved command runs, and nothing runs without a grant.

use super::*;
use crate::cli::progress::tests::view;
use crate::domain::request::Status;
use serde_json::value::RawValue;

fn executed(content: &str) -> ExecutedView {
    let digest = Digest::of(content.as_bytes()).to_string();
    let mut request = view();
    request.digest.clone_from(&digest);
    ExecutedView {
        content: RawValue::from_string(content.to_owned()).expect("JSON"),
        digest,
        request,
    }
}

fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

const CONTENT: &str = r#"{"action":"x","payload":{"command":["echo","a b"]},"target":{}}"#;

#[test]
fn exactly_the_approved_command_runs_ap4() {
    let executed = executed(CONTENT);
    assert_eq!(command(&executed, &[]), Ok(argv(&["echo", "a b"])));
    assert_eq!(
        command(&executed, &argv(&["echo", "a b"])),
        Ok(argv(&["echo", "a b"]))
    );
    for other in [
        &["echo"][..],
        &["echo", "a", "b"],
        &["echo", "a b "],
        &["rm"],
    ] {
        assert!(command(&executed, &argv(other)).is_err(), "{other:?}");
    }
}

#[test]
fn content_without_the_approved_digest_does_not_run_b09() {
    let mut forged = executed(CONTENT);
    forged.content = RawValue::from_string(CONTENT.replace("echo", "exec")).expect("JSON");
    assert!(command(&forged, &[]).is_err());
    let mut other = executed(CONTENT);
    other.request.digest = Digest::of(b"other").to_string();
    assert!(command(&other, &[]).is_err());
}

#[test]
fn request_without_a_command_runs_nothing() {
    for payload in [
        "null",
        "{}",
        r#"{"command":"echo hi"}"#,
        r#"{"command":[1]}"#,
    ] {
        let content = format!(r#"{{"action":"x","payload":{payload},"target":{{}}}}"#);
        assert!(command(&executed(&content), &[]).is_err(), "{payload}");
    }
}

#[test]
fn only_a_grant_is_executed() {
    let statuses = Status::ALL.map(Status::as_str);
    let codes: Vec<(&str, u8)> = statuses
        .into_iter()
        .chain(["", "APPROVED"])
        .map(|status| {
            let mut view = view();
            view.status = status.to_owned();
            let code = match ungranted(&view) {
                Ok(()) => 0,
                Err(Not::Ended(ending, _)) => ending.of_run(),
                Err(Not::CliError(trouble)) => trouble.ending().of_run(),
            };
            (status, code)
        })
        .collect();
    assert_eq!(
        codes,
        [
            ("pending", 121),
            ("allowed", 0),
            ("bypassed", 0),
            ("approved", 0),
            ("rejected", 120),
            ("cancelled", 122),
            ("expired", 121),
            ("executed", 125),
            ("completed", 125),
            ("", 125),
            ("APPROVED", 125),
        ]
    );
}

#[test]
fn rejection_names_the_approver_and_the_reason() {
    let mut view = view();
    view.status = "rejected".to_owned();
    view.decisions[0].verdict = "reject".to_owned();
    let Err(Not::Ended(ExitStatus::Rejected, why)) = ungranted(&view) else {
        panic!("a rejected request is not granted")
    };
    assert_eq!(why, "#42 was rejected by Bob: looks right");
}
