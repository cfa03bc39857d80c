//! Checks the mail server and the addresses that e-mails go to.

use super::Checks;
use super::edges::is_variable;
use crate::domain::document::EmailConfig;
use crate::domain::email::{MailServer, address, sender};
use std::collections::BTreeSet;

/// What the name of a password's variable must contain one of: whoever may change the configuration must not be able to send another
/// secret of the server to a mail server of theirs.
const MAIL_WORDS: [&str; 2] = ["SMTP", "MAIL"];

impl Checks<'_> {
    pub(super) fn email(&mut self) {
        let Some(EmailConfig {
            smtp,
            password_env,
            from,
            alerts,
        }) = &self.document.email
        else {
            return;
        };
        match MailServer::read(smtp) {
            Err(message) => self.problem("email.smtp", message),
            Ok(server) => {
                let result = login(server.user.as_deref(), password_env.as_deref());
                self.expect("email.passwordEnv", result);
            }
        }
        self.expect("email.from", sender(from).map(drop));
        let mut seen = BTreeSet::new();
        for (at, text) in alerts.iter().enumerate() {
            let path = format!("email.alerts[{at}]");
            self.expect(&path, address(text).map(drop));
            if !seen.insert(text.to_lowercase()) {
                self.problem(path, format!("`{}` is listed twice", text.escape_debug()));
            }
        }
        // without a mail server the addresses are used for nothing
        for (at, user) in self.document.directory.users.iter().enumerate() {
            if let Some(text) = &user.email {
                let path = format!("directory.users[{at}].email");
                self.expect(path, address(text).map(drop));
            }
        }
    }
}

/// A user needs a password, and the other way round.
fn login(user: Option<&str>, variable: Option<&str>) -> Result<(), String> {
    match (user, variable) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(
            "is missing: set it to the environment variable that contains the password of the user in `smtp`, such as SMTP_PASSWORD"
                .to_owned(),
        ),
        (None, Some(_)) => Err(
            "is set, but `smtp` names no user; write the user before the host, like smtps://user@mail.example.com:465"
                .to_owned(),
        ),
        (Some(_), Some(variable)) if !is_variable(variable) => Err(
            "names no environment variable; write letters, digits and `_`, such as SMTP_PASSWORD"
                .to_owned(),
        ),
        (Some(_), Some(variable)) => {
            let capitals = variable.to_ascii_uppercase();
            if MAIL_WORDS.iter().any(|word| capitals.contains(word)) {
                return Ok(());
            }
            Err(format!(
                "`{variable}` must contain SMTP or MAIL, such as SMTP_PASSWORD, so that no other secret can be sent to a mail server"
            ))
        }
    }
}
