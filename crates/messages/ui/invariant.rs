//! Handles are invariant: one of a type with `for<'a> fn(&'a str)` is not one of the type with
//! `fn(&'static str)`. The heap would take that for another type, so the handle would be dead.

use slotgc::{Gc, Root, Trace, Weak};

#[derive(Trace)]
struct Holds<F: Trace>(F);

type Any = Holds<Call<for<'a> fn(&'a str)>>;
type Static = Holds<Call<fn(&'static str)>>;

struct Call<F>(F);

impl<F: Send + Sync + 'static> Trace for Call<F> {
    fn trace(&self, _: &mut slotgc::Tracer<'_>) {}
}

fn strong(gc: Gc<Any>) -> Gc<Static> {
    gc
}

fn weak(weak: Weak<Any>) -> Weak<Static> {
    weak
}

fn root(root: Root<Any>) -> Root<Static> {
    root
}

fn main() {}
