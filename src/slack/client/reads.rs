//! What `countersign doctor` and `countersign init` read of a workspace, besides what the bot itself needs.

use super::Slack;
use crate::slack::error::SlackError;
use crate::slack::reply::{
    Channel, ChannelInfo, ChannelPage, Member, MemberPage, More, UserGroup, UserGroupsReply,
};

/// Names that fit one page; Slack advises no more than 200.
const PAGE: &str = "200";
/// Pages that are read of one list; a larger workspace is written down by hand.
const MOST_PAGES: usize = 50;

impl Slack {
    /// A channel, as far as the bot can see it.
    pub async fn channel_info(&self, channel: &str) -> Result<Channel, SlackError> {
        let params = vec![("channel", Some(channel.to_owned()))];
        let reply: ChannelInfo = self.get("conversations.info", &params).await?;
        Ok(reply.channel)
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
    pub async fn members(&self, team_id: &str) -> Result<Vec<Member>, SlackError> {
        let mut all = Vec::new();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let params = page(team_id, cursor);
            let reply: MemberPage = self.get("users.list", &params).await?;
            all.extend(reply.members);
            cursor = reply.response_metadata.and_then(More::next);
            if cursor.is_none() {
                break;
            }
        }
        Ok(all)
    }

    /// The channels that the bot can see and that are not archived.
    pub async fn channels(&self, team_id: &str) -> Result<Vec<Channel>, SlackError> {
        let mut all = Vec::new();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let mut params = page(team_id, cursor);
            params.push(("types", Some("public_channel,private_channel".to_owned())));
            params.push(("exclude_archived", Some("true".to_owned())));
            let reply: ChannelPage = self.get("conversations.list", &params).await?;
            all.extend(reply.channels);
            cursor = reply.response_metadata.and_then(More::next);
            if cursor.is_none() {
                break;
            }
        }
        Ok(all)
    }
}

fn page(team_id: &str, cursor: Option<String>) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("limit", Some(PAGE.to_owned())),
        ("team_id", Some(team_id.to_owned())),
        ("cursor", cursor),
    ]
}
