//! One connection: reads without ever waiting for an answer, and writes acks as they come.

use super::frame::{self, Envelope, Frame, Reason};
use crate::net::{Connector, Proxies, Stream as Tcp, Unreached, address_of};
use crate::slack::inbound::{Ack, Handler};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

/// How long a connection may take to open and to say hello, and a frame to leave.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often we ask whether the other side lives.
const PING: Duration = Duration::from_secs(15);
/// After so much silence, pongs included, it does not.
const READ_TIMEOUT: Duration = Duration::from_secs(40);
/// How long a replaced connection is still read: what Slack sent on it before it knew of the new one counts.
const LINGER: Duration = Duration::from_secs(20);
/// Longer frames end the connection. Slack's own payloads end far below.
const LONGEST_FRAME: usize = 1024 * 1024;
/// Envelopes in work at once on one connection; more are left to Slack's next try.
const AT_ONCE: usize = 1_024;
/// Acks that may wait for the wire.
const ACKS: usize = 64;

type Stream = WebSocketStream<MaybeTlsStream<Tcp>>;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Open, but nothing was said yet.
    Silent,
    /// Slack has said hello: deliveries may come.
    Live,
    /// Slack will close it.
    Leaving,
    /// Slack will close it, and there will be no other.
    Disabled,
    /// It is over.
    Gone,
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct ConnectionContext {
    /// Where deliveries go.
    pub(super) handler: Handler,
    /// Says that the bot stops.
    pub(super) stop: CancellationToken,
    /// Everything under way; the bot waits for it.
    pub(super) tasks: TaskTracker,
}

/// A connection that has said hello. Dropping it lets it go on by itself; [`Connection::retire`] ends it in a while.
pub(super) struct Connection {
    stage: watch::Receiver<Stage>,
    retired: CancellationToken,
    broken: CancellationToken,
}

impl Connection {
    /// Opens a connection and waits for its hello. Errors are words without the address, which holds a ticket.
    pub(super) async fn open(
        url: &SecretString,
        proxies: &Proxies,
        context: &ConnectionContext,
    ) -> Result<Self, String> {
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connect(url, proxies))
            .await
            .map_err(|_| {
                format!(
                    "the socket did not open within {} seconds",
                    CONNECT_TIMEOUT.as_secs()
                )
            })??;
        let (sink, stream) = stream.split();
        let (acks, outgoing) = mpsc::channel(ACKS);
        let (told, mut stage) = watch::channel(Stage::Silent);
        let (retired, broken) = (CancellationToken::new(), CancellationToken::new());
        context.tasks.spawn(write(sink, outgoing, broken.clone()));
        let reader = Reader {
            stream,
            acks,
            stage: told,
            retired: retired.clone(),
            broken: broken.clone(),
            context: context.clone(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
        };
        context.tasks.spawn(reader.run());
        let line = Self {
            stage: stage.clone(),
            retired,
            broken,
        };
        let greeting = stage.wait_for(|stage| *stage != Stage::Silent);
        match tokio::time::timeout(CONNECT_TIMEOUT, greeting).await {
            // what it said in the same breath, such as that Socket Mode is off, is heard in the end
            Ok(Ok(stage)) if *stage != Stage::Gone => Ok(line),
            _ => {
                line.broken.cancel();
                Err("the socket said no hello".to_owned())
            }
        }
    }

    /// What becomes of it.
    pub(super) async fn over(&mut self) -> Stage {
        let over = self.stage.wait_for(|stage| *stage != Stage::Live).await;
        over.map_or(Stage::Gone, |stage| *stage)
    }

    /// Another one has taken its place.
    pub(super) fn retire(self) {
        self.retired.cancel();
    }
}

/// Opens the socket, through a proxy where one leads there.
async fn connect(url: &SecretString, proxies: &Proxies) -> Result<Stream, String> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LONGEST_FRAME))
        .max_frame_size(Some(LONGEST_FRAME));
    let request = url.expose_secret().into_client_request();
    let request = request.map_err(|_| "the socket's address cannot be read".to_owned())?;
    let address = address_of(request.uri());
    let tcp = Connector::new(proxies.clone()).open(request.uri().clone());
    let tcp = tcp.await.map_err(|unreached| unreached.to_string())?;
    let opened = client_async_tls_with_config(request, tcp, Some(config), None).await;
    opened
        .map(|(stream, _)| stream)
        .map_err(|error| match &error {
            Error::Io(_) | Error::Tls(_) => Unreached::of(&error, &address).to_string(),
            Error::Http(answer) => format!(
                "{address} opened no socket (HTTP {})",
                answer.status().as_u16()
            ),
            // others could repeat the address with its ticket
            _ => format!("{address} opened no socket"),
        })
}

