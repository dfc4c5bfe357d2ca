//! What is installed: dpkg's status file and apt's extended_states, read into plain structs.
//!
//! Invariant: a `Database` holds installed packages only, at most one of each name and architecture, in the
//! order of the status file. Nothing here knows the heap.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::control::{self, Malformed, Stanza};
use crate::relation::{self, Comparison, Kind, Relation};

pub(crate) struct Database {
    pub(crate) packages: Vec<Installed>,
    /// The architecture of the machine; packages for all architectures count as this one.
    pub(crate) native: String,
}

/// An installed package.
#[derive(Clone)]
pub(crate) struct Installed {
    pub(crate) name: String,
    pub(crate) architecture: String,
    pub(crate) version: String,
    /// Name and version of the source package that it was built from.
    pub(crate) source: (String, String),
    pub(crate) section: String,
    pub(crate) multi_arch: MultiArch,
    /// According to extended_states, it came as a dependency of something else.
    pub(crate) automatic: bool,
    pub(crate) essential: bool,
    /// `Protected: yes`, or `Important: yes` as it used to be called.
    pub(crate) protected: bool,
    /// `Priority: required`.
    pub(crate) required: bool,
    /// The user put it on hold.
    pub(crate) held: bool,
    pub(crate) provides: Vec<Relation>,
    pub(crate) wants: Vec<(Kind, Relation)>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum MultiArch {
    /// `same`, `no` or nothing: it satisfies dependencies of its own architecture.
    No,
    /// It satisfies dependencies of any architecture.
    Foreign,
    /// It satisfies those that say `:any`.
    Allowed,
}

/// Where a database is read from.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) status: PathBuf,
    pub(crate) extended_states: PathBuf,
}

#[derive(Debug)]
pub(crate) enum Error {
    Unreadable(PathBuf, io::Error),
    Malformed(Malformed),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, why) => write!(f, "cannot read {}: {why}", path.display()),
            Self::Malformed(malformed) => malformed.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// The text of a file. Names of maintainers in old stanzas are not always UTF-8; nothing here reads them.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(|why| Error::Unreadable(path.to_path_buf(), why))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Database {
    /// A missing extended_states is fine, as it is for apt: nothing is automatic then.
    pub(crate) fn read(files: &Files) -> Result<Self, Error> {
        let status = read_text(&files.status)?;
        let states = match read_text(&files.extended_states) {
            Err(Error::Unreadable(_, why)) if why.kind() == io::ErrorKind::NotFound => String::new(),
            states => states?,
        };
        let mut database = Self::parse(&status, &files.status)?;
        database.mark_automatic(&states, &files.extended_states)?;
        Ok(database)
    }

    /// From the text of a status file. `file` is only for messages.
    pub(crate) fn parse(status: &str, file: &Path) -> Result<Self, Error> {
        let mut packages = Vec::new();
        let mut seen = HashSet::new();
        let mut native = None;
        for stanza in control::parse(status, file)? {
            let line = stanza.line;
            let malformed = |what: String| Malformed { file: file.to_path_buf(), line, what };
            let package = installed(&stanza).map_err(|(line, what)| Malformed { line, ..malformed(what) })?;
            let Some(package) = package else { continue };
            if !seen.insert((package.name.clone(), package.architecture.clone())) {
                let what = format!("{}:{} is here twice", package.name, package.architecture);
                return Err(malformed(what).into());
            }
            // dpkg itself is built for the machine, and not for a foreign architecture.
            if package.name == "dpkg" && package.architecture != "all" {
                native = Some(package.architecture.clone());
            }
            packages.push(package);
        }
        let native = native.unwrap_or_else(|| most_frequent_architecture(&packages));
        for package in packages.iter_mut().filter(|p| p.architecture == "all") {
            package.architecture.clone_from(&native);
        }
        Ok(Self { packages, native })
    }

    fn mark_automatic(&mut self, states: &str, file: &Path) -> Result<(), Error> {
        let mut automatic: HashSet<(&str, &str)> = HashSet::new();
        for stanza in control::parse(states, file)? {
            let name = stanza.value("Package");
            if name.is_empty() {
                let what = "a stanza without a Package field".into();
                return Err(Malformed { file: file.to_path_buf(), line: stanza.line, what }.into());
            }
            if stanza.value("Auto-Installed").parse().is_ok_and(|mark: i32| mark > 0) {
                // Old files do not name the architecture: any is meant.
                automatic.insert((name, stanza.field("Architecture").map_or("any", |f| f.value)));
            }
        }
        for p in &mut self.packages {
            let mut architectures = vec![p.architecture.as_str(), "any"];
            architectures.extend((p.architecture == self.native).then_some("all"));
            p.automatic = architectures.iter().any(|a| automatic.contains(&(p.name.as_str(), a)));
        }
        Ok(())
    }

    /// The text of an extended_states file that says what `automatic` says here.
    pub(crate) fn extended_states(&self) -> String {
        let automatic = self.packages.iter().filter(|p| p.automatic);
        automatic
            .map(|p| format!("Package: {}\nArchitecture: {}\nAuto-Installed: 1\n\n", p.name, p.architecture))
            .collect()
    }

    /// The name as apt shows it: without the architecture of the machine.
    pub(crate) fn shown_name(&self, index: usize) -> String {
        let package = &self.packages[index];
        if package.architecture == self.native {
            package.name.clone()
        } else {
            format!("{}:{}", package.name, package.architecture)
        }
    }

    pub(crate) fn find(&self, shown_name: &str) -> Option<usize> {
        (0..self.packages.len()).find(|index| self.shown_name(*index) == shown_name)
    }
}

