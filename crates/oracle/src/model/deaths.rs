//! What is registered on objects, and what becomes of it when they die.
//!
//! A registration is a number, counted from the heap's first, and an action. The runner delivers it once,
//! when the heap runs it and it is its turn.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::contents::Contents;
use crate::kind::Kind;
use crate::link::ObjectId;
use crate::model::{Index, Life, Model};
use crate::ops::{Block, Ending};

/// Names a registration of any heap, living or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WatchRef {
    pub(crate) heap: usize,
    pub(crate) incarnation: u32,
    pub(crate) number: u64,
}

/// What a registration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Callback,
    Finalizer {
        at_exit: bool,
    },
    Tag,
    /// At the first or the second of the graveyards for its type.
    Burial {
        second: bool,
    },
}

/// Something registered on an object.
#[derive(Debug)]
pub(crate) struct Registered {
    /// What it panics with, and what is logged when its closure or tag is dropped.
    pub(crate) id: ObjectId,
    pub(crate) target: Index,
    pub(crate) notice: Notice,
    pub(crate) then: Block,
    pub(crate) ending: Ending,
}

/// A dead value in a graveyard.
#[derive(Debug)]
pub(crate) struct Buried {
    pub(crate) object: Index,
    pub(crate) contents: Contents,
}

/// Where the value of a dying object goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueGoes {
    /// To its graveyard, or it is dropped.
    Away,
    /// To whoever destroyed the object.
    ToCaller,
}

/// All registrations of a heap, and where notifications go.
#[derive(Debug, Default)]
pub(crate) struct Deaths {
    made: u64,
    pub(crate) registered: BTreeMap<u64, Registered>,
    /// Callbacks and finalizers that wait for their turn; the largest is next.
    pub(crate) due: BTreeSet<u64>,
    /// Tags in the queue.
    pub(crate) queue: VecDeque<u64>,
    /// The graveyards.
    pub(crate) graves: BTreeMap<(Kind, bool), VecDeque<Buried>>,
    /// Tags sent, and callbacks and finalizers run by the heap, ever.
    pub(crate) notified: usize,
    /// Whether callbacks are being run, so that what they request waits.
    pub(crate) is_telling: bool,
    pub(crate) wants_collection: bool,
}

impl Deaths {
    /// The number that the next registration has.
    pub(crate) fn next_number(&self) -> u64 {
        self.made
    }

    pub(crate) fn register(&mut self, registered: Registered) {
        self.registered.insert(self.made, registered);
        self.made += 1;
    }

    /// Cancels a registration; returns whether it was still there.
    pub(crate) fn cancel(&mut self, number: u64) -> bool {
        self.due.remove(&number);
        self.registered.remove(&number).is_some()
    }

    /// The latest finalizer that is to run at the end of the heap.
    pub(crate) fn last_at_exit(&self) -> Option<u64> {
        let at_exit = |known: &Registered| known.notice == Notice::Finalizer { at_exit: true };
        self.registered.iter().rev().find(|(_, known)| at_exit(known)).map(|(number, _)| *number)
    }

    /// What `watch_count` returns for a living object.
    pub(crate) fn count_on(&self, target: Index) -> usize {
        let counts =
            |known: &&Registered| known.target == target && !matches!(known.notice, Notice::Burial { .. });
        self.registered.values().filter(counts).count()
    }
}

impl Model {
    /// These objects die. Returns those whose values go to no graveyard.
    pub(crate) fn die(&mut self, dead: &[Index], value: ValueGoes) -> Vec<Index> {
        let buried = match value {
            ValueGoes::Away => self.bury(dead),
            ValueGoes::ToCaller => BTreeSet::new(),
        };
        dead.iter().for_each(|index| self.kill(*index));
        dead.iter().copied().filter(|index| !buried.contains(index)).collect()
    }

    /// The first burial of each of these objects gets its value, in the order of registration.
    fn bury(&mut self, dead: &[Index]) -> BTreeSet<Index> {
        let mut buried = BTreeSet::new();
        for known in self.deaths.registered.values() {
            let Notice::Burial { second } = known.notice else { continue };
            if dead.contains(&known.target) && buried.insert(known.target) {
                let object = &self.objects[known.target];
                let value = Buried { object: known.target, contents: object.contents.clone() };
                self.deaths.graves.entry((object.kind, second)).or_default().push_back(value);
            }
        }
        buried
    }

    /// Notifies of the deaths, after the destructors have run: tags are sent, the rest becomes due. At the
    /// end of the heap finalizers go uncalled.
    pub(crate) fn mourn(&mut self, is_end: bool) {
        let is_dead = |index: Index| self.objects[index].life == Life::Dead;
        let registered = self.deaths.registered.iter().filter(|(_, known)| is_dead(known.target));
        let told: Vec<_> = registered.map(|(number, known)| (*number, known.notice)).collect();
        for (number, notice) in told {
            match notice {
                Notice::Finalizer { .. } if is_end && !self.deaths.due.contains(&number) => {
                    self.deaths.registered.remove(&number);
                }
                Notice::Callback | Notice::Finalizer { .. } => drop(self.deaths.due.insert(number)),
                Notice::Tag => {
                    self.deaths.queue.push_back(number);
                    self.deaths.notified += 1;
                    self.deaths.registered.remove(&number);
                }
                Notice::Burial { .. } => drop(self.deaths.registered.remove(&number)),
            }
        }
    }
}
