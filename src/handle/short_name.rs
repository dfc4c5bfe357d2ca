//! The short names of types: what [`core::any::type_name`] returns, without the paths.
//!
//! The text is a mix of marks (`&`, `[`, `; 3`, `dyn`) and paths. A path is a sequence of segments, and a
//! segment is a name (`Vec`), a name with arguments in brackets (`Vec<game::Mob>`), a body that has no name
//! (`{{closure}}`), or an implementation (`<game::Mob as game::Draw>`, `<impl game::Mob>`), inside of which a
//! type was declared. The last segments of a path are kept, and so on inside their brackets. The format may
//! change with the compiler: any text is shortened to something.

use core::fmt;

/// A type's name without the paths: `Vec<Node>` for `alloc::vec::Vec<game::Node>`.
pub(crate) struct ShortName(pub(crate) &'static str);

impl ShortName {
    pub(crate) fn of<T: ?Sized>() -> Self {
        Self(core::any::type_name::<T>())
    }
}

impl fmt::Display for ShortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short(self.0, 1, f)
    }
}

/// Writes the name of a type with the last `segments` segments of each path: with two,
/// `vec::Vec<game::Node>`.
pub(crate) fn write_short(name: &str, segments: usize, out: &mut dyn fmt::Write) -> fmt::Result {
    let mut rest = name;
    while let Some(mark) = rest.chars().next() {
        let len = segment_len(rest);
        if len == 0 {
            let mark_len = char_len(rest).unwrap_or(mark.len_utf8());
            out.write_str(&rest[..mark_len])?;
            rest = &rest[mark_len..];
            continue;
        }
        let path = split_path(rest).count();
        for (place, segment) in split_path(rest).enumerate() {
            if place + segments >= path {
                write_segment(segment, segments, out)?;
                out.write_str(if place + 1 < path { "::" } else { "" })?;
            }
        }
        rest = split_path(rest).last().map_or("", |last| after(rest, last));
    }
    Ok(())
}

fn write_segment(segment: &str, segments: usize, out: &mut dyn fmt::Write) -> fmt::Result {
    match segment.split_once('<') {
        Some((name, inner)) => {
            out.write_str(name)?;
            out.write_str("<")?;
            write_short(inner, segments, out)
        }
        None => out.write_str(segment),
    }
}

/// What follows after a part of the text.
fn after<'a>(text: &'a str, part: &str) -> &'a str {
    &text[part.as_ptr() as usize + part.len() - text.as_ptr() as usize..]
}

/// The segments of the path with which the text begins.
fn split_path(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest?;
        let (segment, after) = text.split_at(segment_len(text));
        rest = after.strip_prefix("::").filter(|after| segment_len(after) > 0);
        Some(segment)
    })
}

/// How long the segment is with which the text begins; 0 if it begins with a mark.
fn segment_len(text: &str) -> usize {
    let name_len = match text.bytes().next() {
        Some(b'{') => bracket_len(text, '{', '}'),
        _ => text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len()),
    };
    // Where the name is empty these are the brackets of an implementation, otherwise those of arguments.
    if text[name_len..].starts_with('<') {
        name_len + bracket_len(&text[name_len..], '<', '>')
    } else {
        name_len
    }
}

/// How long the text in brackets is with which the text begins, with both brackets; all of it if the second
/// one is missing.
fn bracket_len(text: &str, open: char, close: char) -> usize {
    let (mut depth, mut place) = (0_usize, 0);
    while let Some(c) = text[place..].chars().next() {
        let rest = &text[place..];
        // The arrow of a function is no bracket.
        let len = if rest.starts_with("->") { 2 } else { char_len(rest).unwrap_or(c.len_utf8()) };
        place += len;
        if len == c.len_utf8() {
            depth = if c == open { depth + 1 } else { depth - usize::from(c == close) };
        }
        if depth == 0 {
            break;
        }
    }
    place
}

/// How long the character literal is with which the text begins, if it does: the argument of `Key<'>'>`. A
/// lifetime is none.
fn char_len(text: &str) -> Option<usize> {
    let literal = text.strip_prefix('\'')?;
    let c = literal.chars().next()?;
    let first = if c == '\\' { 1 + literal[1..].chars().next()?.len_utf8() } else { c.len_utf8() };
    let end = if c == '\\' { first + literal[first..].find('\'')? } else { first };
    literal[end..].starts_with('\'').then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    #[test]
    fn the_name_of_a_type_is_short_wherever_it_was_declared() {
        let short = |name| ShortName(name).to_string();
        for (name, expected) in [
            ("game::Mob", "Mob"),
            ("u32", "u32"),
            ("alloc::vec::Vec<game::Mob>", "Vec<Mob>"),
            ("a::f::{{closure}}::Local", "Local"),
            ("a::f::{{closure}}", "{{closure}}"),
            ("<a::Foo as a::Tr>::f::Local", "Local"),
            ("<a::Gen<_> as a::Tr<a::X>>::f::{{closure}}::Local<a::b::U>", "Local<U>"),
            ("<&[(_, fn() -> _)] as a::Tr>::f::Local", "Local"),
            ("a::Gen<_>::own::Local", "Local"),
            ("a::<impl core::Tr for a::Foo>::next::Local", "Local"),
            ("alloc::vec::Vec<<a::Foo as a::Tr>::f::Local>", "Vec<Local>"),
            ("a::Map<<a::A as a::T>::f::K, <a::B as a::T>::f::V>", "Map<K, V>"),
            (
                "(a::A, &mut a::B<u8>, [a::C; 3], [a::D], *const a::E)",
                "(A, &mut B<u8>, [C; 3], [D], *const E)",
            ),
            ("(<a::A as a::T>::f::L, <a::A as a::T>::f::M)", "(L, M)"),
            ("dyn a::Tr + core::marker::Send", "dyn Tr + Send"),
            ("dyn a::Fn(&'_ <a::A as a::T>::L) -> a::B<a::C> + a::Send", "dyn Fn(&'_ L) -> B<C> + Send"),
            ("a::Box<dyn a::Iterator<Item = (a::A, &[a::B; 3])>>", "Box<dyn Iterator<Item = (A, &[B; 3])>>"),
            (
                "unsafe extern \"C\" fn(*const a::A, &'_ mut a::B) -> !",
                "unsafe extern \"C\" fn(*const A, &'_ mut B) -> !",
            ),
            ("dyn for<'a> a::Fn(&'a a::A)", "dyn for<'a> Fn(&'a A)"),
            ("a::K<'>'>", "K<'>'>"),
            ("(a::K<'\\''>, a::K<':'>, a::K<'\\u{7f}'>)", "(K<'\\''>, K<':'>, K<'\\u{7f}'>)"),
            ("a::K<-1, true>", "K<-1, true>"),
            ("", ""),
        ] {
            assert_eq!(short(name), expected);
        }
    }

    #[test]
    fn any_text_is_shortened_to_something() {
        for text in [
            "<",
            ">",
            "a::<",
            "a::Vec<b::C",
            "{",
            "::",
            "a::",
            "'",
            "'\\",
            "a<b>>::c",
            "->",
            "é::ü<'é>",
            "a{b",
        ] {
            for segments in 1..3 {
                let mut short = String::new();
                write_short(text, segments, &mut short).unwrap();
                assert!(short.len() <= text.len(), "{text}: {short}");
            }
        }
    }
}
