//! Asks the running `serve` what it reports, so that `doctor` says nothing else than `/readyz` does.

use super::report::Report;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const AREA: &str = "server";
/// How long the server may take to answer; `/readyz` itself answers within four seconds.
const ANSWER_DEADLINE: Duration = Duration::from_secs(6);
/// The largest answer that is read, in bytes.
const ANSWER_LIMIT: u64 = 256 * 1024;

/// What `/readyz` answers, whether the replica serves or not.
#[derive(Debug, Deserialize)]
struct Answer {
    degraded: Option<Vec<String>>,
    code: Option<String>,
    detail: Option<String>,
}

/// Reports what the server at this address says of itself. Nothing is reported if none runs there.
pub(super) async fn examine(report: &mut Report, listen: SocketAddr) {
    let address = reachable(listen);
    let Ok(Ok(stream)) = tokio::time::timeout(ANSWER_DEADLINE, TcpStream::connect(address)).await
    else {
        return; // `doctor` is also used before the first start, and on another machine
    };
    match tokio::time::timeout(ANSWER_DEADLINE, ask(stream, address)).await {
        Ok(Some(answer)) => report_answer(report, address, answer),
        Ok(None) => {} // another program uses the port
        Err(_) => report.problem(
            AREA,
            format!(
                "the server at {address} does not answer within {} s",
                ANSWER_DEADLINE.as_secs()
            ),
            "it is suspended, or has no processor; start it again if that lasts",
        ),
    }
}

fn report_answer(report: &mut Report, address: SocketAddr, answer: Answer) {
    match answer {
        Answer {
            degraded: Some(degraded),
            ..
        } if degraded.is_empty() => {
            report.ok(AREA, format!("ready at {address}, and nothing is degraded"));
        }
        Answer {
            degraded: Some(degraded),
            ..
        } => {
            for why in degraded {
                report.warning(AREA, why, "see its log");
            }
        }
        Answer {
            code: Some(code),
            detail: Some(why),
            ..
        } if code == "not_ready" => report.problem(AREA, why, "see its log"),
        Answer { .. } => {}
    }
}

/// A server that listens at every address is asked on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

/// `None` if the answer is not one of Countersign's.
async fn ask(mut stream: TcpStream, address: SocketAddr) -> Option<Answer> {
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    let mut limited = stream.take(ANSWER_LIMIT);
    limited.read_to_string(&mut answer).await.ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_at_every_address_is_asked_on_this_machine() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("10.0.0.7:80", "10.0.0.7:80"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
        ] {
            let listen = listen.parse().expect("an address");
            assert_eq!(reachable(listen).to_string(), asked);
        }
    }
}
