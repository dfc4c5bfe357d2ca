//! V8 heap snapshots, those of slotgc or of Node and Chrome, read into a slotgc heap as the graph that they
//! describe.
//!
//! [`mod@file`] reads the format, [`graph`] makes objects from it, [`report`] prints answers. The command is
//! in `main.rs`. Whatever the file says, reading it ends in a graph or in an error.

pub mod file;
pub mod graph;
pub mod report;
