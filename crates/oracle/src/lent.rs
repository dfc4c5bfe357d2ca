//! Lends the state of a run to the thread while a heap is called.
//!
//! A closure inside a heap cannot borrow the runner. So a call of the heap lends it to the thread, and a
//! callback takes it from there, puts the heap it is given in its place, runs its ops, and puts everything
//! back.

use std::any::Any;
use std::cell::RefCell;
use std::mem;
use std::panic::{self, AssertUnwindSafe};

use slotgc::Heap;

use crate::dyn_heap::deaths::Code;
use crate::link::ObjectId;
use crate::log::{self, Injected, NoticeToken, Thrown};

thread_local! {
    /// The runner while it calls a heap.
    static LENT: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// A runner whose heaps call it back.
pub(crate) trait CalledBack: Default + 'static {
    /// Names a registration.
    type Watch: Copy + Send + 'static;

    /// Whether callbacks do nothing any more: the run is over, or has failed.
    fn is_over(&self) -> bool;
    /// The place of the heap that runs the registration.
    fn place(&mut self, watch: Self::Watch) -> &mut Heap;
    /// The heap runs a registration, with the handle's bits. Returns the value to panic with, if any.
    fn notified(&mut self, watch: Self::Watch, bits: Option<u64>) -> Option<ObjectId>;
    /// A callback is about to return, or to panic: it may do something to the heap that it was given.
    fn leave(&mut self, given: &mut Heap) {
        let _ = given;
    }
    /// A callback found a difference: a panic there is the heap's to deal with.
    fn fail(&mut self, difference: String);
}

/// Calls a heap while the runner is lent.
pub(crate) fn lend<R: CalledBack, T>(runner: &mut R, call: impl FnOnce() -> T) -> Result<T, Thrown> {
    LENT.set(Some(Box::new(mem::take(runner))));
    let result = log::catch(call);
    let lent = LENT.take().expect("a callback gives the runner back");
    *runner = *lent.downcast().expect("the runner that was lent");
    result
}

/// What the heap runs for a registration.
pub(crate) fn code<R: CalledBack>(watch: R::Watch, token: NoticeToken) -> Code {
    Box::new(move |heap, bits| {
        let _token = token;
        called_back::<R>(heap, watch, bits);
    })
}

/// A callback or finalizer runs, of the heap it is given.
fn called_back<R: CalledBack>(given: &mut Heap, watch: R::Watch, bits: Option<u64>) {
    // Nobody lends the runner: a run that failed, or is over, is dropping its heaps.
    let Some(mut lent) = LENT.take() else { return };
    let runner: &mut R = lent.downcast_mut().expect("one kind of runner lends itself at a time");
    let mut thrown = None;
    if !runner.is_over() {
        mem::swap(given, runner.place(watch));
        let ran = panic::catch_unwind(AssertUnwindSafe(|| runner.notified(watch, bits)));
        mem::swap(given, runner.place(watch));
        match ran {
            Ok(injected) => {
                thrown = injected;
                runner.leave(given);
            }
            Err(payload) => runner.fail(log::text_of(&*payload)),
        }
    }
    LENT.set(Some(lent));
    if let Some(id) = thrown {
        Injected(id).raise();
    }
}
