//! `std::rc::Weak`.

use std::rc::{Rc, Weak};

use crate::needs::weak::{Object, object};
use crate::needs::{Field, Handles};

/// Owns the objects.
#[derive(Debug)]
pub(crate) struct StdWeak {
    objects: Vec<Rc<Object>>,
}

impl Handles for StdWeak {
    type Handle = Weak<Object>;

    fn new(_: usize) -> Self {
        Self { objects: Vec::new() }
    }

    fn alloc(&mut self, id: u64) -> Weak<Object> {
        let object = Rc::new(object(id));
        let weak = Rc::downgrade(&object);
        self.objects.push(object);
        weak
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Weak<Object>) -> u64 {
        let object = handle.upgrade().expect("a living object");
        F::pick(&object[0], &object[7])
    }
}
