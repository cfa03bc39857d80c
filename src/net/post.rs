//! Posts JSON to addresses that people have configured: no redirects, one deadline, and public addresses only unless allowed.

use super::{Connector, Proxies, Unreached, address_of};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, PROXY_AUTHORIZATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::sync::Arc;
use std::time::Duration;

/// How long one post may take, from the name's resolution to the answer's status.
pub const POST_DEADLINE: Duration = Duration::from_secs(15);

/// Which addresses may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those of the public internet.
    Public,
    /// All, those of this machine and its network included.
    All,
}

pub(super) type Https = Client<HttpsConnector<Connector>, Full<Bytes>>;

/// Posts; cheap to clone.
#[derive(Clone)]
pub struct Poster {
    public: Https,
    all: Https,
    proxies: Proxies,
}

/// What was answered. The body is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The status.
    pub status: u16,
    /// What `Retry-After` says.
    pub retry_after: Option<String>,
}

impl Poster {
    /// A poster that uses these proxies. A proxy resolves names by itself, so it decides which addresses names may lead to.
    pub fn new(proxies: &Proxies) -> Self {
        let connector = Connector::new(proxies.clone()).forwarding();
        Self {
            public: client(connector.clone().public_only()),
            all: client(connector),
            proxies: proxies.clone(),
        }
    }

    /// Posts a JSON body.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
        reach: Reach,
    ) -> Result<Posted, Unreached> {
        let uri: Uri = url.parse().map_err(|error| Unreached::of(&error, url))?;
        let address = address_of(&uri);
        let request = self.request(uri, headers, body);
        let request = request.map_err(|error| Unreached::of(&error, &address))?;
        let client = match reach {
            Reach::Public => &self.public,
            Reach::All => &self.all,
        };
        let answer = tokio::time::timeout(POST_DEADLINE, client.request(request)).await;
        let answer = answer
            .map_err(|_| Unreached::slow(&address, POST_DEADLINE.as_secs()))?
            .map_err(|error| Unreached::of(&error, &address))?;
        let retry_after = answer.headers().get(RETRY_AFTER);
        Ok(Posted {
            status: answer.status().as_u16(),
            retry_after: retry_after
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        })
    }

    fn request(
        &self,
        uri: Uri,
        headers: &[(&'static str, String)],
        body: String,
    ) -> http::Result<Request<Full<Bytes>>> {
        let proxy_authorization = self.proxies.forwarding_auth(&uri);
        let mut request = Request::post(uri)
            .header(CONTENT_TYPE, "application/json")
            .header(
                USER_AGENT,
                concat!("countersign/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(value) = proxy_authorization {
            request = request.header(PROXY_AUTHORIZATION, value);
        }
        for (name, value) in headers {
            request = request.header(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        request.body(Full::from(body))
    }
}

/// Every post has a connection of its own: an endpoint may have moved since the last one.
pub(super) fn client(connector: Connector) -> Https {
    let provider = rustls::crypto::ring::default_provider();
    let builder = HttpsConnectorBuilder::new();
    let https = match builder.with_provider_and_native_roots(provider) {
        Ok(builder) => builder.https_or_http().enable_http1(),
        // no certificate is trusted; the error names the cause
        Err(_) => HttpsConnectorBuilder::new()
            .with_tls_config(trusting_nobody())
            .https_or_http()
            .enable_http1(),
    };
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(https.wrap_connector(connector))
}

fn trusting_nobody() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::DEFAULT_VERSIONS;
    match rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(versions) {
        Ok(builder) => builder
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth(),
        Err(_) => rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth(),
    }
}