/// The package of a stanza, if it is installed; or the line of a fault, and what it is.
fn installed(stanza: &Stanza<'_>) -> Result<Option<Installed>, (usize, String)> {
    let name = stanza.value("Package");
    if name.is_empty() {
        return Err((stanza.line, "a stanza without a Package field".into()));
    }
    let status =
        stanza.field("Status").ok_or_else(|| (stanza.line, format!("{name} has no Status field")))?;
    let &[wanted, _, state] = &status.value.split(' ').collect::<Vec<_>>()[..] else {
        return Err((status.line, format!("expected three words of status, found {:?}", status.value)));
    };
    // In all other states at least some of the package's files are in place, and apt counts the package.
    if matches!(state, "not-installed" | "config-files") {
        return Ok(None);
    }
    let version = stanza.value("Version");
    if version.is_empty() {
        return Err((stanza.line, format!("{name} is installed and has no Version field")));
    }
    let relations = |field: &str| match stanza.field(field) {
        None => Ok(Vec::new()),
        Some(field) => relation::parse(field.value).map_err(|what| (field.line, what)),
    };
    let mut wants = Vec::new();
    for kind in Kind::ALL {
        wants.extend(relations(kind.name())?.into_iter().map(|relation| (kind, relation)));
    }
    let mut provides = relations("Provides")?;
    // apt ignores them too: a package is of one version.
    provides.retain(|p| p.constraint.as_ref().is_none_or(|(comparison, _)| *comparison == Comparison::Equal));
    Ok(Some(Installed {
        name: name.to_ascii_lowercase(),
        architecture: stanza.field("Architecture").map_or("none", |f| f.value).to_owned(),
        version: version.to_owned(),
        source: source(stanza),
        section: stanza.value("Section").to_owned(),
        multi_arch: match stanza.value("Multi-Arch") {
            "foreign" => MultiArch::Foreign,
            "allowed" => MultiArch::Allowed,
            _ => MultiArch::No,
        },
        automatic: false,
        essential: stanza.says_yes("Essential"),
        protected: stanza.says_yes("Protected") || stanza.says_yes("Important"),
        required: stanza.value("Priority") == "required",
        held: wanted == "hold",
        provides,
        wants,
    }))
}

/// `Source: name (version)`; parts that equal those of the package are left out.
fn source(stanza: &Stanza<'_>) -> (String, String) {
    let (name, version) = match stanza.value("Source") {
        "" => (stanza.value("Package"), None),
        source => match source.split_once('(') {
            None => (source, None),
            Some((name, version)) => (name.trim_end(), Some(version.trim_end_matches(')'))),
        },
    };
    (name.to_owned(), version.unwrap_or(stanza.value("Version")).to_owned())
}

fn most_frequent_architecture(packages: &[Installed]) -> String {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for package in packages.iter().filter(|p| p.architecture != "all") {
        *counts.entry(&package.architecture).or_default() += 1;
    }
    // The name decides between equals, so that the answer is the same in every run.
    let most = counts.into_iter().max_by_key(|(name, count)| (*count, *name));
    most.map_or("amd64", |(name, _)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(status: &str) -> Result<Database, Error> {
        Database::parse(status, Path::new("status"))
    }

    #[test]
    fn only_what_is_installed_is_read() {
        let database = parse(
            "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\
             Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n\
             Package: half\nStatus: hold ok half-configured\nArchitecture: all\nVersion: 1-2\n\
             Source: whole (0.9-2)\nDepends: dpkg\n",
        )
        .unwrap();
        let [dpkg, half] = &database.packages[..] else { panic!("two packages are installed") };
        assert_eq!((dpkg.name.as_str(), dpkg.held), ("dpkg", false));
        assert_eq!((half.architecture.as_str(), half.held), ("amd64", true));
        assert_eq!(half.source, ("whole".into(), "0.9-2".into()));
        assert_eq!(half.wants[0].0, Kind::Depends);
    }

    #[test]
    fn marks_are_per_architecture_and_survive_a_round_trip() {
        let stanza = |name, arch| {
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: {arch}\nVersion: 1\n\n")
        };
        let status =
            stanza("dpkg", "amd64") + &stanza("a", "amd64") + &stanza("a", "i386") + &stanza("b", "all");
        let mut database = parse(&status).unwrap();
        let states = "Package: a\nArchitecture: i386\nAuto-Installed: 1\n\n\
                      Package: b\nAuto-Installed: 1\n\nPackage: dpkg\nAuto-Installed: 0\n";
        let marks = |database: &Database| database.packages.iter().map(|p| p.automatic).collect::<Vec<_>>();
        database.mark_automatic(states, Path::new("extended_states")).unwrap();
        assert_eq!(marks(&database), [false, false, true, true]);
        let states = database.extended_states();
        database.mark_automatic(&states, Path::new("extended_states")).unwrap();
        assert_eq!(marks(&database), [false, false, true, true]);
        assert_eq!((database.shown_name(2).as_str(), database.find("a")), ("a:i386", Some(1)));
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let fault = |status| parse(status).err().unwrap().to_string();
        assert_eq!(fault("Version: 1\n"), "status, line 1: a stanza without a Package field");
        assert_eq!(fault("\nPackage: a\n"), "status, line 2: a has no Status field");
        assert_eq!(
            fault("Package: a\nStatus: installed\n"),
            "status, line 2: expected three words of status, found \"installed\""
        );
        assert_eq!(
            fault("Package: a\nStatus: install ok installed\nVersion: 1\nDepends: b (1\n"),
            "status, line 4: cannot read the relation \"b (1\""
        );
    }
}
