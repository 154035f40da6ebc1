//! One state for all those that differ in nothing the future depends on.

use crate::cast::Cast;
use crate::database::{Answer, PLACES, Row, Statement};
use crate::protocol::{Protocol, Safeguard};
use crate::state::{Lease, Logout, Node, Sighting, State};

impl State {
    /// Drops what can have no effect any more, and counts turns from the lowest that anything still names: they are only
    /// ever compared with each other, so that there is no bound on renewals.
    ///
    /// Names are interchangeable, and so are two holders: of the two states that this makes of one, the lesser stands for both.
    pub(crate) fn canonical(mut self, protocol: Protocol, cast: Cast) -> Self {
        self.nodes.iter_mut().for_each(Node::rest_clock);
        if !cast.has_all_troubles() {
            self.database.flush();
        }
        // A name used twice has turns that come twice.
        if protocol.has(Safeguard::NewNameAtEachJoin) {
            self.forget_old_turns(protocol);
            for place in 0..PLACES {
                self.count_turns_anew(place);
            }
            return self.min(self.mirrored(cast));
        }
        self
    }

    /// The same with the two names, and the two holders, exchanged.
    fn mirrored(mut self, cast: Cast) -> Self {
        self.database.seen.leases.reverse();
        self.database.on_disk.leases.reverse();
        self.watch.sightings.reverse();
        if let Logout::LeasesRead(awaited) | Logout::Waiting(awaited) = &mut self.logout {
            awaited.reverse();
        }
        if let Cast::TwoHolders = cast {
            self.nodes.swap(1, 2);
        }
        self.each_name(&mut |name| *name = 1 - *name);
        self
    }

    fn each_name(&mut self, see: &mut impl FnMut(&mut u8)) {
        for node in &mut self.nodes {
            if let Lease::Joining { name, .. } | Lease::Held { name, .. } = &mut node.lease {
                see(name);
            }
        }
        self.each_statement(|statement| {
            if let Some(name) = statement.name_mut() {
                see(name);
            }
        });
    }

    /// Every statement under way.
    fn each_statement(&mut self, see: impl FnMut(&mut Statement)) {
        let requests = self.nodes.iter_mut().filter_map(|node| node.request.as_mut());
        let under_way = requests.map(|request| &mut request.statement);
        under_way.chain(&mut self.late).chain(&mut self.watch.deletion).for_each(see);
    }

    /// A turn that neither the row has nor its copy on disk never comes again.
    fn forget_old_turns(&mut self, protocol: Protocol) {
        let (seen, on_disk) = (self.database.seen.leases, self.database.on_disk.leases);
        let current = |name: u8, turn: u8| {
            let place = usize::from(name);
            [seen[place], on_disk[place]].iter().flatten().any(|row| row.turn == turn)
        };
        if protocol.has(Safeguard::PatienceWithOneTurn) {
            for (name, sighting) in (0..).zip(&mut self.watch.sightings) {
                *sighting = sighting.filter(|sighting| current(name, sighting.turn));
            }
        }
        let alive = |statement: &Statement| match *statement {
            Statement::Renew { name, turn, .. } => current(name, turn),
            Statement::Delete { name, turn } => current(name, turn) || !protocol.has(Safeguard::DeletionNamesTheTurn),
            _ => true,
        };
        self.late = self.late.filter(alive);
        self.watch.deletion = self.watch.deletion.filter(alive);
    }

    fn count_turns_anew(&mut self, place: usize) {
        let mut lowest = u8::MAX;
        self.each_turn(place, &mut |turn| lowest = lowest.min(*turn));
        if lowest > 0 {
            self.each_turn(place, &mut |turn| *turn -= lowest);
        }
    }

    /// Every mention of a turn of one row.
    fn each_turn(&mut self, place: usize, see: &mut impl FnMut(&mut u8)) {
        let own = |name: u8| usize::from(name) == place;
        for Row { turn, .. } in
            [&mut self.database.seen.leases[place], &mut self.database.on_disk.leases[place]].into_iter().flatten()
        {
            see(turn);
        }
        if let Some(Sighting { turn, .. }) = &mut self.watch.sightings[place] {
            see(turn);
        }
        for node in &mut self.nodes {
            if let Lease::Held { name, turn, .. } = &mut node.lease
                && own(*name)
            {
                see(turn);
            }
        }
        self.each_statement(|statement| {
            if let Statement::Renew { name, turn, .. } | Statement::Delete { name, turn } = statement
                && own(*name)
            {
                see(turn);
            }
        });
    }
}

impl Node {
    /// A clock by which nothing is measured has no rate.
    fn rest_clock(&mut self) {
        let measures = self.deadline > 0
            || self.check.is_some()
            || matches!(self.lease, Lease::Joining { .. })
            || self.request.is_some_and(|request| request.answer != Some(Answer::Missed));
        if !measures {
            self.steady = 0;
        }
    }
}
