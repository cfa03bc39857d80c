//! Fetches small documents from servers that the operator has configured, such as an `OpenID` provider: no redirects, one deadline,
//! and no more than a bounded body.

use super::post::client;
use super::{Connector, POST_DEADLINE, Proxies, Unreached, address_of};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, PROXY_AUTHORIZATION, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use std::fmt;

/// The largest body that is read, in bytes.
const LARGEST_BODY: usize = 256 * 1024;

/// Fetches; cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    client: super::post::Https,
    proxies: Proxies,
}

/// What was answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// A body may hold a token, so that it is never printed.
impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher that uses these proxies.
    pub fn new(proxies: &Proxies) -> Self {
        Self {
            client: client(Connector::new(proxies.clone()).forwarding()),
            proxies: proxies.clone(),
        }
    }

    /// Gets a document.
    pub async fn get(&self, url: &str) -> Result<Fetched, Unreached> {
        self.call(Method::GET, url, None, String::new()).await
    }

    /// Posts a form; `authorization` is the value of that header.
    pub async fn post_form(
        &self,
        url: &str,
        authorization: Option<&str>,
        form: String,
    ) -> Result<Fetched, Unreached> {
        self.call(Method::POST, url, authorization, form).await
    }

    async fn call(
        &self,
        method: Method,
        url: &str,
        authorization: Option<&str>,
        body: String,
    ) -> Result<Fetched, Unreached> {
        let uri: Uri = url.parse().map_err(|error| Unreached::of(&error, url))?;
        let address = address_of(&uri);
        let mut request = Request::builder()
            .method(method)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(
                USER_AGENT,
                concat!("countersign/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(value) = self.proxies.forwarding_auth(&uri) {
            request = request.header(PROXY_AUTHORIZATION, value);
        }
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.uri(uri).body(Full::from(body));
        let request = request.map_err(|error| Unreached::of(&error, &address))?;
        let fetching = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|error| Unreached::of(&error, &address))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), LARGEST_BODY).collect();
            let body = body.await.map_err(|error| Unreached::of(&*error, &address));
            Ok(Fetched {
                status,
                body: body?.to_bytes(),
            })
        };
        tokio::time::timeout(POST_DEADLINE, fetching)
            .await
            .map_err(|_| Unreached::slow(&address, POST_DEADLINE.as_secs()))?
    }
}
