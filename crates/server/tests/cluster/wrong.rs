//! Clusters that are wrong on purpose. A judge that does not convict them proves nothing about the right one.
//!
//! The nodes are the real ones: what is wrong is the database, which tells them that others know what they do not know.

use std::sync::Arc;

use cerrojo_chaos::client::{Client, Session};
use cerrojo_chaos::cluster::Cluster;
use cerrojo_chaos::history::{Fault, judge};
use cerrojo_chaos::node::{Cut, Node};
use cerrojo_chaos::postgres::Stop;
use cerrojo_chaos::record::Record;

use crate::cluster;

/// Every row of a lease says that its node has applied all that will ever be.
const EVERYBODY_KNOWS: &str = "
    CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.applied := 9000000000000000000; RETURN NEW; END';
    CREATE TRIGGER forge BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION forge()";

/// The node that is cut off, and the two others.
const BEHIND: usize = 2;

pub(crate) fn answers_early() {
    assert_eq!(behind_within_its_lease(|_| {}), 0, "the right cluster is convicted");
    let convicted = behind_within_its_lease(|cluster| {
        cluster.database.execute(EVERYBODY_KNOWS);
        // Until their next renewals the rows are as they were.
        cluster.database.wait_for("SELECT min(applied) = 9000000000000000000 FROM leases");
    });
    assert!(convicted > 0, "a cluster that answers before everybody knows was not convicted");
}

pub(crate) fn removes_leases() {
    let mut cluster = cluster(&[]);
    let (record, mut client, sessions) = signed_in(&cluster);
    cluster.nodes[BEHIND].cut(Cut::Both);
    // As a waiting node would that had no patience.
    cluster.database.execute("DELETE FROM leases");
    log_out_and_check(&mut client, &sessions);
    assert!(accepted_after_ending(&record) > 0, "a cluster that removes leases at once was not convicted");
    cluster.nodes.iter_mut().for_each(Node::kill);
}

pub(crate) fn forgets() {
    let mut cluster = cluster(&[]);
    let (record, mut client, sessions) = signed_in(&cluster);
    cluster.nodes.iter_mut().for_each(Node::stop);
    cluster.database.stop(Stop::Fast);
    cluster.copy = Some(cluster.database.copy());
    cluster.database.start();
    cluster.nodes.iter_mut().for_each(Node::launch);
    cluster.nodes.iter_mut().for_each(Node::wait_until_ready);
    log_out_and_check(&mut client, &sessions);
    assert_eq!(accepted_after_ending(&record), 0);
    cluster.nodes.iter_mut().for_each(Node::stop);
    // New machines on an old copy of the same server: nobody is left who could know.
    cluster.nodes.iter().for_each(Node::forget_files);
    cluster.database.stop(Stop::Fast);
    cluster.put_copy_back();
    cluster.nodes.iter_mut().for_each(Node::launch);
    cluster.nodes.iter_mut().for_each(Node::wait_until_ready);
    for session in &sessions {
        client.check_everywhere(0, session);
    }
    assert!(accepted_after_ending(&record) > 0, "a cluster that forgot was not convicted");
}

/// A node is cut off while its lease still lets it say yes, and sessions are ended elsewhere. How often the judge objects.
fn behind_within_its_lease(make_wrong: impl FnOnce(&Cluster)) -> usize {
    let cluster = cluster(&[]);
    let (record, mut client, sessions) = signed_in(&cluster);
    make_wrong(&cluster);
    cluster.nodes[BEHIND].cut(Cut::Both);
    log_out_and_check(&mut client, &sessions);
    accepted_after_ending(&record)
}

fn signed_in(cluster: &Cluster) -> (Arc<Record>, Client, Vec<Session>) {
    let record = Arc::new(Record::default());
    let mut client = Client::new(&record, &cluster.addresses(), "somebody");
    client.expect_account(0);
    let sessions: Vec<Session> = (0..3).filter_map(|node| client.sign_in(node)).collect();
    for session in &sessions {
        client.check_everywhere(0, session);
    }
    (record, client, sessions)
}

fn log_out_and_check(client: &mut Client, sessions: &[Session]) {
    for session in sessions {
        client.log_out(0, session);
        client.check_everywhere(BEHIND, session);
    }
}

fn accepted_after_ending(record: &Record) -> usize {
    let faults = judge(&record.events());
    faults.iter().filter(|fault| matches!(fault, Fault::AcceptedAfterEnding { .. })).count()
}
