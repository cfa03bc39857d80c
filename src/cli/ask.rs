//! Arguments that `request`, `run` and `explain` share.

use super::error::CliError;
use crate::domain::content::{Text, is_content_type};
use crate::domain::digest::{Payload, canonical};
use crate::http::SubmitBody;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A new request, as the command line describes it.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The action, such as release.deploy
    pub action: String,
    #[command(flatten)]
    pub on: On,
}

/// Everything about a new request except its action.
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
    /// Reason, for the people who decide
    #[arg(long)]
    reason: Option<String>,
    /// Payload: a JSON document, or text such as a diff or a manifest; - reads standard input
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
    /// Content type of a text payload, such as text/x-diff; by default taken from the file's extension and content
    #[arg(long, value_name = "TYPE", requires = "payload", value_parser = content_type)]
    content_type: Option<String>,
    /// Person the request is for, if not you (needs the scope requests:act-for)
    #[arg(long, value_name = "USER")]
    requester: Option<String>,
    /// Author of what would run; may not approve it (repeatable)
    #[arg(long = "author", value_name = "USER")]
    authors: Vec<String>,
    /// The request that this one replaces
    #[arg(long, value_name = "ID")]
    replaces: Option<String>,
}

impl On {
    /// The body of the API call; `command` is what would run.
    pub fn body(&self, action: &str, command: Option<&[String]>) -> Result<Value, CliError> {
        let kind = self.content_type.as_deref();
        let input = self.payload.as_deref().map(|path| read(path, kind));
        let payload = payload(command, input.transpose()?);
        let body = SubmitBody {
            action: action.to_owned(),
            project: self.project.clone(),
            cluster: self.cluster.clone(),
            environment: self.environment.clone(),
            release: self.release.clone(),
            reason: self.reason.clone(),
            payload: payload.map(Payload),
            requester: self.requester.clone(),
            authors: self.authors.clone(),
            replaces: self.replaces.clone(),
            callback_url: None,
        };
        serde_json::to_value(body).map_err(|error| CliError::Usage(error.to_string()))
    }

    /// Whether the payload is read from standard input, which the command then cannot read.
    pub fn reads_input(&self) -> bool {
        self.payload.as_deref() == Some(Path::new("-"))
    }
}

/// The payload: people approve the exact command; without a command the document alone.
fn payload(command: Option<&[String]>, input: Option<Value>) -> Option<Value> {
    let Some(command) = command else { return input };
    let mut payload = Map::new();
    payload.insert("command".to_owned(), command.into());
    if let Some(input) = input {
        payload.insert("input".to_owned(), input);
    }
    Some(Value::Object(payload))
}

fn content_type(text: &str) -> Result<String, String> {
    if is_content_type(text) {
        Ok(text.to_owned())
    } else {
        Err("a content type is written like text/x-diff".to_owned())
    }
}

/// File extensions that are always sent as text, with their content types.
const TEXTS: [(&str, &str); 5] = [
    ("diff", "text/x-diff"),
    ("patch", "text/x-diff"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("txt", "text/plain"),
];

fn read(path: &Path, kind: Option<&str>) -> Result<Value, CliError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    let unread = |error: &dyn std::fmt::Display| {
        CliError::Usage(format!("--payload {}: {error}", path.display()))
    };
    read.map_err(|error| unread(&error))?;
    let ending = path.extension().and_then(|ending| ending.to_str());
    document(text, ending, kind).map_err(|error| unread(&error))
}

/// The payload that a file makes. JSON that could not be approved is refused; it is never sent as text instead.
fn document(
    text: String,
    ending: Option<&str>,
    kind: Option<&str>,
) -> Result<Value, serde_json::Error> {
    let by_ending = TEXTS.into_iter().find(|(known, _)| ending == Some(*known));
    let is_json = || serde_json::from_str::<IgnoredAny>(&text).is_ok();
    let kind = match (kind, by_ending) {
        (Some("application/json"), _) => None,
        (Some(kind), _) | (None, Some((_, kind))) => Some(kind),
        (None, None) if ending == Some("json") || is_json() => None,
        (None, None) => Some("text/plain"),
    };
    if let Some(kind) = kind {
        return serde_json::to_value(Text {
            content_type: kind.to_owned(),
            text,
        });
    }
    let payload: Payload = serde_json::from_str(&text)?;
    // a document without a canonical form could not be approved either
    canonical(&payload.0)?;
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
    fn people_approve_the_very_command_b09() {
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
        let Err(CliError::Usage(text)) = on.body("release.deploy", None) else {
            panic!("the file does not exist")
        };
        assert!(
            text.starts_with("--payload /nowhere/at-all.json: "),
            "{text}"
        );
    }

    #[test]
    fn a_file_is_json_or_a_text_with_its_type() {
        let made = |text: &str, ending, kind| {
            let made = document(text.to_owned(), ending, kind);
            made.map_or_else(|error| error.to_string(), |value| value.to_string())
        };
        let text = |kind: &str, text: &str| {
            serde_json::json!({"contentType": kind, "text": text}).to_string()
        };
        let diff = "-a\n+b \n";
        assert_eq!(made(diff, Some("patch"), None), text("text/x-diff", diff));
        assert_eq!(
            made("a: 1", Some("yml"), None),
            text("application/yaml", "a: 1")
        );
        // rounding by a JSON parser would change the meaning of this manifest
        assert_eq!(
            made("1.10", Some("yaml"), None),
            text("application/yaml", "1.10")
        );
        assert_eq!(made(diff, None, None), text("text/plain", diff));
        assert_eq!(
            made(diff, Some("patch"), Some("text/x-sql")),
            text("text/x-sql", diff)
        );
        for (ending, kind) in [
            (None, None),
            (Some("json"), None),
            (Some("yaml"), Some("application/json")),
        ] {
            assert_eq!(made("{\"a\": 1.0}", ending, kind), "{\"a\":1.0}");
            let twice = made("{\"a\":1,\"a\":2}", ending, kind);
            assert!(twice.contains("stands twice"), "{twice}");
        }
        assert!(made("{", Some("json"), None).contains("EOF"));
        assert_eq!(
            made("{\"a\": 1}", None, Some("text/plain")),
            text("text/plain", "{\"a\": 1}")
        );
        assert!(content_type("diff").is_err() && content_type("text/x-diff").is_ok());
    }
}
