//! The one list of routes: the router, the `OpenAPI` document and the authorization matrix are all made from it.

use super::access::{Access, Guarded, Who};
use super::problem::{Details, PROBLEM_JSON};
use super::{
    Api, audit, break_glass, config, decisions, directory, executions, explain, operations,
    policies, replay, requests, stats,
};
use axum::handler::Handler;
use axum::routing::MethodRouter;
use utoipa::openapi::path::{Operation, PathItem, Paths};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa::{OpenApi, PartialSchema as _, ToSchema as _};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

/// One route.
pub struct Route {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path, with `{id}` where a part of it varies.
    pub path: String,
    /// What it asks of a caller; read off its handler's type.
    pub access: Access,
    pub(super) handler: MethodRouter<Api>,
    documentation: (Schemas, Paths),
}

type Schemas = Vec<(
    String,
    utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>,
)>;

impl Route {
    fn new(access: Access, (schemas, mut paths, handler): UtoipaMethodRouter<Api>) -> Self {
        let (path, item) = paths
            .paths
            .iter_mut()
            .next()
            .expect("routes! names one handler, which has a path");
        let path = path.clone();
        let (method, operation) = only_operation(item);
        operation.operation_id = Some(operation_id(method, &path));
        document(operation, access);
        Self {
            method,
            path,
            access,
            handler,
            documentation: (schemas, paths),
        }
    }
}

fn only_operation(item: &mut PathItem) -> (&'static str, &mut Operation) {
    [
        ("GET", &mut item.get),
        ("POST", &mut item.post),
        ("PUT", &mut item.put),
        ("DELETE", &mut item.delete),
    ]
    .into_iter()
    .find_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
    .expect("a handler is annotated with one of these methods")
}

/// `post_v1_requests_id_execute`: unique, and a name in every language.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", method.to_lowercase(), words.join("_"))
}

/// What is the same for every operation: its scope, and that everything else it answers is a problem.
fn document(operation: &mut Operation, access: Access) {
    let problem = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let refused = ResponseBuilder::new()
        .description("Why not, and what to do")
        .content(PROBLEM_JSON, problem)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), refused.into());
    operation.security = match access {
        Access::Open => Some(Vec::new()),
        Access::Token { scope, who } => {
            let whose = match who {
                Who::Anybody => "",
                Who::Person => " of a person",
            };
            let needs = format!("Needs a token{whose} with the scope `{}`.", scope.as_str());
            let text = operation.description.get_or_insert_default();
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(&needs);
            Some(vec![SecurityRequirement::new(
                "token",
                [scope.as_str().to_owned()],
            )])
        }
    };
}

fn access_of<H, T>(_: &H) -> Access
where
    H: Handler<T, Api>,
    T: Guarded,
{
    T::ACCESS
}

macro_rules! route {
    ($handler:path) => {
        Route::new(access_of(&$handler), routes!($handler))
    };
}

/// Every route there is.
pub fn routes() -> Vec<Route> {
    vec![
        route!(requests::submit),
        route!(requests::list),
        route!(requests::read),
        route!(decisions::decide),
        route!(executions::cancel),
        route!(executions::execute),
        route!(executions::complete),
        route!(explain::explain),
        route!(replay::replay),
        route!(policies::list),
        route!(policies::read),
        route!(policies::write),
        route!(policies::bindings),
        route!(directory::read),
        route!(config::read),
        route!(config::write),
        route!(break_glass::start),
        route!(break_glass::list),
        route!(break_glass::read),
        route!(break_glass::revoke),
        route!(break_glass::review),
        route!(audit::read),
        route!(stats::latency),
        route!(operations::healthz),
        route!(operations::readyz),
        route!(operations::metrics),
        route!(operations::openapi),
    ]
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Countersign",
    description = "Risky operations wait for the right people. Times are RFC 3339 in UTC; errors are problem details with a `code`."
))]
struct Document;

/// The `OpenAPI` 3.1 document of all routes.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components
        .security_schemes
        .insert("token".to_owned(), SecurityScheme::Http(bearer).into());
    let mut schemas = vec![(Details::name().into_owned(), Details::schema())];
    Details::schemas(&mut schemas);
    for route in routes() {
        let (of_route, paths) = route.documentation;
        schemas.extend(of_route);
        for (path, item) in paths.paths {
            match document.paths.paths.get_mut(&path) {
                Some(known) => known.merge_operations(item),
                None => {
                    document.paths.paths.insert(path, item);
                }
            }
        }
    }
    let components = document.components.get_or_insert_default();
    components.schemas.extend(schemas);
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn refs(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| refs(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| refs(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_document_has_every_route_with_its_scope_and_problem() {
        let document = serde_json::to_value(openapi()).expect("JSON");
        assert_eq!(document["openapi"], "3.1.0");
        for route in routes() {
            let operation = &document["paths"][&route.path][route.method.to_lowercase()];
            let at = format!("{} {}", route.method, route.path);
            assert!(operation["summary"].is_string(), "{at}");
            assert!(operation["responses"]["default"].is_object(), "{at}");
            let scopes = match route.access {
                Access::Open => serde_json::json!([]),
                Access::Token { scope, .. } => serde_json::json!([{"token": [scope.as_str()]}]),
            };
            assert_eq!(operation["security"], scopes, "{at}");
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = serde_json::to_value(openapi()).expect("JSON");
        let mut found = Vec::new();
        refs(&document, &mut found);
        assert!(found.len() > routes().len());
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn operation_ids_are_unique() {
        let document = serde_json::to_value(openapi()).expect("JSON");
        let mut ids: Vec<&Value> = routes()
            .iter()
            .map(
                |route| &document["paths"][&route.path][route.method.to_lowercase()]["operationId"],
            )
            .collect();
        let all = ids.len();
        ids.sort_by_key(ToString::to_string);
        ids.dedup();
        assert_eq!(ids.len(), all);
    }
}
