//! The integration tests that start threads, in a binary of their own: for ThreadSanitizer, under which the
//! others take minutes to compile and have nothing to show. `ci/platforms tsan` builds it, nothing else does.

mod deaths;
mod graveyards;
mod later;
mod objects;
mod queues;
mod roots;
mod shared;
mod shutdown;
#[allow(dead_code, reason = "some of it serves other tests")]
mod subprocess;
mod threads;
