//! The configuration document: what people write in YAML, what `/v1/config` carries and what the database keeps.
//!
//! It says nothing about whether it makes sense: [`super::compiled_config::CompiledConfig::compile`] does.

use super::id::{
    ActionId, ChannelId, ClusterId, EnvironmentId, PersonId, PolicyId, ProjectId, RoleId,
    ServiceId, TeamId,
};
use super::time::Span;
use serde::de::{
    self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The largest configuration in bytes, wherever it comes from (file, `apply`, `recover`, API, a form in Slack): as text, and as
/// compact JSON. Some 10,000 policies fit into it.
pub const LARGEST_CONFIGURATION: usize = 8 * 1024 * 1024;

/// Why a configuration of so many bytes is refused, and what to do; nothing for one that is small enough.
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
    /// The organization's name, the highest level a policy can be bound to.
    pub organization: String,
    /// What exists: projects, environments, clusters.
    #[serde(default)]
    pub resources: Resources,
    /// Who exists: people, teams, roles.
    #[serde(default)]
    pub directory: DirectoryDocument,
    /// Policy templates.
    #[serde(default)]
    pub policies: Vec<PolicyTemplate>,
    /// Where the templates are bound.
    #[serde(default)]
    pub bindings: Vec<Binding>,
    /// Which channel a card goes to.
    #[serde(default)]
    pub routes: Routes,
    /// Services that ask by API.
    #[serde(default)]
    pub services: Vec<ServiceDocument>,
    /// Actions of this installation besides the sixteen of the specification.
    #[serde(default)]
    pub actions: Vec<CustomAction>,
    /// Where decisions are told to other programs.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
    /// How much one principal may ask for.
    #[serde(default)]
    pub limits: Limits,
    /// When approvers are reminded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminders: Option<Reminders>,
    /// The emergency door; left out, it stays shut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlassConfig>,
    /// Who may change this document.
    #[serde(default)]
    pub administrators: Administrators,
}

/// The registry of resources.
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
    /// The cluster.
    pub id: ClusterId,
    /// Its environment, whose bindings and conditions apply to it too.
    pub environment: EnvironmentId,
}

/// People and teams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DirectoryDocument {
    /// What the Slack workspace adds to the directory.
    #[serde(default)]
    pub slack: SlackMembersSetting,
    /// Listed people.
    #[serde(default)]
    pub users: Vec<UserDocument>,
    /// Teams.
    #[serde(default)]
    pub teams: Vec<TeamDocument>,
}

/// What the Slack workspace adds to the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlackMembersSetting {
    /// Whether every full member of the home workspace is a person.
    #[serde(default)]
    pub members: bool,
}

/// A listed person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserDocument {
    /// The person's id, used everywhere in the document.
    pub id: PersonId,
    /// The name that is shown.
    pub name: String,
    /// For information alone; nobody is ever recognised by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The person's Slack identities: one, or a list.
    #[serde(default, skip_serializing_if = "SlackIdentities::is_empty")]
    pub slack: SlackIdentities,
    /// Roles held in the organization.
    #[serde(default)]
    pub org_roles: Vec<RoleId>,
}

/// Zero or more Slack identities, written as one mapping or as a list of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlackIdentities(pub Vec<SlackIdentity>);

impl SlackIdentities {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A Slack account: the enterprise where there is one, else the workspace, and the user's id in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlackIdentity {
    /// The workspace (`T..`); exactly one of this and `enterpriseId` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// The Enterprise Grid organization (`E..`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enterprise_id: Option<String>,
    /// The user's id (`U..` or `W..`) there.
    pub user_id: String,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TeamDocument {
    /// The team's id.
    pub id: TeamId,
    /// The name that is shown.
    pub name: String,
    /// Listed members; those of the Slack user group are added to them.
    #[serde(default)]
    pub members: Vec<PersonId>,
    /// A Slack user group (`S..`) whose members belong to the team as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_user_group: Option<String>,
}

/// A policy template (specification: Approval Policy Templates).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyTemplate {
    /// The template's id.
    pub id: PolicyId,
    /// A descriptive name.
    pub name: String,
    /// What the policy protects and why.
    #[serde(default)]
    pub description: String,
    /// The one level at which it may be bound.
    pub scope: Level,
    /// The actions it gates; left out: all but changes of the configuration and break-glass starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<ActionId>>,
    /// Who may approve; left out: whoever the quorum requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers: Option<Approvers>,
    /// How many approvals, and whose, are needed.
    #[serde(default)]
    pub quorum: Quorum,
    /// When the policy applies.
    #[serde(default)]
    pub conditions: Conditions,
    /// Whether the requester may approve; strongly discouraged for production.
    #[serde(default)]
    pub requester_can_approve: bool,
    /// How long a request may wait for its decision.
    #[serde(default = "a_day")]
    pub expires_after: Span,
    /// How long an approval may be executed.
    #[serde(default = "an_hour")]
    pub valid_for: Span,
    /// Whom to tell when a request waits too long; it never widens who may approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// A channel for this policy's cards, besides the one of the routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
    /// Where the payload may be shown.
    #[serde(default)]
    pub show_payload: ShowPayload,
    /// Whether a break-glass session bypasses the policy.
    #[serde(default = "yes")]
    pub break_glass_bypass: bool,
    /// Whether the policy gates, or is only tried out.
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

/// The levels at which a template can be bound (specification: Binding Levels).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// All projects and clusters.
    Organization,
    /// All actions within one project.
    Project,
    /// All operations on one cluster.
    Cluster,
    /// Actions that target one environment.
    Environment,
}

