//! The configuration document: the content of the YAML file, of `/v1/config` and of the database.
//!
//! These types do not check whether the content makes sense; [`super::compiled_config::CompiledConfig::compile`] does.

use super::id::{
    ActionId, ChannelId, ClusterId, EnvironmentId, PersonId, PolicyId, ProjectId, RoleId,
    ServiceId, TeamId,
};
use super::time::Span;
mod console;
mod notifications;
pub use console::{Console, OidcIdentity, OidcSignIn, SlackSignIn};
pub use notifications::{EmailConfig, Notifications, QuietHours, Reminders, WeeklyDigest};
use serde::de::{
    self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Maximum size of a configuration in bytes, from every source (file, `apply`, `recover`, API, Slack forms). It applies to the text
/// and to its compact JSON. About 10,000 policies fit.
pub const LARGEST_CONFIGURATION: usize = 8 * 1024 * 1024;

/// The error message for a configuration of this size, in bytes; `None` if the size is allowed.
pub fn too_large(bytes: usize) -> Option<String> {
    (bytes > LARGEST_CONFIGURATION).then(|| {
        format!(
            "the configuration has {bytes} bytes; the limit is {LARGEST_CONFIGURATION} (8 MiB), as text and as compact JSON. \
             Remove policies and bindings that are no longer used, or split it between two installations"
        )
    })
}

/// The whole configuration of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigDocument {
    /// The organization's name. The organization is the highest level a policy can be bound to.
    pub organization: String,
    /// Projects, environments and clusters.
    #[serde(default)]
    pub resources: Resources,
    /// People, teams and roles.
    #[serde(default)]
    pub directory: DirectoryDocument,
    /// Policies.
    #[serde(default)]
    pub policies: Vec<PolicyTemplate>,
    /// Where the policies are bound.
    #[serde(default)]
    pub bindings: Vec<Binding>,
    /// Which channels cards go to.
    #[serde(default)]
    pub routes: Routes,
    /// Services that create requests through the API.
    #[serde(default)]
    pub services: Vec<ServiceDocument>,
    /// Custom actions, in addition to the 16 built-in ones (docs/policies.md).
    #[serde(default)]
    pub actions: Vec<CustomAction>,
    /// Endpoints that receive events.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
    /// Limits for each principal.
    #[serde(default)]
    pub limits: Limits,
    /// When approvers are reminded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminders: Option<Reminders>,
    /// What people are told by default, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications: Option<Notifications>,
    /// The mail server; without it, nobody receives e-mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailConfig>,
    /// Sign-in for the web pages; without it, the pages are off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<Console>,
    /// Break-glass settings; without them, break-glass is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlassConfig>,
    /// Who may change the configuration.
    #[serde(default)]
    pub administrators: Administrators,
}

impl ConfigDocument {
    /// The issuer that people sign in with on the web pages, beside Slack.
    pub fn oidc_issuer(&self) -> Option<&str> {
        Some(&self.console.as_ref()?.oidc.as_ref()?.issuer)
    }
}

/// The projects, environments and clusters that requests can name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// Environments, such as `production`.
    #[serde(default)]
    pub environments: Vec<EnvironmentId>,
    /// Projects.
    #[serde(default)]
    pub projects: Vec<ProjectId>,
    /// Clusters, each in exactly one environment.
    #[serde(default)]
    pub clusters: Vec<ClusterDocument>,
}

/// A cluster and the environment it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterDocument {
    /// The cluster's id.
    pub id: ClusterId,
    /// The cluster's environment; its bindings and conditions apply to the cluster too.
    pub environment: EnvironmentId,
}

/// People and teams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DirectoryDocument {
    /// What is taken from the Slack workspace.
    #[serde(default)]
    pub slack: SlackMembersSetting,
    /// Listed people.
    #[serde(default)]
    pub users: Vec<UserDocument>,
    /// Teams.
    #[serde(default)]
    pub teams: Vec<TeamDocument>,
}

