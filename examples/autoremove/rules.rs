//! The part of apt's configuration that decides what may be removed, and the kernels that apt protects.
//!
//! Read from `apt-config dump`; a machine without it gets what Debian ships. A pattern that cannot be
//! compiled is left out, as apt does. `APT::Never-MarkAuto-Sections` is not here: when apt removes a
//! metapackage it does mark what that needed as manually installed, but does not look again before the next
//! run.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::database::{Database, Installed};
use crate::pattern::{Pattern, any_matches};
use crate::version;

pub(crate) struct Rules {
    pub(crate) origin: Origin,
    /// The architectures whose packages may satisfy each other's dependencies, the machine's own first.
    pub(crate) architectures: Vec<String>,
    pub(crate) follow_recommends: bool,
    pub(crate) follow_suggests: bool,
    /// `APT::NeverAutoRemove`.
    pub(crate) never_remove: Vec<Pattern>,
    pub(crate) ignore_holds: bool,
    /// Essential, whatever the package says about itself.
    force_essential: Vec<String>,
    force_important: Vec<String>,
    protect_kernels: bool,
    /// The start of the names of packages that end in a kernel's version.
    kernel_packages: Vec<String>,
    /// The version of the running kernel.
    running: String,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Origin {
    AptConfig,
    Defaults,
}

/// Why a package is in the root set. The order is apt's order of looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Manual,
    Essential,
    Protected,
    Required,
    Kernel,
    NeverRemove,
    Held,
}

impl Reason {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Manual => "manually installed",
            Self::Essential => "essential",
            Self::Protected => "protected",
            Self::Required => "of priority required",
            Self::Kernel => "part of a kernel in use",
            Self::NeverRemove => "on apt's NeverAutoRemove list",
            Self::Held => "on hold",
        }
    }
}

/// What Debian's apt has in /etc/apt/apt.conf.d/01autoremove, in the form of `apt-config dump`.
const DEFAULTS: &str = r#"
APT::NeverAutoRemove:: "^firmware-linux.*";
APT::NeverAutoRemove:: "^linux-firmware$";
APT::NeverAutoRemove:: "^linux-image-[a-z0-9]*$";
APT::NeverAutoRemove:: "^linux-image-[a-z0-9]*-[a-z0-9]*$";
APT::VersionedKernelPackages:: "linux-.*";
APT::VersionedKernelPackages:: "kfreebsd-.*";
APT::VersionedKernelPackages:: "gnumach-.*";
APT::VersionedKernelPackages:: ".*-modules";
APT::VersionedKernelPackages:: ".*-kernel";
"#;

impl Rules {
    /// The rules of this machine, for a database of the architecture `native`.
    pub(crate) fn of_this_machine(native: &str) -> Self {
        let dump = Command::new("apt-config").arg("dump").output().ok().filter(|o| o.status.success());
        let (origin, text) = match &dump {
            Some(output) => (Origin::AptConfig, String::from_utf8_lossy(&output.stdout)),
            None => (Origin::Defaults, DEFAULTS.into()),
        };
        let running = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self::from_dump(&Dump::parse(&text), origin, native, running.trim())
    }

    fn from_dump(dump: &Dump<'_>, origin: Origin, native: &str, running: &str) -> Self {
        let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let mut architectures = vec![native.to_owned()];
        // Those of another machine say nothing about this database.
        if dump.value("APT::Architecture") == Some(native) {
            architectures.extend(owned(dump.list("APT::Architectures")).into_iter().filter(|a| a != native));
        }
        Self {
            origin,
            architectures,
            follow_recommends: dump.flag("APT::AutoRemove::RecommendsImportant", true),
            follow_suggests: dump.flag("APT::AutoRemove::SuggestsImportant", true),
            never_remove: compile(dump.list("APT::NeverAutoRemove")),
            ignore_holds: dump.flag("APT::Ignore-Hold", false),
            force_essential: match dump.list("pkgCacheGen::ForceEssential")[..] {
                [] => vec!["apt".to_owned()],
                ref names => owned(names.to_vec()),
            },
            force_important: owned(dump.list("pkgCacheGen::ForceImportant")),
            protect_kernels: dump.flag("APT::Protect-Kernels", true),
            kernel_packages: owned(dump.list("APT::VersionedKernelPackages")),
            running: running.to_owned(),
        }
    }

