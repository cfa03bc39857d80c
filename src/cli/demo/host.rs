//! Runs the bot of the demo beside the workspace, and does what the workspace's page orders: stop it, start it, let time pass.

use super::super::error::CliError;
use super::super::serve::cannot_start;
use super::super::server::{self, Servers};
use super::clock::DemoClock;
use crate::bot::{Bot, Parts};
use crate::config::settings::environment;
use crate::domain::time::Span;
use crate::http::MetricsAddress;
use crate::sandbox::{CLIENT_SECRET, Order, Sandbox};
use crate::slack::inbound::signature::SigningSecrets;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

/// The variable that the webhook of the demo names.
pub(super) const WEBHOOK_SECRET: &str = "DEMO_WEBHOOK_SECRET";

/// Everything that a new bot of this demo needs.
pub(super) struct Host {
    pub(super) database_url: String,
    pub(super) sandbox: Sandbox,
    pub(super) clock: DemoClock,
    pub(super) signing_secret: SecretString,
    pub(super) bot_token: SecretString,
    pub(super) metrics: PrometheusHandle,
}

/// A bot that serves.
pub(super) struct Running {
    pub(super) bot: Bot,
    pub(super) address: SocketAddr,
    servers: Servers,
}

impl Host {
    /// Opens the database and builds a bot that does nothing yet.
    pub(super) async fn bot(&self) -> Result<Bot, CliError> {
        let secrets = SigningSecrets::new(vec![self.signing_secret.clone()]);
        let parts = Parts {
            clock: self.clock.clock.clone(),
            bot_token: self.bot_token.clone(),
            slack_api_url: self.sandbox.api_url(),
            signing_secrets: Some(secrets.map_err(cannot_start)?),
            variables: Arc::new(variable),
            app_token: None,
            app_id: None,
            metrics: self.metrics.clone(),
            metrics_at: MetricsAddress::Public,
        };
        server::bot(&self.database_url, parts)
            .await
            .map_err(cannot_start)
    }

    /// Serves the bot and starts its workers.
    pub(super) async fn run(&self, bot: Bot, listen: SocketAddr) -> Result<Running, CliError> {
        let servers = Servers::new();
        let address = servers
            .serve(listen, bot.router())
            .await
            .map_err(|error| super::taken("--port", listen.port(), &error))?;
        let url = format!("http://{address}");
        bot.app.serve_pages_at(&url);
        self.sandbox.set_bot_url(&url);
        bot.start_work();
        bot.learn_installation().await.map_err(cannot_start)?;
        self.sandbox.set_bot_running(true);
        Ok(Running {
            bot,
            address,
            servers,
        })
    }

    /// Follows the page's orders until the process is told to stop; then stops the bot.
    pub(super) async fn follow(
        &self,
        running: Running,
        mut orders: UnboundedReceiver<Order>,
    ) -> Result<(), CliError> {
        let address = running.address;
        let mut running = Some(running);
        let stopped = server::told_to_stop();
        tokio::pin!(stopped);
        let ended = loop {
            let order = tokio::select! {
                told = &mut stopped => break told.map_err(cannot_start),
                Some(order) = orders.recv() => order,
            };
            match (order, running.is_some()) {
                (Order::StopBot, true) => {
                    self.sandbox.set_bot_running(false);
                    stop(running.take()).await;
                }
                (Order::StartBot, false) => {
                    running = Some(self.run(self.bot().await?, address).await?);
                }
                (Order::Skip(seconds), _) => {
                    let app = running.as_ref().map(|running| &running.bot.app);
                    let skipped = self.clock.skip(app, Span::seconds(seconds)).await;
                    skipped.map_err(cannot_start)?;
                }
                (Order::StopBot, false) | (Order::StartBot, true) => {}
            }
        };
        stop(running).await;
        ended
    }
}

/// The client secret of Sign in with Slack is the workspace's own, and the webhook has a secret of the demo; everything else is as in any installation.
fn variable(name: &str) -> Option<String> {
    match name {
        "SLACK_CLIENT_SECRET" => Some(CLIENT_SECRET.to_owned()),
        // nothing in the demo is secret
        WEBHOOK_SECRET => Some("whsec_Y291bnRlcnNpZ24tZGVtby13ZWJob29rLXNlY3JldA==".to_owned()),
        name => environment(name),
    }
}

async fn stop(running: Option<Running>) {
    if let Some(Running { bot, servers, .. }) = running {
        bot.app.end_waits();
        servers.stop().await;
        bot.stop().await;
    }
}
