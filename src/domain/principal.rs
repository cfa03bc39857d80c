//! Who acts: a person, a service, the operator, or Countersign itself.

use super::decision::Via;
use super::id::{PersonId, ServiceId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who acts; stored as `person:alice`, `service:ci`, `operator` or `bot`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Principal {
    /// A person of the directory.
    Person(PersonId),
    /// A service, by its token.
    Service(ServiceId),
    /// Whoever can open the database: `token create`, `recover`, a configuration file.
    Operator,
    /// Countersign itself.
    Bot,
}

impl Principal {
    /// The person, if the principal is one.
    pub fn person(&self) -> Option<&PersonId> {
        match self {
            Self::Person(id) => Some(id),
            Self::Service(_) | Self::Operator | Self::Bot => None,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person:{id}"),
            Self::Service(id) => write!(f, "service:{id}"),
            Self::Operator => f.write_str("operator"),
            Self::Bot => f.write_str("bot"),
        }
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> String {
        principal.to_string()
    }
}

impl TryFrom<String> for Principal {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("person", id)) if !id.is_empty() => Ok(Self::Person(PersonId::new(id))),
            Some(("service", id)) if !id.is_empty() => Ok(Self::Service(ServiceId::new(id))),
            None if text == "operator" => Ok(Self::Operator),
            None if text == "bot" => Ok(Self::Bot),
            _ => Err(format!("`{text}` names no principal")),
        }
    }
}

/// An authenticated caller of a use case. Only the interfaces create one, after they have authenticated the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The authenticated principal.
    pub principal: Principal,
    /// The owners of a service, by token and by configuration; empty for a person.
    pub owners: Vec<PersonId>,
    /// Whether the caller may name another requester (`requests:act-for`).
    pub acts_for_others: bool,
    /// The interface it came through.
    pub via: Via,
}

impl Caller {
    /// Whoever can open the database.
    pub fn operator(via: Via) -> Self {
        Self::of(Principal::Operator, via)
    }

    /// Countersign itself.
    pub fn bot() -> Self {
        Self::of(Principal::Bot, Via::Bot)
    }

    /// A person, through one of the interfaces.
    pub fn person(id: PersonId, via: Via) -> Self {
        Self::of(Principal::Person(id), via)
    }

    fn of(principal: Principal, via: Via) -> Self {
        Self {
            principal,
            owners: Vec::new(),
            acts_for_others: false,
            via,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_parse_back_and_empty_names_are_refused() {
        for principal in [
            Principal::Person("alice".into()),
            Principal::Service("ci".into()),
            Principal::Operator,
            Principal::Bot,
        ] {
            assert_eq!(Principal::try_from(principal.to_string()), Ok(principal));
        }
        for bad in ["", "alice", "person:", "service:", "operator:x", "admin"] {
            assert!(Principal::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