    /// Why this package is in the root set, if it is.
    pub(crate) fn reason(&self, kernels: &Kernels, package: &Installed) -> Option<Reason> {
        let forced = |names: &[String]| names.contains(&package.name);
        if !package.automatic {
            Some(Reason::Manual)
        } else if package.essential || forced(&self.force_essential) {
            Some(Reason::Essential)
        } else if package.protected || forced(&self.force_important) {
            Some(Reason::Protected)
        } else if package.required {
            Some(Reason::Required)
        } else if any_matches(&kernels.protected, &package.name) {
            Some(Reason::Kernel)
        } else if any_matches(&self.never_remove, &package.name) {
            Some(Reason::NeverRemove)
        } else if package.held && !self.ignore_holds {
            Some(Reason::Held)
        } else {
            None
        }
    }
}

/// Which packages belong to a kernel, and which of those to a kernel that is still of use: the running one,
/// the latest, and the one before it when those are the same one.
#[derive(Default)]
pub(crate) struct Kernels {
    pub(crate) versioned: Vec<Pattern>,
    pub(crate) protected: Vec<Pattern>,
}

impl Kernels {
    pub(crate) fn of(database: &Database, rules: &Rules) -> Self {
        let names = &rules.kernel_packages;
        let versioned = compile(names.iter().map(|name| format!("^{name}-.*$")));
        let mut installed: Vec<(&str, &str)> =
            database.packages.iter().filter_map(|p| Some((p.version.as_str(), release(&p.name)?))).collect();
        if installed.is_empty() || !rules.protect_kernels {
            return Self { versioned, protected: Vec::new() };
        }
        installed.sort_by(|(a, _), (b, _)| version::compare(b, a));
        let mut latest_first: Vec<&str> = installed.iter().map(|(version, _)| *version).collect();
        latest_first.dedup_by(|a, b| version::compare(a, b).is_eq());
        let running =
            installed.iter().find(|(_, release)| *release == rules.running).map(|(version, _)| *version);
        let mut kept: Vec<&str> = running.into_iter().collect();
        for version in latest_first.into_iter().take(2) {
            if kept.len() < 2 && !kept.contains(&version) {
                kept.push(version);
            }
        }
        let mut releases: BTreeSet<&str> = installed
            .iter()
            .filter(|(version, _)| kept.contains(version))
            .map(|(_, release)| *release)
            .collect();
        releases.insert(&rules.running);
        releases.remove("");
        let escaped = |release: &str| release.replace('.', r"\.").replace('+', r"\+");
        let protected =
            releases.iter().flat_map(|r| names.iter().map(move |n| format!("^{n}-{}$", escaped(r))));
        Self { versioned, protected: compile(protected) }
    }
}

/// What `uname -r` says when the kernel of this package runs.
fn release(package_name: &str) -> Option<&str> {
    if package_name.ends_with("-dbg") || package_name.ends_with("-dbgsym") {
        return None;
    }
    let prefixes = ["linux-image-", "kfreebsd-image-", "gnumach-image-"];
    let release = prefixes.iter().find_map(|prefix| package_name.strip_prefix(prefix))?;
    let (major, _) = release.split_once('.')?;
    (!major.is_empty() && major.bytes().all(|c| c.is_ascii_digit())).then_some(release)
}

fn compile<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Vec<Pattern> {
    patterns.into_iter().filter_map(|text| Pattern::new(text.as_ref()).ok()).collect()
}

