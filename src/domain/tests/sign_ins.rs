//! How long a sign-in lasts, and through which providers.

use super::fixture::NOON;
use crate::domain::document::{Console, OidcIdentity};
use crate::domain::id::SignInId;
use crate::domain::people::SlackAccount;
use crate::domain::sign_in::{Identity, SignIn};
use crate::domain::time::{Span, Timestamp};

fn console(yaml: &str) -> Console {
    serde_saphyr::from_str(yaml).expect("a console")
}

fn slack(user_id: &str) -> Identity {
    Identity::Slack(SlackAccount {
        enterprise_id: None,
        team_id: "T01TEST".to_owned(),
        user_id: user_id.to_owned(),
    })
}

fn oidc(issuer: &str) -> Identity {
    Identity::Oidc(OidcIdentity {
        issuer: issuer.to_owned(),
        subject: "1".to_owned(),
    })
}

#[test]
fn sign_in_ends_at_its_idle_time_and_at_its_absolute_time() {
    let console = console("{idle: 1h, absolute: 10h}");
    for (started, seen, is_over) in [
        (0, 0, false),
        (0, 59, false),
        (60, 60, true),
        (9 * 60, 59, false),
        (9 * 60, 60, true),
        (9 * 60, 61, true),
        (10 * 60 - 1, 0, false),
        (10 * 60, 0, true),
        (10 * 60 + 1, 0, true),
    ] {
        let ago = |minutes| Timestamp(NOON.0 - Span::minutes(minutes).0);
        let sign_in = SignIn {
            id: SignInId::from_uuid(uuid::Uuid::nil()),
            person: "alice".into(),
            identity: slack("U01ALICE"),
            started_at: ago(started),
            authenticated_at: None,
            seen_at: ago(seen),
        };
        assert_eq!(sign_in.is_over(&console, NOON), is_over, "{started} {seen}");
    }
}

#[test]
fn sign_in_is_accepted_only_while_its_provider_is_configured() {
    let client = "clientId: a, clientSecretEnv: B";
    let with_slack = console(&format!("{{slack: {{{client}}}}}"));
    let with_oidc = console(&format!(
        "{{oidc: {{issuer: 'https://id.test', {client}}}}}"
    ));
    for (identity, by_slack, by_oidc) in [
        (slack("U01ALICE"), true, false),
        (oidc("https://id.test"), false, true),
        (oidc("https://other.test"), false, false),
    ] {
        assert_eq!(identity.is_accepted(&with_slack), by_slack, "{identity}");
        assert_eq!(identity.is_accepted(&with_oidc), by_oidc, "{identity}");
    }
}
