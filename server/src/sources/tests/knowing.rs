//! Who may know of private code: those to whom the forge lists it, for as long as it does.

use super::*;
use crate::clock::{DAY, HOUR};

crate::testing::on_postgres! {
    who_left_an_organization_knows_its_private_code_until_the_next_list,
    a_list_counts_for_a_day,
}

/// Private code of an organisation with a member, and its image.
struct Secret {
    scene: Scene,
    ann: Someone,
    name: RepositoryName,
}

impl Secret {
    async fn start() -> Self {
        let scene = Scene::start(NEVER).await;
        scene.forge.organization("acme", "mona");
        scene.forge.member("acme", "ann", false);
        scene.code("acme", "secret", true);
        let mona = scene.someone("mona").await;
        let (name, _) = scene.import(&mona, "acme/secret").await.unwrap();
        let ann = scene.someone("ann").await;
        scene.listed(&ann, "acme/secret").await;
        scene.quiet().await;
        Self { scene, ann, name }
    }

    async fn knows(&self) -> bool {
        let app = &*self.scene.app;
        // As if the image were public.
        let on = self.scene.repository_of(&self.name).await;
        let source = self.scene.source("acme/secret").await;
        crate::sources::may_read(app, &self.ann.principal, &on, Some(&source)).await.unwrap()
    }
}

#[tokio::test]
async fn who_left_an_organization_knows_its_private_code_until_the_next_list() {
    let secret = Secret::start().await;
    assert!(secret.knows().await);
    secret.scene.forge.leave("acme", "ann");
    // The list is of today.
    assert!(secret.knows().await);
    secret.scene.app.clock.advance(13 * HOUR);
    // This look asks for a new one.
    assert!(secret.knows().await);
    secret.scene.quiet().await;
    assert!(!secret.knows().await);
}

#[tokio::test]
async fn a_list_counts_for_a_day() {
    let secret = Secret::start().await;
    secret.scene.forge.set_down(true);
    secret.scene.app.clock.advance(DAY - HOUR);
    assert!(secret.knows().await);
    secret.scene.app.clock.advance(HOUR);
    for _ in 0..3 {
        assert!(!secret.knows().await);
    }
    let list = Task::ListRepositories { connection_id: secret.ann.connection_id };
    let asked = jobs::open(&secret.scene.app, &list).await.unwrap();
    assert_eq!(asked.len(), 1, "looks of a forge that is down are one look");
    secret.scene.forge.set_down(false);
    let again = async |app: &App| {
        // A job that failed waits for minutes.
        app.clock.advance(HOUR);
        secret.knows().await
    };
    secret.scene.wait("she is listed again", again).await;
}
