//! Another implementation: a mail server of aiosmtpd takes the e-mails, and the parser of Python reads them.

use crate::database::Kind;
use crate::world::{DEPLOY, World};
use countersign::domain::time::Span;
use serde_json::Value;
use std::process::{Command, Stdio};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// Prints its port, then one line of JSON for each e-mail. It asks for a login.
const SERVER: &str = r#"
import asyncio, email, email.policy, json
from aiosmtpd.smtp import SMTP, AuthResult

class Handler:
    async def handle_DATA(self, server, session, envelope):
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({
            "to": envelope.rcpt_tos, "login": session.authenticated, "defects": [str(one) for one in parsed.defects],
            "names": [str(one) for one in parsed.keys()], "subject": parsed["subject"],
            "from": str(parsed["from"]), "mailboxes": [one.addr_spec for one in parsed["to"].addresses],
            "text": parsed.get_body(("plain",)).get_content(), "html": parsed.get_body(("html",)).get_content(),
        }), flush=True)
        return "250 OK"

def login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"approvals", b"correct horse battery"))

async def main():
    loop = asyncio.get_running_loop()
    build = lambda: SMTP(Handler(), authenticator=login, auth_required=True, auth_require_tls=False)
    server = await loop.create_server(build, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"#;

/// A Python with the library; `None` if there is none (never in CI).
fn python() -> Option<String> {
    let named = std::env::var("COUNTERSIGN_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&named)
        .args(["-c", "import aiosmtpd"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    assert!(
        found || std::env::var_os("CI").is_none(),
        "CI needs Python with aiosmtpd: name it in COUNTERSIGN_TEST_PYTHON"
    );
    found.then_some(named)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aiosmtpd_takes_emails_and_python_reads_them_no13() {
    let Some(python) = python() else {
        eprintln!(
            "SKIPPED: no python3 with aiosmtpd; COUNTERSIGN_TEST_PYTHON may name one (pip install aiosmtpd)"
        );
        return;
    };
    let mut child = tokio::process::Command::new(python)
        .args(["-W", "ignore", "-c", SERVER])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let port = lines.next_line().await.expect("a line").expect("a port");
    let configuration = super::configuration(port.parse().expect("a port"))
        .replace("name: Bob Brown", "name: 'Böb \"x\", <eve@example.com>'");
    let world = World::start_with(Kind::Sqlite, &configuration).await;
    let world = world.expect("SQLite is always there");
    let reason = "reason=\"hotfix for the déjà-vu checkout 🚀\"";
    world
        .types(
            "alice",
            &DEPLOY.replace("reason=\"hotfix for checkout\"", reason),
        )
        .await;
    world.passes(Span::hours(2)).await;
    let line = lines.next_line().await.expect("a line").expect("an e-mail");
    let one: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(one["defects"], serde_json::json!([]));
    assert_eq!(one["to"], serde_json::json!(["bob@example.com"]));
    assert_eq!(one["mailboxes"], serde_json::json!(["bob@example.com"]));
    assert_eq!(one["login"], true);
    assert_eq!(one["from"], "Countersign <approvals@countersign.example>");
    assert_eq!(one["subject"], "Reminder: #1 Release Deploy waits for you");
    for part in ["text", "html"] {
        let said = one[part].as_str().expect("a text");
        assert!(
            said.contains("hotfix for the déjà-vu checkout 🚀"),
            "{said}"
        );
    }
    world.types("alice", "cancel 1").await;
    world.finish().await;
    child.kill().await.expect("it ends");
}
