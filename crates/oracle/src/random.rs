//! Random programs.

use crate::ops::{Op, from_bytes, weak_from_bytes};

/// A random program of about this many bytes. The same seed produces the same program; those of odd seeds are
/// mostly about weak collections and deaths.
pub fn random_program(seed: u64, bytes: usize) -> Vec<Op> {
    let bytes = random_bytes(seed, bytes);
    if seed % 2 == 1 { weak_from_bytes(&bytes) } else { from_bytes(&bytes) }
}

/// This many random bytes, or a few more. The same seed produces the same bytes.
pub fn random_bytes(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    // SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31).to_le_bytes()
    };
    (0..bytes.div_ceil(8)).flat_map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shrink::shrink;

    #[test]
    fn shrinking_leaves_what_is_needed() {
        let ops = random_program(2, 8000);
        let needed = |op: &Op| matches!(op, Op::Collect { heap: 0 } | Op::Shrink { heap: 0 });
        let mut fails = |ops: &[Op]| {
            ops.iter().any(|op| matches!(op, Op::Collect { .. }))
                && ops.iter().any(|op| matches!(op, Op::Shrink { .. }))
        };
        assert!(ops.len() > 100 && fails(&ops) && ops.iter().any(needed));
        assert_eq!(shrink(ops, &mut fails).len(), 2);
    }
}
