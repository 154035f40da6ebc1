//! Two nodes on one PostgreSQL database: what one has ended is over at the other when it is answered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::Failover;
use cerrojo_domain::{self as domain, EndReason, Ending, Fact, UnixMillis, UserId};
use cerrojo_store::endings::{self, Which};
use cerrojo_store::{leases, log, snapshots};
use cerrojo_testkit::{Actor, Engine, Options, TestApp};
use serde_json::json;

/// Longer than anybody waits for a node that stands still.
const LONGER: Duration = Duration::from_millis(2300);

async fn two_nodes() -> (TestApp, TestApp) {
    two_nodes_with(Options::default()).await
}

async fn two_nodes_with(options: Options) -> (TestApp, TestApp) {
    let one = TestApp::start(Engine::Postgres, options).await;
    let other = one.another_node().await;
    (one, other)
}

/// Until so many entries are in the log and this node has applied them; fails if that never is so.
async fn entries(app: &TestApp, number: i64) {
    let inside = app.inside();
    let applied = || inside.feed.head().position.split('.').nth(1).unwrap().parse::<i64>().unwrap();
    let there = async {
        while applied() < number {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), there).await.expect("the ending is committed");
}

async fn head(app: &TestApp) -> i64 {
    log::head(&mut app.inside().store.reader()).await.unwrap().number
}

/// From now on one node stands still, and another has seen where.
async fn stands_still(still: &TestApp, seen_by: &TestApp) {
    still.stop_beating();
    cerrojo_app::lease::beat(&seen_by.inside()).await.unwrap();
}

/// A node is gone, and its position file with it: in containers they go together.
async fn lose(node: &TestApp) {
    node.crash().await;
    std::fs::remove_file(node.side_file()).unwrap();
}

async fn everything_over_entries(app: &TestApp) -> usize {
    let all = log::after(&mut app.inside().store.reader(), 0, 10_000).await.unwrap();
    all.iter().filter(|entry| matches!(entry.fact, Fact::EverythingOver { .. })).count()
}

async fn assert_over(nodes: [&TestApp; 2], actors: &[&Actor]) {
    for node in nodes {
        for actor in actors {
            actor.through(node).get("/api/auth/verify").await.assert_token_refused();
        }
    }
}

