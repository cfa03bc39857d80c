//! Connects to the mail server and logs in, as the e-mails worker does. Nothing is sent.

use super::report::Report;
use crate::config::settings::environment;
use crate::domain::document::ConfigDocument;
use crate::domain::email::{MailServer, sender};
use crate::email::MailConnection;
use secrecy::SecretString;

const AREA: &str = "e-mail";

/// Reports whether the mail server of the configuration accepts the login. Nothing is reported if there is no mail server.
pub(super) async fn examine(report: &mut Report, document: &ConfigDocument) {
    let Some(settings) = &document.email else {
        return;
    };
    let (Ok(server), Ok(from)) = (MailServer::read(&settings.smtp), sender(&settings.from)) else {
        return; // reported with the configuration
    };
    let variable = settings.password_env.as_deref();
    let password = variable.and_then(environment);
    if let (Some(variable), None) = (variable, &password) {
        let found = format!("{variable} is not set");
        let hint =
            "set it to the password of the user in `email.smtp`, where `countersign serve` runs";
        report.problem(AREA, found, hint);
        return;
    }
    let password = password.map(SecretString::from);
    let name = from.email.domain();
    match MailConnection::open(&server, password.as_ref(), name).await {
        Ok(connection) => {
            connection.close().await;
            let login = match &server.user {
                Some(user) => format!("accepts the login of {user}"),
                None => "answers".to_owned(),
            };
            report.ok(AREA, format!("{} {login}", server.address()));
        }
        Err(failure) => {
            let hint = "check `email` of the configuration, its password, and whether this machine may connect to the mail server";
            report.problem(AREA, failure.to_string(), hint);
        }
    }
}
