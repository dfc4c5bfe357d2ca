//! Debian version numbers: `[epoch:]upstream[-revision]`, compared as Debian Policy 5.6.12 says.
//!
//! Invariant: `compare` is a total order on the versions that dpkg accepts, and the one that
//! `dpkg --compare-versions` uses. It does not check that a version is well formed.

use std::cmp::Ordering;

/// Which of two versions is the newer one.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a), Parts::of(b));
    compare_text(a.epoch, b.epoch)
        .then_with(|| compare_text(a.upstream, b.upstream))
        .then_with(|| compare_text(a.revision, b.revision))
}

struct Parts<'a> {
    epoch: &'a str,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Parts<'a> {
    /// A part that is not there counts as zero, and so does an empty text.
    fn of(version: &'a str) -> Self {
        let (epoch, rest) = version.split_once(':').unwrap_or(("", version));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self { epoch, upstream, revision }
    }
}

/// Compares runs of other characters by weight and runs of digits by value, in turns.
fn compare_text(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        while starts_with_text(a) || starts_with_text(b) {
            match weight(a.first()).cmp(&weight(b.first())) {
                Ordering::Equal => (a, b) = (&a[1..], &b[1..]),
                unequal => return unequal,
            }
        }
        let (number_a, rest_a) = split_number(a);
        let (number_b, rest_b) = split_number(b);
        // Without leading zeros the longer number is the larger one. This works for numbers of any length.
        match number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b)) {
            Ordering::Equal => (a, b) = (rest_a, rest_b),
            unequal => return unequal,
        }
    }
    Ordering::Equal
}

fn starts_with_text(text: &[u8]) -> bool {
    text.first().is_some_and(|c| !c.is_ascii_digit())
}

/// A tilde sorts before the end of the text, letters sort before everything else.
fn weight(character: Option<&u8>) -> i32 {
    match character {
        Some(b'~') => -1,
        None | Some(b'0'..=b'9') => 0,
        Some(&c) if c.is_ascii_alphabetic() => i32::from(c),
        Some(&c) => i32::from(c) + 256,
    }
}

/// The digits at the start without leading zeros, and what follows them.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|c| !c.is_ascii_digit()).unwrap_or(text.len());
    let zeros = text[..end].iter().take_while(|c| **c == b'0').count();
    (&text[zeros..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line was checked with `dpkg --compare-versions`.
    #[test]
    fn versions_compare_as_dpkg_compares_them() {
        for (a, expected, b) in [
            ("1.0", Ordering::Equal, "1.0"),
            ("1.0", Ordering::Less, "1.1"),
            ("1.9", Ordering::Less, "1.10"),
            ("1.0", Ordering::Equal, "1.0-0"),
            ("1.0-0", Ordering::Less, "1.0-0.1"),
            ("1.0-1", Ordering::Less, "1.0-1+b1"),
            ("1.0-1+b1", Ordering::Less, "1.0-1.1"),
            ("1.0-1", Ordering::Less, "1.0-1ubuntu1"),
            ("1.0~rc1", Ordering::Less, "1.0"),
            ("1.0~~", Ordering::Less, "1.0~"),
            ("1.0~~a", Ordering::Less, "1.0~"),
            ("1.0~rc1-1", Ordering::Less, "1.0~rc2-1"),
            ("1.0a", Ordering::Greater, "1.0"),
            ("1.0a", Ordering::Less, "1.0+"),
            ("1.0+dfsg", Ordering::Greater, "1.0"),
            ("1.0.", Ordering::Greater, "1.0"),
            ("0:1.0", Ordering::Equal, "1.0"),
            ("1:0.1", Ordering::Greater, "9.9"),
            ("10:1", Ordering::Greater, "9:2"),
            ("1.001", Ordering::Equal, "1.1"),
            ("1.0-1-2", Ordering::Less, "1.0-2-1"),
            ("20240203", Ordering::Greater, "3.4.5"),
            ("99999999999999999998", Ordering::Less, "99999999999999999999"),
            ("1.2.3", Ordering::Less, "1.2.3.4"),
            ("2.36-9+deb12u14", Ordering::Greater, "2.36-9+deb12u9"),
            ("7.4.052-1", Ordering::Equal, "7.4.52-1"),
            ("1a1", Ordering::Less, "1b0"),
            ("1a~", Ordering::Less, "1a"),
        ] {
            assert_eq!(compare(a, b), expected, "{a} and {b}");
            assert_eq!(compare(b, a), expected.reverse(), "{b} and {a}");
        }
    }
}
