//! Live updates: an open page learns that something has changed, on every replica, and nothing else (threat W11).

use super::Visitor;
use crate::database::on_both;
use crate::world::{DEPLOY, World, world};
use countersign::domain::time::Span;
use countersign::http::server::{self, ConnectionLimits};
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Far longer than any event takes, and shorter than a page is quiet before it is read again.
const PATIENCE: Duration = Duration::from_secs(45);

/// A page that listens, as `EventSource` does.
struct Listening {
    answer: reqwest::Response,
    text: String,
}

impl Visitor {
    /// Opens a stream; the status if the server refuses.
    async fn listens(&self, path: &str) -> Result<Listening, u16> {
        let cookies = self.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let call = self.http.get(format!("{}{path}", self.url));
        let answer = call.header("cookie", cookies.join("; ")).send().await;
        let answer = answer.expect("an answer");
        match answer.status().as_u16() {
            200 => Ok(Listening {
                answer,
                text: String::new(),
            }),
            status => Err(status),
        }
    }
}

impl Listening {
    /// The next event's name; none where the stream has ended.
    async fn next(&mut self) -> Option<String> {
        let next = async {
            loop {
                if let Some(end) = self.text.find("\n\n") {
                    let event: String = self.text.drain(..end + 2).collect();
                    let name = event.lines().find_map(|line| line.strip_prefix("event: "));
                    if let Some(name) = name {
                        return Some(name.to_owned());
                    }
                    continue;
                }
                let part = self.answer.chunk().await.ok().flatten()?;
                self.text
                    .push_str(std::str::from_utf8(&part).expect("text"));
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("in time")
    }

    /// The next event; it must be this one.
    async fn hears(&mut self, event: &str) {
        assert_eq!(self.next().await.as_deref(), Some(event));
    }
}

pub async fn bob_is_unlinked(world: &World) {
    world
        .reconfigure(|document| {
            let users = document["directory"]["users"]
                .as_array_mut()
                .expect("a list");
            let bob = users.iter_mut().find(|user| user["id"] == "bob");
            bob.expect("bob")["slack"] = json!({"teamId": "T01TEST", "userId": "U98BOB"});
        })
        .await;
}

on_both! {
    async fn open_pages_learn_of_changes_on_every_replica_w11(kind) {
        let world = world!(kind);
        let (other, url) = world.replica().await;
        other.app.serve_pages_at(&world.url);
        world.types("alice", DEPLOY).await;
        let mut here = world.browser_of("U02BOB").await;
        let mut there = here.clone();
        there.url.clone_from(&url);
        for browser in [&mut here, &mut there] {
            let page = browser.open("/approvals/1").await;
            assert!(page.text.contains("data-updates=\"/approvals/1/updates?version=1\""), "{}", page.text);
            assert!(browser.open("/approvals").await.text.contains("data-updates=\"/approvals/updates\""));
        }
        let mut streams = Vec::new();
        for browser in [&here, &there] {
            let mut queue = browser.listens("/approvals/updates").await.expect("a stream");
            // it may have changed before the stream was open
            queue.hears("changed").await;
            streams.push(queue);
            streams.push(browser.listens("/approvals/1/updates?version=1").await.expect("a stream"));
        }
        let mut stale = there.listens("/approvals/1/updates?version=0").await.expect("a stream");
        stale.hears("changed").await;
        // two processes on one machine: the later event has the later id
        world.clock.advance(Span::seconds(1));
        assert_eq!(here.decides(1, "approve", "a secret comment").await.status, 303);
        for stream in streams.iter_mut().chain([&mut stale]) {
            stream.hears("changed").await;
            assert!(!stream.text.contains("secret"), "it carries no content");
        }
        // further steps are told as well, whatever version they have
        let mut carol = world.browser_of("U03CAROL").await;
        world.clock.advance(Span::seconds(1));
        assert_eq!(carol.decides(1, "approve", "").await.status, 303);
        let alice = world.person("alice").await;
        for stream in &mut streams {
            stream.hears("changed").await;
        }
        let digest = alice.read("1").await["digest"].as_str().expect("a digest").to_owned();
        world.clock.advance(Span::seconds(1));
        alice.execute("1", &digest).await.ok();
        for stream in &mut streams {
            stream.hears("changed").await;
        }
        assert_eq!(here.listens("/approvals/99/updates").await.err(), Some(404));
        drop(streams);
        other.stop().await;
        world.settle().await;
        world.finish().await;
    }

    async fn stream_ends_with_the_sign_in_and_does_not_keep_it_alive_w11(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let mut bob = world.browser_of("U02BOB").await;
        assert_eq!(world.browser().listens("/approvals/updates").await.err(), Some(401));
        // a page that is open but not used, and what its script reads, are no use
        let mut open = bob.listens("/approvals/updates").await.expect("a stream");
        open.hears("changed").await;
        for _ in 0..2 {
            world.clock.advance(Span::hours(5));
            let refresh = [("countersign-refresh", "1")];
            bob.send("GET", "/approvals", &refresh, None).await;
            drop(bob.listens("/approvals/1/updates?version=1").await);
        }
        world.app().wake_workers();
        open.hears("ended").await;
        assert_eq!(open.next().await, None);
        assert_eq!(bob.open("/approvals").await.status, 303, "unused for eight hours");
        // whoever is no longer known hears of nothing
        let mut bob = world.browser_of("U02BOB").await;
        let mut queue = bob.listens("/approvals/updates").await.expect("a stream");
        let mut request = bob.listens("/approvals/1/updates?version=1").await.expect("a stream");
        queue.hears("changed").await;
        bob_is_unlinked(&world).await;
        queue.hears("ended").await;
        let mut carol = world.browser_of("U03CAROL").await;
        assert_eq!(carol.decides(1, "approve", "").await.status, 303);
        request.hears("ended").await;
        assert_eq!((queue.next().await, request.next().await), (None, None));
        assert_eq!(bob.open("/approvals").await.status, 303);
        world.settle().await;
        world.finish().await;
    }

    async fn streams_are_limited_and_hold_up_no_shutdown_w11(kind) {
        let world = world!(kind);
        let bob = world.browser_of("U02BOB").await;
        let mut open = Vec::new();
        for _ in 0..8 {
            open.push(bob.listens("/approvals/updates").await.expect("a stream"));
        }
        assert_eq!(bob.listens("/approvals/updates").await.err(), Some(429));
        let mut carol = world.browser_of("U03CAROL").await;
        drop(carol.listens("/approvals/updates").await.expect("her own"));
        drop(open);

        let (replica, _) = world.replica().await;
        replica.app.serve_pages_at(&world.url);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        carol.url = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, limits) = (CancellationToken::new(), ConnectionLimits::of(100));
        let serving = tokio::spawn(server::serve(listener, replica.router(), limits, stop.clone()));
        let mut stream = carol.listens("/approvals/updates").await.expect("a stream");
        stream.hears("changed").await;
        replica.app.end_waits();
        stop.cancel();
        let stopped = tokio::time::timeout(PATIENCE, serving).await;
        stopped.expect("the stream has ended").expect("no panic");
        assert_eq!(stream.next().await, None);
        replica.stop().await;
        world.finish().await;
    }
}
