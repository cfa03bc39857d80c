//! The requests of the demo's company, as data.

use super::story::Step::{Approve, ApproveOnWeb, Cancel, Execute, Fail, Reject, Succeed};
use super::story::When::{Day, MinutesAgo};
use super::story::{Step, Tale, When};

/// A release to production that nobody has looked at yet.
const RELEASE: Tale = Tale {
    at: MinutesAgo(0),
    who: "alice",
    action: "release.deploy",
    project: None,
    cluster: None,
    environment: Some("production"),
    release: None,
    reason: "",
    payload: None,
    steps: &[],
};

/// Something on the production cluster in Europe.
const CLUSTER: Tale = Tale {
    action: "command.execute",
    cluster: Some("prod-eu-1"),
    environment: None,
    ..RELEASE
};

const fn release(
    at: When,
    who: &'static str,
    project: &'static str,
    version: &'static str,
    reason: &'static str,
    steps: &'static [(i64, Step)],
) -> Tale {
    Tale {
        at,
        who,
        project: Some(project),
        release: Some(version),
        reason,
        steps,
        ..RELEASE
    }
}

const DIFF: &str = r#"{"contentType":"text/x-diff","text":"--- a/payments/api/deployment.yaml\n+++ b/payments/api/deployment.yaml\n@@ -12,11 +12,14 @@ spec:\n       containers:\n         - name: payments-api\n-          image: registry.acme.example/payments-api:3.8.4\n+          image: registry.acme.example/payments-api:3.9.0\n           resources:\n             requests:\n               cpu: 250m\n-              memory: 256Mi\n+              memory: 512Mi\n             limits:\n-              memory: 256Mi\n+              memory: 512Mi\n+          readinessProbe:\n+            httpGet: {path: /readyz, port: 8080}\n+            periodSeconds: 5\n"}"#;

