use super::*;
use secrecy::SecretString;

const NOW: Timestamp = Timestamp(1_763_800_000_000);
const AT: &str = "1763800000";
const FORM: &str = "application/x-www-form-urlencoded";

fn secrets() -> SigningSecrets {
    let secret = SecretString::from("a-secret-of-32-characters-for-us");
    SigningSecrets::new(vec![secret]).expect("a good secret")
}

fn bodies() -> Bodies {
    Bodies::within(BODY_DEADLINE)
}

type Accepted = Result<Inbound, u16>;

async fn send(kind: &str, signature: Option<&str>, body: impl Into<Body>) -> Accepted {
    let mut request = Request::post("/slack/events").header(CONTENT_TYPE, kind);
    if let Some(signature) = signature {
        request = request
            .header(TIMESTAMP_HEADER, AT)
            .header(SIGNATURE_HEADER, signature);
    }
    let request = request.body(body.into()).expect("a request");
    accept(&secrets(), &bodies(), request, NOW)
        .await
        .map(|(inbound, _)| inbound)
        .map_err(|status| status.as_u16())
}

async fn signed(kind: &str, body: &str) -> Accepted {
    let signature = secrets().sign(AT, body.as_bytes());
    send(kind, signature.as_deref(), body.to_owned()).await
}

#[tokio::test]
async fn url_verification_is_read_after_the_signature() {
    let body = r#"{"type":"url_verification","challenge":"abc","token":"x"}"#;
    let challenge = Inbound::UrlVerification {
        challenge: "abc".to_owned(),
    };
    assert_eq!(signed("application/json", body).await, Ok(challenge));
    assert_eq!(send("application/json", None, body).await, Err(401));
}

#[tokio::test]
async fn an_unsigned_body_is_refused_whatever_it_is_b54() {
    for body in [
        "ssl_check=1",
        "command=%2Fapproval&text=inbox",
        "payload={}",
        "",
    ] {
        assert_eq!(send(FORM, None, body).await, Err(401), "{body}");
        assert_eq!(send(FORM, Some("v0=00"), body).await, Err(401), "{body}");
    }
}

#[tokio::test]
async fn the_raw_bytes_are_signed_b55() {
    let signature = secrets().sign(AT, b"ssl_check=1&a=b");
    let same = send(FORM, signature.as_deref(), "ssl_check=1&a=b").await;
    assert_eq!(same, Ok(Inbound::SslCheck));
    let equal = send(FORM, signature.as_deref(), "ssl_check=1&a=%62").await;
    assert_eq!(equal, Err(401));
}

#[tokio::test]
async fn a_large_body_is_refused_before_its_signature_b56() {
    let large = "x".repeat(BODY_LIMIT + 1);
    assert_eq!(send(FORM, None, large.clone()).await, Err(413));
    assert_eq!(signed(FORM, &large).await, Err(413));
    assert_eq!(signed(FORM, &large[1..]).await, Err(400));
    // without an announced length
    let parts = (0..5).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 64 * 1024])));
    let endless = Body::from_stream(futures::stream::iter(parts));
    assert_eq!(send(FORM, None, endless).await, Err(413));
}

#[tokio::test]
async fn an_announced_length_is_enough_to_refuse_b56() {
    let mut headers = HeaderMap::new();
    let length = (BODY_LIMIT + 1).to_string();
    headers.insert(CONTENT_LENGTH, length.parse().expect("a header"));
    let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(
        bodies().read(&headers, never).await,
        Err(StatusCode::PAYLOAD_TOO_LARGE)
    );
}

#[tokio::test]
async fn unusable_deliveries_are_acked_and_unreadable_ones_refused() {
    let unknown = signed(FORM, "payload=%7B%22type%22%3A%22dialog_suggestion%22%7D").await;
    assert!(
        matches!(unknown, Ok(Inbound::Unusable { .. })),
        "{unknown:?}"
    );
    assert_eq!(signed(FORM, "payload=x&payload=y").await, Err(400));
    assert_eq!(signed("text/plain", "x").await, Err(400));
}

/// The log of what runs in it.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn unsigned_posts_do_not_fill_the_log_r32() {
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || written.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    for _ in 0..1_000 {
        assert_eq!(send(FORM, None, "payload={}").await, Err(401));
        assert_eq!(signed("text/plain", "x").await, Err(400));
    }
    drop(guard);
    let log = log.0.lock().expect("not poisoned").clone();
    let lines = String::from_utf8(log).expect("UTF-8").lines().count();
    // other tests may have used up this minute's lines
    assert!(lines <= 2, "{lines}");
}

#[test]
fn acks_have_their_statuses() {
    let status = |ack| answer(ack).status().as_u16();
    assert_eq!(status(Ack::Ok), 200);
    assert_eq!(status(Ack::Json(serde_json::json!({}))), 200);
    assert_eq!(status(Ack::TryAgain), 503);
}

/// No forged delivery gets in, whatever it is, and no genuine one breaks anything.
#[test]
fn fuzz_deliveries_sl1() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let seeds = [
        "ssl_check=1&token=x",
        "command=%2Fapproval&text=approve+1&trigger_id=9.9",
        "payload=%7B%22type%22%3A%22block_actions%22%7D",
        r#"{"type":"url_verification","challenge":"abc"}"#,
    ];
    crate::fuzz_tests::feed("deliveries", &seeds, |bytes| {
        // the input is a signature's end, too: bytes that nobody has signed
        let body = bytes.to_vec();
        let genuine = secrets().sign(AT, bytes).expect("a signature");
        let noise = hex::encode(bytes.iter().copied().cycle().take(32).collect::<Vec<_>>());
        let spoiled = genuine.replace(&genuine[bytes.len() % 60 + 3..][..1], "x");
        for kind in [FORM, "application/json"] {
            for forged in [
                format!("v0={noise}"),
                spoiled.clone(),
                genuine[..66].to_owned(),
                String::new(),
            ] {
                let answer = runtime.block_on(send(kind, Some(&forged), body.clone()));
                assert_eq!(answer, Err(401), "{forged}");
            }
            let answer = runtime.block_on(send(kind, Some(&genuine), body.clone()));
            assert!(matches!(answer, Ok(_) | Err(400)), "{answer:?}");
        }
    });
}