/// What the directory takes from the Slack workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlackMembersSetting {
    /// Whether every full member of the home workspace is a person of the directory.
    #[serde(default)]
    pub members: bool,
}

/// A listed person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserDocument {
    /// The person's id, used in the rest of the document.
    pub id: PersonId,
    /// The display name.
    pub name: String,
    /// Where the person receives e-mails, if the configuration has a mail server; nobody is recognised by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The person's Slack identities: one, or a list.
    #[serde(default, skip_serializing_if = "SlackIdentities::is_empty")]
    pub slack: SlackIdentities,
    /// The person's identities at `OpenID` providers, for sign-in to the web pages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oidc: Vec<OidcIdentity>,
    /// The organization roles that the person holds.
    #[serde(default)]
    pub org_roles: Vec<RoleId>,
}

/// Zero or more Slack identities, written as one mapping or as a list of mappings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlackIdentities(pub Vec<SlackIdentity>);

impl SlackIdentities {
    /// Whether there are no identities.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A Slack account: the enterprise id if there is one, or else the workspace id, and the user id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlackIdentity {
    /// The workspace id (`T..`). Exactly one of `teamId` and `enterpriseId` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// The id of the Enterprise Grid organization (`E..`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enterprise_id: Option<String>,
    /// The user id (`U..` or `W..`).
    pub user_id: String,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TeamDocument {
    /// The team's id.
    pub id: TeamId,
    /// The display name.
    pub name: String,
    /// Listed members; the members of the Slack user group are added to them.
    #[serde(default)]
    pub members: Vec<PersonId>,
    /// A Slack user group (`S..`) whose members also belong to the team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_user_group: Option<String>,
}

/// A policy (docs/policies.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyTemplate {
    /// The policy's id.
    pub id: PolicyId,
    /// The display name.
    pub name: String,
    /// What the policy protects and why.
    #[serde(default)]
    pub description: String,
    /// The only level at which the policy may be bound.
    pub scope: Level,
    /// The actions that the policy gates. If left out: all actions except configuration changes and break-glass starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<ActionId>>,
    /// Who may approve. If left out: the people whom the quorum requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers: Option<Approvers>,
    /// How many approvals are needed, and whose.
    #[serde(default)]
    pub quorum: Quorum,
    /// When the policy applies.
    #[serde(default)]
    pub conditions: Conditions,
    /// Whether the requester may approve; strongly discouraged for production.
    #[serde(default)]
    pub requester_can_approve: bool,
    /// How long a request may be pending.
    #[serde(default = "a_day")]
    pub expires_after: Span,
    /// How long a grant may be executed.
    #[serde(default = "an_hour")]
    pub valid_for: Span,
    /// Whom to notify if a request waits too long. It never changes who may approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// Within which time a request should be approved. For statistics, metrics and the digest only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_target: Option<Span>,
    /// A channel for this policy's cards, in addition to the channel of the routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
    /// Where approvals must be given to count. If left out: anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_on: Option<DecideOn>,
    /// Where the payload may be displayed.
    #[serde(default)]
    pub show_payload: ShowPayload,
    /// Whether a break-glass session bypasses the policy.
    #[serde(default = "yes")]
    pub break_glass_bypass: bool,
    /// Whether the policy gates requests, or is only observed.
    #[serde(default)]
    pub mode: Mode,
}

fn a_day() -> Span {
    Span::hours(24)
}
fn an_hour() -> Span {
    Span::hours(1)
}
fn yes() -> bool {
    true
}

/// The levels at which a policy can be bound (docs/policies.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// All projects and clusters.
    Organization,
    /// All actions within one project.
    Project,
    /// All actions on one cluster.
    Cluster,
    /// All actions that target one environment.
    Environment,
}

/// Who may approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approvers {
    /// Every active person of the directory.
    Anyone,
    /// The named people, the members of the named teams and the holders of the named roles.
    Among(People),
}

