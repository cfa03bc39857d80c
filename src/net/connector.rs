//! Opens connections, directly or through a proxy.

use super::proxies::{Proxies, Proxy};
use super::public;
use super::{Unreached, address_of};
use http::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

/// How long a connection may take to open; Slack's own calls have five seconds for everything.
const CONNECT_DEADLINE: Duration = Duration::from_secs(4);

/// Opens connections; cheap to clone.
#[derive(Clone)]
pub struct Connector {
    http: HttpConnector,
    proxies: Proxies,
    is_forwarding: bool,
    is_public_only: bool,
}

impl Connector {
    /// Through these proxies, which are asked for a tunnel to every address.
    pub fn new(proxies: Proxies) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        Self {
            http,
            proxies,
            is_forwarding: false,
            is_public_only: false,
        }
    }

    /// The same, where a proxy forwards requests for plain `http://` addresses, as many of them only open tunnels to port 443. Each
    /// request then carries [`Proxies::forwarding_auth`].
    #[must_use]
    pub fn forwarding(mut self) -> Self {
        self.is_forwarding = true;
        self
    }

    /// The same, to addresses of the public internet only.
    #[must_use]
    pub fn public_only(mut self) -> Self {
        self.is_public_only = true;
        self
    }

    /// Opens a connection to where an address leads; what is spoken on it is up to the caller.
    pub async fn open(mut self, uri: Uri) -> Result<Stream, Unreached> {
        let address = address_of(&uri);
        let proxy = self.proxies.toward(&uri)?;
        let opening = self.opening(&uri, &address, proxy.as_ref());
        tokio::time::timeout(CONNECT_DEADLINE, opening)
            .await
            .unwrap_or_else(|_| {
                let seconds = CONNECT_DEADLINE.as_secs();
                Err(Unreached::silent(&address, proxy.as_ref(), seconds))
            })
    }

    async fn opening(
        &mut self,
        uri: &Uri,
        address: &str,
        proxy: Option<&Proxy>,
    ) -> Result<Stream, Unreached> {
        let target = target(address)?;
        if self.is_public_only && !public::may_be_public(uri.host().unwrap_or_default()) {
            return Err(Unreached::private(address));
        }
        let Some(proxy) = proxy else {
            if self.is_public_only {
                let stream = public::connect(address).await?;
                return Ok(Stream::of(TokioIo::new(stream), false));
            }
            let opened = self.http.call(target).await;
            return opened
                .map(|stream| Stream::of(stream, false))
                .map_err(|error| Unreached::direct(&error, address));
        };
        let forwards = self.is_forwarding && uri.scheme_str() == Some("http");
        if forwards {
            let opened = self.http.call(proxy.uri.clone()).await;
            return opened
                .map(|stream| Stream::of(stream, true))
                .map_err(|error| Unreached::through(&error, proxy, address));
        }
        let mut tunnel = Tunnel::new(proxy.uri.clone(), self.http.clone());
        if let Some(auth) = &proxy.auth {
            tunnel = tunnel.with_auth(auth.clone());
        }
        let opened = tunnel.call(target).await;
        opened
            .map(|stream| Stream::of(stream, false))
            .map_err(|error| Unreached::through(&error, proxy, address))
    }
}

/// The address alone, with its port, whatever is spoken there.
fn target(address: &str) -> Result<Uri, Unreached> {
    let uri = Uri::builder()
        .scheme("http")
        .authority(address)
        .path_and_query("/");
    uri.build().map_err(|error| Unreached::of(&error, address))
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Unreached;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unreached>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unreached>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let opening = self.clone().open(uri);
        Box::pin(async move { opening.await.map(TokioIo::new) })
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    /// Whether a proxy reads the requests and forwards them.
    is_forwarded: bool,
}

impl Stream {
    fn of(stream: TokioIo<TcpStream>, is_forwarded: bool) -> Self {
        Self {
            tcp: stream.into_inner(),
            is_forwarded,
        }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.tcp.connected().proxy(self.is_forwarded)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
