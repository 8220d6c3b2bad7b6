//! Builds as their services see them, on a real database.

mod bases;
mod claims;
mod deletion;
mod leases;
mod lists;
mod logs;
mod outcomes;
mod places;
mod queueing;
mod room;
mod sources;
mod tags;

use super::{NewBuild, enqueue, queue, supersede};
use crate::clock::MINUTE;
use crate::db::{self, HookState, Role, SourceState, Trigger, Visibility, rows};
use crate::error::Result;
use crate::policy::{self, Allowed, Bound, ManageBuilds, Principal, RepositoryAccess, Who};
use crate::testing::{self, TestApp};
use slipway_protocol::{Assignment, Line, Record, RecordBatch, StepDone, StepStarted, Stream};
use uuid::Uuid;

const COMMIT: &str = "1111111111111111111111111111111111111111";

/// One repository with a source and a rule.
struct Scene {
    app: TestApp,
    repositories: Vec<Wired>,
}

#[derive(Clone)]
struct Wired {
    repository: rows::Repository,
    namespace: rows::Namespace,
    source: rows::Source,
    rule: rows::Rule,
}

impl Scene {
    async fn new() -> Self {
        Self::with("").await
    }

    /// With more settings.
    async fn with(settings: &str) -> Self {
        let app = TestApp::start_with(settings).await;
        let mut scene = Self { app, repositories: Vec::new() };
        scene.add("acme").await;
        scene
    }

    /// Its code lies at this forge.
    async fn of_forge(url: &str) -> Self {
        let mut scene = Self { app: TestApp::start().await, repositories: Vec::new() };
        scene.add_from("acme", url).await;
        scene
    }

    async fn add(&mut self, namespace: &str) {
        self.add_from(namespace, "http://forge").await;
    }

    async fn add_from(&mut self, namespace: &str, forge_url: &str) {
        self.add_source(namespace, |namespace_id| source(namespace_id, forge_url)).await;
    }

    async fn add_source(&mut self, namespace: &str, source: impl FnOnce(Uuid) -> rows::Source) {
        let tx = self.app.db.begin().await.unwrap();
        let namespace = testing::namespace(namespace);
        let namespace = db::namespaces::insert(&tx, namespace).await.unwrap();
        let repository = testing::repository(namespace.id, "web");
        let repository = db::repositories::insert(&tx, repository).await.unwrap();
        let source = source(namespace.id);
        let rule = rule(source.id, repository.id);
        let present = rows::SourceRef {
            id: Uuid::now_v7(),
            source_id: source.id,
            name: "refs/heads/main".into(),
            commit_hash: COMMIT.into(),
            number: 9,
            updated_at: 0,
            deleted_at: None,
        };
        db::build_inputs::insert(&tx, source.clone(), rule.clone(), present).await.unwrap();
        tx.commit().await.unwrap();
        self.repositories.push(Wired { repository, namespace, source, rule });
    }

    fn wired(&self) -> &Wired {
        &self.repositories[0]
    }

    async fn queue(&self, ref_number: i64) -> rows::Build {
        self.queue_in(self.wired(), ref_number).await
    }

    async fn queue_in(&self, wired: &Wired, ref_number: i64) -> rows::Build {
        let tx = self.app.db.begin().await.unwrap();
        let build = enqueue(&self.app, &tx, &Principal::SYSTEM, new_build(wired, ref_number)).await.unwrap();
        supersede(&self.app, &tx, build.repository_id, &"refs/heads/main".parse().unwrap(), build.id).await.unwrap();
        tx.commit().await.unwrap();
        build
    }

    async fn claim(&self) -> Option<Assignment> {
        self.claim_as(queue::EMBEDDED).await
    }

    async fn claim_as(&self, builder: &str) -> Option<Assignment> {
        queue::claim_next(&self.app, builder, &["linux/amd64".into()]).await.unwrap()
    }

    async fn build(&self, id: Uuid) -> rows::Build {
        db::builds::find(&self.app.db, id).await.unwrap().unwrap()
    }

    async fn attempt(&self, id: Uuid) -> rows::Attempt {
        db::builds::find_attempt(&self.app.db, id).await.unwrap().unwrap()
    }

