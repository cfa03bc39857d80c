//! Connections to public addresses only, so that nobody can make this server call services of its own network (threat NO9).

use super::Unreached;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tokio::net::TcpStream;

/// Connects to a public address that a host name resolves to. The addresses are checked after the name is resolved, and the connection
/// goes to a checked one, so that a name that resolves differently the second time gains nothing.
pub(super) async fn connect(address: &str) -> Result<TcpStream, Unreached> {
    let resolved = tokio::net::lookup_host(address).await;
    let resolved = resolved.map_err(|error| Unreached::unresolved(&error, address))?;
    let mut last = Unreached::private(address);
    for candidate in resolved.filter(|candidate| is_public(candidate.ip())) {
        match TcpStream::connect(candidate).await {
            Ok(stream) => {
                // a small message should not wait for more
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = Unreached::direct(&error, address),
        }
    }
    Err(last)
}

/// Whether a host that is written as an IP address is public; a name may be.
pub(super) fn may_be_public(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().map_or(true, is_public)
}

/// Whether an address belongs to the public internet: not to this machine, a private or local network, or a special range.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        // carrier-grade NAT, protocol assignments, benchmarks
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(inner) = embedded_v4(ip) {
        return is_public_v4(inner);
    }
    let [a, b, ..] = ip.segments();
    // global unicast, without Teredo and the other special ranges of 2001::/23, and without documentation
    let global = a & 0xe000 == 0x2000;
    let special = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || (a == 0x3fff && b < 0x1000);
    global && !special
}

/// The IPv4 address inside an IPv6 address that routers or operating systems translate.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match ip.segments() {
        // mapped and compatible addresses, and NAT64
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(of(high, low))
        }
        // 6to4
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_special_addresses_are_not_public_no9() {
        for private in [
            "127.0.0.1",
            "127.255.0.9",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(
                !is_public(private.parse().expect("an address")),
                "{private}"
            );
            let host = if private.contains(':') {
                format!("[{private}]")
            } else {
                private.to_owned()
            };
            assert!(!may_be_public(&host), "{host}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        assert!(may_be_public("example.com") && may_be_public("localhost"));
    }

    #[tokio::test]
    async fn names_are_checked_after_they_are_resolved_no9() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        for host in [
            "localhost",
            "127.0.0.1",
            "[::ffff:127.0.0.1]",
            "[::1]",
            "0.0.0.0",
        ] {
            let refused = connect(&format!("{host}:{port}")).await;
            let why = refused.expect_err("a private address").to_string();
            assert!(why.contains("is not a public address"), "{host}: {why}");
        }
        let accepted =
            tokio::time::timeout(std::time::Duration::from_millis(50), listener.accept());
        assert!(accepted.await.is_err(), "nobody has connected");
    }
}
