//! What apt-get says about the same files, and where that differs from what was found here.
//!
//! apt-get only simulates, and reads nothing of the machine but its configuration and the two files: no
//! package lists, no cache. So it needs no rights and returns the same answer wherever the files are.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{self, Path};
use std::process::Command;

use crate::database::{Database, Files};
use crate::graph::{self, Graph};
use crate::paths;
use crate::resolve::Offers;
use crate::rules::Rules;

pub(crate) enum Answer {
    /// There is no apt-get on this machine.
    NotHere,
    /// It did not get as far as removing: its own words.
    Refused(String),
    Compared(Comparison),
}

pub(crate) struct Comparison {
    /// How many packages would be removed here, and how many by apt-get.
    pub(crate) ours: usize,
    pub(crate) theirs: usize,
    pub(crate) differences: Vec<Difference>,
}

/// A package that only one of the two would remove.
pub(crate) struct Difference {
    pub(crate) package: String,
    /// Why the other one keeps it.
    pub(crate) reason: String,
    /// Whether apt-get is known to differ in this way.
    pub(crate) is_explained: bool,
}

impl Comparison {
    pub(crate) fn agrees(&self) -> bool {
        self.differences.iter().all(|difference| difference.is_explained)
    }
}

/// Compares what would be removed here with what `apt-get autoremove` would remove. `database` is what
/// `files` say.
pub(crate) fn compare(files: &Files, database: &Database, rules: &Rules) -> Answer {
    let output = match simulate(files, rules, &[]) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Answer::NotHere,
        Err(why) => return Answer::Refused(why.to_string()),
        Ok(Err(words)) => return Answer::Refused(words),
        Ok(Ok(output)) => output,
    };
    let removed = output.lines().filter_map(|line| line.strip_prefix("Remv ")?.split(' ').next());
    let theirs: BTreeSet<String> = removed.map(str::to_owned).collect();
    let (graph, ours) = graph::removable(database, rules);
    let ours: BTreeSet<String> = ours.iter().map(|index| database.shown_name(*index)).collect();

    let mut differences = Vec::new();
    if ours != theirs {
        let offers = Offers::of(database, rules);
        let only_theirs = theirs.difference(&ours);
        differences.extend(only_theirs.map(|package| kept_here(package, database, &offers, &graph)));
        let trace = simulate(files, rules, &["Debug::pkgAutoRemove=1"]).ok().and_then(Result::ok);
        let trace = trace.unwrap_or_default();
        differences.extend(ours.difference(&theirs).map(|package| kept_by_apt(package, database, &trace)));
    }
    Answer::Compared(Comparison { ours: ours.len(), theirs: theirs.len(), differences })
}

fn kept_here(package: &str, database: &Database, offers: &Offers<'_>, graph: &Graph) -> Difference {
    let position = database.find(package);
    let Some(chain) = position.and_then(|index| paths::chain(graph, graph.packages[index])) else {
        let reason = "apt-get removes it, and it is not in the status file".into();
        return Difference { package: package.into(), reason, is_explained: false };
    };
    let positions = chain.iter().filter_map(|step| database.find(&graph.heap[step.package].name));
    let shadowed = positions.into_iter().find(|index| offers.is_overshadowed(*index));
    let why: Vec<&str> = chain.iter().map(|step| step.sentence.as_str()).collect();
    let mut reason = format!("kept here: {}", why.join(", "));
    if let Some(index) = shadowed {
        let name = database.shown_name(index);
        reason += &format!("; apt-get looked no further than a newer package with the same source as {name}");
    }
    Difference { package: package.into(), reason, is_explained: shadowed.is_some() }
}

fn kept_by_apt(package: &str, database: &Database, trace: &str) -> Difference {
    let index = database.find(package).expect("what is removed here is in the database");
    let full_name = format!("{}:{}", database.packages[index].name, database.packages[index].architecture);
    let line = |start: &str, end: &str| {
        let mut lines = trace.lines().rev();
        lines.find(|line| line.starts_with(start) && line.contains(end))
    };
    // A package that is not a root is marked right after the relation that leads to it.
    let reason = line("Following dep: ", &format!("provided by {full_name} "))
        .or_else(|| line(&format!("Marking: {full_name} "), ""))
        .unwrap_or("it does not say why");
    Difference { package: package.into(), reason: format!("kept by apt-get: {reason}"), is_explained: false }
}

/// The output of `apt-get autoremove`; inside, what it complained about when it failed.
fn simulate(files: &Files, rules: &Rules, extra: &[&str]) -> io::Result<Result<String, String>> {
    let setting = |key: &str, value: OsString| {
        let mut option = OsString::from(format!("{key}="));
        option.push(value);
        option
    };
    let mut options: Vec<OsString> = vec![
        setting("Dir::State::status", absolute(&files.status)?),
        setting("Dir::State::extended_states", absolute(&files.extended_states)?),
        setting("APT::Architecture", rules.architectures[0].clone().into()),
        setting("APT::Architectures", rules.architectures.join(",").into()),
        setting("APT::AutoRemove::RecommendsImportant", rules.follow_recommends.to_string().into()),
        setting("APT::AutoRemove::SuggestsImportant", rules.follow_suggests.to_string().into()),
    ];
    options.extend(ISOLATED.iter().chain(extra).map(OsString::from));
    let mut command = Command::new("apt-get");
    command.arg("--simulate").args(options.iter().flat_map(|option| ["-o".as_ref(), option.as_os_str()]));
    // With a date for reproducible builds apt ignores the running kernel.
    command.arg("autoremove").env("LC_ALL", "C").env_remove("SOURCE_DATE_EPOCH");
    let output = command.output()?;
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    if output.status.success() {
        return Ok(Ok(out + &err)); // the trace goes to stderr
    }
    // Which dependencies are not met is on stdout, after the reports of progress.
    let words = out.lines().chain(err.lines()).filter(|line| !line.ends_with("..."));
    Ok(Err(words.collect::<Vec<_>>().join("\n")))
}

/// No package lists, since they would add versions and flags that are not in the files; no cache, since it
/// would need a place to write; and the classic solver, which newer versions still have.
const ISOLATED: [&str; 9] = [
    "Dir::State::lists=/nonexistent",
    "Dir::Etc::sourcelist=/dev/null",
    "Dir::Etc::sourceparts=/dev/null",
    "Dir::Cache::pkgcache=",
    "Dir::Cache::srcpkgcache=",
    "APT::Solver=internal",
    "APT::Get::AutomaticRemove=true",
    "APT::Get::Purge=false",
    "APT::Get::Show-User-Simulation-Note=false",
];

fn absolute(path: &Path) -> io::Result<OsString> {
    path::absolute(path).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_apt_is_found_in_its_trace() {
        let status = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\
                      Package: b\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n";
        let database = Database::parse(status, Path::new("status")).unwrap();
        let trace = "Marking: a:amd64 1 (Manual-Installed)\n\
                     Following dep: a:amd64 Depends on b:amd64, provided by b:amd64 1 (1/1)\n\
                     Marking: b:amd64 1 (Dependency)\n";
        let reason = |package, trace| kept_by_apt(package, &database, trace).reason;
        assert_eq!(reason("a", trace), "kept by apt-get: Marking: a:amd64 1 (Manual-Installed)");
        assert!(reason("b", trace).ends_with("a:amd64 Depends on b:amd64, provided by b:amd64 1 (1/1)"));
        assert_eq!(reason("b", ""), "kept by apt-get: it does not say why");
    }
}