/// The lines `Key "value";` of `apt-config dump`.
struct Dump<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Dump<'a> {
    fn parse(text: &'a str) -> Self {
        let entry = |line: &'a str| line.strip_suffix("\";")?.split_once(" \"");
        Self(text.lines().filter_map(entry).collect())
    }

    fn value(&self, key: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(k, v)| k.eq_ignore_ascii_case(key) && !v.is_empty());
        found.map(|(_, value)| *value)
    }

    /// The children of a key, `Key::` or `Key::name`; or its own value, split at commas.
    fn list(&self, key: &str) -> Vec<&'a str> {
        if let Some(value) = self.value(key) {
            return value.split(',').map(str::trim).collect();
        }
        let is_child = |k: &str| {
            let rest = k.get(key.len()..).and_then(|rest| rest.strip_prefix("::"));
            k.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key))
                && rest.is_some_and(|rest| !rest.contains("::"))
        };
        self.0.iter().filter(|(k, _)| is_child(k)).map(|(_, value)| *value).collect()
    }

    fn flag(&self, key: &str, default: bool) -> bool {
        match self.value(key).unwrap_or_default().to_ascii_lowercase().as_str() {
            "0" | "no" | "false" | "without" | "off" | "disable" => false,
            "1" | "yes" | "true" | "with" | "on" | "enable" => true,
            _ => default,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::Path;

    pub(crate) fn rules(dump: &str, running: &str) -> Rules {
        Rules::from_dump(&Dump::parse(dump), Origin::AptConfig, "amd64", running)
    }

    #[test]
    fn a_dump_is_read_as_apt_reads_its_configuration() {
        let rules = rules(
            "APT \"\";\nAPT::Architecture \"amd64\";\nAPT::Architectures \"\";\n\
             APT::Architectures:: \"amd64\";\nAPT::Architectures:: \"i386\";\n\
             APT::NeverAutoRemove \"\";\nAPT::NeverAutoRemove::mine \"^a$\";\nAPT::NeverAutoRemove:: \"[\";\n\
             APT::AutoRemove::SuggestsImportant \"False\";\nAPT::VersionedKernelPackages \"a-.*,b\";\n",
            "",
        );
        assert_eq!(rules.architectures, ["amd64", "i386"]);
        assert_eq!(rules.never_remove.len(), 1, "the pattern that cannot be compiled is left out");
        assert!(rules.follow_recommends && !rules.follow_suggests);
        assert_eq!(rules.kernel_packages, ["a-.*", "b"]);
        assert_eq!(rules.force_essential, ["apt"]);
    }

    fn protected(kernels: &[(&str, &str)], running: &str) -> Vec<String> {
        let stanza = |(name, version): &(&str, &str)| {
            format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n\
                 Package: linux-headers-{}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n",
                release(name).unwrap_or("none")
            )
        };
        let status: String = kernels.iter().map(stanza).collect();
        let database = Database::parse(&status, Path::new("status")).unwrap();
        let kernels = Kernels::of(&database, &rules(DEFAULTS, running));
        let names = database.packages.iter().map(|p| p.name.clone());
        names.filter(|name| any_matches(&kernels.protected, name)).collect()
    }

    #[test]
    fn the_running_and_the_latest_kernel_are_protected() {
        let kernels = [
            ("linux-image-6.1.0-9-amd64", "6.1.27-1"),
            ("linux-image-6.1.0-10-amd64", "6.1.37-1"),
            ("linux-image-6.1.0-11-amd64", "6.1.38-4"),
        ];
        let ends_with = |running, releases: &[&str]| {
            let expected =
                releases.iter().flat_map(|r| [format!("linux-image-{r}"), format!("linux-headers-{r}")]);
            assert_eq!(protected(&kernels, running), expected.collect::<Vec<_>>(), "running {running}");
        };
        ends_with("6.1.0-9-amd64", &["6.1.0-9-amd64", "6.1.0-11-amd64"]);
        ends_with("6.1.0-11-amd64", &["6.1.0-10-amd64", "6.1.0-11-amd64"]);
        ends_with("4.4-foreign", &["6.1.0-10-amd64", "6.1.0-11-amd64"]);
    }

    #[test]
    fn only_images_with_a_version_are_kernels() {
        assert_eq!(release("linux-image-6.1.0-9-amd64"), Some("6.1.0-9-amd64"));
        for other in
            ["linux-image-amd64", "linux-image-6.1.0-9-amd64-dbg", "linux-headers-6.1.0-9", "linux-image-6"]
        {
            assert_eq!(release(other), None);
        }
        assert_eq!(protected(&[("linux-libc-dev", "6.1.27-1")], "6.1.0-9-amd64"), Vec::<String>::new());
    }
}
