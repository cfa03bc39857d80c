//! Break-glass from a terminal: the real program, its output and its exit codes.

use crate::database::on_both;
use crate::shell::Shell;
use crate::world::world;

on_both! {
    async fn session_is_started_used_and_reviewed_from_a_terminal(kind) {
        let world = world!(kind);
        let (dan, erin) = (Shell::person(&world, "dan").await, Shell::person(&world, "erin").await);
        let start = ["break-glass", "start", "--action", "command.execute", "--cluster", "prod-eu-1", "--for", "1h", "--reason", "checkout is down"];
        let started = dan.says(&start).await;
        assert_eq!(started.code, 0, "{started:?}");
        let id = started.out.split_whitespace().nth(1).expect("an id").to_owned();
        insta::assert_snapshot!("started", started.out.replace(&id, "bg_ID"));

        let ran = dan.says(&["run", "command.execute", "--cluster", "prod-eu-1", "--reason", "drain a node", "--", "sh", "-c", "echo drained"]).await;
        assert_eq!((ran.code, ran.out.trim()), (0, "drained"), "{ran:?}");

        assert_eq!(dan.says(&["break-glass", "revoke", &id]).await.code, 0);
        let again = dan.says(&["break-glass", "revoke", &id]).await;
        assert_eq!(again.code, 1, "{again:?}");
        assert!(again.err.contains("this break-glass session is ended"), "{again:?}");
        let own = dan.says(&["break-glass", "review", &id, "--note", "fine"]).await;
        assert!(own.code == 1 && own.err.contains("somebody else must review it"), "{own:?}");
        assert_eq!(erin.says(&["break-glass", "review", &id, "--note", "it was needed"]).await.code, 0);
        let status = erin.says(&["break-glass", "status"]).await;
        insta::assert_snapshot!("status", status.out.replace(&id, "bg_ID"));
        let json = erin.says(&["break-glass", "status", &id, "--json"]).await;
        assert!(json.out.contains("\"status\": \"reviewed\""), "{json:?}");
        let wrong = dan.says(&["break-glass", "start", "--action", "cluster", "--cluster", "prod", "--reason", "checkout is down"]).await;
        assert!(wrong.code == 5 && wrong.err.contains("did you mean `prod-eu-1`"), "{wrong:?}");
        world.finish().await;
    }
}