async fn assert_in(nodes: [&TestApp; 2], actor: &Actor) {
    for node in nodes {
        assert!(actor.through(node).is_in().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_is_known_at_every_node_when_it_is_answered() {
    let (one, other) = two_nodes().await;
    let tasks = [one.inside().spawn_tasks(), other.inside().spawn_tasks()];
    let ana = one.user("ana").await;
    for turn in 0..20 {
        let (here, there) = if turn % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let phone = ana.through(there).another_session().await;
        assert_in([here, there], &phone).await;
        phone.through(here).logout().await;
        // Those that do not know of it may say nothing, but never yes.
        assert_over([there, here], &[&phone]).await;
    }
    assert_in([&one, &other], &ana).await;
    for (tasks, node) in tasks.into_iter().zip([&one, &other]) {
        tasks.stop(&node.inside()).await;
    }
}

#[tokio::test]
async fn a_list_that_another_node_made_is_looked_up() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    assert!(ana.through(&other).is_in().await);
    // Its bit counts from the first check on.
    let phone = ana.another_session().await;
    stands_still(&other, &one).await;
    let before = head(&one).await;
    let logout = tokio::spawn({
        let phone = phone.clone();
        async move { phone.logout().await }
    });
    entries(&one, before + 1).await;
    cerrojo_app::follow::catch_up(&other.inside()).await.unwrap();
    phone.through(&other).get("/api/auth/verify").await.assert_token_refused();
    one.clock.advance(LONGER);
    logout.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_ending_waits_for_a_node_that_stands_still_until_its_lease_has_run_out() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    let phone = ana.another_session().await;
    assert_in([&one, &other], &phone).await;
    stands_still(&other, &one).await;
    let before = head(&one).await;
    let logout = tokio::spawn({
        let phone = phone.clone();
        async move { phone.call("POST", "/api/auth/logout").await }
    });
    entries(&one, before + 1).await;
    // Committed and not answered: the other node has its lease and does not know.
    assert!(phone.through(&other).is_in().await);
    assert!(!logout.is_finished());
    phone.get("/api/auth/verify").await.assert_token_refused();
    one.clock.advance(LONGER);
    other.clock.advance(LONGER);
    assert_eq!(logout.await.unwrap().status, 200);
    for actor in [&phone, &ana] {
        actor.through(&other).get("/api/auth/verify").await.assert_code(503, "UNAVAILABLE");
    }
    assert_eq!(other.visitor().get("/health/ready").await.status, 503);
    // It joins anew and knows.
    cerrojo_app::lease::beat(&other.inside()).await.unwrap();
    assert_over([&one, &other], &[&phone]).await;
    assert_in([&one, &other], &ana).await;
    assert_eq!(leases::all(&mut one.inside().store.reader()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_node_that_leaves_in_order_is_not_waited_for() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    cerrojo_app::lease::give_back(&other.inside()).await.unwrap();
    other.stop_beating();
    // Nobody's clock moves: whoever waited would wait for ever.
    ana.another_session().await.logout().await;
    ana.through(&other).get("/api/auth/verify").await.assert_code(503, "UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_logout_is_answered_when_the_first_is_known_everywhere() {
    let (one, other) = two_nodes().await;
    let phone = one.user("ana").await;
    assert_in([&one, &other], &phone).await;
    stands_still(&other, &one).await;
    let before = head(&one).await;
    let logout = |phone: &Actor| {
        let phone = phone.clone();
        tokio::spawn(async move { phone.call("POST", "/api/auth/logout").await })
    };
    let first = logout(&phone);
    entries(&one, before + 1).await;
    // Other endpoints need not wait to say no; whoever hears it from a logout may rely on it.
    phone.get("/api/auth/profile").await.assert_token_refused();
    let mut second = logout(&phone);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut second).await;
    assert!(early.is_err() && !first.is_finished(), "answered while another node says yes");
    one.clock.advance(LONGER);
    other.clock.advance(LONGER);
    assert_eq!(first.await.unwrap().status, 200);
    second.await.unwrap().assert_token_refused();
}

#[tokio::test]
async fn a_database_that_goes_back_under_running_nodes_ends_everything_once() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    let (phone, diana) = (ana.another_session().await, other.user("diana").await);
    assert_in([&one, &other], &diana).await;
    one.database().copy().await;
    let late = ana.another_session().await;
    other.tick().await;
    cerrojo_app::lease::give_back(&other.inside()).await.unwrap();
    phone.logout().await;
    other.beat().await;
    other.tick().await;
    one.database().put_back().await;
    for node in [&one, &other] {
        node.clock.advance(Duration::from_millis(600));
        node.tick().await;
    }
    assert_over([&one, &other], &[&phone, &ana, &diana, &late]).await;
    assert_eq!(everything_over_entries(&one).await, 1);
    assert_in([&one, &other], &diana.another_session().await).await;
    for node in [&one, &other] {
        node.restart().await;
    }
    assert_over([&one, &other], &[&phone, &ana, &diana, &late]).await;
    assert_eq!(everything_over_entries(&one).await, 1);
}

/// Every logout elsewhere waits for a node until its lease is given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_gives_its_lease_back_before_it_writes_down_what_can_wait() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    let tasks = other.inside().spawn_tasks();
    let store = one.inside().store.clone();
    let mut holding = store.begin_ending().await.unwrap();
    let ending = Ending { reason: EndReason::Operator, actor: domain::Actor::Operator, at: UnixMillis(1), place: None };
    assert_eq!(endings::end(&mut holding, Which::OfUser(UserId(1)), &ending).await.unwrap().len(), 1);
    assert!(ana.through(&other).is_in().await, "seen there, and to be written to a row that somebody holds");
    let inside = other.inside();
    let stopping = tokio::spawn(async move { tasks.stop(&inside).await });
    let given_back = async {
        while leases::all(&mut store.control()).await.unwrap().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), given_back).await.expect("the lease is given back");
    assert!(!stopping.is_finished(), "the activity is not written yet");
    drop(holding);
    stopping.await.unwrap();
}

/// Sign-ins leave no entry: nothing but the rows themselves tells.
#[tokio::test]
async fn rows_put_back_under_running_nodes_that_lose_nothing_but_a_sign_in_are_noticed() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    assert_in([&one, &other], &ana).await;
    for node in [&one, &other] {
        node.beat().await;
    }
    one.database().copy().await;
    let late = ana.another_session().await;
    assert_in([&one, &other], &late).await;
    one.database().put_back().await;
    for node in [&one, &other] {
        node.clock.advance(Duration::from_millis(600));
        node.tick().await;
    }
    assert_over([&one, &other], &[&ana, &late]).await;
    assert_eq!(everything_over_entries(&one).await, 1);
    assert_in([&one, &other], &ana.another_session().await).await;
}