/// People named by id, team or role. Empty means nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct People {
    /// People, by id.
    #[serde(default)]
    pub users: Vec<PersonId>,
    /// Members of these teams.
    #[serde(default)]
    pub teams: Vec<TeamId>,
    /// Holders of these roles.
    #[serde(default)]
    pub org_roles: Vec<RoleId>,
}

impl People {
    /// Whether nobody is named.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.teams.is_empty() && self.org_roles.is_empty()
    }
}

/// How many approvals are needed, and whose. All fields must be met (docs/policies.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quorum {
    /// The total number of approvals, at least 1.
    #[serde(default = "one")]
    pub min_approvals: u32,
    /// How many teams must be represented; each person represents one team.
    #[serde(default)]
    pub min_distinct_teams: u32,
    /// People who must each approve.
    #[serde(default)]
    pub required_user_ids: Vec<PersonId>,
    /// Teams of which at least one member must approve.
    #[serde(default)]
    pub required_team_ids: Vec<TeamId>,
    /// Roles of which at least one holder must approve.
    #[serde(default)]
    pub required_org_roles: Vec<RoleId>,
}

fn one() -> u32 {
    1
}

impl Default for Quorum {
    fn default() -> Self {
        Self {
            min_approvals: 1,
            min_distinct_teams: 0,
            required_user_ids: Vec::new(),
            required_team_ids: Vec::new(),
            required_org_roles: Vec::new(),
        }
    }
}

/// When a policy applies. All fields must match (docs/policies.md).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Conditions {
    /// The environments to which the policy applies. If left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<EnvironmentId>>,
    /// The days on which the window opens. If left out: every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekdays: Option<Vec<Weekday>>,
    /// The hour (0-23) at which the window opens, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_hour: Option<u8>,
    /// The hour (0-24) at which the window closes, exclusive. An hour that is not after the start is on the next day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_hour: Option<u8>,
    /// Several windows; one of them must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<Window>>,
    /// The IANA time zone of hours and weekdays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whether a request that this policy gates must state a reason.
    #[serde(default)]
    pub require_reason: bool,
}

/// One weekly window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// The days on which the window opens. If left out: every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekdays: Option<Vec<Weekday>>,
    /// The hour (0-23) at which the window opens, inclusive. If left out: the whole day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_hour: Option<u8>,
    /// The hour (0-24) at which the window closes, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_hour: Option<u8>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "a day needs no explanation")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Whom to notify if a request waits too long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Escalation {
    /// How long the request must have waited without a decision.
    pub after: Span,
    /// The people to notify by direct message.
    #[serde(default)]
    pub notify: People,
    /// The channel to notify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
}

/// Where approvals must be given to count for a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DecideOn {
    /// On the web pages, soon after signing in (`console.freshFor`).
    Web,
}

/// Where a payload may be displayed. Variants are ordered; the strictest value of a request's policies wins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ShowPayload {
    /// On the card.
    #[default]
    Card,
    /// Digest and size on the card, the content in the review modal.
    Details,
    /// Never in Slack, in a webhook or in a log.
    Never,
}

/// Whether a policy gates requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// The policy gates requests.
    #[default]
    Enforce,
    /// The policy is evaluated, displayed and audited, but never gates.
    Observe,
}

/// Attaches a policy to the organization or to one resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// The policy's id.
    pub policy: PolicyId,
    /// The level, which must be the policy's scope.
    pub level: Level,
    /// The project, cluster or environment; left out for the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

/// Which channel a card goes to: that of the first matching rule, or else the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Routes {
    /// The channel if no rule matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ChannelId>,
    /// The rules, in order.
    #[serde(default)]
    pub rules: Vec<Route>,
}

/// One routing rule. Every field that is given must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Matches requests that this policy gates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// Matches requests for this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// Matches requests for this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// Matches requests for this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentId>,
    /// Matches requests of this risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// The channel for their cards.
    pub channel: ChannelId,
}

