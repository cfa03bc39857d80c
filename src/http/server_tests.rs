use super::*;
use crate::domain::time::Timestamp;
use crate::slack::inbound::Ack;
use crate::slack::inbound::route::{self, Bodies, InboundState};
use crate::slack::inbound::signature::SigningSecrets;
use axum::routing::get;
use secrecy::SecretString;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

const SOON: Duration = Duration::from_millis(50);
const FAR: Duration = Duration::from_mins(1);
const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
const HALF: &[u8] = b"POST /slack/events HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf";
const WHOLE: &[u8] = b"POST /slack/events HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nwhole";
/// The body was read whole, and is refused only because nobody has signed it.
const READ: &str = "HTTP/1.1 401";
const SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";

fn limits(connections: usize) -> ConnectionLimits {
    ConnectionLimits {
        connections,
        headers: FAR,
        answer: FAR,
    }
}

/// Routes: one that answers, one that waits to be told, and one that takes deliveries.
fn router(body_timeout: Duration, entered: Arc<Notify>, go_on: Arc<Notify>) -> Router {
    let slow = get(move || {
        let (entered, go_on) = (Arc::clone(&entered), Arc::clone(&go_on));
        async move {
            entered.notify_one();
            go_on.notified().await;
            "done"
        }
    });
    let secret = SecretString::from("a-secret-of-32-characters-for-us");
    let inlet = InboundState {
        secrets: Arc::new(SigningSecrets::new(vec![secret]).expect("a good secret")),
        handler: Arc::new(|_, _| Box::pin(async { Ack::Ok })),
        clock: Arc::new(|| Timestamp(0)),
        bodies: Bodies::within(body_timeout),
    };
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/slow", slow)
        .merge(route::router(inlet))
}

struct Server {
    address: SocketAddr,
    entered: Arc<Notify>,
    go_on: Arc<Notify>,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(limits: ConnectionLimits, body_timeout: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let stop = CancellationToken::new();
        let router = router(body_timeout, Arc::clone(&entered), Arc::clone(&go_on));
        let serving = tokio::spawn(serve(listener, router, limits, stop.clone()));
        Self {
            address,
            entered,
            go_on,
            stop,
            serving,
        }
    }

    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        stream.write_all(bytes).await.expect("sent");
        stream
    }

    /// A call that a handler is working for.
    async fn under_way(&self) -> TcpStream {
        let stream = self.send(SLOW).await;
        self.entered.notified().await;
        stream
    }

    /// One call, answered.
    async fn call(&self, bytes: &[u8]) -> (TcpStream, String) {
        let mut stream = self.send(bytes).await;
        let said = answer(&mut stream).await;
        (stream, said)
    }
}

/// What comes next on a connection; empty once it is closed. A server that keeps the peer waiting fails the test.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut bytes)).await;
    let count = read
        .expect("an answer, or the end of the connection")
        .unwrap_or(0);
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

/// Ends when the server has closed the connection.
async fn closed(stream: &mut TcpStream) {
    while !answer(stream).await.is_empty() {}
}

#[tokio::test]
async fn idle_connections_and_half_sent_headers_are_closed_r16() {
    let short = ConnectionLimits {
        headers: SOON,
        ..limits(10)
    };
    let server = Server::start(short, FAR).await;
    closed(&mut server.send(b"").await).await;
    closed(&mut server.send(&HELLO[..20]).await).await;
    let (mut used, said) = server.call(HELLO).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    closed(&mut used).await;
}

#[tokio::test]
async fn a_half_sent_delivery_is_refused_in_time_r16() {
    let server = Server::start(limits(10), SOON).await;
    let (_, said) = server.call(HALF).await;
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    let (_, said) = server.call(WHOLE).await;
    assert!(said.starts_with(READ), "{said}");
}

#[tokio::test]
async fn long_calls_outlast_the_time_for_headers_r16() {
    let short = ConnectionLimits {
        headers: SOON,
        ..limits(10)
    };
    let server = Server::start(short, FAR).await;
    let mut waiting = server.under_way().await;
    // an idle connection has come and gone meanwhile
    closed(&mut server.send(b"").await).await;
    server.go_on.notify_one();
    let said = answer(&mut waiting).await;
    assert!(said.ends_with("done"), "{said}");
}

#[tokio::test]
async fn idle_strangers_cannot_keep_a_delivery_out_r16() {
    let server = Server::start(limits(3), FAR).await;
    let mut strangers = Vec::new();
    for bytes in [HALF, b"", &HELLO[..20]] {
        strangers.push(server.send(bytes).await);
    }
    let (_kept, said) = server.call(WHOLE).await;
    assert!(said.starts_with(READ), "{said}");
    closed(&mut strangers[0]).await;
    // the others still have their seats
    strangers[2].write_all(&HELLO[20..]).await.expect("sent");
    assert!(answer(&mut strangers[2]).await.ends_with("hello"));
}

#[tokio::test]
async fn a_peer_is_told_to_come_again_while_we_work_for_everybody_r16() {
    let server = Server::start(limits(1), FAR).await;
    let mut waiting = server.under_way().await;
    let (_, refused) = server.call(b"").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: 1"), "{refused}");
    server.go_on.notify_one();
    assert!(answer(&mut waiting).await.ends_with("done"));
}

#[tokio::test]
async fn a_reader_who_does_not_read_is_closed_r16() {
    let (mut peer, ours) = tokio::io::duplex(1_024);
    let large = Router::new().route("/large", get(async || "x".repeat(1_000_000)));
    let short = ConnectionLimits {
        answer: SOON,
        ..limits(10)
    };
    let seat = Crowd::new(1).enter().expect("a seat");
    let serving = tokio::spawn(connection(
        ours,
        seat,
        large,
        short,
        CancellationToken::new(),
    ));
    peer.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .expect("sent");
    serving.await.expect("it ends although nobody reads");
    let mut taken = Vec::new();
    peer.read_to_end(&mut taken).await.expect("the end");
    assert!(taken.len() < 10_000, "{}", taken.len());
}

#[tokio::test]
async fn open_calls_end_before_the_server_stops() {
    let server = Server::start(limits(10), FAR).await;
    let mut waiting = server.under_way().await;
    server.stop.cancel();
    server.go_on.notify_one();
    let said = answer(&mut waiting).await;
    assert!(said.ends_with("done"), "{said}");
    server.serving.await.expect("it ends");
}