#[tokio::test]
async fn a_database_restored_from_elsewhere_under_running_nodes_ends_everything_once() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    assert_in([&one, &other], &ana).await;
    one.database().restore_a_dump().await;
    for node in [&one, &other] {
        node.clock.advance(Duration::from_millis(600));
        node.tick().await;
    }
    assert_over([&one, &other], &[&ana]).await;
    assert_eq!(everything_over_entries(&one).await, 1);
    assert_in([&one, &other], &ana.another_session().await).await;
}

/// No node runs and none remembers: in containers position files go with them.
#[tokio::test]
async fn rows_put_back_while_no_node_runs_end_everything_once() {
    let (one, other) = two_nodes().await;
    let (ana, bea) = (one.user("ana").await, one.user("bea").await);
    assert_in([&one, &other], &ana).await;
    one.database().copy().await;
    other.crash().await;
    ana.logout().await;
    for node in [&one, &other] {
        lose(node).await;
    }
    one.database().put_back().await;
    for node in [&one, &other] {
        node.run().await;
    }
    assert_over([&one, &other], &[&ana, &bea]).await;
    assert_eq!(everything_over_entries(&one).await, 1);
    assert_in([&one, &other], &ana.another_session().await).await;
    for node in [&one, &other] {
        lose(node).await;
        node.run().await;
    }
    assert_eq!(everything_over_entries(&one).await, 1, "what was seen to is not seen to again");
}

/// By default the tools pass over what is there already: all that tells of the history is the new database's.
#[tokio::test]
async fn a_dump_put_into_a_database_that_was_begun_anew_ends_everything_once() {
    let (one, other) = two_nodes().await;
    let (ana, bea) = (one.user("ana").await, one.user("bea").await);
    let before = ana.another_session().await;
    other.crash().await;
    before.logout().await;
    one.database().copy().await;
    bea.logout().await;
    for node in [&one, &other] {
        lose(node).await;
    }
    one.database().drop_all().await;
    // As a supervisor would, before anything is restored.
    one.run().await;
    one.database().add_copy().await;
    ana.get("/api/auth/verify").await.assert_token_refused();
    lose(&one).await;
    for node in [&one, &other] {
        node.run().await;
    }
    assert_over([&one, &other], &[&ana, &bea, &before]).await;
    assert_eq!(everything_over_entries(&one).await, 1);
    assert_in([&one, &other], &ana.another_session().await).await;
    lose(&one).await;
    one.run().await;
    assert_eq!(everything_over_entries(&one).await, 1, "what was seen to is not seen to again");
}

/// Its rows name no history, and there is room for its log.
#[tokio::test]
async fn nor_does_a_dump_of_an_earlier_release_bring_anything_back() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    other.crash().await;
    one.database().copy().await;
    ana.logout().await;
    lose(&one).await;
    let as_before =
        "UPDATE copy_of_lists SET origin = NULL; UPDATE copy_of_keys SET origin = NULL; DELETE FROM copy_of_log";
    one.database().run(as_before.to_owned()).await;
    one.database().drop_all().await;
    one.run().await;
    lose(&one).await;
    one.database().add_copy().await;
    one.run().await;
    ana.get("/api/auth/verify").await.assert_token_refused();
    assert_eq!(everything_over_entries(&one).await, 1);
    assert!(ana.another_session().await.is_in().await);
    let bea = one.user("bea").await;
    assert!(bea.id > ana.id, "numbers of the dump's users are not given again");
}

/// A restore that failed half way and was begun again.
#[tokio::test]
async fn what_is_put_in_again_after_a_restore_was_noticed_is_over() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    one.database().copy().await;
    one.database().restore_a_dump().await;
    for node in [&one, &other] {
        node.clock.advance(Duration::from_millis(600));
        node.tick().await;
    }
    assert_over([&one, &other], &[&ana]).await;
    for node in [&one, &other] {
        lose(node).await;
    }
    let again = "DELETE FROM sessions; DELETE FROM lists; DELETE FROM keys; INSERT INTO lists SELECT * FROM copy_of_lists; \
                 INSERT INTO keys SELECT * FROM copy_of_keys; INSERT INTO sessions SELECT * FROM copy_of_sessions";
    one.database().run(again.to_owned()).await;
    for node in [&one, &other] {
        node.run().await;
    }
    assert_over([&one, &other], &[&ana]).await;
    assert_in([&one, &other], &ana.another_session().await).await;
}

