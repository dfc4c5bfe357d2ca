//! The format of dpkg's files: stanzas of `Field: value` lines, separated by empty lines.
//!
//! Nothing is copied: a value is a piece of the file, with the line breaks of its continuation lines still in
//! it. Every stanza and field knows its line, for error messages.

use std::fmt;
use std::path::{Path, PathBuf};

/// The fields of one stanza, in the order of the file.
pub(crate) struct Stanza<'a> {
    pub(crate) line: usize,
    fields: Vec<Field<'a>>,
}

pub(crate) struct Field<'a> {
    name: &'a str,
    pub(crate) value: &'a str,
    pub(crate) line: usize,
}

impl<'a> Stanza<'a> {
    /// A field by its name, ignoring case.
    pub(crate) fn field(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name))
    }

    /// The value of a field, or an empty text.
    pub(crate) fn value(&self, name: &str) -> &'a str {
        self.field(name).map_or("", |f| f.value)
    }

    pub(crate) fn says_yes(&self, name: &str) -> bool {
        self.value(name).eq_ignore_ascii_case("yes")
    }
}

/// Where a file is malformed.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.file.display(), self.line, self.what)
    }
}

impl std::error::Error for Malformed {}

/// All stanzas of a file. `file` is only for messages.
pub(crate) fn parse<'a>(text: &'a str, file: &Path) -> Result<Vec<Stanza<'a>>, Malformed> {
    let mut stanzas: Vec<Stanza<'a>> = Vec::new();
    let mut inside = false;
    let mut start = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let malformed = |what: String| Malformed { file: file.to_path_buf(), line: number, what };
        let end = start + line.len();
        let content = line.trim_end();
        if content.is_empty() {
            inside = false;
        } else if line.starts_with([' ', '\t']) {
            let field = stanzas.last_mut().filter(|_| inside).and_then(|s| s.fields.last_mut());
            let Some(field) = field else {
                return Err(malformed("a continuation line, but no field before it".into()));
            };
            let value_start = field.value.as_ptr() as usize - text.as_ptr() as usize;
            field.value = text[value_start..end].trim_end();
        } else if !line.starts_with('#') {
            let Some((name, value)) = content.split_once(':').filter(|(n, _)| !n.contains(' ')) else {
                return Err(malformed(format!("expected \"Field: value\", found {content:?}")));
            };
            if !inside {
                stanzas.push(Stanza { line: number, fields: Vec::new() });
                inside = true;
            }
            let stanza = stanzas.last_mut().expect("a stanza was begun above");
            stanza.fields.push(Field { name, value: value.trim_start(), line: number });
        }
        start = end;
    }
    Ok(stanzas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuation_lines_belong_to_the_field_before_them() {
        let text = "Package: a\nDepends: b,\n c (>= 1)\n\n\nPackage: d\nEssential: yes\n";
        let stanzas = parse(text, Path::new("status")).unwrap();
        assert_eq!(stanzas.len(), 2);
        assert_eq!(stanzas[0].value("depends"), "b,\n c (>= 1)");
        assert_eq!((stanzas[1].line, stanzas[1].value("Package")), (6, "d"));
        assert!(stanzas[1].says_yes("Essential") && !stanzas[0].says_yes("Essential"));
    }

    #[test]
    fn an_empty_value_may_be_continued() {
        let stanzas = parse("Depends:\n b,\n c\n", Path::new("status")).unwrap();
        assert_eq!(stanzas[0].value("Depends").split_whitespace().collect::<String>(), "b,c");
    }

    #[test]
    fn a_fault_is_named_with_its_file_and_line() {
        let fault = |text| parse(text, Path::new("status")).err().unwrap().to_string();
        assert_eq!(
            fault("Package: a\nrubbish\n"),
            "status, line 2: expected \"Field: value\", found \"rubbish\""
        );
        assert_eq!(fault("\n b\n"), "status, line 2: a continuation line, but no field before it");
    }
}
