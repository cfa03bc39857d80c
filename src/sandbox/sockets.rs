//! Socket Mode: connections that the app opens with a ticket, envelopes that go to any of them, and the acks that return.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::acting::ActError;
use super::deliver::{Answer, Delivery};
use super::{Sandbox, limits, lock};

/// The largest number of connections per app.
const MOST: usize = 10;

/// The app's connections, and what was sent over them.
pub(super) struct Sockets {
    app_token: SecretString,
    address: SocketAddr,
    listener: std::sync::Mutex<Option<TcpListener>>,
    links: std::sync::Mutex<Links>,
}

#[derive(Default)]
struct Links {
    tickets: BTreeSet<String>,
    open: Vec<Link>,
    serial: u64,
    waiting: HashMap<String, Waiting>,
    strange: Vec<String>,
    sent: Vec<u64>,
}

/// The workspace's side of one connection.
struct Link {
    id: u64,
    orders: mpsc::UnboundedSender<Order>,
}

/// An envelope that is not acknowledged yet.
struct Waiting {
    link: u64,
    ack: oneshot::Sender<Option<Value>>,
}

/// An instruction to a connection.
enum Order {
    Say(String),
    Close,
    Cut,
}

/// Why an envelope was not acknowledged.
enum NoAck {
    Late,
    Lost,
    Nobody,
}

impl Sockets {
    pub(super) async fn bind(app_token: SecretString) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Ok(Self {
            app_token,
            address: listener.local_addr()?,
            listener: std::sync::Mutex::new(Some(listener)),
            links: std::sync::Mutex::default(),
        })
    }

    pub(super) fn is_app_token(&self, token: &str) -> bool {
        token == self.app_token.expose_secret()
    }

    /// A new ticket, valid for one connection.
    pub(super) fn ticket(&self) -> String {
        let mut links = lock(&self.links);
        links.serial += 1;
        let ticket = format!("ticket-{}", links.serial);
        links.tickets.insert(ticket.clone());
        format!("ws://{}/link/?ticket={ticket}&app_id=A01APP", self.address)
    }

    /// Uses a ticket up; `Err` is the HTTP status that refuses the handshake.
    fn redeem(&self, query: &str) -> Result<(), u16> {
        let mut links = lock(&self.links);
        let ticket = query
            .split('&')
            .find_map(|part| part.strip_prefix("ticket="));
        if !ticket.is_some_and(|ticket| links.tickets.remove(ticket)) {
            return Err(403);
        }
        if links.open.len() >= MOST {
            return Err(429);
        }
        Ok(())
    }
}

impl Sandbox {
    pub(super) fn serve_sockets(&self) {
        let listener = self
            .0
            .sockets
            .as_ref()
            .and_then(|s| lock(&s.listener).take());
        let Some(listener) = listener else { return };
        let sandbox = self.clone();
        self.0.server.spawn(async move {
            let stop = sandbox.0.stop.clone();
            while let Some(Ok((tcp, _))) = stop.run_until_cancelled(listener.accept()).await {
                let (sandbox, stop) = (sandbox.clone(), stop.clone());
                tokio::spawn(
                    stop.run_until_cancelled_owned(async move { sandbox.link(tcp).await }),
                );
            }
        });
    }

