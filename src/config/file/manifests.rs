//! Every configuration that the project ships loads, keeps the rules, and says the same after a round trip.

use super::*;
use crate::domain::document::{Level, Weekday};
use std::path::PathBuf;

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let names = ["demo-company.yaml", "demo.yaml", "example.yaml"];
    let mut files: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let policies = std::fs::read_dir(folder.join("policies")).expect("manifests/policies");
    files.extend(policies.map(|entry| entry.expect("a file").path()));
    files.sort();
    files
}

fn load(file: &str) -> ConfigDocument {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("manifests")
        .join(file);
    Source::open(&path)
        .unwrap_or_else(|faults| panic!("{faults}"))
        .into_document()
}

#[test]
fn every_shipped_configuration_loads_and_compiles() {
    let files = shipped();
    assert_eq!(files.len(), 8, "{files:?}");
    for file in files {
        let source = Source::open(&file).unwrap_or_else(|faults| panic!("{faults}"));
        if let Err(faults) = source.compile(0, &BTreeMap::new()) {
            panic!("{faults}");
        }
    }
}

#[test]
fn a_document_survives_yaml_and_json() {
    for file in shipped() {
        let document = Source::open(&file)
            .unwrap_or_else(|faults| panic!("{faults}"))
            .into_document();
        let yaml = to_yaml(&document).expect("YAML");
        let again =
            Source::read("round trip", &yaml).unwrap_or_else(|faults| panic!("{faults}\n{yaml}"));
        assert_eq!(again.document(), &document);
        let json = serde_json::to_string(&document).expect("JSON");
        let again: ConfigDocument = serde_json::from_str(&json).expect("reads");
        assert_eq!(again, document);
        assert_eq!(digest(&again), digest(&document));
    }
}

#[test]
fn words_that_yaml_could_misread_survive_a_round_trip() {
    let mut document = load("policies/always-on.yaml");
    for word in [
        "no",
        "~",
        "null",
        "1",
        "1e3",
        "0x1f",
        ".nan",
        "true",
        "",
        " ",
        "a: b",
        "# c",
        "- d",
        "{e",
        "[f",
        "'g",
        "\"h",
        "i\nj",
        "\tk",
        "*l",
        "&m",
        "!n",
        "%o",
        "@p",
        "`q",
        "<<",
        "2026-01-01",
        "12:30:45",
        "\u{7f}\u{85}\u{2028}\u{feff}",
        "é😀",
        "---",
        "...",
        "a #b",
        "x:",
    ] {
        word.clone_into(&mut document.policies[0].name);
        let yaml = to_yaml(&document).expect("YAML");
        let again = Source::read("round trip", &yaml)
            .unwrap_or_else(|faults| panic!("{word:?}: {faults}\n{yaml}"));
        assert_eq!(again.document(), &document, "{word:?}\n{yaml}");
    }
}

/// Specification: Always-On Policy, Off-Hours Policy, Production-Only Policy and the example under Quorum Rules.
#[test]
fn example_policies_match_the_specification() {
    let document = load("policies/always-on.yaml");
    let gate = &document.policies[0];
    assert_eq!(
        (gate.name.as_str(), gate.scope),
        ("Production Deploy Gate", Level::Environment)
    );
    assert_eq!(
        (gate.quorum.min_approvals, gate.requester_can_approve),
        (2, false)
    );
    assert_eq!(gate.quorum.required_team_ids, ["sre".into()]);
    assert_eq!(
        gate.conditions,
        crate::domain::document::Conditions::default()
    );

    let document = load("policies/off-hours.yaml");
    let gate = &document.policies[0];
    assert_eq!(
        (gate.name.as_str(), gate.scope),
        ("Off-Hours Change Gate", Level::Organization)
    );
    let conditions = &gate.conditions;
    assert_eq!(
        (conditions.start_hour, conditions.end_hour),
        (Some(18), Some(9))
    );
    assert_eq!(
        conditions.weekdays.as_deref(),
        Some(&[Weekday::Saturday, Weekday::Sunday][..])
    );
    assert_eq!(conditions.timezone.as_deref(), Some("Europe/Istanbul"));
    assert!(conditions.require_reason);
    assert_eq!(gate.quorum.min_approvals, 1);

    let document = load("policies/production-only.yaml");
    let gate = &document.policies[0];
    assert_eq!(
        (gate.name.as_str(), gate.scope),
        ("Production Release Approval", Level::Project)
    );
    assert_eq!(
        gate.conditions.environments,
        Some(vec!["production".into()])
    );
    assert_eq!(gate.quorum.min_approvals, 2);
    assert_eq!(gate.quorum.required_team_ids, ["security".into()]);

    let document = load("policies/cross-team.yaml");
    let quorum = &document.policies[0].quorum;
    assert_eq!((quorum.min_approvals, quorum.min_distinct_teams), (2, 2));
    assert_eq!(quorum.required_team_ids, ["sre".into()]);
    assert_eq!(quorum.required_org_roles, ["tech-lead".into()]);
}

/// The template says everything that can be said: a key that is added to the document must be added there.
#[test]
fn policy_template_file_lists_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/policies/template.yaml");
    let text = std::fs::read_to_string(path).expect("the template");
    let full = crate::domain::document::PolicyTemplate {
        actions: Some(Vec::new()),
        approvers: Some(crate::domain::document::Approvers::Among(
            crate::domain::document::People::default(),
        )),
        escalation: Some(crate::domain::document::Escalation {
            after: crate::domain::time::Span::hours(1),
            notify: crate::domain::document::People::default(),
            channel: Some("C1".into()),
        }),
        latency_target: Some(crate::domain::time::Span::hours(2)),
        decide_on: Some(crate::domain::document::DecideOn::Web),
        channel: Some("C1".into()),
        conditions: crate::domain::document::Conditions {
            environments: Some(Vec::new()),
            weekdays: Some(Vec::new()),
            start_hour: Some(1),
            end_hour: Some(2),
            windows: Some(Vec::new()),
            timezone: Some("UTC".to_owned()),
            require_reason: true,
        },
        ..load("policies/template.yaml").policies[0].clone()
    };
    let mut keys = Vec::new();
    collect_keys(&serde_json::to_value(full).expect("JSON"), &mut keys);
    assert!(keys.len() > 25, "{keys:?}");
    for key in keys {
        assert!(
            text.contains(&format!("{key}:")),
            "the template says nothing of `{key}`"
        );
    }
}

fn collect_keys(value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                keys.push(key.clone());
                collect_keys(value, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}
