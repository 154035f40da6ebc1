//! Many clients at once, and a judge who knows the guarantee and nothing of the server. He must first convict a server that
//! answers before the session is over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::sync::{Arc, Mutex};

use cerrojo_domain::Random;
use cerrojo_testkit::history::{Event, Fault, History, Seen, judge};
use cerrojo_testkit::{Actor, Engine, Options, PASSWORD, SeededRandom, TestApp, on_both_engines_with};
use serde_json::json;

const USERS: usize = 4;
const CHANGES: usize = 5;

/// A session, and which of its user's passwords it was born under.
#[derive(Clone)]
struct Known {
    session: Actor,
    user: usize,
    password: usize,
}

fn password(number: usize) -> String {
    if number == 0 { PASSWORD.to_owned() } else { format!("Ribera-honda-{number}") }
}

struct World {
    history: History,
    /// Each user's session that changes the password and is ended by nobody.
    keepers: Vec<Actor>,
    known: Mutex<Vec<Known>>,
    /// Number of the password that each user has, or is about to have.
    passwords: Mutex<Vec<usize>>,
    /// (user, number of the old password, begun, answered)
    changes: Mutex<Vec<(usize, usize, u64, u64)>>,
    random: SeededRandom,
}

impl World {
    async fn new(app: &TestApp) -> Arc<Self> {
        let mut keepers = Vec::new();
        for user in 0..USERS {
            keepers.push(app.user(&format!("ana{user}")).await);
        }
        let world = Self {
            history: History::default(),
            keepers,
            known: Mutex::default(),
            passwords: Mutex::new(vec![0; USERS]),
            changes: Mutex::default(),
            random: SeededRandom::new(4),
        };
        Arc::new(world)
    }

    fn draw(&self, below: usize) -> usize {
        let random: &dyn Random = &self.random;
        usize::try_from(random.below(below as u64)).unwrap()
    }

    fn any_session(&self) -> Option<Actor> {
        let known = self.known.lock().unwrap();
        (!known.is_empty()).then(|| known[self.draw(known.len())].session.clone())
    }

    async fn check(&self, session: &Actor) {
        let begun = self.history.moment();
        let reply = session.get("/api/auth/verify").await;
        let id = session.session_id();
        self.history.answered(
            begun,
            match reply.status {
                200 => Seen::Accepted(id),
                401 => Seen::Refused(id),
                _ => Seen::Unanswered(id),
            },
        );
    }

    async fn logout(&self, session: &Actor) {
        let begun = self.history.moment();
        let reply = session.call("POST", "/api/auth/logout").await;
        let id = session.session_id();
        self.history.answered(
            begun,
            match reply.status {
                200 => Seen::LoggedOut(id),
                401 => Seen::WasOver(id),
                _ => Seen::MayHaveEnded(vec![id]),
            },
        );
    }

    async fn sign_in(&self, user: usize) {
        let number = self.passwords.lock().unwrap()[user];
        let keeper = &self.keepers[user];
        let reply = keeper.try_login(&keeper.email, &password(number)).await;
        if reply.status == 200 {
            let session = keeper.with_token(reply.data()["token"].as_str().unwrap());
            self.known.lock().unwrap().push(Known { session, user, password: number });
        } else {
            // The password was changed meanwhile.
            reply.assert_code(401, "INVALID_CREDENTIALS");
        }
    }

    async fn change_password(&self, user: usize, old: usize) {
        let begun = self.history.moment();
        let body = json!({ "currentPassword": password(old), "newPassword": password(old + 1) });
        let reply = self.keepers[user].put("/api/auth/password", body).await;
        assert_eq!(reply.status, 200, "{reply}");
        let answered = self.history.moment();
        self.passwords.lock().unwrap()[user] = old + 1;
        self.changes.lock().unwrap().push((user, old, begun, answered));
    }

    /// What was seen, with what the changes of password must have ended: all that was born under an older one.
    fn events(&self) -> Vec<Event> {
        let mut events = self.history.events();
        let known = self.known.lock().unwrap();
        for (user, old, begun, answered) in self.changes.lock().unwrap().iter().copied() {
            let over = known.iter().filter(|one| one.user == user && one.password <= old);
            let over = over.map(|one| one.session.session_id()).collect();
            events.push(Event { begun, answered, node: 0, seen: Seen::Ended(over) });
        }
        events
    }
}

