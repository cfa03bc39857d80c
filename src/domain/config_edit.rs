//! Changes that people make to the configuration, each applied to the stored document.

use super::document::{Binding, ConfigDocument, PolicyTemplate};

/// One change. Whether the result is valid is checked by compiling it.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigEdit {
    /// Replaces the policy with the same id in its place, or adds it after the others.
    PutPolicy(Box<PolicyTemplate>),
    /// Adds a policy after the others. The check of the configuration refuses an id that is taken.
    AddPolicy(Box<PolicyTemplate>),
    /// Adds a binding, unless it exists.
    Bind(Binding),
    /// Removes a binding, if it exists.
    Unbind(Binding),
    /// Replaces the whole document.
    Replace(Box<ConfigDocument>),
}

impl From<ConfigDocument> for ConfigEdit {
    fn from(document: ConfigDocument) -> Self {
        Self::Replace(Box::new(document))
    }
}

impl ConfigEdit {
    /// The stored document with this change.
    pub fn applied_to(&self, stored: &ConfigDocument) -> ConfigDocument {
        let mut document = stored.clone();
        match self {
            Self::PutPolicy(policy) => {
                let policies = &mut document.policies;
                match policies.iter_mut().find(|known| known.id == policy.id) {
                    Some(known) => known.clone_from(policy),
                    None => policies.push(policy.as_ref().clone()),
                }
            }
            Self::AddPolicy(policy) => document.policies.push(policy.as_ref().clone()),
            Self::Bind(binding) => {
                if !document.bindings.contains(binding) {
                    document.bindings.push(binding.clone());
                }
            }
            Self::Unbind(binding) => document.bindings.retain(|known| known != binding),
            Self::Replace(document) => return document.as_ref().clone(),
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::Level;
    use super::*;

    fn template(id: &str, name: &str) -> PolicyTemplate {
        let json = format!(r#"{{"id":"{id}","name":"{name}","scope":"organization"}}"#);
        serde_json::from_str(&json).expect("a template")
    }

    fn document() -> ConfigDocument {
        let mut document: ConfigDocument =
            serde_json::from_str(r#"{"organization":"acme"}"#).expect("a document");
        document.policies = vec![template("a", "A"), template("b", "B")];
        document
    }

    #[test]
    fn a_policy_is_replaced_in_its_place_or_added() {
        let put = |policy| ConfigEdit::PutPolicy(Box::new(policy)).applied_to(&document());
        let changed = put(template("a", "New"));
        let names: Vec<&str> = changed.policies.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["New", "B"]);
        assert_eq!(put(template("c", "C")).policies.len(), 3);
        let added = ConfigEdit::AddPolicy(Box::new(template("a", "New")));
        let added = added.applied_to(&document());
        assert_eq!(added.policies.len(), 3, "an added policy replaces none");
    }

    #[test]
    fn a_binding_is_added_and_removed_once() {
        let binding = |policy: &str| Binding {
            policy: policy.into(),
            level: Level::Organization,
            resource: None,
        };
        let bound = ConfigEdit::Bind(binding("a")).applied_to(&document());
        assert_eq!(bound.bindings, [binding("a")]);
        assert_eq!(ConfigEdit::Bind(binding("a")).applied_to(&bound), bound);
        assert_eq!(ConfigEdit::Unbind(binding("b")).applied_to(&bound), bound);
        let unbound = ConfigEdit::Unbind(binding("a")).applied_to(&bound);
        assert_eq!(unbound, document());
    }

    #[test]
    fn a_document_replaces_everything() {
        let mut other = document();
        other.policies.clear();
        let edit = ConfigEdit::from(other.clone());
        assert_eq!(edit.applied_to(&document()), other);
    }
}