/// A node that runs meanwhile looks now and then.
#[tokio::test]
async fn a_dump_put_into_a_running_database_that_was_begun_anew_ends_everything() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    one.database().copy().await;
    for node in [&one, &other] {
        lose(node).await;
    }
    one.database().drop_all().await;
    one.run().await;
    one.database().add_copy().await;
    // The dump's leases are of nobody: in time they are removed.
    for _ in 0..2 {
        one.clock.advance(LONGER);
        one.beat().await;
    }
    cerrojo_app::sweep::sweep(&one.inside()).await.unwrap();
    ana.get("/api/auth/verify").await.assert_token_refused();
    assert_eq!(everything_over_entries(&one).await, 1);
    cerrojo_app::sweep::sweep(&one.inside()).await.unwrap();
    assert_eq!(everything_over_entries(&one).await, 1);
    let again = ana.another_session().await;
    assert!(again.is_in().await);
    let listed = again.get("/api/auth/sessions").await.data()["sessions"].as_array().unwrap().len();
    assert_eq!(listed, 1);
}

/// What a promoted standby of the same server finds recorded: the timeline before.
async fn promote(nodes: [&TestApp; 2]) {
    for node in nodes {
        node.crash().await;
    }
    let earlier = "UPDATE meta SET value = replace(value, '/00000001/', '/00000000/') WHERE name = 'server_identity'";
    nodes[0].database().run(earlier.to_owned()).await;
    for node in nodes {
        node.run().await;
    }
}

#[tokio::test]
async fn a_failover_that_loses_nothing_by_the_operators_word_ends_nothing() {
    let mut options = Options::default();
    options.settings.failover = Failover::Synchronous;
    let (one, other) = two_nodes_with(options).await;
    let ana = one.user("ana").await;
    assert_in([&one, &other], &ana).await;
    promote([&one, &other]).await;
    assert_in([&one, &other], &ana).await;
    assert_eq!(everything_over_entries(&one).await, 0);
    // A copy from elsewhere is none, whatever is said of replication.
    one.database().restore_a_dump().await;
    for node in [&one, &other] {
        node.clock.advance(Duration::from_millis(600));
        node.tick().await;
    }
    assert_over([&one, &other], &[&ana]).await;
    assert_eq!(everything_over_entries(&one).await, 1);
}

#[tokio::test]
async fn a_failover_ends_everything_unless_somebody_vouches_for_it() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    assert_in([&one, &other], &ana).await;
    promote([&one, &other]).await;
    assert_over([&one, &other], &[&ana]).await;
    assert_eq!(everything_over_entries(&one).await, 1);
    assert_in([&one, &other], &ana.another_session().await).await;
}

/// The position file of a node that has seen the server's write-ahead log further than it is now.
fn further(file: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let lines = file.chunks(512).map(|slot| String::from_utf8_lossy(slot).trim_end().to_owned());
    let turn = |line: &String| line.split(' ').nth(1).and_then(|turn| turn.parse::<u64>().ok()).unwrap_or(0);
    let newest = lines.max_by_key(turn).unwrap();
    let mut fields: Vec<String> = newest.split(' ').map(str::to_owned).collect();
    fields.pop();
    fields[5] = (fields[5].parse::<i64>().unwrap() + 100_000_000_000).to_string();
    let text = fields.join(" ");
    let sum = URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()));
    let mut slot = format!("{text} {sum}\n").into_bytes();
    slot.resize(512, b' ');
    [slot.clone(), slot].concat()
}

/// Sign-ins leave no entry in the log: the server's write-ahead log tells that they are lost.
#[tokio::test]
async fn a_database_that_lost_what_the_log_does_not_tell_of_ends_everything() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    assert_in([&one, &other], &ana).await;
    for node in [&one, &other] {
        node.crash().await;
    }
    // As it would be remembered of a server whose disk was put back since.
    let remembered = std::fs::read(one.side_file()).unwrap();
    std::fs::write(one.side_file(), further(&remembered)).unwrap();
    for node in [&one, &other] {
        node.run().await;
    }
    assert_over([&one, &other], &[&ana]).await;
    assert_eq!(everything_over_entries(&one).await, 1);
    for node in [&one, &other] {
        node.restart().await;
    }
    assert_eq!(everything_over_entries(&one).await, 1);
}

/// An hour of entries stays; a node that was away for longer reads everything anew, and nothing is over because of it.
#[tokio::test]
async fn a_node_that_was_away_for_long_reads_everything_anew() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    let phones = [ana.another_session().await, ana.another_session().await, ana.another_session().await];
    for phone in &phones {
        assert_in([&one, &other], phone).await;
    }
    cerrojo_app::lease::give_back(&other.inside()).await.unwrap();
    for phone in &phones[..2] {
        phone.logout().await;
    }
    let inside = one.inside();
    let cut = snapshots::take(&inside.store, head(&one).await, UnixMillis(i64::MAX)).await.unwrap();
    assert!(cut > 0);
    let late = ana.another_session().await;
    assert_over([&one, &other], &[&phones[0], &phones[1]]).await;
    assert_in([&one, &other], &phones[2]).await;
    assert_in([&one, &other], &late).await;
    assert_eq!(everything_over_entries(&one).await, 0);
    // And one that starts now.
    other.restart().await;
    assert_over([&one, &other], &[&phones[0], &phones[1]]).await;
    assert_in([&one, &other], &late).await;
}

