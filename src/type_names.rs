//! Names of types for people: short, and told apart where two types have the same short name.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::handle::write_short;

/// Short names for these types, in the same order, each different. O(types squared), but cheap: each name is
/// looked up by address among those that this process has shortened before.
pub(crate) fn short_names(full_names: &[&'static str]) -> Vec<&'static str> {
    let mut names: Vec<_> = full_names.iter().map(|full| kept(full, Form::LastSegments(1))).collect();
    let longest = full_names.iter().map(|full| full.matches("::").count() + 1).max().unwrap_or(0);
    for segments in 2..=longest {
        let clashing = clashing(&names);
        if clashing.is_empty() {
            return names;
        }
        for place in clashing {
            names[place] = kept(full_names[place], Form::LastSegments(segments));
        }
    }
    // Types in the bodies of two functions, or of two versions of a crate.
    let mut seen = BTreeMap::new();
    for place in clashing(&names) {
        let number = seen.entry(names[place]).and_modify(|number| *number += 1).or_insert(1);
        if *number > 1 {
            names[place] = kept(names[place], Form::Numbered(*number));
        }
    }
    names
}

/// The places whose name occurs more than once.
fn clashing(names: &[&str]) -> Vec<usize> {
    let mut counts = BTreeMap::new();
    names.iter().for_each(|name| *counts.entry(*name).or_insert(0) += 1);
    (0..names.len()).filter(|place| counts[names[*place]] > 1).collect()
}

/// How a type's name is shown.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// With this many segments of each path, the last ones.
    LastSegments(usize),
    /// With this number after it, as another type has the same name.
    Numbered(usize),
}

impl Form {
    /// The name in this form, in memory that is never freed.
    fn of(self, name: &str) -> &'static str {
        let mut text = String::new();
        match self {
            Self::LastSegments(segments) => {
                write_short(name, segments, &mut text).expect("a `String` takes any text")
            }
            Self::Numbered(number) => text = format!("{name} #{number}"),
        }
        text.leak()
    }
}

/// The name in this form, made once and kept as long as the process lives. There are few: one per type, or
/// several if other types have the same.
#[cfg(not(loom))]
fn kept(name: &'static str, form: Form) -> &'static str {
    static KEPT: boxcar::Vec<(&'static str, Form, &'static str)> = boxcar::Vec::new();
    // The name of a type is one static text, or one in each crate that asks for it.
    let is_it = |known: &&(&'static str, Form, &'static str)| core::ptr::eq(known.0, name) && known.1 == form;
    let known = KEPT.iter().map(|(_, known)| known).find(is_it);
    known.map_or_else(
        || {
            let text = form.of(name);
            KEPT.push((name, form, text));
            text
        },
        |known| known.2,
    )
}

/// A model has no process-wide state.
#[cfg(loom)]
fn kept(name: &'static str, form: Form) -> &'static str {
    form.of(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_different() {
        let names = short_names(&["alloc::vec::Vec<game::Mob>", "game::Mob", "u32"]);
        assert_eq!(names, ["Vec<Mob>", "Mob", "u32"]);
        let names = short_names(&["a::b::Node", "a::c::Node", "d::Node", "x::Other"]);
        assert_eq!(names, ["b::Node", "c::Node", "d::Node", "Other"]);
        let names = short_names(&["a::Node", "b::a::Node", "Node"]);
        assert_eq!(names, ["a::Node", "b::a::Node", "Node"]);
        let names = short_names(&["a::f::Node", "a::f::Node", "a::g::Node"]);
        assert_eq!(names, ["a::f::Node", "a::f::Node #2", "g::Node"]);
        let names = short_names(&["<a::A as a::Tr>::f::Local", "<a::B as a::Tr>::f::Local", "Vec<a::X>"]);
        assert_eq!(names, ["<a::A as a::Tr>::f::Local", "<a::B as a::Tr>::f::Local", "Vec<X>"]);
        let names = short_names(&["a::f::{{closure}}::Local", "a::g::Local"]);
        assert_eq!(names, ["{{closure}}::Local", "g::Local"]);
        assert!(short_names(&[]).is_empty());
    }

    #[test]
    #[cfg(not(loom))]
    fn a_name_that_was_asked_for_before_takes_no_more_memory() {
        let names = || short_names(&["a::f::Node", "a::f::Node", "a::Other"]);
        let (before, again) = (names(), names());
        assert!(before.iter().zip(&again).all(|(before, again)| core::ptr::eq(*before, *again)), "{again:?}");
    }
}