/// Everything that people and the pipeline asked for, in no particular order.
pub(super) const TALES: &[Tale] = &[
    // finished
    release(
        Day(10, 8, 41),
        "alice",
        "api-platform",
        "v1.2.0",
        "Weekly release",
        &[
            (18, Approve("bob", None)),
            (46, Approve("carol", Some("Dashboards look good"))),
            (52, Execute),
            (58, Succeed),
        ],
    ),
    release(
        Day(10, 13, 10),
        "frank",
        "checkout",
        "v5.11.0",
        "New address form",
        &[
            (9, Approve("grace", Some("Tested on staging"))),
            (31, Approve("dan", None)),
            (35, Execute),
            (41, Succeed),
        ],
    ),
    release(
        Day(9, 9, 2),
        "judy",
        "data-pipeline",
        "2026.46.1",
        "Faster nightly aggregation",
        &[
            (75, Approve("ivan", None)),
            (140, Approve("alice", Some("Reviewed the query plan"))),
            (150, Execute),
            (171, Succeed),
        ],
    ),
    Tale {
        at: Day(9, 12, 34),
        who: "dan",
        reason: "Clear a stuck cron job",
        payload: Some(r#"{"command":"kubectl -n billing delete job invoice-export-28391040"}"#),
        steps: &[
            (12, Approve("carol", Some("Confirmed with billing"))),
            (13, Execute),
            (15, Succeed),
        ],
        ..CLUSTER
    },
    release(
        Day(8, 8, 20),
        "ci",
        "web-shop",
        "v2.28.0",
        "Weekly release",
        &[
            (25, Approve("alice", None)),
            (28, Approve("ivan", None)),
            (29, Execute),
            (36, Succeed),
        ],
    ),
    release(
        Day(8, 14, 12),
        "frank",
        "billing",
        "v3.8.3",
        "Correct rounding of refunds",
        &[
            (14, Approve("grace", None)),
            (52, Approve("erin", Some("No change to card data"))),
            (77, Approve("carol", None)),
            (80, Execute),
            (88, Succeed),
        ],
    ),
    Tale {
        at: Day(7, 7, 55),
        who: "carol",
        action: "cluster.restart",
        reason: "Roll the ingress controllers after the certificate change",
        steps: &[(33, Approve("dan", None)), (34, Execute), (45, Succeed)],
        ..CLUSTER
    },
    release(
        Day(7, 10, 30),
        "bob",
        "api-platform",
        "v1.2.1",
        "Fix pagination of /orders",
        &[
            (6, Approve("alice", None)),
            (16, Approve("dan", None)),
            (18, Execute),
            (
                24,
                Fail("Readiness probe failed on 2 of 6 pods; rolled back"),
            ),
        ],
    ),
    Tale {
        action: "rollback.execute",
        ..release(
            Day(7, 11, 2),
            "bob",
            "api-platform",
            "v1.2.0",
            "Back to v1.2.0 after the failed rollout",
            &[
                (3, Approve("alice", None)),
                (5, Approve("dan", Some("Go"))),
                (6, Execute),
                (11, Succeed),
            ],
        )
    },
    release(
        Day(6, 9, 15),
        "bob",
        "api-platform",
        "v1.2.2",
        "Pagination fix with the correct probe",
        &[
            (21, Approve("alice", None)),
            (63, Approve("carol", None)),
            (66, Execute),
            (72, Succeed),
        ],
    ),
    Tale {
        environment: Some("staging"),
        ..release(
            Day(6, 19, 40),
            "grace",
            "checkout",
            "v5.12.0-rc1",
            "Load test tonight",
            &[(7, Approve("frank", None)), (9, Execute), (15, Succeed)],
        )
    },
    release(
        Day(5, 8, 5),
        "ci",
        "web-shop",
        "v2.29.0",
        "Weekly release",
        &[
            (41, Approve("frank", None)),
            (95, Approve("carol", None)),
            (97, Execute),
            (104, Succeed),
        ],
    ),
    Tale {
        action: "token.issue",
        ..Tale {
            at: Day(5, 13, 22),
            who: "judy",
            reason: "Read-only token for the capacity report",
            payload: Some(r#"{"role":"view","ttl":"8h"}"#),
            steps: &[(48, Approve("ivan", None)), (50, Execute), (51, Succeed)],
            ..CLUSTER
        }
    },
    release(
        Day(4, 10, 8),
        "frank",
        "billing",
        "v3.8.4",
        "Mask card numbers in the audit export",
        &[
            (
                22,
                Approve("heidi", Some("Checked the masking with test cards")),
            ),
            (35, Approve("grace", None)),
            (58, Approve("dan", None)),
            (60, Execute),
            (67, Succeed),
        ],
    ),
    release(
        Day(3, 8, 50),
        "alice",
        "api-platform",
        "v1.3.0",
        "Rate limits per customer",
        &[
            (12, Approve("bob", None)),
            (27, Approve("ivan", Some("Limits are behind a flag"))),
            (30, Execute),
            (37, Succeed),
        ],
    ),
    Tale {
        action: "promotion.execute",
        ..release(
            Day(3, 12, 15),
            "grace",
            "checkout",
            "v5.12.0",
            "Load test passed",
            &[
                (8, Approve("frank", None)),
                (19, Approve("carol", None)),
                (21, Execute),
                (29, Succeed),
            ],
        )
    },
    release(
        Day(2, 9, 33),
        "ci",
        "web-shop",
        "v2.30.0",
        "Weekly release",
        &[
            (17, Approve("alice", None)),
            (38, Approve("dan", None)),
            (39, Execute),
            (47, Succeed),
        ],
    ),
    release(
        Day(1, 8, 12),
        "judy",
        "data-pipeline",
        "2026.48.0",
        "New export for finance",
        &[
            (29, Approve("bob", None)),
            (54, Approve("ivan", None)),
            (57, Execute),
            (80, Succeed),
        ],
    ),
    // no policy gates this one
    Tale {
        environment: Some("development"),
        ..release(
            Day(2, 10, 1),
            "alice",
            "api-platform",
            "v1.4.0-dev",
            "Try the new cache",
            &[(1, Execute), (4, Succeed)],
        )
    },
    // rejected, with the reason that the requester reads
    release(
        Day(8, 15, 45),
        "alice",
        "checkout",
        "v5.11.1",
        "Small fixes before the weekend",
        &[
            (11, Approve("bob", None)),
            (
                32,
                Reject(
                    "dan",
                    "The payment provider has maintenance until Monday 06:00 UTC. Please ask again after that.",
                ),
            ),
        ],
    ),
    Tale {
        at: Day(3, 14, 48),
        who: "frank",
        reason: "Free disk space",
        payload: Some(r#"{"command":"kubectl -n logging delete pvc --all"}"#),
        steps: &[(
            6,
            Reject(
                "carol",
                "This deletes the logs of the open incident INC-2041. Delete single volumes, and name them.",
            ),
        )],
        ..CLUSTER
    },
    // expired: nobody from SRE saw it within 24 hours
    release(
        Day(6, 15, 58),
        "grace",
        "legacy-reports",
        "v0.9.7",
        "Quarterly report template",
        &[(35, Approve("frank", None))],
    ),
    // cancelled by the requester
    release(
        Day(5, 10, 44),
        "bob",
        "api-platform",
        "v1.2.3",
        "Logging changes",
        &[(15, Approve("alice", None)), (23, Cancel)],
    ),
    // the work of the break-glass session
    Tale {
        at: Day(4, 2, 15),
        who: "ivan",
        action: "cluster.restart",
        reason: "Restart pgbouncer to drop connections to the old primary",
        steps: &[(1, Execute), (3, Succeed)],
        ..CLUSTER
    },
    Tale {
        at: Day(4, 2, 24),
        who: "ivan",
        reason: "Point checkout at the new primary",
        payload: Some(
            r#"{"command":"kubectl -n checkout set env deploy/checkout DB_HOST=pg-2.prod-eu-1.internal"}"#,
        ),
        steps: &[(1, Execute), (5, Succeed)],
        ..CLUSTER
    },
    // what waits now
    Tale {
        action: "project.delete",
        environment: None,
        ..release(
            MinutesAgo(190),
            "grace",
            "legacy-reports",
            "",
            "Replaced by data-pipeline; the last user moved in October",
            &[(
                42,
                ApproveOnWeb("heidi", Some("No personal data left, backup is stored")),
            )],
        )
    },
    Tale {
        action: "manifest.apply",
        ..Tale {
            at: MinutesAgo(52),
            who: "frank",
            reason: "Payments API 3.9.0 needs more memory and a readiness probe",
            payload: Some(DIFF),
            ..CLUSTER
        }
    },
    release(
        MinutesAgo(25),
        "ci",
        "web-shop",
        "v2.31.0",
        "Weekly release",
        &[(9, Approve("grace", Some("Smoke tests are green")))],
    ),
    // approved, and waiting to be executed
    release(
        MinutesAgo(38),
        "judy",
        "data-pipeline",
        "2026.48.1",
        "Hotfix: time zone of the finance export",
        &[
            (8, Approve("alice", None)),
            (31, Approve("carol", Some("Please watch the 14:00 run"))),
        ],
    ),
];
