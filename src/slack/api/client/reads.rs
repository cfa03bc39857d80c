//! Lists and single objects that are read of a workspace, besides what a delivery needs.

use super::{Slack, address};
use crate::net::Unreached;
use crate::slack::api::error::SlackError;
use crate::slack::api::reply::{
    Channel, ChannelInfo, ChannelPage, Cursor, SlackUser, UserGroup, UserGroupsReply,
    WorkspacesPage,
};
use std::time::Duration;

/// Names on one page; Slack advises no more than 200.
const PAGE_SIZE: &str = "200";
/// Workspaces on one page of an organization's list.
const WORKSPACES_PAGE_SIZE: &str = "1000";
/// The longest pause that [`patiently`] waits for.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// More pages than any workspace has, so that a cursor that leads in circles ends.
const PAGE_LIMIT: usize = 10_000;

/// Asks again whenever Slack says that it was asked too fast; for the command line, which may take its time.
pub async fn patiently<T, F: Future<Output = Result<T, SlackError>>>(
    ask: impl Fn() -> F,
) -> Result<T, SlackError> {
    loop {
        match ask().await {
            Err(SlackError::RateLimited { retry_after }) => {
                let pause = retry_after.unwrap_or(Duration::from_secs(1));
                if pause > LONGEST_PAUSE {
                    return Err(SlackError::RateLimited { retry_after });
                }
                tokio::time::sleep(pause).await;
            }
            other => return other,
        }
    }
}

/// Reads every page of a list, each one patiently: a pause that Slack asks for in the middle costs nothing that was read before.
async fn every_page<T>(
    page: impl AsyncFn(Option<String>) -> Result<(Vec<T>, Option<Cursor>), SlackError>,
) -> Result<Vec<T>, SlackError> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..PAGE_LIMIT {
        let (items, next) = patiently(|| page(cursor.clone())).await?;
        all.extend(items);
        cursor = next.and_then(Cursor::next);
        if cursor.is_none() {
            return Ok(all);
        }
    }
    Err(SlackError::Lost)
}

impl Slack {
    /// A channel, as far as the bot can see it.
    pub async fn channel_info(&self, channel: &str) -> Result<Channel, SlackError> {
        let params = vec![("channel", Some(channel.to_owned()))];
        let reply: ChannelInfo = self.get("conversations.info", &params).await?;
        Ok(reply.channel)
    }

    /// The same with less patience. A look-up posts nothing, so one that is not answered in time counts as no connection: whatever
    /// waits for it may be tried again by any replica, and nothing is known against the channel.
    pub(in crate::slack) async fn channel_info_within(
        &self,
        patience: Duration,
        channel: &str,
    ) -> Result<Channel, SlackError> {
        let asked = tokio::time::timeout(patience, self.channel_info(channel)).await;
        let answer = asked.unwrap_or_else(|_| {
            // the call was dropped before it could count itself
            self.reach.learn(Some(&SlackError::TimedOut));
            Err(SlackError::TimedOut)
        });
        answer.map_err(|error| match error {
            SlackError::TimedOut => SlackError::Transport(Unreached {
                what: format!("{} did not answer in time", address(&self.base)),
                hint: "check this replica's network, proxy and DNS".to_owned(),
            }),
            other => other,
        })
    }

    /// The user groups, those that are switched off included.
    pub async fn all_user_groups(&self, team_id: &str) -> Result<Vec<UserGroup>, SlackError> {
        let params = vec![
            ("include_disabled", Some("true".to_owned())),
            ("include_users", Some("true".to_owned())),
            ("team_id", Some(team_id.to_owned())),
        ];
        let reply: UserGroupsReply = self.get("usergroups.list", &params).await?;
        Ok(reply.usergroups)
    }

    /// Everybody in the workspace.
    pub async fn members(&self, team_id: &str) -> Result<Vec<SlackUser>, SlackError> {
        every_page(async |cursor: Option<String>| {
            let page = self.users_list(team_id, cursor.as_deref()).await?;
            Ok((page.members, page.response_metadata))
        })
        .await
    }

    /// The channels that the bot can see and that are not archived.
    pub async fn channels(&self, team_id: &str) -> Result<Vec<Channel>, SlackError> {
        every_page(async |cursor| {
            let params = vec![
                ("limit", Some(PAGE_SIZE.to_owned())),
                ("team_id", Some(team_id.to_owned())),
                ("cursor", cursor),
                ("types", Some("public_channel,private_channel".to_owned())),
                ("exclude_archived", Some("true".to_owned())),
            ];
            let page: ChannelPage = self.get("conversations.list", &params).await?;
            Ok((page.channels, page.response_metadata))
        })
        .await
    }

    /// The workspaces of the organization that the app is approved for, where it is installed for the whole organization. Nothing is
    /// waited for: a pause that Slack asks for is the caller's.
    pub async fn workspaces(&self) -> Result<Vec<String>, SlackError> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..PAGE_LIMIT {
            let params = vec![
                ("limit", Some(WORKSPACES_PAGE_SIZE.to_owned())),
                ("cursor", cursor),
            ];
            let page: WorkspacesPage = self.get("auth.teams.list", &params).await?;
            all.extend(page.teams.into_iter().map(|team| team.id));
            cursor = page.response_metadata.and_then(Cursor::next);
            if cursor.is_none() {
                return Ok(all);
            }
        }
        Err(SlackError::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::time::Instant;

    const PAUSE: Duration = Duration::from_millis(20);

    /// A list of three pages. The second one is refused twice; its answer is the cursor that was sent.
    #[tokio::test]
    async fn a_pause_in_the_middle_of_a_list_loses_no_page_and_is_waited_for_r17() {
        let asked = RefCell::new(Vec::new());
        let since = Instant::now();
        let read = every_page(async |cursor| {
            let mut asked = asked.borrow_mut();
            asked.push(cursor.clone());
            let next = match asked.len() {
                2 | 3 => {
                    return Err(SlackError::RateLimited {
                        retry_after: Some(PAUSE),
                    });
                }
                1 => "second",
                4 => "third",
                _ => "",
            };
            let next_cursor = Some(next.to_owned());
            Ok((vec![cursor], Some(Cursor { next_cursor })))
        });
        let (second, third) = (Some("second".to_owned()), Some("third".to_owned()));
        let pages = [None, second.clone(), third.clone()];
        assert_eq!(read.await.expect("three pages"), pages);
        assert!(since.elapsed() >= PAUSE * 2, "{:?}", since.elapsed());
        let calls = [None, second.clone(), second.clone(), second, third];
        assert_eq!(
            asked.into_inner(),
            calls,
            "each call goes on where the last one ended"
        );
    }

    #[tokio::test]
    async fn a_pause_longer_than_a_minute_and_other_errors_end_the_list_r17() {
        for error in [
            SlackError::RateLimited {
                retry_after: Some(LONGEST_PAUSE + Duration::from_secs(1)),
            },
            SlackError::Lost,
        ] {
            let calls = RefCell::new(0);
            let read = patiently(async || {
                *calls.borrow_mut() += 1;
                Err::<(), _>(error.clone())
            });
            let ended = read.await.expect_err("no patience");
            assert_eq!(ended.to_string(), error.to_string());
            assert_eq!(calls.into_inner(), 1);
        }
    }
}
