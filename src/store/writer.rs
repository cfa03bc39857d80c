//! The only writer of an `SQLite` file. It lends its connection to each waiting use case in turn, then commits for all of them.

use super::StoreError;
use super::files::Opened;
use crate::supervisor::Supervisor;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Executor, SqliteConnection};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Maximum number of use cases that share a commit; limits how long the first of them waits for its result.
const SHARED: usize = 64;
/// How long a use case waits for its turn before it fails because the writer is busy.
const LEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum length of the queue.
const WRITE_QUEUE_CAPACITY: usize = 1024;

type Ack = oneshot::Sender<Result<(), StoreError>>;

enum Back {
    Keep(SqliteConnection, Ack),
    Undo(SqliteConnection),
}

/// The connection, lent to one use case. If it is dropped without `commit` (an error, a panic, a cancelled handler), its changes
/// are undone.
pub(crate) struct Lease {
    lent: Option<(SqliteConnection, oneshot::Sender<Back>)>,
}

impl Lease {
    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.lent.as_mut().expect("lent until commit or drop").0
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let (ack, done) = oneshot::channel();
        if let Some((conn, home)) = self.lent.take() {
            drop(home.send(Back::Keep(conn, ack)));
        }
        done.await.unwrap_or(Err(StoreError::Writer))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((conn, home)) = self.lent.take() {
            drop(home.send(Back::Undo(conn)));
        }
    }
}

type Asker = oneshot::Sender<Result<Lease, StoreError>>;

enum Ask {
    Lend(Asker),
    Close(oneshot::Sender<()>),
}

/// A handle of the writer's task.
#[derive(Debug, Clone)]
pub struct Writer {
    asks: mpsc::Sender<Ask>,
    supervisor: Supervisor,
    opened: Opened,
}

impl Writer {
    /// Opens the connection and starts the task.
    pub async fn start(options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let (asks, line) = mpsc::channel(WRITE_QUEUE_CAPACITY);
        let conn = SqliteConnection::connect_with(&options).await?;
        let opened_file = Opened::now(options.get_filename());
        let line = Arc::new(Mutex::new(line));
        let mut opened = Some(conn);
        let serve = move || serve(options.clone(), opened.take(), line.clone());
        let supervisor = Supervisor::default();
        // the token is never cancelled: `close` ends the task after the queue was served
        let stop = CancellationToken::new();
        tokio::spawn(supervisor.clone().supervise("database writer", stop, serve));
        Ok(Self {
            asks,
            supervisor,
            opened: opened_file,
        })
    }

    /// What is degraded in the task, one sentence each.
    pub(crate) fn degraded(&self) -> Vec<String> {
        self.supervisor.degraded()
    }

    pub(crate) async fn lease(&self) -> Result<Lease, StoreError> {
        self.opened.check()?;
        let (ask, lease) = oneshot::channel();
        let wait = async {
            self.asks.send(Ask::Lend(ask)).await.ok()?;
            lease.await.ok()
        };
        let lent = tokio::time::timeout(LEND_TIMEOUT, wait).await;
        lent.ok().flatten().unwrap_or(Err(StoreError::Writer))
    }

    /// Stops the writer after the whole queue was served.
    pub(crate) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.asks.send(Ask::Close(closed)).await.is_ok() {
            drop(done.await);
        }
    }
}

async fn serve(
    options: SqliteConnectOptions,
    mut kept_open: Option<SqliteConnection>,
    line: Arc<Mutex<mpsc::Receiver<Ask>>>,
) {
    let mut line = line.lock().await;
    while let Some(ask) = line.recv().await {
        let first = match ask {
            Ask::Lend(first) => first,
            Ask::Close(closed) => {
                if let Some(conn) = kept_open.take() {
                    drop(conn.close().await);
                }
                let _ = closed.send(());
                return;
            }
        };
        let conn = match kept_open.take() {
            Some(conn) => Ok(conn),
            None => SqliteConnection::connect_with(&options).await,
        };
        let conn = match conn {
            Ok(conn) => conn,
            Err(error) => {
                drop(first.send(Err(error.into())));
                continue;
            }
        };
        let mut acks = Vec::new();
        let shared = share(conn, first, &mut line, &mut acks).await;
        let result = match shared {
            Ok((conn, closing)) => {
                kept_open = Some(conn);
                for ack in acks.drain(..) {
                    drop(ack.send(Ok(())));
                }
                if let Some(closed) = closing {
                    if let Some(conn) = kept_open.take() {
                        drop(conn.close().await);
                    }
                    let _ = closed.send(());
                    return;
                }
                continue;
            }
            Err(error) => error,
        };
        tracing::warn!(error = %result, "batch commit failed, all its callers received the error");
        for ack in acks {
            drop(ack.send(Err(result.clone())));
        }
    }
}

/// Begins the shared commit and its first use case.
const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT one";
/// Undoes one use case.
const UNDO: &str = "ROLLBACK TO one";

type Closing = Option<oneshot::Sender<()>>;

/// One shared commit. On any error, the connection is closed, which rolls back, and every use case of the commit receives the
/// error.
async fn share(
    mut conn: SqliteConnection,
    first: Asker,
    line: &mut mpsc::Receiver<Ask>,
    acks: &mut Vec<Ack>,
) -> Result<(SqliteConnection, Closing), StoreError> {
    let (mut next, mut step) = (Some(first), BEGIN);
    let mut closing = None;
    while let Some(ask) = next {
        // skip callers that gave up, so that they do not delay the others
        if ask.is_closed() {
            next = following(line, acks.len(), &mut closing);
            continue;
        }
        if let Err(error) = conn.execute(step).await {
            let error = StoreError::from(error);
            drop(ask.send(Err(error.clone())));
            return Err(error);
        }
        let (home, back) = oneshot::channel();
        // if the caller gave up, the dropped lease returns the connection
        drop(ask.send(Ok(Lease {
            lent: Some((conn, home)),
        })));
        (conn, step) = match back.await.map_err(|_| StoreError::Writer)? {
            Back::Keep(conn, ack) => {
                acks.push(ack);
                (conn, "RELEASE one; SAVEPOINT one")
            }
            Back::Undo(conn) => (conn, UNDO),
        };
        next = following(line, acks.len(), &mut closing);
    }
    match step {
        BEGIN => return Ok((conn, closing)), // all callers gave up
        UNDO => conn.execute(step).await.map(|_| ())?,
        _ => {}
    }
    conn.execute("COMMIT").await?;
    Ok((conn, closing))
}

/// The next use case for the same commit.
fn following(
    line: &mut mpsc::Receiver<Ask>,
    served: usize,
    closing: &mut Closing,
) -> Option<Asker> {
    if served >= SHARED || closing.is_some() {
        return None;
    }
    match line.try_recv().ok()? {
        Ask::Lend(ask) => Some(ask),
        Ask::Close(closed) => {
            *closing = Some(closed);
            None
        }
    }
}