/// How much harm an action can do (docs/policies.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the specification's own words")]
pub enum Risk {
    Medium,
    High,
    Critical,
}

/// A service and the people who own it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceDocument {
    /// The service's id.
    pub id: ServiceId,
    /// The owners, who may not approve the service's requests. A service without owners may only ask on behalf of a person.
    #[serde(default)]
    pub owners: Vec<PersonId>,
}

/// A custom action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomAction {
    /// The action's id, such as `database.migrate`.
    pub id: ActionId,
    /// The display name.
    pub name: String,
    /// The action's group.
    pub group: ActionGroup,
    /// The action's risk.
    pub risk: Risk,
    /// The resources that a request must name.
    pub requires: Vec<Level>,
}

/// The groups of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the specification's own words")]
pub enum ActionGroup {
    Project,
    Cluster,
    Security,
}

/// An endpoint that receives events, in the format of the Standard Webhooks specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// The endpoint's URL.
    pub url: String,
    /// A short name for the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The environment variable that contains the signing secret.
    pub secret_env: String,
    /// The events to send, such as `request.decided`.
    pub events: Vec<String>,
    /// Whether the endpoint may have a private address.
    #[serde(default)]
    pub allow_private: bool,
}

/// Limits for each principal; 0 means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// How many requests of a principal may be pending at once.
    pub pending_per_principal: u32,
    /// How many requests a principal may create per second.
    pub requests_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending_per_principal: 1_000,
            requests_per_second: 50,
        }
    }
}

/// Break-glass settings (docs/break-glass.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BreakGlassConfig {
    /// The channel that receives every start, use, end and review.
    pub security_channel: ChannelId,
    /// People who are mentioned there and also receive a direct message.
    #[serde(default)]
    pub notify: People,
    /// Who may start a session.
    #[serde(default)]
    pub allowed: People,
    /// The minimum duration of a session.
    #[serde(default = "half_an_hour")]
    pub min_duration: Span,
    /// The maximum duration of a session.
    #[serde(default = "four_hours")]
    pub max_duration: Span,
    /// Whether an initiator who owes a review may not start another session.
    #[serde(default)]
    pub review_before_next: bool,
}

fn half_an_hour() -> Span {
    Span::minutes(30)
}
fn four_hours() -> Span {
    Span::hours(4)
}

/// Who may change the configuration. Empty means nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Administrators {
    /// People, by id.
    #[serde(default)]
    pub users: Vec<PersonId>,
    /// Members of these teams.
    #[serde(default)]
    pub teams: Vec<TeamId>,
    /// Holders of these roles.
    #[serde(default)]
    pub org_roles: Vec<RoleId>,
    /// Services, through their tokens.
    #[serde(default)]
    pub services: Vec<ServiceId>,
}

impl Serialize for Approvers {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Anyone => to.serialize_str("anyone"),
            Self::Among(people) => people.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Approvers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Implemented by hand: for an untagged enum, serde would only report that no variant matched.
        struct AnyoneOrPeople;
        impl<'de> Visitor<'de> for AnyoneOrPeople {
            type Value = Approvers;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`anyone`, or a mapping of `users`, `teams`, `orgRoles`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Approvers, E> {
                match text {
                    "anyone" => Ok(Approvers::Anyone),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Approvers, A::Error> {
                People::deserialize(MapAccessDeserializer::new(map)).map(Approvers::Among)
            }
        }
        from.deserialize_any(AnyoneOrPeople)
    }
}

impl Serialize for SlackIdentities {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [only] => only.serialize(to),
            several => several.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for SlackIdentities {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = SlackIdentities;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{teamId or enterpriseId, userId}, or a list of these")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SlackIdentities, A::Error> {
                SlackIdentity::deserialize(MapAccessDeserializer::new(map))
                    .map(|only| SlackIdentities(vec![only]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<SlackIdentities, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(SlackIdentities)
            }
        }
        from.deserialize_any(OneOrMany)
    }
}
