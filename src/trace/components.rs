//! [`Components`]: whether a type and all types that it is made of have a property.

use alloc::vec::Vec;
use core::any::TypeId;

use crate::trace::Trace;

/// The types that were asked for [`Trace::relinks_edges`].
#[doc(hidden)]
#[derive(Default, Debug)]
pub struct Components {
    asked: Vec<TypeId>,
}

impl Components {
    /// Whether values of this type, as part of another, hand out exactly their edges when they are relinked.
    /// A type that contains itself does, unless another component does not.
    pub fn relink_edges<F: Trace + ?Sized>(&mut self) -> bool {
        let id = TypeId::of::<F>();
        if !F::HOLDS_HANDLES || self.asked.contains(&id) {
            return true;
        }
        self.asked.push(id);
        F::relinks_edges(self)
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::collections::BTreeMap;
    use alloc::string::String;
    use alloc::vec::Vec;

    use slotgc_derive::Trace;

    use crate::gc_dyn::GcDyn;
    use crate::handle::{AnyGc, Gc, Weak};
    use crate::trace::{Links, Tracer};
    use crate::weak::WeakKeyMap;

    use super::*;

    fn relinks_edges<T: Trace>() -> bool {
        Components::default().relink_edges::<T>()
    }

    /// Relinks what it does not trace.
    struct ByHand(Gc<u8>);

    impl Trace for ByHand {
        fn trace(&self, _: &mut Tracer<'_>) {}

        fn relink(&mut self, links: &mut Links<'_>) {
            links.gc(&mut self.0);
        }
    }

    #[derive(Trace)]
    #[allow(dead_code, reason = "a shape")]
    enum Tree {
        Leaf(String, Weak<Tree>),
        Branch(Vec<Tree>, Option<Box<Tree>>, BTreeMap<u8, AnyGc>, GcDyn<dyn Send>),
    }

    #[derive(Trace)]
    #[trace(recursive)]
    #[allow(dead_code, reason = "a shape")]
    struct Outer<T>(Option<Box<Inner<T>>>);

    #[derive(Trace)]
    #[trace(recursive)]
    #[allow(dead_code, reason = "a shape")]
    struct Inner<T>(Vec<Outer<T>>, T);

    #[test]
    fn derived_types_relink_their_edges_unless_a_component_may_do_otherwise() {
        assert!(relinks_edges::<u64>() && relinks_edges::<[Option<Gc<u8>>; 2]>() && relinks_edges::<Tree>());
        assert!(relinks_edges::<Outer<Gc<u8>>>() && relinks_edges::<Inner<Weak<u8>>>());
        assert!(!relinks_edges::<ByHand>() && !relinks_edges::<Vec<(u8, ByHand)>>());
        assert!(!relinks_edges::<Outer<ByHand>>() && !relinks_edges::<Inner<ByHand>>());
        // An edge to a value waits for its key.
        assert!(!relinks_edges::<Option<WeakKeyMap<u8, Gc<u8>>>>());
    }
}