async fn checks(world: Arc<World>, times: usize) {
    for turn in 0..times {
        match world.any_session() {
            Some(session) if turn % 3 > 0 => world.check(&session).await,
            _ => world.check(&world.keepers[turn % USERS]).await,
        }
    }
}

async fn sign_ins(world: Arc<World>, times: usize) {
    for turn in 0..times {
        world.sign_in(turn % USERS).await;
        let newest = world.known.lock().unwrap().last().map(|known| known.session.clone());
        let session = if turn % 3 == 0 { world.any_session() } else { newest };
        if turn % 3 < 2
            && let Some(session) = session
        {
            world.logout(&session).await;
            world.check(&session).await;
        }
    }
}

async fn changes(world: Arc<World>, user: usize) {
    for old in 0..CHANGES {
        for _ in 0..8 {
            world.sign_in(user).await;
        }
        world.change_password(user, old).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_clients_at_once_see_what_the_guarantee_allows() {
    on_both_engines_with(
        |options| options.settings.login_limit = None,
        async |app| {
            let world = World::new(&app).await;
            let mut tasks = Vec::new();
            for _ in 0..6 {
                tasks.push(tokio::spawn(checks(Arc::clone(&world), 700)));
                tasks.push(tokio::spawn(sign_ins(Arc::clone(&world), 60)));
            }
            for user in 0..USERS {
                tasks.push(tokio::spawn(changes(Arc::clone(&world), user)));
            }
            for task in tasks {
                task.await.unwrap();
            }
            // After a restart, and once more: everything is as it was said to be.
            for restarted in [false, true] {
                if restarted {
                    app.restart().await;
                }
                let known = world.known.lock().unwrap().clone();
                for one in &known {
                    world.check(&one.session).await;
                }
            }
            let events = world.events();
            let seen = |what: fn(&Seen) -> bool| events.iter().filter(|event| what(&event.seen)).count();
            assert!(seen(|seen| matches!(seen, Seen::LoggedOut(_))) > 50, "too few logouts");
            assert!(seen(|seen| matches!(seen, Seen::Refused(_))) > 500, "too few refusals");
            assert_eq!(judge(&events), []);
        },
    )
    .await;
}

/// A server that answers a logout before the session is over: the answer goes out, then the logout is carried out.
async fn answer_first(world: &World, session: &Actor) {
    let begun = world.history.moment();
    world.history.answered(begun, Seen::LoggedOut(session.session_id()));
    world.check(session).await;
    session.logout().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_answers_too_early_is_convicted() {
    let mut options = Options::default();
    options.settings.login_limit = None;
    let app = TestApp::start(Engine::Sqlite, options).await;
    let world = World::new(&app).await;
    let checking = tokio::spawn(checks(Arc::clone(&world), 400));
    for user in 0..USERS {
        world.sign_in(user).await;
    }
    let known = world.known.lock().unwrap().clone();
    let (honest, early) = known.split_at(USERS - 1);
    for one in honest {
        world.logout(&one.session).await;
        world.check(&one.session).await;
    }
    answer_first(&world, &early[0].session).await;
    checking.await.unwrap();
    let faults = judge(&world.events());
    let guilty = early[0].session.session_id();
    assert!(!faults.is_empty());
    for fault in faults {
        assert!(matches!(&fault, Fault::AcceptedAfterEnding { session, .. } if *session == guilty), "{fault}");
    }
}

/// A server that forgets an ending when it starts again.
#[tokio::test]
async fn a_server_that_forgets_is_convicted() {
    let app = TestApp::start(Engine::Sqlite, Options::default()).await;
    let world = World::new(&app).await;
    world.sign_in(0).await;
    let session = world.known.lock().unwrap()[0].session.clone();
    let (files, position) = (app.copy_files(), std::fs::read(app.side_file()).unwrap());
    world.logout(&session).await;
    for _ in 0..200 {
        world.check(&world.keepers[1]).await;
    }
    assert_eq!(judge(&world.events()), []);
    // With the position file put back as well nobody can know: here the judge is tried, not the server.
    app.crash().await;
    app.put_back(&files);
    std::fs::write(app.side_file(), position).unwrap();
    app.run().await;
    world.check(&session).await;
    assert!(matches!(judge(&world.events())[..], [Fault::AcceptedAfterEnding { .. }]));
}
