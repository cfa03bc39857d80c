//! The server: connections with time-outs and a limit. The limit keeps room for Slack's deliveries, whoever else connects.

use super::write_deadline::WriteDeadline;
use crate::app::{CONNECTIONS, CONNECTIONS_CLOSED};
use crate::net::{Crowd, Seat};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long nothing is accepted after the operating system had no file left for a connection.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_secs(1);
/// What a peer reads for whom there is no room.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How many connections there may be, and how long each may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Connections at once.
    pub connections: usize,
    /// From the end of one call to the last byte of the next one's headers.
    pub headers: Duration,
    /// For taking an answer.
    pub answer: Duration,
}

impl ConnectionLimits {
    /// So many connections, with the time-outs that suit people, programs and load balancers.
    pub fn of(connections: usize) -> Self {
        Self {
            connections,
            // load balancers keep idle connections for 60 seconds, and must be the first to close them
            headers: Duration::from_secs(75),
            answer: Duration::from_mins(1),
        }
    }
}

/// Serves until `stop`, then lets open calls end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    stop: CancellationToken,
) {
    let crowd = Crowd::new(limits.connections);
    let tasks = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        metrics::gauge!(CONNECTIONS).set(u32::try_from(crowd.count()).unwrap_or(u32::MAX));
        match accepted {
            Ok((stream, _)) => match crowd.enter() {
                Some(seat) => {
                    let connection = connection(stream, seat, router.clone(), limits, stop.clone());
                    tasks.spawn(connection);
                }
                None => refuse(&stream),
            },
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; closing the one that was idle longest");
                crowd.evict_longest_idle();
                tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// We work for everybody who is connected, so a new peer is told to come again.
fn refuse(stream: &TcpStream) {
    metrics::counter!(CONNECTIONS_CLOSED, "why" => "full").increment(1);
    let _ = stream.try_write(NO_ROOM); // the peer may be gone already
}

/// One connection, from its first byte to its last.
async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    seat: Seat,
    router: Router,
    limits: ConnectionLimits,
    stop: CancellationToken,
) {
    let seat = Arc::new(seat);
    let calls = Calls {
        router: TowerToHyperService::new(router),
        seat: Arc::clone(&seat),
    };
    let stream = TokioIo::new(WriteDeadline::new(stream, limits.answer));
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.headers)
            .serve_connection(stream, calls)
    );
    let stopped = stop.cancelled();
    let mut stopped = std::pin::pin!(stopped);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if ended.is_err_and(|error| error.is_timeout()) {
                    metrics::counter!(CONNECTIONS_CLOSED, "why" => "timeout").increment(1);
                }
                return;
            }
            () = seat.evicted() => {
                metrics::counter!(CONNECTIONS_CLOSED, "why" => "evicted").increment(1);
                return;
            }
            () = stopped.as_mut(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The calls of one connection. It notes when we wait for the peer and when the peer waits for us.
struct Calls {
    router: TowerToHyperService<Router>,
    seat: Arc<Seat>,
}

impl Service<hyper::Request<Incoming>> for Calls {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let seat = Arc::clone(&self.seat);
        let request = request.map(|body| Body::new(Upload::new(body, Arc::clone(&seat))));
        let answer = self.router.call(request);
        Box::pin(async move {
            let answer = answer.await;
            seat.idle();
            answer
        })
    }
}

/// A call's body: until its last byte has come, we wait for the peer.
struct Upload {
    body: Incoming,
    seat: Option<Arc<Seat>>,
}

impl Upload {
    fn new(body: Incoming, seat: Arc<Seat>) -> Self {
        let mut upload = Self {
            seat: Some(seat),
            body,
        };
        if upload.body.is_end_stream() {
            upload.end();
        }
        upload
    }

    fn end(&mut self) {
        if let Some(seat) = self.seat.take() {
            seat.working();
        }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let over = matches!(frame, Poll::Ready(None | Some(Err(_))));
        if over || self.body.is_end_stream() {
            self.end();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A handler that does not want the body has it dropped, and works from then on.
impl Drop for Upload {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
