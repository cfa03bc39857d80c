//! The configuration file: YAML (and so JSON) to the domain's document and back, with faults that name line and column.

use super::file_error::{ConfigFileError, ConfigFileErrors};
use super::source_location::{SourceLocation, steps};
use super::structure;
use crate::domain::compiled_config::{CompiledConfig, ConfigError};
use crate::domain::digest::{Digest, canonical};
use crate::domain::document::{ConfigDocument, too_large};
use crate::domain::id::PolicyId;
use serde_json::Value;
use serde_saphyr::{
    DuplicateKeyPolicy, Error, MergeKeyPolicy, MessageFormatter as _, NonFiniteFloatPolicy,
    Options, UserMessageFormatter, alias_limits, budget,
};
use std::collections::BTreeMap;
use std::path::Path;

/// A configuration file that has been read; whether it makes sense is for [`Source::compile`] to say.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    document: ConfigDocument,
    places: SourceLocation,
}

impl Source {
    /// Opens and reads a file.
    pub fn open(path: &Path) -> Result<Self, ConfigFileErrors> {
        let name = path.display().to_string();
        let text = std::fs::read(path)
            .map_err(|error| whole(&name, format!("cannot be read: {error}")))
            .and_then(|bytes| {
                String::from_utf8(bytes)
                    .map_err(|_| whole(&name, "is not UTF-8 text; save it as UTF-8"))
            })?;
        Self::read(name, &text)
    }

    /// Reads a text, which `name` names in faults. All faults of its shape at once; a fault of syntax alone.
    pub fn read(name: impl Into<String>, text: &str) -> Result<Self, ConfigFileErrors> {
        let name = name.into();
        if let Some(why) = too_large(text.len()) {
            return Err(whole(&name, why));
        }
        let value: Value = serde_saphyr::from_str_with_options(text, options())
            .map_err(|error| syntax(&name, &error))?;
        if value.is_null() {
            return Err(whole(
                &name,
                "is empty; copy manifests/example.yaml to begin with, or let `countersign init` write one",
            ));
        }
        let places = SourceLocation::of(text);
        match structure::read(value, places.clone()) {
            Ok(document) => match too_large(compact_size(&document)) {
                Some(why) => Err(whole(&name, why)),
                None => Ok(Self {
                    name,
                    document,
                    places,
                }),
            },
            Err(mut flaws) => Err(ConfigFileErrors({
                flaws.sort();
                flaws
                    .into_iter()
                    .map(|(at, path, message)| ConfigFileError {
                        file: name.clone(),
                        at: Some(at),
                        path,
                        message,
                    })
                    .collect()
            })),
        }
    }

    /// The document.
    pub fn document(&self) -> &ConfigDocument {
        &self.document
    }

    /// The document, taken out.
    pub fn into_document(self) -> ConfigDocument {
        self.document
    }

    /// Checks the document by the rules of the domain; every problem with its line.
    pub fn compile(
        &self,
        version: i64,
        template_versions: &BTreeMap<PolicyId, i64>,
    ) -> Result<CompiledConfig, ConfigFileErrors> {
        CompiledConfig::compile(version, self.document.clone(), template_versions)
            .map_err(|problems| self.locate(&problems))
    }

    /// Gives problems that were found in the document their lines in the file.
    pub fn locate(&self, problems: &[ConfigError]) -> ConfigFileErrors {
        let mut faults: Vec<ConfigFileError> = problems
            .iter()
            .map(|problem| ConfigFileError {
                file: self.name.clone(),
                at: Some(self.places.find(&steps(&problem.path)).0),
                path: problem.path.clone(),
                message: problem.message.clone(),
            })
            .collect();
        faults.sort_by_key(|fault| fault.at);
        ConfigFileErrors(faults)
    }
}

/// Reads the values of a part of a configuration, such as one policy, within the limits of a whole file.
pub fn read_part(text: &str) -> Result<Value, String> {
    if let Some(why) = too_large(text.len()) {
        return Err(why);
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let errors = syntax("the text", &error).0;
        let lines = errors.iter().map(|error| match error.at {
            Some((line, _)) => format!("Line {line}: {}.", error.message),
            None => format!("{}.", error.message),
        });
        lines.collect::<Vec<_>>().join(" ")
    })
}

/// What a file is known by: the SHA-256 of its document in RFC 8785 form, so that comments and layout do not matter.
///
/// # Panics
/// Never: see the reason below.
pub fn digest(document: &ConfigDocument) -> Digest {
    // a document holds text, whole numbers and booleans only, which always have a canonical form
    let text = canonical(document).expect("a document has a canonical form");
    Digest::of(text.as_bytes())
}

/// The document as YAML that [`Source::read`] reads back to the same document.
pub fn to_yaml(document: &ConfigDocument) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(document)
}

/// The size in which the document is sent to the API and stored. It can be larger than its YAML, which leaves out defaults.
fn compact_size(document: &ConfigDocument) -> usize {
    // a document always has a canonical form; without one it would be refused
    canonical(document).map_or(usize::MAX, |text| text.len())
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: budget! {
            max_depth: 32,
            max_nodes: 1_000_000,
            max_events: 2_000_000,
            max_documents: 2,
        },
        alias_limits: alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 16,
            max_alias_expansions_per_anchor: 1_000,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        // what a policy says must stand where it is read
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        reject_unsupported_tags: true,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn whole(name: &str, message: impl Into<String>) -> ConfigFileErrors {
    ConfigFileErrors(vec![ConfigFileError {
        file: name.to_owned(),
        at: None,
        path: String::new(),
        message: message.into(),
    }])
}

fn syntax(name: &str, error: &Error) -> ConfigFileErrors {
    let at = error.location().and_then(|location| {
        let line = usize::try_from(location.line()).ok()?;
        let column = usize::try_from(location.column()).ok()?;
        (line > 0).then_some((line, column))
    });
    let message = match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is given twice in one mapping; keep one of them")
        }
        Error::DuplicateMappingKey { key: None, .. } => {
            "a key is given twice in one mapping; keep one of them".to_owned()
        }
        Error::MultipleDocuments { .. } => {
            "a second document begins here (`---`); one file holds one configuration".to_owned()
        }
        Error::MergeKeyNotAllowed { .. } => {
            "merge keys (`<<`) are not read; write the keys out, so that a policy says what it does where it stands".to_owned()
        }
        Error::Budget { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "the file nests or repeats itself beyond what any configuration needs".to_owned()
        }
        other => UserMessageFormatter.format_message(other).into_owned(),
    };
    ConfigFileErrors(vec![ConfigFileError {
        file: name.to_owned(),
        at,
        path: String::new(),
        message,
    }])
}

#[cfg(test)]
mod manifests;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod tests;
