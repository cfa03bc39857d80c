//! A replica that cannot reach Slack leaves deliveries to one that can.

use crate::client::{Api, deploy};
use crate::database::on_both;
use crate::ports::ClosedPort;
use crate::world::{Wire, bot_at, serve, world};
use countersign::domain::time::Span;
use countersign::domain::token::Scope;
use std::net::Ipv4Addr;
use tokio::net::{TcpListener, TcpStream};

/// Forwards connections, as a working network does.
async fn carry(listener: TcpListener, to: String) {
    loop {
        let Ok((mut here, _)) = listener.accept().await else {
            return;
        };
        let to = to.clone();
        tokio::spawn(async move {
            if let Ok(mut there) = TcpStream::connect(to).await {
                let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
            }
        });
    }
}

on_both! {
    async fn a_replica_without_egress_leaves_cards_to_a_healthy_one(kind) {
        let world = world!(kind);
        // nothing listens there yet
        let port = ClosedPort::fresh();
        let address = port.address;
        let api = world.slack.api_url();
        let slack: url::Url = api.parse().expect("an address");
        let there = format!("127.0.0.1:{}", slack.port().expect("a port"));
        let cut_api = format!("http://{address}{}", slack.path());
        let cut = bot_at(world.database.again().await, &world.clock, &cut_api, Wire::Http).await;
        cut.recall_installation().await.expect("known from the database");
        let (url, _server) = serve(&cut).await;
        let alice = Api::new(&url, &world.token_of("alice", Scope::ALL).await);
        let cards = || world.slack.cards("prod-approvals").len();
        alice.submit(deploy()).await.ok();
        let mut seconds = 0;
        while cards() == 0 && seconds < 30 {
            // the replica without egress always looks first
            cut.workers.settle().await.expect("the workers work");
            world.bot.workers.settle().await.expect("the workers work");
            world.clock.advance(Span::seconds(1));
            seconds += 1;
        }
        assert!(seconds <= 5, "{seconds} seconds");
        // from here on it takes no deliveries, and says why
        let mut ask = deploy();
        ask["release"] = "v2".into();
        alice.submit(ask).await.ok();
        cut.workers.settle().await.expect("the workers work");
        assert_eq!(world.database.count("SELECT count(*) FROM cards WHERE ts IS NULL AND attempt = 0").await, 1);
        world.bot.workers.settle().await.expect("the workers work");
        assert_eq!(cards(), 2, "at once");
        let degraded = cut.app.degraded().await.expect("an answer");
        assert!(degraded.iter().any(|one| one.starts_with("this replica cannot reach Slack")), "{degraded:?}");
        assert_eq!(world.degraded().await, Vec::<String>::new());
        // it can reach Slack again
        let listener = port.open();
        let carrying = tokio::spawn(carry(listener, there));
        let mut ask = deploy();
        ask["release"] = "v3".into();
        alice.submit(ask).await.ok();
        world.clock.advance(Span::minutes(1));
        cut.workers.settle().await.expect("the workers work");
        assert_eq!(cards(), 3);
        assert_eq!(cut.app.degraded().await.expect("an answer"), Vec::<String>::new());
        cut.stop().await;
        carrying.abort();
        world.finish().await;
    }

    /// Connections come about, and nothing is ever answered.
    async fn a_replica_whose_look_ups_are_never_answered_is_cut_off_and_pauses_no_channel(kind) {
        let world = world!(kind);
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = silent.local_addr().expect("an address");
        let slack: url::Url = world.slack.api_url().parse().expect("an address");
        let cut_api = format!("http://{address}{}", slack.path());
        let cut = bot_at(world.database.again().await, &world.clock, &cut_api, Wire::Http).await;
        cut.recall_installation().await.expect("known from the database");
        let (url, _server) = serve(&cut).await;
        let alice = Api::new(&url, &world.token_of("alice", Scope::ALL).await);
        for release in ["v1", "v2", "v3"] {
            let mut ask = deploy();
            ask["release"] = release.into();
            alice.submit(ask).await.ok();
        }
        cut.workers.settle().await.expect("the workers work");
        assert_eq!(world.database.count("SELECT count(*) FROM channel_pauses").await, 0);
        let degraded = cut.app.degraded().await.expect("an answer");
        assert!(degraded.iter().any(|one| one.starts_with("this replica cannot reach Slack")), "{degraded:?}");
        world.clock.advance(Span::seconds(1));
        world.bot.workers.settle().await.expect("the workers work");
        assert_eq!(world.slack.cards("prod-approvals").len(), 3, "nothing keeps the healthy one back");
        cut.stop().await;
        drop(silent);
        world.finish().await;
    }
}
