//! The world of the story tests: the whole bot on a real database, a Slack workspace that it reaches over real sockets, and a clock that
//! tests move by hand. Story tests read like a chat.

use crate::database::{Database, Kind};
use countersign::app::Clock;
use countersign::app::{App, NewToken};
use countersign::bot::{Bot, Parts, SigningSecrets};
use countersign::config::file::Source;
use countersign::domain::decision::Via;
use countersign::domain::principal::{Caller, Principal};
use countersign::domain::time::{Span, Timestamp};
use countersign::domain::token::Scope;
use countersign::http::MetricsAddress;
use countersign::http::server::{self, ConnectionLimits};
use countersign::sandbox::{Answer, Delivery, Forge, Place, Sandbox, Seed, Setup, Values};
use countersign::store::Db;
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::SecretString;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The signing secret that bot and workspace share.
pub const SIGNING_SECRET: &str = "the-secret-of-the-stories";
const BOT_TOKEN: &str = "xoxb-story";
const APP_TOKEN: &str = "xapp-story";
/// Monday, 2026-11-23, 10:00 UTC.
pub const MONDAY: Timestamp = Timestamp(1_795_428_000_000);
/// The command of the main story.
pub const DEPLOY: &str = "request release.deploy project=api-platform env=production release=v1.4.2 reason=\"hotfix for checkout\"";
const CONFIGURATION: &str = include_str!("../../manifests/demo.yaml");

/// How Slack's deliveries reach the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Http,
    Sockets,
}

/// What a test runs on: which database, and how Slack delivers.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    pub kind: Kind,
    pub wire: Wire,
}

impl From<Kind> for Stage {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            wire: Wire::Http,
        }
    }
}

pub struct World {
    pub bot: Bot,
    pub wire: Wire,
    pub slack: Sandbox,
    pub url: String,
    pub clock: Clock,
    pub database: Database,
    server: CancellationToken,
}

/// Starts a world, or ends the test if there is no Postgres.
macro_rules! world {
    ($kind:expr) => {
        match $crate::world::World::start($kind).await {
            Some(world) => world,
            None => return,
        }
    };
}
pub(crate) use world;

/// The operator at the database.
pub fn operator() -> Caller {
    Caller::operator(Via::Cli)
}

impl World {
    pub async fn start(stage: impl Into<Stage>) -> Option<Self> {
        Self::start_with(stage, CONFIGURATION).await
    }

    /// A world with another configuration.
    pub async fn start_with(stage: impl Into<Stage>, configuration: &str) -> Option<Self> {
        Self::start_in(stage, configuration, Seed::example()).await
    }

    /// A world with another configuration, in another workspace.
    pub async fn start_in(
        stage: impl Into<Stage>,
        configuration: &str,
        seed: Seed,
    ) -> Option<Self> {
        Self::start_by(stage, configuration, seed, Clock::manual(MONDAY)).await
    }

    /// A world with another clock.
    pub async fn start_by(
        stage: impl Into<Stage>,
        configuration: &str,
        seed: Seed,
        clock: Clock,
    ) -> Option<Self> {
        let Stage { kind, wire } = stage.into();
        let database = Database::fresh(kind).await?;
        let time = clock.clone();
        let slack = Sandbox::start(Setup {
            listen: local(),
            seed,
            bot_url: None,
            signing_secret: SIGNING_SECRET.into(),
            bot_token: BOT_TOKEN.into(),
            app_token: (wire == Wire::Sockets).then(|| APP_TOKEN.into()),
            clock: Arc::new(move || time.now().0),
        })
        .await
        .expect("a free port");
        let bot = bot(database.db.clone(), &clock, &slack, wire).await;
        let source = Source::read("demo.yaml", configuration).expect("a configuration");
        bot.app
            .load_file(source.into_document(), "demo.yaml")
            .await
            .expect("it loads");
        bot.learn_installation()
            .await
            .expect("the workspace answers");
        let (url, server) = serve(&bot).await;
        slack.set_bot_url(&url);
        hears(&bot, &slack, wire).await;
        Some(Self {
            bot,
            wire,
            slack,
            url,
            clock,
            database,
            server,
        })
    }

