//! A proxy before Postgres that counts statements and round trips.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What was counted so far.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Executed statements.
    pub statements: u64,
    /// How often a client sent something after the server had answered.
    pub trips: u64,
}

#[derive(Default)]
struct Counters {
    statements: AtomicU64,
    trips: AtomicU64,
}

/// The proxy.
pub struct Proxy {
    port: u16,
    counters: Arc<Counters>,
}

impl Proxy {
    /// Listens on a free port, and forwards to the server of this address.
    pub async fn start(server: &str) -> Self {
        let host = server.rsplit_once('@').map_or(server, |(_, host)| host);
        let host = host.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let counters = Arc::new(Counters::default());
        let all = counters.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&host).await.expect("Postgres answers");
                forward(client, server, all.clone());
            }
        });
        Self { port, counters }
    }

    /// The address of a database through the proxy.
    pub fn url(&self, direct: &str) -> String {
        let (before, rest) = direct.rsplit_once('@').expect("an address with a user");
        let (_, database) = rest.split_once('/').expect("an address with a database");
        format!(
            "{before}@127.0.0.1:{}/{database}?sslmode=disable",
            self.port
        )
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        Counted {
            statements: self.counters.statements.load(Ordering::Relaxed),
            trips: self.counters.trips.load(Ordering::Relaxed),
        }
    }
}

fn forward(client: TcpStream, server: TcpStream, counters: Arc<Counters>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket");
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answered = Arc::new(AtomicBool::new(true));
    let answers = answered.clone();
    tokio::spawn(async move {
        let mut bytes = vec![0; 65_536];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            answers.store(true, Ordering::Relaxed);
            if to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        let (mut bytes, mut messages) = (vec![0; 65_536], Messages::default());
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            if answered.swap(false, Ordering::Relaxed) {
                counters.trips.fetch_add(1, Ordering::Relaxed);
            }
            let statements = messages.statements(&bytes[..count]);
            counters.statements.fetch_add(statements, Ordering::Relaxed);
            if to_server.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    });
}

/// Finds the messages in a client's bytes: a letter and a length each, except the first one, which has no letter.
#[derive(Default)]
struct Messages {
    waiting: Vec<u8>,
    is_greeted: bool,
}

impl Messages {
    /// How many statements these bytes execute: messages Execute and Query.
    fn statements(&mut self, bytes: &[u8]) -> u64 {
        self.waiting.extend_from_slice(bytes);
        let mut statements = 0;
        loop {
            let letters = usize::from(self.is_greeted);
            let Some(length) = self.waiting.get(letters..letters + 4) else {
                return statements;
            };
            let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
            let whole = letters + usize::try_from(length).expect("a length");
            if self.waiting.len() < whole {
                return statements;
            }
            statements += u64::from(self.is_greeted && matches!(self.waiting[0], b'E' | b'Q'));
            self.is_greeted = true;
            self.waiting.drain(..whole);
        }
    }
}
