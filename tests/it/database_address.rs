//! Opening a database: errors name address, cause and hint, and never the password (fields F3, F5, F8, threat R30).

use crate::database::{Kind, fresh};
use countersign::store::Db;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

async fn why_not(url: &str) -> String {
    let error = Db::open(url).await.expect_err("it cannot be opened");
    let said = error.to_string();
    assert!(!said.contains("hunter2"), "{said}");
    said
}

#[tokio::test]
async fn a_refused_connection_names_address_cause_and_hint_f5() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let said = why_not(&format!("postgres://u:hunter2@127.0.0.1:{port}/n")).await;
    assert!(
        said.contains(&format!(
            "the database server at 127.0.0.1:{port} does not answer: "
        )),
        "{said}"
    );
    assert!(
        said.contains("onnection refused") && said.contains("start Postgres there"),
        "{said}"
    );
}

#[tokio::test]
async fn database_open_error_names_the_cause_f5() {
    let database = fresh!(Kind::Postgres);
    let (_, rest) = database.url.split_once('@').expect("a user");
    let server = rest.split('/').next().expect("a server");
    let said = why_not(&format!("postgres://postgres:hunter2@{server}/nowhere_cs")).await;
    assert_eq!(
        said,
        format!(
            "the database server at {server} does not answer: database \"nowhere_cs\" does not exist; create the database"
        )
    );
    let said = why_not(&format!("postgres://nobody_cs:hunter2@{server}/postgres")).await;
    assert_eq!(
        said,
        format!(
            "the database server at {server} does not answer: role \"nobody_cs\" does not exist; check the user and the password in DATABASE_URL"
        )
    );
    database.drop().await;

    let folder = folder();
    let at = |name: &str| folder.join(name).display().to_string();
    std::fs::write(at("letter.db"), "Dear database, ".repeat(100)).expect("a file");
    for (name, how, cause) in [
        (
            "missing/cs.db",
            "created",
            "create its folder, or correct DATABASE_URL",
        ),
        (
            "letter.db",
            "opened",
            "file is not a database; restore a backup",
        ),
    ] {
        let said = why_not(&format!("sqlite://{}", at(name))).await;
        let place = format!("the database file {} cannot be {how}: ", at(name));
        assert!(said.starts_with(&place) && said.ends_with(cause), "{said}");
    }
    std::fs::remove_dir_all(folder).expect("it goes");
}

#[tokio::test]
async fn alternative_postgres_url_spellings_are_accepted_f3() {
    let database = fresh!(Kind::Postgres);
    let (_, rest) = database.url.split_once('@').expect("a user");
    let (server, name_and_query) = rest.split_once('/').expect("a database");
    let (name, query) = name_and_query.split_once('?').expect("a schema");
    let (host, port) = server.split_once(':').expect("a port");
    let options = query.strip_prefix("options=").expect("options");
    let options = options.replace("%20", " ").replace("%3D", "=");
    for address in [
        format!(
            "postgresql://postgres@{server}/{name}?{query}&connect_timeout=5&target_session_attrs=read-write"
        ),
        format!("postgres:///{name}?host={host}&port={port}&user=postgres&{query}"),
        format!(
            "host={host} port = {port} dbname='{name}' user=postgres options='{options}' connect_timeout=5"
        ),
        format!(
            "hostaddr={host} port={port} dbname={name} user=postgres options='{options}' application_name=story"
        ),
    ] {
        let db = Db::open_with(&address, 2).await;
        let db = db.unwrap_or_else(|error| panic!("{address}: {error}"));
        // it leads to the same database and schema
        let learnt = db.transaction::<_, countersign::store::StoreError>(async |tx| {
            tx.learn("spelling", &address).await
        });
        learnt.await.expect("it is written");
        let kept = "SELECT count(*) FROM facts WHERE value = '";
        let kept = format!("{kept}{}'", address.replace('\'', "''"));
        assert_eq!(database.count(&kept).await, 1, "{address}");
        db.close().await;
    }
    // what psql would refuse, too, is refused before anything is asked, and is named
    for (address, named) in [
        (
            format!("postgres://postgres@{server}/{name}?conect_timeout=5"),
            "parameter `conect_timeout` is unknown",
        ),
        (
            format!("host={host} port={port} dbname={name} usr=postgres"),
            "parameter `usr` is unknown",
        ),
        (
            format!("postgres://postgres@{server},{server}/{name}"),
            "several hosts",
        ),
    ] {
        let said = why_not(&address).await;
        assert!(
            said.starts_with("DATABASE_URL is invalid: ") && said.contains(named),
            "{said}"
        );
    }
    database.drop().await;
}

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("cs_{}", uuid::Uuid::now_v7().simple()));
    std::fs::create_dir(&folder).expect("a folder");
    folder
}

