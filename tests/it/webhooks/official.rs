//! The official Python library of the Standard Webhooks specification verifies what Countersign sends.

use super::endpoint::Endpoint;
use super::{NEW_SECRET, SECRET, hook};
use crate::database::Kind;
use crate::world::{DEPLOY, World};
use countersign::app::Clock;
use countersign::domain::time::Timestamp;
use countersign::sandbox::Seed;
use serde_json::json;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// Verifies one delivery, then checks that it is refused with another body, id, time or secret.
const VERIFY: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
given = json.load(sys.stdin)
body, headers = given["body"], given["headers"]
for secret in given["secrets"]:
    assert Webhook(secret).verify(body, headers)["type"] == "request.created"
def refused(body, headers, secret):
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return
    raise SystemExit("accepted a forgery")
secret = given["secrets"][0]
refused(body.replace("pending", "approved"), headers, secret)
refused(body, {**headers, "webhook-id": headers["webhook-id"] + "x"}, secret)
refused(body, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 3600)}, secret)
refused(body, headers, "whsec_" + "A" * 32)
print("verified")
"#;

/// A Python with the library; `None` if there is none (never in CI).
fn python() -> Option<String> {
    let named = std::env::var("COUNTERSIGN_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&named)
        .args(["-c", "import standardwebhooks"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    assert!(
        found || std::env::var_os("CI").is_none(),
        "CI needs Python with standardwebhooks: name it in COUNTERSIGN_TEST_PYTHON"
    );
    found.then_some(named)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_library_verifies_deliveries_and_refuses_forgeries_no10_no11() {
    let Some(python) = python() else {
        eprintln!(
            "SKIPPED: no python3 with standardwebhooks; COUNTERSIGN_TEST_PYTHON may name one (pip install standardwebhooks)"
        );
        return;
    };
    let endpoint = Endpoint::start().await;
    let both = hook(&endpoint.url("/hooks")).replace("HOOK_SECRET", "BOTH_SECRETS");
    let configuration = format!("{}\nwebhooks: [{both}]\n", super::CONFIGURATION);
    // the library compares the time of a delivery with the system's
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let now = Timestamp(i64::try_from(now.as_millis()).expect("a time"));
    let world = World::start_by(
        Kind::Sqlite,
        &configuration,
        Seed::example(),
        Clock::manual(now),
    )
    .await;
    let world = world.expect("SQLite is always there");
    world.types("alice", DEPLOY).await;
    let one = endpoint.received().pop().expect("a delivery");
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: serde_json::Map<_, _> = names
        .map(|name| (name.to_owned(), json!(one.header(name))))
        .into_iter()
        .collect();
    let given = json!({"body": one.body, "headers": headers, "secrets": [SECRET, NEW_SECRET]});
    let mut child = Command::new(python)
        .args(["-c", VERIFY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(given.to_string().as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "verified");
    world.finish().await;
}
