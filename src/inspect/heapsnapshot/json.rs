//! JSON as V8 writes it: no space after colons, one row of numbers per line, ASCII only.

use alloc::vec::Vec;
use std::io;

/// Buffers what is written, and passes it on in large pieces.
pub(super) struct JsonWriter<W> {
    out: W,
    buffer: Vec<u8>,
}

/// The size at which it is passed on.
const PIECE: usize = 64 * 1024;

/// The largest row: a comma before each number of at most 20 digits, and the end of the line.
const MOST_ROW: usize = 8 * 21 + 1;

impl<W: io::Write> JsonWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, buffer: Vec::with_capacity(PIECE + MOST_ROW) }
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.buffer.extend_from_slice(text.as_bytes());
        self.pass_on()
    }

    /// A row of an array of numbers: `,1,2,3` and a line end.
    #[inline]
    pub(super) fn row(&mut self, is_first: bool, numbers: &[u64]) -> io::Result<()> {
        debug_assert!(numbers.len() <= 8);
        for (place, number) in numbers.iter().enumerate() {
            if place > 0 || !is_first {
                self.buffer.push(b',');
            }
            self.number(*number);
        }
        self.buffer.push(b'\n');
        self.pass_on()
    }

    #[inline]
    fn number(&mut self, mut number: u64) {
        if number < 10 {
            return self.buffer.push(b'0' + number as u8);
        }
        let mut digits = [0_u8; 20];
        let mut start = digits.len();
        while number != 0 {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.buffer.extend_from_slice(&digits[start..]);
    }

    /// An item of an array of texts. What is not ASCII is escaped, as V8 does: readers may cut a file
    /// anywhere.
    pub(super) fn string(&mut self, is_first: bool, text: &str) -> io::Result<()> {
        self.buffer.extend_from_slice(if is_first { b"\"" } else { b",\n\"" });
        for c in text.chars() {
            match c {
                '"' | '\\' => self.buffer.extend_from_slice(&[b'\\', c as u8]),
                '\n' => self.buffer.extend_from_slice(b"\\n"),
                '\r' => self.buffer.extend_from_slice(b"\\r"),
                '\t' => self.buffer.extend_from_slice(b"\\t"),
                ' '..='~' => self.buffer.push(c as u8),
                _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| self.escape(*unit)),
            }
        }
        self.buffer.push(b'"');
        self.pass_on()
    }

    fn escape(&mut self, unit: u16) {
        self.buffer.extend_from_slice(b"\\u");
        let digit = |shift: u32| b"0123456789abcdef"[(unit >> shift & 15) as usize];
        self.buffer.extend([12, 8, 4, 0].map(digit));
    }

    #[inline]
    fn pass_on(&mut self) -> io::Result<()> {
        if self.buffer.len() >= PIECE {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_texts_are_as_v8_writes_them() {
        let mut file = Vec::new();
        let mut json = JsonWriter::new(&mut file);
        json.row(true, &[0, 7, 10, u64::MAX]).unwrap();
        json.row(false, &[1]).unwrap();
        json.string(true, "a \"wolf\"\\\n\u{1}").unwrap();
        json.string(false, "Bär 🐻").unwrap();
        json.finish().unwrap();
        let expected = concat!(
            "0,7,10,18446744073709551615\n,1\n",
            r#""a \"wolf\"\\\n\u0001","#,
            "\n",
            r#""B\u00e4r \ud83d\udc3b""#
        );
        assert_eq!(core::str::from_utf8(&file).unwrap(), expected);
    }
}
