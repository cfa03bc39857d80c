//! A client of the bot's API over a real socket, as in a pipeline.

use crate::world::World;
use countersign::domain::document::ConfigDocument;
use countersign::domain::principal::Principal;
use countersign::domain::token::Scope;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// The scopes that a pipeline needs.
pub const PIPELINE: &[Scope] = &[
    Scope::RequestsRead,
    Scope::RequestsWrite,
    Scope::RequestsExecute,
];

/// A client: base URL and token.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    pub url: String,
    pub token: String,
}

/// A response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body, or its text if it is not JSON.
    pub body: Value,
}

impl Reply {
    /// Status and code, `409 already_reviewed`; or the status alone, `200`.
    pub fn outcome(&self) -> String {
        match self.body["code"].as_str() {
            Some(code) if self.status >= 400 => format!("{} {code}", self.status),
            _ => self.status.to_string(),
        }
    }

    /// The body of a response that must be a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status < 300, "{}: {}", self.status, self.body);
        self.body
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }
}

impl Api {
    pub fn new(url: &str, token: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: url.to_owned(),
            token: token.to_owned(),
        }
    }

    /// The same client at another replica.
    pub fn at(&self, url: &str) -> Self {
        Self::new(url, &self.token)
    }

    /// A call with these headers.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Reply {
        let method: Method = method.parse().expect("a method");
        let mut call = self.http.request(method, format!("{}{path}", self.url));
        if !self.token.is_empty() {
            call = call.bearer_auth(&self.token);
        }
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        if let Some(body) = body {
            call = call.header("content-type", "application/json").body(body);
        }
        let answer = call.send().await.expect("the bot answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Reply {
            status,
            headers,
            body,
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, &[], Some(body.to_string())).await
    }

    /// A POST call with an `Idempotency-Key`.
    pub async fn once(&self, key: &str, path: &str, body: Value) -> Reply {
        let key = [("idempotency-key", key)];
        self.call("POST", path, &key, Some(body.to_string())).await
    }

    pub async fn submit(&self, body: Value) -> Reply {
        self.post("/v1/requests", body).await
    }

    pub async fn read(&self, id: &str) -> Value {
        self.get(&format!("/v1/requests/{id}")).await.ok()
    }

    pub async fn decide(&self, id: &str, verdict: &str) -> Reply {
        let path = format!("/v1/requests/{id}/decisions");
        self.post(&path, json!({ "verdict": verdict })).await
    }

    pub async fn execute(&self, id: &str, digest: &str) -> Reply {
        let path = format!("/v1/requests/{id}/execute");
        self.post(&path, json!({ "digest": digest })).await
    }

    pub async fn cancel(&self, id: &str) -> Reply {
        self.post(&format!("/v1/requests/{id}/cancel"), json!({}))
            .await
    }
}

impl World {
    /// The API client of a person, with every scope that people may have.
    pub async fn person(&self, id: &str) -> Api {
        Api::new(&self.url, &self.token_of(id, Scope::ALL).await)
    }

    /// The API client of the service `ci`, which bob owns.
    pub async fn pipeline(&self, scopes: &[Scope]) -> Api {
        let ci = Principal::Service("ci".into());
        Api::new(&self.url, &self.token(ci, &[], scopes).await)
    }

    /// The operator changes the configuration, whatever policies gate it.
    pub async fn reconfigure(&self, change: impl FnOnce(&mut Value)) {
        let stored = self.app().config().await.expect("a configuration");
        let mut document = serde_json::to_value(&stored.document).expect("JSON");
        change(&mut document);
        let document: ConfigDocument = serde_json::from_value(document).expect("a document");
        self.app()
            .change_config(&crate::world::operator(), document, None, None)
            .await
            .expect("it holds");
    }

    /// Removes dan from the directory.
    pub async fn dan_leaves(&self) {
        self.reconfigure(|document| {
            let directory = &mut document["directory"];
            directory["users"]
                .as_array_mut()
                .expect("a list")
                .retain(|user| user["id"] != "dan");
            directory["teams"][1]["members"] = json!(["carol"]);
            // dan was the only one with this role
            if let Some(break_glass) = document.get_mut("breakGlass") {
                break_glass["allowed"] = json!({"teams": ["sre"]});
            }
        })
        .await;
    }
}

/// The release of the main story, for the API.
pub fn deploy() -> Value {
    json!({"action": "release.deploy", "project": "api-platform", "environment": "production", "release": "v1.4.2",
        "reason": "hotfix for checkout", "payload": {"image": "api@sha256:1f0c", "steps": ["migrate", "roll"]}})
}

/// A command on the production cluster; it needs one approval from SRE.
pub fn command() -> Value {
    json!({"action": "command.execute", "cluster": "prod-eu-1", "reason": "drain a node", "payload": {"command": ["drain", "node-7"]}})
}

/// A text field of a response.
#[track_caller]
pub fn text(body: &Value, field: &str) -> String {
    body[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {body}"))
        .to_owned()
}