    /// A second replica on the same database; deliveries go to the one that `set_bot_url` names.
    pub async fn replica(&self) -> (Bot, String) {
        let bot = bot(
            self.database.again().await,
            &self.clock,
            &self.slack,
            self.wire,
        )
        .await;
        bot.learn_installation()
            .await
            .expect("the workspace answers");
        let (url, _) = serve(&bot).await;
        hears(&bot, &self.slack, self.wire).await;
        (bot, url)
    }

    /// Stops the bot gracefully and starts it again on the same database, with empty memory.
    pub async fn restart(&mut self) {
        self.server.cancel();
        self.bot.stop().await;
        self.database.db = self.database.again().await;
        self.bot = bot(
            self.database.db.clone(),
            &self.clock,
            &self.slack,
            self.wire,
        )
        .await;
        self.bot
            .learn_installation()
            .await
            .expect("the workspace answers");
        let (url, server) = serve(&self.bot).await;
        self.slack.set_bot_url(&url);
        hears(&self.bot, &self.slack, self.wire).await;
        (self.url, self.server) = (url, server);
    }

    pub fn app(&self) -> &App {
        &self.bot.app
    }

    /// A person types a slash command; returns what they read in reply.
    pub async fn types(&self, who: &str, text: &str) -> String {
        let answer = self
            .slack
            .command_in(who, "prod-approvals", "/approval", text)
            .await
            .expect("the bot answers");
        self.settle().await;
        let said = answer.message.or_else(|| {
            self.slack
                .ephemerals(who)
                .last()
                .map(|shown| shown.text.clone())
        });
        said.unwrap_or_default()
    }

    /// A person clicks a button of the newest card in `#prod-approvals`; returns the reply that only they see.
    pub async fn clicks(&self, who: &str, button: &str) -> String {
        self.clicks_forged(who, button, Forge::default()).await.1
    }

    /// A person rejects on the newest card, with a reason.
    pub async fn rejects(&self, who: &str, why: &str) {
        assert_eq!(self.clicks(who, "reject").await, "");
        self.fills(who, Values::from([("reason", why)])).await;
    }

    /// A person fills in and submits their modal; returns what it shows afterwards.
    pub async fn fills(&self, who: &str, values: Values) -> String {
        let answer = self.slack.submit_view(who, values).await;
        assert_eq!(answer.expect("the bot answers").status, 200);
        self.settle().await;
        self.modal(who)
    }

    /// The topmost modal of a person.
    pub fn modal(&self, who: &str) -> String {
        let modal = self.slack.modal(who);
        modal.map(|modal| modal.text).unwrap_or_default()
    }

    /// A person clicks in their topmost modal.
    pub async fn clicks_in_modal(&self, who: &str, button: &str) -> String {
        let answer = self.slack.click_in_modal(who, button).await;
        assert_eq!(answer.expect("the bot answers").status, 200);
        self.settle().await;
        self.modal(who)
    }

    /// A person clicks a button of their last direct message.
    pub async fn clicks_direct(&self, who: &str, button: &str) -> String {
        let message = self.slack.direct_messages(who).pop().expect("a message");
        let before = self.slack.ephemerals(who).len();
        let (channel, ts) = (&message.channel, &message.ts);
        let answer = self.slack.click(who, channel, ts, button).await;
        assert_eq!(answer.expect("the bot answers").status, 200);
        self.settle().await;
        let told = self.slack.ephemerals(who).split_off(before);
        let told: Vec<String> = told.into_iter().map(|shown| shown.text).collect();
        told.join("\n")
    }

