//! Large configurations: every source has the same limit.

use crate::database::on_both;
use crate::world::{operator, world};
use countersign::app::{AppError, Changed};
use countersign::config::file::Source;
use countersign::domain::document::{ConfigDocument, LARGEST_CONFIGURATION, PolicyTemplate};
use countersign::domain::refusal::Refusal;

/// The demo's configuration with this many additional policies, each bound to production.
pub fn with_policies(document: &ConfigDocument, count: usize, description: &str) -> ConfigDocument {
    let mut document = document.clone();
    let model = document.policies[0].clone();
    let binding = document
        .bindings
        .iter()
        .find(|binding| binding.policy == model.id)
        .expect("it is bound")
        .clone();
    for n in 0..count {
        let id = countersign::domain::id::PolicyId::new(format!("policy-{n}"));
        document.policies.push(PolicyTemplate {
            id: id.clone(),
            description: description.to_owned(),
            ..model.clone()
        });
        document
            .bindings
            .push(countersign::domain::document::Binding {
                policy: id,
                ..binding.clone()
            });
    }
    document
}

fn refused(outcome: Result<Changed, AppError>) -> String {
    match outcome {
        Err(AppError::Refused(Refusal::Invalid(problems))) => problems[0].to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

on_both! {
    async fn one_limit_for_configurations_from_everywhere_r25(kind) {
        let world = world!(kind);
        let carol = world.person("carol").await;
        let stored = world.app().config().await.expect("stored").document;
        let put = async |document: &ConfigDocument| {
            let body = serde_json::to_string(document).expect("JSON");
            carol.call("PUT", "/v1/config", &[("if-match", "*")], Some(body)).await
        };
        let yaml = |document: &ConfigDocument| serde_json::to_string(document).expect("JSON, which is YAML");

        // larger than any other body, and accepted from every source
        let large = with_policies(&stored, 800, &"d".repeat(3_900));
        let size = yaml(&large).len();
        assert!(size > 3 * 1024 * 1024 && size < LARGEST_CONFIGURATION, "{size}");
        Source::read("large.yaml", &yaml(&large)).expect("a file");
        assert_eq!(put(&large).await.status, 200);

        // too large for every source, with the same message
        let mut too_large = stored.clone();
        too_large.policies[0].description = "d".repeat(LARGEST_CONFIGURATION);
        let why = "the limit is 8388608 (8 MiB), as text and as compact JSON";
        let file = Source::read("large.yaml", &yaml(&too_large)).expect_err("too large").to_string();
        assert!(file.contains(why), "{file}");
        let load = world.app().load_file(too_large.clone(), "large.yaml").await;
        assert!(refused(load).contains(why));
        let apply = world.app().change_config(&operator(), too_large.clone(), None, None).await;
        assert!(refused(apply).contains(why));
        match world.app().recover(&too_large, "a test").await {
            Err(AppError::Refused(Refusal::Invalid(problems))) => assert!(problems[0].message.contains(why)),
            other => panic!("not refused: {other:?}"),
        }
        let over = put(&too_large).await;
        assert_eq!(over.outcome(), "413 body_too_large");
        assert!(over.body.to_string().contains("8 MiB"), "{}", over.body);
        assert_eq!(carol.get("/v1/config").await.header("etag"), "\"2\"");
        world.finish().await;
    }
}

/// JSON spells out defaults and escapes and can be twice as long: the API must accept what the file reader accepts.
#[test]
fn configuration_file_size_is_measured_as_json_r25() {
    let yaml = |size: usize| {
        let quotes = "\"".repeat(size);
        format!(
            "organization: acme\npolicies:\n  - {{id: p, name: P, scope: project, description: '{quotes}'}}\n"
        )
    };
    let fits = yaml(LARGEST_CONFIGURATION / 3);
    let source = Source::read("small.yaml", &fits).expect("it fits");
    let sent = serde_json::to_string(source.document()).expect("JSON");
    assert!(fits.len() < sent.len() && sent.len() < LARGEST_CONFIGURATION);

    let large = yaml(LARGEST_CONFIGURATION * 2 / 3);
    assert!(large.len() < LARGEST_CONFIGURATION);
    let why = Source::read("large.yaml", &large).expect_err("too large when it is sent");
    assert!(why.to_string().contains("compact JSON"), "{why}");

    // and as text, before anything of it is read
    let padded = format!(
        "organization: acme\n# {}\n",
        "x".repeat(LARGEST_CONFIGURATION)
    );
    let why = Source::read("padded.yaml", &padded).expect_err("too large as text");
    assert!(why.to_string().contains("as text"), "{why}");
}
