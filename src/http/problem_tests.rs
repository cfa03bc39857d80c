//! The whole table of refusals, as programs and people read it.

use super::*;
use crate::domain::break_glass::SessionStatus;
use crate::domain::compiled_config;
use crate::domain::eligibility::{Ineligible, Involvement};
use crate::domain::violation::AskField;

fn every_refusal() -> Vec<Refusal> {
    let violation = Violation {
        policy: Some("prod".into()),
        ..Violation::new(AskField::Reason, ViolationCode::ReasonRequired, "say why")
    };
    let wrong = compiled_config::ConfigError {
        path: "policies[0].id".to_owned(),
        message: "is empty".to_owned(),
    };
    vec![
        Refusal::NotFound,
        Refusal::AlreadyReviewed,
        Refusal::Closed(Status::Cancelled),
        Refusal::DigestMismatch,
        Refusal::NotEligible(Ineligible::Excluded(Involvement::Requester)),
        Refusal::OnWebOnly {
            policy: "Careful Gate".to_owned(),
            page: Some("https://countersign.example.com/approvals/7".to_owned()),
        },
        Refusal::OnWebOnly {
            policy: "Careful Gate".to_owned(),
            page: None,
        },
        Refusal::SignInTooOld {
            policy: "Careful Gate".to_owned(),
        },
        Refusal::Violations(vec![violation]),
        Refusal::NotYours,
        Refusal::RequirementsChanged("one more policy holds now".to_owned()),
        Refusal::SessionEnded,
        Refusal::NoSession,
        Refusal::SessionClosed(SessionStatus::Active, "it runs".to_owned()),
        Refusal::SessionClosed(SessionStatus::Reviewed, "bob has".to_owned()),
        Refusal::Forbidden("administrators only".to_owned()),
        Refusal::KeyReused,
        Refusal::InFlight,
        Refusal::TooMany("50 a second".to_owned(), 2),
        Refusal::Stale("read it again".to_owned()),
        Refusal::Unreadable,
        Refusal::Invalid(vec![wrong]),
    ]
}

#[test]
fn every_refusal_has_its_status_code_and_sentence() {
    let table: Vec<String> = every_refusal()
        .into_iter()
        .map(|refusal| {
            let problem = Problem::from(refusal);
            let line = format!(
                "{} {} · {} · {}",
                problem.status, problem.code, problem.title, problem.detail
            );
            let response = problem.into_response();
            assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
            if let Some(after) = response.headers().get(RETRY_AFTER) {
                let after = after.to_str().unwrap_or("?");
                return format!("{line} · Retry-After {after}");
            }
            line
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn extras_are_in_the_body() {
    let json = |refusal: Refusal| serde_json::to_value(Problem::from(refusal)).expect("JSON");
    assert_eq!(json(Refusal::Closed(Status::Expired))["state"], "expired");
    let one = |wanted: fn(&Refusal) -> bool| {
        let mut all = every_refusal().into_iter();
        json(all.find(wanted).expect("such a refusal"))
    };
    let violations = one(|refusal| matches!(refusal, Refusal::Violations(_)));
    let invalid = one(|refusal| matches!(refusal, Refusal::Invalid(_)));
    assert_eq!(
        violations["violations"],
        serde_json::json!([{"policy": "prod", "rule": "reason_required", "message": "say why"}])
    );
    assert_eq!(invalid["problems"][0]["path"], "policies[0].id");
    assert_eq!(json(Refusal::NotFound).get("violations"), None);
}

#[test]
fn internal_errors_hide_their_cause() {
    let problem = Problem::from(AppError::Internal("password is hunter2".to_owned()));
    assert_eq!((problem.status, problem.code.as_str()), (500, "internal"));
    assert!(
        !serde_json::to_string(&problem)
            .expect("JSON")
            .contains("hunter2")
    );
    let busy = Problem::from(AppError::Busy).into_response();
    assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(busy.headers()[RETRY_AFTER], "1");
}