    /// The same with a forged interaction, as an attacker would like to send it.
    pub async fn clicks_forged(&self, who: &str, button: &str, forge: Forge) -> (Answer, String) {
        let card = self.slack.card("prod-approvals").expect("a card");
        let before = self.slack.ephemerals(who).len();
        let answer = self
            .slack
            .click_with(who, &card.channel, &card.ts, button, forge)
            .await
            .expect("the bot answers");
        self.settle().await;
        let told: Vec<String> = self
            .slack
            .ephemerals(who)
            .split_off(before)
            .into_iter()
            .map(|shown| shown.text)
            .collect();
        (answer, told.join("\n"))
    }

    /// The delivery of a click on the newest card, without sending it.
    pub fn click_of(&self, who: &str, button: &str, forge: Forge) -> Delivery {
        let card = self.slack.card("prod-approvals").expect("a card");
        let place = Place::Message {
            channel: &card.channel,
            ts: &card.ts,
        };
        self.slack
            .press_delivery(who, place, button.into(), forge)
            .expect("it can be clicked")
    }

    /// The delivery of a slash command, without sending it.
    pub fn command_of(&self, who: &str, text: &str) -> Delivery {
        self.slack
            .command_delivery(who, "prod-approvals", "/approval", text)
            .expect("it can be typed")
    }

    /// Sends a delivery and waits for everything that follows from it.
    pub async fn delivers(&self, delivery: &Delivery) -> Answer {
        let answer = self.slack.redeliver(delivery).await;
        self.settle().await;
        answer.expect("the bot answers")
    }

    /// The replies that only this person has seen so far.
    pub fn told(&self, who: &str) -> Vec<String> {
        let told = self.slack.ephemerals(who);
        told.into_iter().map(|shown| shown.text).collect()
    }

    /// A fingerprint of all tables: it changes with every row that is added or removed, and with every change of a request or card.
    pub async fn rows(&self) -> String {
        let tables = [
            "config",
            "policy_versions",
            "requests",
            "payloads",
            "decisions",
            "answers",
            "cards",
            "outbox",
            "tokens",
            "facts",
            "sessions",
            "audit",
        ];
        let counted = tables.map(|table| format!("'{table}=' || (SELECT count(*) FROM {table})"));
        let moved = "'moved=' || (SELECT coalesce(sum(version), 0) FROM requests) || '/' \
            || (SELECT coalesce(sum(touched), 0) FROM cards)";
        let sql = format!("SELECT {} || ' ' || {moved}", counted.join(" || ' ' || "));
        self.database.text(&sql).await
    }