fn mode(file: &str) -> u32 {
    let found = std::fs::metadata(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    found.permissions().mode() & 0o777
}

#[tokio::test]
async fn database_file_and_its_side_files_are_private_r30() {
    let folder = folder();
    let file = folder.join("countersign.db").display().to_string();
    for before in [None, Some(0o644)] {
        if let Some(before) = before {
            for end in ["", "-wal", "-shm"] {
                let name = format!("{file}{end}");
                if std::fs::exists(&name).expect("a folder") {
                    std::fs::set_permissions(&name, std::fs::Permissions::from_mode(before))
                        .expect("open to others");
                }
            }
        }
        let db = Db::open(&format!("sqlite://{file}"))
            .await
            .expect("it opens");
        db.transaction::<_, countersign::store::StoreError>(async |tx| tx.learn("a", "b").await)
            .await
            .expect("it is written");
        for end in ["", "-wal", "-shm"] {
            assert_eq!(mode(&format!("{file}{end}")), 0o600, "{end} {before:?}");
        }
        assert_eq!(db.files_open_to_others(), Vec::<PathBuf>::new());
        db.close().await;
    }
    std::fs::remove_dir_all(folder).expect("it goes");
}

/// A pooler with one connection to the server, which it lends for one transaction at a time, as `PgBouncer` does.
async fn pooler(server: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let shared: Arc<Mutex<Option<TcpStream>>> = Arc::default();
    let server = server.to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, server.clone(), Arc::clone(&shared)));
        }
    });
    address
}

async fn serve(
    mut client: TcpStream,
    server: String,
    shared: Arc<Mutex<Option<TcpStream>>>,
) -> Option<()> {
    let startup = loop {
        let length = client.read_u32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).ok()? - 4];
        client.read_exact(&mut body).await.ok()?;
        if body.starts_with(&80_877_103_u32.to_be_bytes()) {
            client.write_all(b"N").await.ok()?; // refuses TLS
        } else {
            break [&length.to_be_bytes()[..], &body].concat();
        }
    };
    let mut lent = shared.lock().await;
    if lent.is_none() {
        let mut first = TcpStream::connect(server).await.ok()?;
        first.write_all(&startup).await.ok()?;
        until_ready(&mut first).await?;
        *lent = Some(first);
    }
    drop(lent);
    client
        .write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
        .await
        .ok()?;
    loop {
        let query = message(&mut client).await?;
        if query[0] != b'Q' {
            return None;
        }
        let mut lent = shared.lock().await;
        let server = lent.as_mut()?;
        server.write_all(&query).await.ok()?;
        let answer = until_ready(server).await?;
        client.write_all(&answer).await.ok()?;
    }
}

async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let kind = stream.read_u8().await.ok()?;
    let length = stream.read_u32().await.ok()?;
    let mut message = vec![kind];
    message.extend(length.to_be_bytes());
    let mut body = vec![0; usize::try_from(length).ok()? - 4];
    stream.read_exact(&mut body).await.ok()?;
    message.extend(body);
    Some(message)
}

async fn until_ready(server: &mut TcpStream) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let one = message(server).await?;
        let ready = one[0] == b'Z';
        all.extend(one);
        if ready {
            return Some(all);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_mode_pooler_is_refused_with_a_hint_f3() {
    let database = fresh!(Kind::Postgres);
    let (user, rest) = database.url.split_once('@').expect("a user");
    let (server, name) = rest.split_once('/').expect("a database");
    let address = pooler(server).await;
    let said = why_not(&format!("{user}@{address}/{name}")).await;
    assert!(
        said.contains("PgBouncer") && said.contains("pool_mode = session"),
        "{said}"
    );
    database.drop().await;
}

/// The error that `PgBouncer` returns for an unknown parameter.
#[tokio::test]
async fn a_pooler_that_refuses_parameters_is_explained_f3() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut startup = [0; 512];
            let read = client.read(&mut startup).await.expect("a startup");
            if startup[4..read].starts_with(&80_877_103_u32.to_be_bytes()) {
                client.write_all(b"N").await.expect("no TLS");
                let _ = client.read(&mut startup).await;
            }
            let fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
            let length = u32::try_from(fields.len() + 4)
                .expect("short")
                .to_be_bytes();
            let _ = client
                .write_all(&[b"E", &length[..], fields].concat())
                .await;
        }
    });
    let said = why_not(&format!(
        "postgres://u:hunter2@{address}/n?options=-c%20search_path%3Dx"
    ))
    .await;
    assert!(
        said.contains("unsupported startup parameter: options")
            && said.contains("pool_mode = session"),
        "{said}"
    );
}
