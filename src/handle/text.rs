//! The text of handles and the short names of types.

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

/// A type's name without the paths: `Vec<Node>` for `alloc::vec::Vec<game::Node>`.
pub(crate) struct ShortName(pub(crate) &'static str);

impl ShortName {
    pub(crate) fn of<T: ?Sized>() -> Self {
        Self(core::any::type_name::<T>())
    }
}

impl fmt::Display for ShortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while !rest.is_empty() {
            let name_len =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
            let (path, after) = rest.split_at(name_len);
            f.write_str(path.rsplit("::").next().unwrap_or(path))?;
            let mark_len = after.chars().next().map_or(0, char::len_utf8);
            let (mark, after) = after.split_at(mark_len);
            f.write_str(mark)?;
            rest = after;
        }
        Ok(())
    }
}