    /// Serves one connection.
    async fn link(&self, tcp: TcpStream) {
        let Some(sockets) = &self.0.sockets else {
            return;
        };
        let _ = tcp.set_nodelay(true); // a small frame must not wait for the next one
        #[expect(clippy::result_large_err, reason = "the library's own type")]
        let check = |request: &Request, response: Response| {
            let query = request.uri().query().unwrap_or_default();
            sockets.redeem(query).map(|()| response).map_err(|status| {
                let mut refusal = ErrorResponse::new(None);
                *refusal.status_mut() =
                    axum::http::StatusCode::from_u16(status).unwrap_or_default();
                refusal
            })
        };
        let Ok(mut stream) = tokio_tungstenite::accept_hdr_async(tcp, check).await else {
            return;
        };
        let (orders, mut ordered) = mpsc::unbounded_channel();
        let (id, count) = {
            let mut links = lock(&sockets.links);
            links.serial += 1;
            let id = links.serial;
            links.open.push(Link { id, orders });
            (id, links.open.len())
        };
        let hello = json!({
            "type": "hello", "num_connections": count, "connection_info": {"app_id": "A01APP"},
            "debug_info": {"host": "applink-sandbox", "build_number": 1, "approximate_connection_time": 18060},
        });
        let mut fine = stream.send(Message::text(hello.to_string())).await.is_ok();
        self.0.version.send_modify(|version| *version += 1);
        while fine {
            tokio::select! {
                order = ordered.recv() => match order {
                    Some(Order::Say(text)) => fine = stream.send(Message::text(text)).await.is_ok(),
                    Some(Order::Close) => {
                        let _ = stream.close(None).await;
                        // frames that were already sent are read until the other side has closed, too
                        ordered.close();
                    }
                    Some(Order::Cut) => break,
                    None => match stream.next().await {
                        Some(Ok(Message::Text(text))) => self.acked(&text),
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => fine = false,
                    },
                },
                message = stream.next() => match message {
                    Some(Ok(Message::Text(text))) => self.acked(&text),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => fine = false,
                },
            }
        }
        let mut links = lock(&sockets.links);
        links.open.retain(|link| link.id != id);
        links.waiting.retain(|_, waiting| waiting.link != id);
        drop(links);
        self.0.version.send_modify(|version| *version += 1);
    }

    fn acked(&self, text: &str) {
        let Some(sockets) = &self.0.sockets else {
            return;
        };
        let mut links = lock(&sockets.links);
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let waiting = frame["envelope_id"]
            .as_str()
            .and_then(|id| links.waiting.remove(id));
        match waiting {
            Some(waiting) => {
                let _ = waiting.ack.send(frame.get("payload").cloned()); // after three seconds no one waits for it
            }
            None => links.strange.push(text.chars().take(200).collect()),
        }
        drop(links);
        self.0.version.send_modify(|version| *version += 1);
    }

    /// Sends an envelope over one of the connections. If that one breaks before the ack, another one is tried, as Slack does.
    pub(super) async fn post_envelope(&self, delivery: &Delivery) -> Result<Answer, ActError> {
        let nobody = || ActError::Unreachable("no socket is open".to_owned());
        for attempt in 0..3 {
            return match self.try_envelope(delivery, attempt).await {
                Ok(payload) => Ok(Answer {
                    status: 200,
                    content_type: payload
                        .as_ref()
                        .map_or("", |_| "application/json")
                        .to_owned(),
                    body: payload
                        .map(|payload| payload.to_string())
                        .unwrap_or_default(),
                }),
                Err(NoAck::Late) => Err(ActError::Timeout),
                Err(NoAck::Nobody) => Err(nobody()),
                Err(NoAck::Lost) => continue,
            };
        }
        Err(nobody())
    }

    async fn try_envelope(&self, delivery: &Delivery, attempt: u8) -> Result<Option<Value>, NoAck> {
        let sockets = self.0.sockets.as_ref().ok_or(NoAck::Nobody)?;
        let mut frame = envelope(delivery).ok_or(NoAck::Nobody)?;
        let (ack, acked) = oneshot::channel();
        {
            let mut links = lock(&sockets.links);
            links.serial += 1;
            let id = format!("envelope-{}", links.serial);
            frame["envelope_id"] = json!(id);
            if frame["type"] == "events_api" {
                let retried = delivery
                    .headers
                    .iter()
                    .any(|(name, _)| *name == "X-Slack-Retry-Num");
                frame["retry_attempt"] = json!(attempt + u8::from(retried));
                frame["retry_reason"] = json!(if retried || attempt > 0 {
                    "timeout"
                } else {
                    ""
                });
            }
            // in turn, because the bot must not rely on Slack's choice
            let turn = usize::try_from(links.serial).unwrap_or(0) / 2;
            let at = turn.checked_rem(links.open.len()).ok_or(NoAck::Nobody)?;
            let link = links.open[at].id;
            links.waiting.insert(id, Waiting { link, ack });
            links.sent.push(link);
            let _ = links.open[at].orders.send(Order::Say(frame.to_string())); // if the connection is gone, so is the ack
        }
        match tokio::time::timeout(limits::ACK, acked).await {
            Ok(Ok(payload)) => Ok(payload),
            Ok(Err(_)) => Err(NoAck::Lost),
            Err(_) => Err(NoAck::Late),
        }
    }

