//! Names of types for people: short, and told apart where two types have the same short name.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::handle::write_short;

/// Short names for these types, in the same order, each different.
pub(crate) fn short_names(full_names: &[&'static str]) -> Vec<&'static str> {
    told_apart(full_names).into_iter().map(kept).collect()
}

/// Keeps the text as long as the process lives. There are few: one per type, or several if other types have
/// the same.
#[cfg(not(loom))]
fn kept(name: String) -> &'static str {
    static KEPT: boxcar::Vec<&'static str> = boxcar::Vec::new();
    let known = KEPT.iter().map(|(_, known)| *known).find(|known| *known == name);
    known.unwrap_or_else(|| {
        let name = Box::leak(name.into_boxed_str());
        KEPT.push(name);
        name
    })
}

/// A model has no process-wide state.
#[cfg(loom)]
fn kept(name: String) -> &'static str {
    Box::leak(name.into_boxed_str())
}

fn told_apart(full_names: &[&'static str]) -> Vec<String> {
    let mut names: Vec<String> = full_names.iter().map(|full| shortened(full, 1)).collect();
    let longest = full_names.iter().map(|full| full.matches("::").count() + 1).max().unwrap_or(0);
    for segments in 2..=longest {
        let clashing = clashing(&names);
        if clashing.is_empty() {
            return names;
        }
        for place in clashing {
            names[place] = shortened(full_names[place], segments);
        }
    }
    // Types in the bodies of two functions, or of two versions of a crate.
    let mut seen = BTreeMap::new();
    for place in clashing(&names) {
        let number = seen.entry(names[place].clone()).and_modify(|number| *number += 1).or_insert(1);
        if *number > 1 {
            names[place] = format!("{} #{number}", names[place]);
        }
    }
    names
}

/// The places whose name occurs more than once.
fn clashing(names: &[String]) -> Vec<usize> {
    let mut counts = BTreeMap::new();
    names.iter().for_each(|name| *counts.entry(name).or_insert(0) += 1);
    (0..names.len()).filter(|place| counts[&names[*place]] > 1).collect()
}

/// The name with the last `segments` segments of each path.
fn shortened(full: &str, segments: usize) -> String {
    let mut short = String::new();
    write_short(full, segments, &mut short).expect("a `String` takes any text");
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_different() {
        let names = told_apart(&["alloc::vec::Vec<game::Mob>", "game::Mob", "u32"]);
        assert_eq!(names, ["Vec<Mob>", "Mob", "u32"]);
        let names = told_apart(&["a::b::Node", "a::c::Node", "d::Node", "x::Other"]);
        assert_eq!(names, ["b::Node", "c::Node", "d::Node", "Other"]);
        let names = told_apart(&["a::Node", "b::a::Node", "Node"]);
        assert_eq!(names, ["a::Node", "b::a::Node", "Node"]);
        let names = told_apart(&["a::f::Node", "a::f::Node", "a::g::Node"]);
        assert_eq!(names, ["a::f::Node", "a::f::Node #2", "g::Node"]);
        let names = told_apart(&["<a::A as a::Tr>::f::Local", "<a::B as a::Tr>::f::Local", "Vec<a::X>"]);
        assert_eq!(names, ["<a::A as a::Tr>::f::Local", "<a::B as a::Tr>::f::Local", "Vec<X>"]);
        let names = told_apart(&["a::f::{{closure}}::Local", "a::g::Local"]);
        assert_eq!(names, ["{{closure}}::Local", "g::Local"]);
        assert!(told_apart(&[]).is_empty());
    }
}
