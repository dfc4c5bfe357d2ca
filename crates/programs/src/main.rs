//! Whole programs on slotgc and on three other kinds of memory. See `README.md`.

mod clock;
mod dom;
mod lox;
mod program;
mod report;
mod rounds;

use std::process::ExitCode;

use program::{Program, Size, Substrate};

const HELP: &str = "\
Runs whole programs on slotgc, gc-arena, Rc and plain indices and prints a table.

  --quick             runs everything small, once, and compares the answers
  --only TEXT[,..]    programs whose names contain one of these
  --rounds N          default 9
  --core N            default: the last
  --run NAME ON       one run: milliseconds of its parts, then its answer
  --still             before `--run`: reads no clock, for valgrind
  --list              the programs
";

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), String> {
    let programs = programs();
    let mut chosen: Vec<&Program> = programs.iter().collect();
    let (mut rounds, mut core, mut quick) = (9, None, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--quick" => quick = true,
            "--only" => {
                let texts = value()?;
                chosen.retain(|program| texts.split(',').any(|text| program.name.contains(text)));
            }
            "--rounds" => rounds = number(&value()?)?.max(1),
            "--core" => core = Some(number(&value()?)?),
            "--run" => return run_one(&programs, &value()?, &value()?),
            "--still" => clock::stand_still(),
            "--list" => {
                programs.iter().for_each(|program| println!("{}", program.name));
                return Ok(());
            }
            "--help" => {
                print!("{HELP}");
                return Ok(());
            }
            _ => return Err(format!("unknown option {arg}\n\n{HELP}")),
        }
    }
    if quick {
        compare_small(&chosen);
        return Ok(());
    }
    let pinned = report::pin(core);
    report::heading(rounds, pinned);
    report::table(&rounds::run(&chosen, rounds));
    Ok(())
}

fn programs() -> Vec<Program> {
    let mut programs = lox::benchmarks::programs();
    programs.push(dom::benchmark::program());
    programs
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

fn run_one(programs: &[Program], name: &str, on: &str) -> Result<(), String> {
    let program = programs.iter().find(|program| program.name == name);
    let program = program.ok_or_else(|| format!("no program {name}"))?;
    let substrate = Substrate::ALL.into_iter().find(|substrate| substrate.name() == on);
    let substrate = substrate.ok_or_else(|| format!("no substrate {on}"))?;
    let run = (program.run)(program, substrate, Size::Full);
    let times: Vec<String> =
        run.times.iter().map(|time| format!("{:.6}", time.as_secs_f64() * 1e3)).collect();
    println!("{}", times.join(" "));
    print!("{}", run.answer);
    Ok(())
}

/// Runs each program small on each substrate.
///
/// # Panics
/// When two answers differ.
fn compare_small(programs: &[&Program]) {
    for program in programs {
        let [first, others @ ..] =
            Substrate::ALL.map(|substrate| (program.run)(program, substrate, Size::Quick));
        for (substrate, other) in Substrate::ALL[1..].iter().zip(others) {
            assert_eq!(first.answer, other.answer, "{} on {}", program.name, substrate.name());
        }
        println!("{}: the same on all", program.name);
    }
}