/// Who may approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approvers {
    /// Every active member of the directory.
    Anyone,
    /// The people named, and the members of the teams and holders of the roles named.
    Among(People),
}

/// People named one by one, by team or by role. Empty means nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct People {
    /// People by id.
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

/// How many approvals are needed, and whose; all fields are joined by AND (specification: Quorum Rules).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quorum {
    /// Approvals in all, at least 1.
    #[serde(default = "one")]
    pub min_approvals: u32,
    /// Teams that must be represented, one person standing for one team.
    #[serde(default)]
    pub min_distinct_teams: u32,
    /// People who must each approve.
    #[serde(default)]
    pub required_user_ids: Vec<PersonId>,
    /// Teams of which somebody must approve.
    #[serde(default)]
    pub required_team_ids: Vec<TeamId>,
    /// Roles of which a holder must approve.
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

/// When a policy applies; all fields are joined by AND (specification: Condition Constraints).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Conditions {
    /// Only these environments; left out: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<EnvironmentId>>,
    /// Only windows that open on these days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekdays: Option<Vec<Weekday>>,
    /// The hour (0-23) at which the window opens, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_hour: Option<u8>,
    /// The hour (0-24) at which it closes, exclusive; not after the start means on the next day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_hour: Option<u8>,
    /// Windows of which any one suffices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<Window>>,
    /// The IANA time zone that hours and weekdays are read in.
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
    /// The days on which it opens; left out: every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekdays: Option<Vec<Weekday>>,
    /// The hour (0-23) at which it opens, inclusive; left out: the whole day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_hour: Option<u8>,
    /// The hour (0-24) at which it closes, exclusive.
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

/// Whom to tell when a request waits too long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Escalation {
    /// After this long without a decision.
    pub after: Span,
    /// These people, by direct message.
    #[serde(default)]
    pub notify: People,
    /// And this channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
}

/// Where a payload may be shown. Ordered: the strictest of the stacked policies holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ShowPayload {
    /// On the card.
    #[default]
    Card,
    /// Digest and size on the card, content in the review modal.
    Details,
    /// On no Slack surface, in no webhook and in no log.
    Never,
}

/// Whether a policy gates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// It gates.
    #[default]
    Enforce,
    /// It is evaluated, shown and audited, and never gates.
    Observe,
}

/// A template bound to a level or one resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// The template.
    pub policy: PolicyId,
    /// The level, which must be the template's scope.
    pub level: Level,
    /// The project, cluster or environment; left out at the organization's level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

/// Which channel a card goes to: the first rule that matches, else the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Routes {
    /// The channel when no rule matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ChannelId>,
    /// Rules in order.
    #[serde(default)]
    pub rules: Vec<Route>,
}

/// One routing rule; every field that is given must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Requests gated by this policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// Requests for this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// Requests for this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// Requests for this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentId>,
    /// Requests of this risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// Where their cards go.
    pub channel: ChannelId,
}

/// How much harm an action can do (specification: Protected High-Risk Actions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the specification's own words")]
pub enum Risk {
    Medium,
    High,
    Critical,
}

/// A service and the people who answer for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceDocument {
    /// The service's id.
    pub id: ServiceId,
    /// Its owners, who may not approve what it asks for. Without owners it may only ask on behalf of a person.
    #[serde(default)]
    pub owners: Vec<PersonId>,
}

/// An action of this installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomAction {
    /// The action's id, such as `database.migrate`.
    pub id: ActionId,
    /// The name that is shown.
    pub name: String,
    /// Its group.
    pub group: ActionGroup,
    /// Its risk.
    pub risk: Risk,
    /// The resources that a request must name.
    pub requires: Vec<Level>,
}

/// The specification's groups of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the specification's own words")]
pub enum ActionGroup {
    Project,
    Cluster,
    Security,
}

/// An endpoint that is told of events (the Standard Webhooks specification).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// Where to send.
    pub url: String,
    /// The environment variable that holds the signing secret.
    pub secret_env: String,
    /// Which events, such as `request.decided`.
    pub events: Vec<String>,
    /// Whether a private address is allowed.
    #[serde(default)]
    pub allow_private: bool,
}

/// How much one principal may ask for; 0 means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Requests that may be pending at once.
    pub pending_per_principal: u32,
    /// Requests a second.
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

/// When approvers are reminded: first after `first`, then with pauses that grow by `factor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reminders {
    /// The first pause.
    pub first: Span,
    /// How much longer each further pause is.
    pub factor: u32,
}

/// The rules of the emergency door (specification: Break-Glass Override).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BreakGlassConfig {
    /// Where every start, use, end and review is announced.
    pub security_channel: ChannelId,
    /// Who is mentioned there and told besides.
    #[serde(default)]
    pub notify: People,
    /// Who may start a session.
    #[serde(default)]
    pub allowed: People,
    /// The shortest session.
    #[serde(default = "half_an_hour")]
    pub min_duration: Span,
    /// The longest session.
    #[serde(default = "four_hours")]
    pub max_duration: Span,
    /// Whether an initiator with an open review may not start again.
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
    /// People by id.
    #[serde(default)]
    pub users: Vec<PersonId>,
    /// Members of these teams.
    #[serde(default)]
    pub teams: Vec<TeamId>,
    /// Holders of these roles.
    #[serde(default)]
    pub org_roles: Vec<RoleId>,
    /// Services, by their tokens.
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
        // by hand, since an untagged enum would only say that no variant matched
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
