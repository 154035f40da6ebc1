//! Clients that sign in and out everywhere, in every way there is, and look at every node after each answer.

use std::sync::Arc;

use cerrojo_domain::Random;

use crate::client::{Came, Client, Session};
use crate::load::{Shared, pick};

impl Shared {
    pub(crate) fn roam(&self, random: &dyn Random) {
        let nodes = self.nodes.len();
        while let Some(mut client) = self.registered("roams", pick(nodes, random)) {
            while self.goes_on() && !client.is_lost() && self.round(&mut client, random) {
                std::thread::sleep(self.rate.rounds);
            }
        }
    }

    /// Whether the password is still known.
    fn round(&self, client: &mut Client, random: &dyn Random) -> bool {
        let nodes = self.nodes.len();
        let sessions: Vec<Session> = (0..3).filter_map(|_| client.sign_in(pick(nodes, random))).collect();
        let Some((first, others)) = sessions.split_first() else { return true };
        let (node, next) = (pick(nodes, random), pick(nodes, random));
        let mut known = true;
        match pick(10, random) {
            0 => {
                client.log_out_all(node, first, &sessions);
                for session in &sessions {
                    client.check_everywhere(next, session);
                }
            }
            1 => {
                let (came, ended) = race_a_sign_in(client, (node, next), first, others);
                known = came == Came::Done;
                for session in &ended {
                    client.check_everywhere(next, session);
                }
                for session in others {
                    client.check_everywhere(next, session);
                }
                client.log_out(node, first);
                client.check_everywhere(next, first);
                self.remember(ended.into_iter().map(Arc::new));
            }
            2..=5 => {
                for session in &sessions {
                    log_out_at_the_same_time(client, node, session);
                    client.check_everywhere(next, session);
                }
            }
            _ => {
                for session in &sessions {
                    client.check(next, session);
                    client.log_out(node, session);
                    client.check_everywhere(next, session);
                }
            }
        }
        self.remember(sessions.into_iter().map(Arc::new));
        known
    }
}

/// A change of the password together with a sign-in under the old one; everything that it ended.
fn race_a_sign_in(
    client: &mut Client,
    (node, other): (usize, usize),
    by: &Session,
    ended: &[Session],
) -> (Came, Vec<Session>) {
    let mut rival = client.beside();
    std::thread::scope(|scope| {
        let signing_in = scope.spawn(move || rival.sign_in(other));
        let all = || {
            let rival = signing_in.join().expect("a client");
            ended.iter().map(Session::copy).chain(rival).collect()
        };
        client.change_password(node, by, all)
    })
}

/// At every node at once; each looks at every node as soon as it is answered.
fn log_out_at_the_same_time(client: &Client, first: usize, session: &Session) {
    std::thread::scope(|scope| {
        for number in 0..client.nodes() {
            let mut one = client.beside();
            scope.spawn(move || {
                let node = (first + number) % one.nodes();
                if one.log_out(node, session) != Came::Unknown {
                    one.check_everywhere(node + 1, session);
                }
            });
        }
    });
}