    async fn finish(&self, attempt: Uuid, outcome: slipway_protocol::Outcome) -> Result<String> {
        let attempt = self.attempt(attempt).await;
        let last_record = attempt.last_record.unsigned_abs();
        let finish = slipway_protocol::Finish { outcome, last_record };
        super::finish(&self.app, &attempt, finish).await.map(|reply| reply.state)
    }

    /// An attempt that has ended, and where its log lies.
    async fn sealed_log(&self) -> (Uuid, db::ObjectKey) {
        self.queue(1).await;
        let id = self.claim().await.unwrap().attempt_id;
        let records = batch(1, vec![started(1), line(1, 1), done(1)]);
        super::log::append(&self.app, &self.attempt(id).await, records).await.unwrap();
        self.finish(id, slipway_protocol::Outcome::TimedOut).await.unwrap();
        super::log::seal(&self.app, id).await.unwrap();
        (id, db::logs::find_sealed(&self.app.db, id).await.unwrap().unwrap().storage_key)
    }

    /// Its builder was heard of, and is not any more.
    async fn run_out(&self, attempt: Uuid) {
        let until = self.app.clock.now() - 1;
        let tx = self.app.db.begin().await.unwrap();
        db::attempts::extend(&tx, attempt, until).await.unwrap();
        db::attempts::set_started(&tx, attempt, until - MINUTE).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn manager(&self) -> Allowed<ManageBuilds> {
        let Wired { repository, namespace, .. } = self.wired();
        let principal = Principal {
            who: Who::User { id: Uuid::now_v7(), name: "mona".into(), is_site_admin: false },
            bound: Bound::None,
        };
        let on = RepositoryAccess {
            id: repository.id,
            namespace_id: namespace.id,
            name: format!("{}/web", namespace.name).parse().unwrap(),
            visibility: Visibility::Private,
            is_live: true,
            role: Some(Role::Manager),
        };
        policy::check(&principal, on).unwrap()
    }
}

fn new_build(wired: &Wired, ref_number: i64) -> NewBuild {
    NewBuild {
        rule: wired.rule.clone(),
        source: wired.source.clone(),
        ref_name: "refs/heads/main".parse().unwrap(),
        ref_number,
        commit: COMMIT.parse().unwrap(),
        title: "Say hello".into(),
        author: "mona".into(),
        trigger: Trigger::Push,
        no_cache: false,
        rerun_of: None,
        skip: None,
    }
}

fn source(namespace_id: Uuid, forge_url: &str) -> rows::Source {
    rows::Source {
        id: Uuid::now_v7(),
        namespace_id,
        connection_id: None,
        forge: "github".into(),
        forge_url: forge_url.into(),
        remote_id: "1".into(),
        full_name: "acme/web".into(),
        html_url: format!("{forge_url}/acme/web"),
        clone_url: format!("{forge_url}/acme/web.git"),
        default_branch: "main".into(),
        is_private: false,
        state: SourceState::Active,
        state_detail: None,
        hook_state: HookState::Active,
        hook_detail: None,
        hook_remote_id: None,
        hook_secret_encrypted: Vec::new(),
        next_ref_number: 10,
        polled_at: None,
        poll_etag: None,
        delivered_at: None,
        created_at: 0,
    }
}

fn rule(source_id: Uuid, repository_id: Uuid) -> rows::Rule {
    rows::Rule {
        id: Uuid::now_v7(),
        source_id,
        repository_id,
        dockerfile: "Dockerfile".into(),
        context: String::new(),
        stage: None,
        platforms: r#"["linux/amd64"]"#.into(),
        build_args: "{}".into(),
        ref_pattern: None,
        is_enabled: true,
        created_at: 0,
        updated_at: 0,
    }
}

fn batch(first: u64, records: Vec<Record>) -> RecordBatch {
    RecordBatch { first, records }
}

fn started(step: u32) -> Record {
    Record::StepStarted(StepStarted { step, vertex: format!("v{step}"), name: format!("RUN step {step}"), at: 1 })
}

fn line(step: u32, line: u32) -> Record {
    Record::Line(Line { step, line, stream: Stream::Out, at: 2, text: format!("\u{1b}[1mline\u{1b}[0m {line}") })
}

fn done(step: u32) -> Record {
    Record::StepDone(StepDone { step, at: 3, cached: false, error: None })
}