#[tokio::test]
async fn a_session_that_is_active_on_one_node_is_not_idle_on_another() {
    let mut options = Options::default();
    options.settings.idle_timeout = Some(Duration::from_mins(10));
    let (one, other) = two_nodes_with(options).await;
    let pass = async |time: Duration| {
        for node in [&one, &other] {
            node.clock.advance(time);
            node.beat().await;
        }
    };
    let (ana, bruno) = (one.user("ana").await, one.user("bruno").await);
    assert_in([&one, &other], &ana).await;
    pass(Duration::from_mins(6)).await;
    assert!(ana.through(&other).is_in().await);
    cerrojo_app::activity::write_down(&other.inside()).await.unwrap();
    pass(Duration::from_mins(6)).await;
    assert!(ana.is_in().await);
    // Over for ever by the word of the node that was asked, and at the other as well.
    let refused = tokio::spawn({
        let bruno = bruno.clone();
        async move { bruno.get("/api/auth/verify").await }
    });
    let following = async {
        while !refused.is_finished() {
            cerrojo_app::follow::look(&other.inside()).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(30), following).await.expect("an answer");
    refused.await.unwrap().assert_token_refused();
    bruno.through(&other).get("/api/auth/verify").await.assert_token_refused();
}

#[tokio::test]
async fn a_node_that_does_not_understand_the_log_says_no_more_yes() {
    let (one, other) = two_nodes().await;
    let ana = one.user("ana").await;
    assert_in([&one, &other], &ana).await;
    let entry = "INSERT INTO log (number, mark, kind, at) SELECT number + 1, 'later', 'of_a_later_version', 0 FROM log_head; \
         UPDATE log_head SET number = number + 1, mark = 'later'";
    one.database().run(entry.to_owned()).await;
    other.stop_beating();
    assert!(cerrojo_app::follow::catch_up(&other.inside()).await.is_err());
    ana.through(&other).get("/api/auth/verify").await.assert_code(503, "UNAVAILABLE");
    // And wins no lease back.
    other.clock.advance(LONGER);
    assert!(cerrojo_app::lease::beat(&other.inside()).await.is_err());
    ana.through(&other).get("/api/auth/verify").await.assert_code(503, "UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_logouts_at_two_nodes_at_once_one_gets_the_200() {
    let (one, other) = two_nodes().await;
    let tasks = [one.inside().spawn_tasks(), other.inside().spawn_tasks()];
    let ana = one.user("ana").await;
    for _ in 0..20 {
        let phone = ana.another_session().await;
        let calls = [&one, &other].map(|node| {
            let phone = phone.through(node);
            tokio::spawn(async move { phone.call("POST", "/api/auth/logout").await.status })
        });
        let mut statuses = Vec::new();
        for call in calls {
            statuses.push(call.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401]);
        assert_over([&one, &other], &[&phone]).await;
    }
    for (tasks, node) in tasks.into_iter().zip([&one, &other]) {
        tasks.stop(&node.inside()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_else_ends_sessions_ends_them_at_every_node() {
    let (one, other) = two_nodes().await;
    let tasks = [one.inside().spawn_tasks(), other.inside().spawn_tasks()];
    let jefa = one.admin().await;
    let ana = other.user("ana").await;
    let phone = ana.another_session().await;
    assert_in([&one, &other], &phone).await;
    ana.post("/api/auth/logout-others", json!({})).await.assert_ok(200, "Otras sesiones cerradas exitosamente");
    assert_over([&one, &other], &[&phone]).await;
    assert_in([&one, &other], &ana).await;
    let suspended = jefa.put(&format!("/api/admin/users/{}", ana.id), json!({ "status": "suspended" })).await;
    assert_eq!(suspended.status, 200, "{suspended}");
    assert_over([&other, &one], &[&ana]).await;
    cerrojo_app::administer::end_everything(&one.inside()).await.unwrap();
    assert_over([&other, &one], &[&jefa]).await;
    for (tasks, node) in tasks.into_iter().zip([&one, &other]) {
        tasks.stop(&node.inside()).await;
    }
}
