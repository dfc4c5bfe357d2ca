//! weak-table over `std::rc`: `WeakValueHashMap` and `PtrWeakKeyHashMap`.

use std::rc::{Rc, Weak};
use std::time::Duration;

use weak_table::{PtrWeakKeyHashMap, WeakValueHashMap};

use crate::clock::Stopwatch;
use crate::needs::weak::{Entry, Object, SameHash, Table, object};

/// From numbers to objects.
pub(crate) struct WeakTableValues {
    map: WeakValueHashMap<u64, Weak<Object>, SameHash>,
}

/// From objects to numbers, keys compared by address.
pub(crate) struct WeakTableKeys {
    map: PtrWeakKeyHashMap<Weak<Object>, u64, SameHash>,
}

impl Table for WeakTableValues {
    type Handle = Rc<Object>;

    fn new() -> Self {
        Self { map: WeakValueHashMap::default() }
    }

    fn alloc(&mut self, id: u64) -> Rc<Object> {
        Rc::new(object(id))
    }

    #[inline(always)]
    fn insert(&mut self, id: u64, handle: &Rc<Object>) {
        self.map.insert(id, Rc::clone(handle));
    }

    #[inline(always)]
    fn get(&self, id: u64, _: &Rc<Object>) -> u64 {
        self.map.get(&id).expect("an entry")[0]
    }

    fn expected(id: u64, _: &Rc<Object>) -> u64 {
        id
    }

    fn len(&self) -> usize {
        self.map.len()
    }

    fn prune(&mut self, dead: Vec<Entry<Rc<Object>>>, _: &[Entry<Rc<Object>>]) -> Duration {
        drop(dead);
        let start = Stopwatch::start();
        self.map.remove_expired();
        start.elapsed()
    }
}

impl Table for WeakTableKeys {
    type Handle = Rc<Object>;

    fn new() -> Self {
        Self { map: PtrWeakKeyHashMap::default() }
    }

    fn alloc(&mut self, id: u64) -> Rc<Object> {
        Rc::new(object(id))
    }

    #[inline(always)]
    fn insert(&mut self, id: u64, handle: &Rc<Object>) {
        self.map.insert(Rc::clone(handle), id);
    }

    #[inline(always)]
    fn get(&self, _: u64, handle: &Rc<Object>) -> u64 {
        *self.map.get(handle).expect("an entry")
    }

    fn expected(id: u64, _: &Rc<Object>) -> u64 {
        id
    }

    fn len(&self) -> usize {
        self.map.len()
    }

    fn prune(&mut self, dead: Vec<Entry<Rc<Object>>>, _: &[Entry<Rc<Object>>]) -> Duration {
        drop(dead);
        let start = Stopwatch::start();
        self.map.remove_expired();
        start.elapsed()
    }
}
