//! Shortens a failing program.

/// An op that may have ops inside.
pub trait Nested: Clone {
    /// The ops inside of this one, if it may have some.
    fn inside(&mut self) -> Option<&mut Vec<Self>>;
}

/// Leaves out ops as long as the program still `fails`: first many at once, then single ones, then ops inside
/// of others (Zeller's delta debugging, naive).
pub fn shrink<O: Nested>(mut ops: Vec<O>, fails: &mut dyn FnMut(&[O]) -> bool) -> Vec<O> {
    let mut piece = ops.len().div_ceil(2);
    while piece > 0 {
        let mut start = 0;
        while start < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(start..(start + piece).min(ops.len()));
            if fails(&fewer) {
                ops = fewer;
            } else {
                start += piece;
            }
        }
        piece /= 2;
    }
    for index in 0..ops.len() {
        let Some(inside) = ops[index].inside().cloned() else { continue };
        let with = |inside: &[O]| {
            let mut ops = ops.clone();
            *ops[index].inside().expect("as above") = inside.to_vec();
            ops
        };
        let inside = shrink(inside, &mut |inside| fails(&with(inside)));
        ops = with(&inside);
    }
    ops
}
