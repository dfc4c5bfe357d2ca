//! The command line.

use crate::database::Files;

pub(crate) const HELP: &str = "\
Which installed Debian packages are not needed any more?

usage: autoremove [options] [STATUS EXTENDED_STATES]

Reads dpkg's status file and apt's extended_states, by default those of this machine.
Changes nothing.

  --why NAME      what keeps this package: the shortest chain from a root to it
  --without NAME  as if this package had not been installed by hand; may be repeated
  --all           list all packages that are not needed, not only the first ones
  --check         compare with what apt-get says about the same files
  --trials N      compare N altered copies too
  --help          this text";

#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) files: Option<Files>,
    pub(crate) why: Option<String>,
    pub(crate) without: Vec<String>,
    pub(crate) all: bool,
    pub(crate) check: bool,
    pub(crate) trials: u64,
}

impl Arguments {
    /// `None` if help is requested.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut parsed = Self::default();
        let mut paths = Vec::new();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--why" => parsed.why = Some(value()?),
                "--without" => parsed.without.push(value()?),
                "--all" => parsed.all = true,
                "--check" => parsed.check = true,
                "--trials" => {
                    let text = value()?;
                    parsed.trials = text.parse().map_err(|_| format!("--trials {text:?} is not a number"))?;
                }
                option if option.starts_with('-') => return Err(format!("{option} is not an option")),
                _ => paths.push(argument),
            }
        }
        parsed.files = match &paths[..] {
            [] => None,
            [status, extended_states] => {
                Some(Files { status: status.into(), extended_states: extended_states.into() })
            }
            _ => return Err("give both files, a status file and an extended_states file, or neither".into()),
        };
        Ok(Some(parsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Arguments>, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_and_files_may_come_in_any_order() {
        let parsed = parse("status --why perl states --check --without git --trials 3").unwrap().unwrap();
        assert_eq!(parsed.files.unwrap().extended_states.to_str(), Some("states"));
        assert_eq!((parsed.why.as_deref(), parsed.check, parsed.trials), (Some("perl"), true, 3));
        assert_eq!(parsed.without, ["git"]);
        assert!(parse("--check --help").unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, message) in [
            ("status", "give both files, a status file and an extended_states file, or neither"),
            ("--why", "--why needs a value"),
            ("--trials x", "--trials \"x\" is not a number"),
            ("--chek", "--chek is not an option"),
        ] {
            assert_eq!(parse(line).unwrap_err(), message);
        }
    }
}
