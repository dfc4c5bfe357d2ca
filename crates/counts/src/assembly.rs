//! What is in the machine code of a function: x86-64, as binutils' `objdump` shows it.

use std::env;
use std::process::Command;

/// The instructions of the only function in this program whose name, without its hash, ends like that.
pub(crate) fn of(function: &str) -> Result<Vec<String>, String> {
    let program = env::current_exe().map_err(|error| format!("this program's path: {error}"))?;
    let output = Command::new("objdump")
        .args(["--disassemble", "--demangle", "--no-show-raw-insn", "--no-addresses"])
        .arg(program)
        .output()
        .map_err(|error| format!("objdump: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut found = text.split("\n\n").filter(|block| {
        let name = block.trim_start().lines().next().unwrap_or_default();
        let name = name.trim_start_matches('<').trim_end_matches(">:");
        name.ends_with(function) || name.rsplit_once("::h").is_some_and(|(name, _)| name.ends_with(function))
    });
    let (Some(block), None) = (found.next(), found.next()) else {
        return Err(format!("objdump shows no function {function}, or several"));
    };
    let lines = block.trim_start().lines().skip(1);
    Ok(lines.map(|line| line.trim().to_string()).filter(|line| !line.is_empty()).collect())
}

/// Calls and divisions.
pub(crate) fn slow(instructions: &[String]) -> Vec<&str> {
    let is_slow = |line: &&str| {
        let operation = line.split_whitespace().next().unwrap_or_default();
        operation.starts_with("call") || operation.starts_with("div") || operation.starts_with("idiv")
    };
    instructions.iter().map(String::as_str).filter(is_slow).collect()
}
