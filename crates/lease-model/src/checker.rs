//! A breadth-first explicit-state checker: visits every state that a model can reach, each once.
//!
//! States are kept whole, so two of them are never taken for one, and a run that ends without a finding has seen all.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// What can be explored.
pub trait Model {
    /// All that the future depends on.
    type State: Copy + Eq + Hash + Debug;
    /// What leads from one state to another, for runs.
    type Step: Copy + Debug;
    /// What can turn out not to hold.
    type Property: Copy + Eq + Debug;

    /// Where everything begins.
    fn initial(&self) -> Self::State;
    /// Appends every step possible in `state`, with the state it leads to.
    fn successors(&self, state: &Self::State, found: &mut Vec<(Self::Step, Self::State)>);
    /// The property that does not hold in `state`.
    fn broken(&self, state: &Self::State) -> Option<Self::Property>;
}

/// What came of an exploration.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<P, S> {
    /// Every reachable state was visited, and each property held in each.
    Complete {
        /// How many states there are.
        states: usize,
    },
    /// A property is broken, and no shorter run breaks any.
    Broken {
        /// Which.
        property: P,
        /// The shortest run to it.
        trace: Vec<S>,
    },
    /// The limit was reached first: nothing is known.
    Unfinished,
}

/// Explores `model`, at most `limit` states of it, and shows `visit` every step between two states, once.
pub fn explore<M: Model>(
    model: &M,
    limit: usize,
    mut visit: impl FnMut(&M::State, &M::Step, &M::State),
) -> Outcome<M::Property, M::Step> {
    let initial = model.initial();
    let mut seen = Seen::<M>::default();
    seen.numbers.insert(initial, 0);
    seen.parents.push(0);
    let mut waiting = VecDeque::from([initial]);
    let mut found = Vec::new();
    let mut expanded = 0;
    while let Some(state) = waiting.pop_front() {
        model.successors(&state, &mut found);
        for (step, next) in found.drain(..) {
            visit(&state, &step, &next);
            let Entry::Vacant(entry) = seen.numbers.entry(next) else { continue };
            entry.insert(number(seen.parents.len()));
            seen.parents.push(number(expanded));
            if let Some(property) = model.broken(&next) {
                return Outcome::Broken { property, trace: seen.trace(model) };
            }
            waiting.push_back(next);
        }
        if seen.parents.len() > limit {
            return Outcome::Unfinished;
        }
        expanded += 1;
    }
    Outcome::Complete { states: seen.parents.len() }
}

/// The states seen, numbered as they were found, which is also the order in which they are expanded.
struct Seen<M: Model> {
    numbers: HashMap<M::State, u32, BuildHasherDefault<Mixer>>,
    /// By number: the number of the state it was first found from.
    parents: Vec<u32>,
}

impl<M: Model> Default for Seen<M> {
    fn default() -> Self {
        Self { numbers: HashMap::default(), parents: Vec::new() }
    }
}

impl<M: Model> Seen<M> {
    /// The run to the state that was found last.
    fn trace(&self, model: &M) -> Vec<M::Step> {
        let mut path = vec![number(self.parents.len() - 1)];
        while let Some(&number) = path.last().filter(|number| **number != 0) {
            path.push(self.parents[number as usize]);
        }
        path.reverse();
        let on_path: HashMap<_, _> = self.numbers.iter().map(|(state, number)| (*number, *state)).collect();
        let mut found = Vec::new();
        let steps = path.windows(2).filter_map(|pair| {
            found.clear();
            model.successors(&on_path[&pair[0]], &mut found);
            found.iter().find(|(_, next)| *next == on_path[&pair[1]]).map(|(step, _)| *step)
        });
        steps.collect()
    }
}

/// Of a state; there is no memory for more of them than this can count.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// A quick hash for small states, in the manner of rustc's own: the default one would take half of the time.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(value)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u8(value.to_le_bytes()[0]);
    }
}
