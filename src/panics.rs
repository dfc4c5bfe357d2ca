//! Panics of user code: the rest still runs, and the first panic is raised again at the end.
//!
//! Without std a panic cannot be caught. There the rest runs while the panic unwinds, and a second panic
//! aborts the program, as a panic in a destructor during unwinding always does.

/// The payload of a panic.
pub(crate) type Payload = alloc::boxed::Box<dyn core::any::Any + Send>;

/// Runs user code piece by piece and keeps the first panic.
#[derive(Default)]
pub(crate) struct Panics {
    #[cfg(feature = "std")]
    first: Option<Payload>,
}

#[cfg(feature = "std")]
impl Panics {
    /// Calls `next` until it returns `false`. A call that panics counts as `true`: it must have moved on.
    pub(crate) fn run_all(&mut self, mut next: impl FnMut() -> bool) {
        loop {
            // The pieces are independent of each other, so what one left half done concerns no other.
            let all = std::panic::AssertUnwindSafe(|| while next() {});
            match std::panic::catch_unwind(all) {
                Ok(()) => return,
                Err(payload) => self.keep(payload),
            }
        }
    }

    /// Calls `f`, which may first store panics of its own here.
    pub(crate) fn run_once(&mut self, f: impl FnOnce(&mut Self)) {
        // As above.
        if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(self))) {
            self.keep(payload);
        }
    }

    /// Calls `f`; if it panics, nothing is expected of it.
    pub(crate) fn run_contained(&mut self, f: impl FnOnce()) {
        self.run_once(|_| f());
    }

    /// Takes over panics kept elsewhere.
    pub(crate) fn append(&mut self, others: Self) {
        if let Some(payload) = others.first {
            self.keep(payload);
        }
    }

    /// Keeps the payload if it is the first. A payload that panics when it is dropped stops nothing either.
    fn keep(&mut self, payload: Payload) {
        if self.first.is_none() {
            self.first = Some(payload);
        } else if let Err(another) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(payload)))
        {
            core::mem::forget(another);
        }
    }

    /// The first panic.
    pub(crate) fn into_first(self) -> Option<Payload> {
        self.first
    }

    /// Raises the first panic again, if there was one.
    pub(crate) fn raise(self) {
        if let Some(payload) = self.first {
            std::panic::resume_unwind(payload);
        }
    }

    /// As `raise`, from a destructor: not while the thread is panicking already.
    pub(crate) fn raise_unless_panicking(self) {
        if !std::thread::panicking() {
            self.raise();
        }
    }
}

#[cfg(not(feature = "std"))]
impl Panics {
    /// Calls `next` until it returns `false`, also if a call panics: it must have moved on.
    pub(crate) fn run_all(&mut self, next: impl FnMut() -> bool) {
        struct Rest<F: FnMut() -> bool>(F);

        impl<F: FnMut() -> bool> Drop for Rest<F> {
            fn drop(&mut self) {
                while (self.0)() {}
            }
        }

        let mut rest = Rest(next);
        while (rest.0)() {}
    }

    /// Calls `f`.
    pub(crate) fn run_once(&mut self, f: impl FnOnce(&mut Self)) {
        f(self);
    }

    /// Calls `f`. If it panics, that cannot be caught, and must not unwind into code that has something half
    /// done, so it aborts the program.
    pub(crate) fn run_contained(&mut self, f: impl FnOnce()) {
        struct Abort;

        impl Drop for Abort {
            fn drop(&mut self) {
                panic!("slotgc: user code panicked where, without std, a panic cannot be caught");
            }
        }

        let abort = Abort;
        f();
        core::mem::forget(abort);
    }

    /// Nothing was kept: the panic is unwinding.
    pub(crate) fn append(&mut self, _: Self) {}

    /// Nothing was kept: the panic is unwinding.
    pub(crate) fn into_first(self) -> Option<Payload> {
        None
    }

    /// Nothing was kept: the panic is unwinding.
    pub(crate) fn raise(self) {}

    /// Nothing was kept: the panic is unwinding.
    pub(crate) fn raise_unless_panicking(self) {}
}
