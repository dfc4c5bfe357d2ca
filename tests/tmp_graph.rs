#![allow(missing_docs)]
#[path = "all/graphs.rs"]
mod graphs;
#[cfg(feature = "serde")]
#[path = "all/saves.rs"]
mod saves;
