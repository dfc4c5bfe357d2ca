//! The text of handles.

use core::fmt;

/// Room for the text of one handle, so that it can be padded without an allocation.
#[derive(Default)]
pub(super) struct Line {
    bytes: [u8; 24],
    len: usize,
}

impl Line {
    pub(super) fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).expect("only whole strings are appended")
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
