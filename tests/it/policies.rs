//! Policies as people meet them: what gates a request, what is refused and with which message, and what an edit changes.

mod gating;
mod payloads;
mod pinned;
mod refusals;
mod routes;

use crate::world::{World, operator};
use countersign::app::Changed;
use countersign::config::file::Source;
use countersign::domain::document::ConfigDocument;
use countersign::domain::token::Scope;
use serde_json::{Value, json};

/// The demo's configuration with other policies and bindings (YAML, indented as in a file), and further keys at the end.
pub fn document(policies: &str, bindings: &str, more: &str) -> ConfigDocument {
    let demo = include_str!("../../manifests/demo.yaml");
    let (head, rest) = demo.split_once("\npolicies:\n").expect("policies");
    let (_, tail) = rest.split_once("\nroutes:\n").expect("routes");
    let text =
        format!("{head}\npolicies:\n{policies}\nbindings:\n{bindings}\nroutes:\n{tail}\n{more}");
    let source = Source::read("story.yaml", &text).unwrap_or_else(|faults| panic!("{faults}"));
    source.into_document()
}

/// Puts a configuration into force.
pub async fn configure(world: &World, document: ConfigDocument) {
    let changed = world
        .app()
        .change_config(&operator(), document, None, Some("a story".to_owned()))
        .await
        .expect("the document keeps the rules");
    assert!(matches!(changed, Changed::Applied(_)), "{changed:?}");
}

/// A person's API client.
pub struct Caller {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Caller {
    pub async fn of(world: &World, person: &str) -> Self {
        let scopes = [
            Scope::RequestsRead,
            Scope::RequestsWrite,
            Scope::RequestsExecute,
        ];
        Self {
            http: reqwest::Client::new(),
            url: world.url.clone(),
            token: world.token_of(person, &scopes).await,
        }
    }

    /// Status and body of a response.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let call = self.http.post(format!("{}{path}", self.url)).json(body);
        self.send(call).await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.http.get(format!("{}{path}", self.url)))
            .await
    }

    async fn send(&self, call: reqwest::RequestBuilder) -> (u16, Value) {
        let key = uuid::Uuid::now_v7().to_string();
        let call = call
            .bearer_auth(&self.token)
            .header("Idempotency-Key", key)
            .send();
        let answer = call.await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("JSON"))
    }

    pub async fn asks(&self, body: &Value) -> (u16, Value) {
        self.post("/v1/requests", body).await
    }

    /// Executes a request with the digest that its creation returned.
    pub async fn executes(&self, asked: &Value) -> (u16, Value) {
        let id = asked["id"].as_str().expect("an id");
        let body = json!({"digest": asked["digest"]});
        self.post(&format!("/v1/requests/{id}/execute"), &body)
            .await
    }
}

/// A release to production.
pub fn release() -> Value {
    json!({"action": "release.deploy", "project": "api-platform", "environment": "production", "release": "v1.4.2",
        "reason": "hotfix for checkout"})
}

/// The policy ids in a response.
pub fn policies(answer: &Value) -> Vec<&str> {
    let list = answer["policies"].as_array().expect("policies");
    list.iter()
        .filter_map(|policy| policy["id"].as_str())
        .collect()
}