struct Reader {
    stream: SplitStream<Stream>,
    acks: mpsc::Sender<String>,
    stage: watch::Sender<Stage>,
    retired: CancellationToken,
    broken: CancellationToken,
    context: ConnectionContext,
    room: Arc<Semaphore>,
}

impl Reader {
    /// Reads until the connection ends, is silent for too long, was replaced, or the bot stops.
    async fn run(mut self) {
        let (stop, broken, retired) = (
            self.context.stop.clone(),
            self.broken.clone(),
            self.retired.clone(),
        );
        let replaced = async {
            retired.cancelled().await;
            tokio::time::sleep(LINGER).await;
        };
        tokio::pin!(replaced);
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = broken.cancelled() => break,
                () = &mut replaced => break,
                next = tokio::time::timeout(READ_TIMEOUT, self.stream.next()) => next,
            };
            match next {
                Ok(Some(Ok(Message::Text(text)))) => self.receive(&text),
                // pings are answered by the library; all of it shows that the other side lives
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(_)) | None) => break,
                Err(_) => {
                    warn!("socket is silent");
                    break;
                }
            }
        }
        self.becomes(Stage::Gone);
        // the writer ends when the last ack under way is written
    }

    fn receive(&self, text: &str) {
        match frame::read(text) {
            Frame::Hello => self.becomes(Stage::Live),
            Frame::Disconnect(Reason::Replace) => self.becomes(Stage::Leaving),
            Frame::Disconnect(Reason::LinkDisabled) => self.becomes(Stage::Disabled),
            Frame::Envelope(envelope) => self.take(*envelope),
            Frame::Spoiled { envelope_id, why } => {
                warn!(%why, "unreadable envelope");
                let ack = frame::acknowledge(&envelope_id, false, Ack::Ok);
                let acks = self.acks.clone();
                self.context
                    .tasks
                    .spawn(async move { send(&acks, ack).await });
            }
            Frame::Other(kind) => debug!(kind, "frame ignored"),
        }
    }

    /// Slack's word, or its silence; it never goes back, so that what came just before the end is heard.
    fn becomes(&self, next: Stage) {
        self.stage.send_if_modified(|stage| {
            let forward = *stage == Stage::Silent || (*stage == Stage::Live && next != Stage::Live);
            if forward {
                *stage = next;
            }
            forward
        });
    }

    /// Answers in a task of its own, so that the next frame is read at once.
    fn take(&self, envelope: Envelope) {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            warn!("too many envelopes, one is left for Slack to retry");
            return;
        };
        let (acks, handler) = (self.acks.clone(), self.context.handler.clone());
        self.context.tasks.spawn(async move {
            let ack = handler(envelope.inbound, envelope.delivery).await;
            send(
                &acks,
                frame::acknowledge(&envelope.id, envelope.answerable, ack),
            )
            .await;
            drop(room);
        });
    }
}

async fn send(acks: &mpsc::Sender<String>, ack: Option<String>) {
    if let Some(ack) = ack
        && acks.send(ack).await.is_err()
    {
        // Slack sends it again, and it is known by its delivery
        info!("acknowledgement missed its connection");
    }
}

/// Writes until nobody can send an ack any more, then closes. However it ends, the connection ends with it.
async fn write(
    mut sink: SplitSink<Stream, Message>,
    mut outgoing: mpsc::Receiver<String>,
    broken: CancellationToken,
) {
    let _ended = broken.clone().drop_guard();
    let mut ping = tokio::time::interval(PING);
    ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ping.reset();
    loop {
        let message = tokio::select! {
            ack = outgoing.recv() => match ack {
                Some(ack) => Message::text(ack),
                None => break,
            },
            _ = ping.tick() => Message::Ping(Vec::new().into()),
        };
        let sent = tokio::time::timeout(CONNECT_TIMEOUT, sink.send(message)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
    let _ = tokio::time::timeout(CONNECT_TIMEOUT, sink.close()).await; // the other side may be gone
}
