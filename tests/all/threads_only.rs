//! The integration tests that start threads, in a binary of their own: for ThreadSanitizer, under which the
//! others take minutes to compile and have nothing to show. Only `ci/platforms tsan` builds it.

mod deaths;
mod graveyards;
mod later;
mod objects;
mod queues;
mod roots;
mod shared;
mod shutdown;
#[allow(dead_code, reason = "other tests use the rest")]
mod subprocess;
mod threads;
