//! A line on standard error that shows the progress, if standard error is a terminal.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};

/// Frames between two updates of the line.
const FRAMES: usize = 60;

#[derive(Debug)]
pub(crate) struct Progress {
    is_shown: bool,
    played: Cell<usize>,
    all: usize,
}

impl Progress {
    /// For this many frames. Nothing is shown unless standard error is a terminal.
    pub(crate) fn new(all: usize) -> Self {
        Self { is_shown: io::stderr().is_terminal(), played: Cell::new(0), all }
    }

    /// Counts a frame.
    pub(crate) fn frame(&self, mode: &str) {
        self.played.set(self.played.get() + 1);
        if self.is_shown && self.played.get() % FRAMES == 0 {
            let (played, all) = (self.played.get(), self.all);
            // Moves to the start of the line and erases it. Errors do not matter.
            let _ = write!(io::stderr(), "\r\x1b[K{mode}: frame {played} of {all}");
        }
    }

    /// Begins again with the first frame.
    pub(crate) fn restart(&self) {
        self.finish();
        self.played.set(0);
    }

    /// Removes the line; the next frame writes it again.
    pub(crate) fn finish(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