    /// The numbers of the connections that carried envelopes, oldest first.
    pub fn envelopes(&self) -> Vec<u64> {
        self.0
            .sockets
            .as_ref()
            .map_or_else(Vec::new, |sockets| lock(&sockets.links).sent.clone())
    }

    /// The numbers of the open sockets.
    pub fn sockets(&self) -> Vec<u64> {
        let open = |sockets: &Sockets| {
            lock(&sockets.links)
                .open
                .iter()
                .map(|link| link.id)
                .collect()
        };
        self.0.sockets.as_ref().map_or_else(Vec::new, open)
    }

    /// Waits until the open sockets satisfy `wanted`. `None` after five seconds.
    pub async fn wait_for_sockets(&self, wanted: impl Fn(&[u64]) -> bool) -> Option<Vec<u64>> {
        self.wait_for(|_| {
            let open = self.sockets();
            wanted(&open).then_some(open)
        })
        .await
    }

    /// Announces to a socket that it will be closed, and why: `warning`, `refresh_requested`, `link_disabled`.
    pub fn disconnect(&self, socket: u64, reason: &str) {
        let text = json!({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-sandbox"}});
        self.order(socket, Order::Say(text.to_string()));
    }

    /// Writes any text to a socket, even text that Slack would never send.
    pub fn write_to_socket(&self, socket: u64, text: &str) {
        self.order(socket, Order::Say(text.to_owned()));
    }

    /// Closes a socket gracefully.
    pub fn close_socket(&self, socket: u64) {
        self.order(socket, Order::Close);
    }

    /// Drops a socket without closing it, as a broken network does.
    pub fn cut_socket(&self, socket: u64) {
        self.order(socket, Order::Cut);
    }

    fn order(&self, socket: u64, order: Order) {
        let Some(sockets) = &self.0.sockets else {
            return;
        };
        let links = lock(&sockets.links);
        if let Some(link) = links.open.iter().find(|link| link.id == socket) {
            let _ = link.orders.send(order); // the connection may have ended by itself
        }
    }

    /// Waits for a frame that acknowledges nothing that was sent, and removes it. `None` after five seconds.
    pub async fn wait_for_strange_frame(&self) -> Option<String> {
        let sockets = self.0.sockets.as_ref()?;
        self.wait_for(|_| lock(&sockets.links).strange.pop()).await
    }

    /// Frames that acknowledged nothing that was sent.
    pub fn strange_frames(&self) -> Vec<String> {
        let strange = |sockets: &Sockets| std::mem::take(&mut lock(&sockets.links).strange);
        self.0.sockets.as_ref().map_or_else(Vec::new, strange)
    }
}

/// The envelope of a delivery; `None` for bytes that Slack would never send over a socket.
fn envelope(delivery: &Delivery) -> Option<Value> {
    if delivery.content_type == "application/json" {
        let payload: Value = serde_json::from_slice(&delivery.body).ok()?;
        return Some(
            json!({"type": "events_api", "accepts_response_payload": false, "payload": payload}),
        );
    }
    let fields: HashMap<String, String> = serde_urlencoded::from_bytes(&delivery.body).ok()?;
    let (kind, payload) = match fields.get("payload") {
        Some(payload) => ("interactive", serde_json::from_str(payload).ok()?),
        None => ("slash_commands", json!(fields)),
    };
    Some(json!({"type": kind, "accepts_response_payload": true, "payload": payload}))
}
