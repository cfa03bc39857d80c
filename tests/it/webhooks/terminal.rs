//! `countersign webhook`, as the operator uses it: the real program on the database of a running bot.

use super::endpoint::Endpoint;
use super::{SECRET, hook, hooked, told};
use crate::database::on_both;
use crate::world::{DEPLOY, World};
use countersign::domain::time::Timestamp;
use countersign::domain::webhook_signature::SigningKeys;
use std::process::Command;

/// Runs the program; returns its exit status and standard error.
async fn runs(world: &World, args: &[&str], secret: Option<&str>) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .arg("webhook")
        .args(args)
        .current_dir(std::env::temp_dir())
        .env_clear()
        .env("DATABASE_URL", &world.database.url)
        .envs(secret.map(|secret| ("HOOK_SECRET", secret)));
    let ran = tokio::task::spawn_blocking(move || command.output()).await;
    let output = ran.expect("no panic").expect("it runs");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code().expect("an exit status"), text)
}

on_both! {
    async fn webhook_test_sends_one_signed_delivery_and_says_what_came_of_it(kind) {
        let endpoint = Endpoint::start().await;
        let named = hook(&endpoint.url("/hooks")).replace("{url", "{name: deploys, url");
        let world = hooked!(kind, named);
        let (code, said) = runs(&world, &["test", "deploys"], Some(SECRET)).await;
        assert!(code == 0 && said.contains("deploys accepted the test delivery test_"), "{said}");
        let one = endpoint.taken().pop().expect("a delivery");
        assert_eq!(one.json()["type"], "webhook.test");
        let seconds: i64 = one.header("webhook-timestamp").parse().expect("seconds");
        let keys = SigningKeys::read(SECRET).expect("a secret");
        let [_, _, (_, signature)] = keys.headers(&one.header("webhook-id"), Timestamp(seconds * 1_000), &one.body);
        assert_eq!(one.header("webhook-signature"), signature);

        endpoint.answers(&[500]);
        let (code, said) = runs(&world, &["test", &endpoint.url("/hooks")], Some(SECRET)).await;
        assert!(code == 1 && said.contains("did not accept the test delivery: the endpoint answered 500"), "{said}");
        let (code, said) = runs(&world, &["test", "deploy"], Some(SECRET)).await;
        assert!(code == 2 && said.contains("There is no webhook `deploy`; the configuration has deploys."), "{said}");
        let (code, said) = runs(&world, &["test", "deploys"], None).await;
        assert!(code == 2 && said.contains("HOOK_SECRET is not set"), "{said}");
        let (code, said) = runs(&world, &["test", "deploys"], Some("my-secret")).await;
        assert!(code == 2 && said.contains("HOOK_SECRET contains a secret that is not `whsec_`") && !said.contains("my-secret"), "{said}");
        assert_eq!(endpoint.received().len(), 1);
        world.finish().await;
    }

    async fn webhook_enable_switches_an_endpoint_on_and_what_was_kept_is_sent(kind) {
        let endpoint = Endpoint::start().await;
        let named = hook(&endpoint.url("/hooks")).replace("{url", "{name: deploys, url");
        let world = hooked!(kind, named);
        endpoint.answers(&[410]);
        world.types("alice", DEPLOY).await;
        assert!(world.degraded().await.join("\n").contains("webhook deploys was switched off"));
        let (code, said) = runs(&world, &["enable", "deploys"], None).await;
        assert!(code == 0 && said.contains("deploys is on again."), "{said}");
        let (code, said) = runs(&world, &["enable", "deploys"], None).await;
        assert!(code == 0 && said.contains("deploys was not switched off."), "{said}");
        // the program uses the system's clock, which is ahead of this world's
        world.database.execute("UPDATE outbox SET due_at = 0 WHERE lane = 3").await.expect("due");
        world.settle().await;
        assert_eq!(told(&endpoint.received()), ["request.created pending"; 2]);
        world.finish().await;
    }
}
