//! What `request`, `run` and `explain` take alike.

use super::trouble::Trouble;
use crate::domain::digest::{Payload, canonical};
use serde_json::{Map, Value};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The action, such as release.deploy
    pub action: String,
    #[command(flatten)]
    pub on: On,
}

/// What is asked, besides the action.
#[derive(Debug, Default, clap::Args)]
pub struct On {
    /// The project
    #[arg(long)]
    project: Option<String>,
    /// The cluster
    #[arg(long)]
    cluster: Option<String>,
    /// The environment
    #[arg(long, visible_alias = "env")]
    environment: Option<String>,
    /// The release
    #[arg(long)]
    release: Option<String>,
    /// Why, for the people who decide
    #[arg(long)]
    reason: Option<String>,
    /// A JSON document with what would run or change; - reads standard input
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
    /// For whom, when not for yourself (needs the scope requests:act-for)
    #[arg(long, value_name = "USER")]
    requester: Option<String>,
    /// Who wrote what would run; they may not approve it (repeatable)
    #[arg(long = "author", value_name = "USER")]
    authors: Vec<String>,
    /// The request that this one replaces
    #[arg(long, value_name = "ID")]
    replaces: Option<String>,
}

impl On {
    /// The body of the call; `command` is what would run.
    pub fn body(&self, action: &str, command: Option<&[String]>) -> Result<Value, Trouble> {
        let mut body = Map::new();
        let texts = [
            ("project", &self.project),
            ("cluster", &self.cluster),
            ("environment", &self.environment),
            ("release", &self.release),
            ("reason", &self.reason),
            ("requester", &self.requester),
            ("replaces", &self.replaces),
        ];
        body.insert("action".to_owned(), action.into());
        for (field, text) in texts {
            if let Some(text) = text {
                body.insert(field.to_owned(), text.as_str().into());
            }
        }
        if !self.authors.is_empty() {
            body.insert("authors".to_owned(), self.authors.clone().into());
        }
        let input = self.payload.as_deref().map(read).transpose()?;
        if let Some(payload) = payload(command, input) {
            body.insert("payload".to_owned(), payload);
        }
        Ok(Value::Object(body))
    }

    /// Whether standard input is read as the payload, and so is not there for a command.
    pub fn reads_input(&self) -> bool {
        self.payload.as_deref() == Some(Path::new("-"))
    }
}

/// People approve the very command; without one the document alone.
fn payload(command: Option<&[String]>, input: Option<Value>) -> Option<Value> {
    let Some(command) = command else { return input };
    let mut payload = Map::new();
    payload.insert("command".to_owned(), command.into());
    if let Some(input) = input {
        payload.insert("input".to_owned(), input);
    }
    Some(Value::Object(payload))
}

fn read(path: &Path) -> Result<Value, Trouble> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    let unread = |error: &dyn std::fmt::Display| {
        Trouble::Usage(format!("--payload {}: {error}", path.display()))
    };
    read.map_err(|error| unread(&error))?;
    let payload: Payload = serde_json::from_str(&text).map_err(|error| unread(&error))?;
    // a document that has no canonical form could not be approved either
    canonical(&payload.0).map_err(|error| unread(&error))?;
    Ok(payload.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_is_sent() {
        let on = On {
            project: Some("api".to_owned()),
            authors: vec!["alice".to_owned()],
            ..On::default()
        };
        let body = on
            .body("release.deploy", None)
            .ok()
            .map(|body| body.to_string());
        assert_eq!(
            body.as_deref(),
            Some(r#"{"action":"release.deploy","authors":["alice"],"project":"api"}"#)
        );
    }

    #[test]
    fn b09_people_approve_the_very_command() {
        let argv = ["sh".to_owned(), "-c".to_owned(), "echo  'a b' ".to_owned()];
        let is = |input| payload(Some(&argv), input).map(|payload| payload.to_string());
        assert_eq!(
            is(None).as_deref(),
            Some(r#"{"command":["sh","-c","echo  'a b' "]}"#)
        );
        assert_eq!(
            is(Some(Value::from(1))).as_deref(),
            Some(r#"{"command":["sh","-c","echo  'a b' "],"input":1}"#)
        );
        assert_eq!(payload(None, Some(Value::Null)), Some(Value::Null));
    }

    #[test]
    fn a_missing_file_is_named() {
        let on = On {
            payload: Some("/nowhere/at-all.json".into()),
            ..On::default()
        };
        let Err(Trouble::Usage(text)) = on.body("release.deploy", None) else {
            panic!("the file does not exist")
        };
        assert!(
            text.starts_with("--payload /nowhere/at-all.json: "),
            "{text}"
        );
    }
}