    /// What `/readyz` reports as not working while the replica still serves.
    pub async fn degraded(&self) -> Vec<String> {
        let answer = reqwest::get(format!("{}/readyz", self.url)).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200);
        let body: serde_json::Value = answer.json().await.expect("JSON");
        let said = body["degraded"].as_array().expect("a list").iter();
        said.map(|why| why.as_str().expect("a text").to_owned())
            .collect()
    }

    /// Waits until every reply is sent and every worker is idle.
    pub async fn settle(&self) {
        self.bot.dispatcher.finish().await;
        self.bot.workers.settle().await.expect("the workers work");
    }

    /// Moves the clock and lets the workers run.
    pub async fn passes(&self, span: Span) {
        self.clock.advance(span);
        self.settle().await;
    }

    /// The newest card in `#prod-approvals`, as people read it.
    pub fn card(&self) -> String {
        self.slack.card("prod-approvals").expect("a card").text
    }

    /// The buttons of the newest card.
    pub fn buttons(&self) -> Vec<String> {
        self.slack.card("prod-approvals").expect("a card").actions
    }

    /// The last direct message to a person.
    pub fn direct(&self, who: &str) -> String {
        self.slack
            .direct_messages(who)
            .last()
            .map(|shown| shown.text.clone())
            .unwrap_or_default()
    }

    /// The events of the audit log with their actors, oldest first.
    pub async fn audit(&self) -> Vec<String> {
        while self.app().seal().await.expect("sealed") {}
        let lines = self.app().audit(0, 1_000).await.expect("the log");
        let text = |line: &countersign::app::AuditLine, key: &str| {
            line.event[key].as_str().unwrap_or("-").to_owned()
        };
        lines
            .iter()
            .map(|line| format!("{} by {}", text(line, "event"), text(line, "actor")))
            .collect()
    }

    /// A person's API token.
    pub async fn token_of(&self, person: &str, scopes: &[Scope]) -> String {
        self.token(Principal::Person(person.into()), &[], scopes)
            .await
    }

    /// An API token.
    pub async fn token(&self, principal: Principal, owners: &[&str], scopes: &[Scope]) -> String {
        let token = NewToken {
            name: "story".to_owned(),
            principal,
            owners: owners.iter().map(|owner| (*owner).into()).collect(),
            scopes: scopes.to_vec(),
        };
        self.app()
            .create_token(&operator(), token)
            .await
            .expect("a token")
            .1
    }

    /// Ends the world; fails if anything was left undone.
    pub async fn finish(self) {
        self.settle().await;
        // work that Slack's rate limits have delayed, and messages that failed while it was down
        for _ in 0..1_000 {
            let behind =
                "SELECT (SELECT count(*) FROM cards WHERE due_at IS NOT NULL AND trouble IS NULL)
                + (SELECT count(*) FROM outbox WHERE due_at IS NOT NULL)";
            if self.database.count(behind).await == 0 {
                break;
            }
            self.passes(Span::seconds(20)).await;
        }
        assert_eq!(self.slack.leftovers(), Vec::<String>::new());
        assert_eq!(self.slack.strange_frames(), Vec::<String>::new());
        for (table, left) in [
            ("outbox", "outbox"),
            ("cards that are behind", "cards WHERE due_at IS NOT NULL"),
        ] {
            assert_eq!(
                self.database
                    .count(&format!("SELECT count(*) FROM {left}"))
                    .await,
                0,
                "{table}"
            );
        }
        let walked = self.app().verify_audit().await.expect("the log");
        assert_eq!(walked.broken_at, None);
        self.server.cancel();
        self.bot.stop().await;
        self.slack
            .wait_for_sockets(<[u64]>::is_empty)
            .await
            .expect("every socket is closed");
        self.slack.stop().await;
        self.database.drop().await;
    }
}

fn local() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A bot without running worker loops: tests run the workers step by step.
pub async fn bot(db: Db, clock: &Clock, slack: &Sandbox, wire: Wire) -> Bot {
    bot_at(db, clock, &slack.api_url(), wire).await
}

/// The same with another base URL for Slack.
pub async fn bot_at(db: Db, clock: &Clock, slack_api_url: &str, wire: Wire) -> Bot {
    let secrets = SigningSecrets::new(vec![SecretString::from(SIGNING_SECRET)]);
    let parts = Parts {
        clock: clock.clone(),
        bot_token: BOT_TOKEN.into(),
        slack_api_url: slack_api_url.to_owned(),
        signing_secrets: (wire == Wire::Http).then(|| secrets.expect("long enough")),
        variables: Arc::new(crate::webhooks::variable),
        app_token: (wire == Wire::Sockets).then(|| APP_TOKEN.into()),
        app_id: None,
        metrics: PrometheusBuilder::new().build_recorder().handle(),
        metrics_at: MetricsAddress::Public,
    };
    Bot::new(db, parts).await.expect("a bot")
}

/// Opens the bot's sockets, if Slack delivers over them.
pub async fn hears(bot: &Bot, slack: &Sandbox, wire: Wire) {
    if wire == Wire::Http {
        return;
    }
    let before = slack.sockets().len();
    bot.check_sockets().await.expect("the app token is good");
    bot.open_sockets();
    slack
        .wait_for_sockets(|open| open.len() >= before + 2)
        .await
        .expect("two sockets");
}

/// Serves a bot on its own port.
pub async fn serve(bot: &Bot) -> (String, CancellationToken) {
    let listener = TcpListener::bind(local()).await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let stop = CancellationToken::new();
    let limits = ConnectionLimits::of(25_000);
    tokio::spawn(server::serve(listener, bot.router(), limits, stop.clone()));
    (url, stop)
}
