//! What a configuration may say although this release does not carry it out: named aloud, so that nobody relies on it.

use crate::domain::document::ConfigDocument;

/// What is said of each such key.
pub const NOT_CARRIED_OUT: &str = "accepted and checked, but not carried out by this release";

/// The places of a document that have no effect yet, as they are written in the file; none where everything is carried out.
pub fn not_carried_out(document: &ConfigDocument) -> Vec<String> {
    let mut places = Vec::new();
    let whole = [("webhooks", !document.webhooks.is_empty())];
    places.extend(
        whole
            .iter()
            .filter(|(_, said)| *said)
            .map(|(key, _)| (*key).to_owned()),
    );
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::Source;
    use std::path::Path;

    fn places(yaml: &str) -> Vec<String> {
        let source = Source::read("test.yaml", yaml).unwrap_or_else(|faults| panic!("{faults}"));
        not_carried_out(source.document())
    }

    #[test]
    fn every_key_without_effect_is_reported_with_its_location() {
        let said = places(
            "organization: acme
policies:
  - {id: a, name: A, scope: organization, approvers: anyone}
  - {id: b, name: B, scope: organization, approvers: anyone, escalation: {after: 1h, channel: C1}}
webhooks: [{url: 'https://example.com/', secretEnv: HOOK_SECRET, events: [request.decided]}]
reminders: {first: 2h, factor: 2}
",
        );
        assert_eq!(said, ["webhooks"]);
    }

    #[test]
    fn shipped_configurations_use_only_implemented_keys() {
        let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
        for file in ["demo.yaml", "example.yaml"] {
            let source =
                Source::open(&manifests.join(file)).unwrap_or_else(|faults| panic!("{faults}"));
            assert_eq!(
                not_carried_out(source.document()),
                Vec::<String>::new(),
                "{file}"
            );
        }
        assert_eq!(places("organization: acme"), Vec::<String>::new());
    }
}
