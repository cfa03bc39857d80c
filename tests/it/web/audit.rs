//! The audit log on the web: the state of its hash chain (threat W13).

use crate::client::deploy;
use crate::database::on_both;
use crate::refusals::{repair, tamper};
use crate::world::{DEPLOY, World, world};

async fn seals(world: &World) {
    while world.app().seal().await.expect("sealed") {}
}

on_both! {
    async fn state_of_the_chain_is_told_in_words_w13(kind) {
        let world = world!(kind);
        let mut carol = world.browser_of("U03CAROL").await;
        world.types("alice", DEPLOY).await;
        world.person("bob").await.submit(deploy()).await.ok();
        seals(&world).await;
        let sealed = world.app().last_sealed().await.expect("a place");
        let page = carol.open("/audit").await;
        for part in [format!("Rows 1 to {sealed} are sealed."), format!("Rows 1 to {sealed} were checked just now and are unchanged.")] {
            assert!(page.text.contains(&part), "{part}: {}", page.text);
        }
        let page = carol.open("/audit?check=1").await;
        assert!(page.text.contains(&format!("Rows 2 to {sealed} were checked")), "{}", page.text);
        for beyond in ["-5", "999999"] {
            assert_eq!(carol.open(&format!("/audit?check={beyond}")).await.status, 200, "{beyond}");
        }
        assert_eq!(carol.open("/audit?check=x").await.status, 400);
        // somebody with the database changes a row
        let actor = world.database.text("SELECT actor FROM audit WHERE seal = 2").await;
        tamper(&world, kind, 2).await;
        for address in ["/audit", "/audit?check=0", "/audit?check=1"] {
            let page = carol.open(address).await;
            assert!(page.text.contains("The chain is broken at row 2."), "{address}: {}", page.text);
        }
        assert!(carol.open("/audit?check=0").await.text.contains("Row 1 was checked just now and is unchanged."));
        repair(&world, 2, &actor).await;
        let mut bob = world.browser_of("U02BOB").await;
        assert!(!bob.open("/audit").await.text.contains("Hash chain"));
        world.settle().await;
        world.finish().await;
    }
}
