//! A value that is computed when it is first asked for, through a shared reference, with std or without.

/// A value computed at first use. Of two threads that come at the same time both may compute it; the result
/// of one is kept for both. No lock: nobody waits, and a panic of the computation leaves nothing behind.
pub(crate) struct Once<T> {
    /// The first that is complete counts. Without std there is no `OnceLock`, and this is in the tree
    /// already.
    values: boxcar::Vec<T>,
}

impl<T> Once<T> {
    pub(crate) fn new() -> Self {
        Self { values: boxcar::Vec::new() }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.values.iter().next().map(|(_, value)| value)
    }

    pub(crate) fn get_or_init(&self, compute: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let place = self.values.push(compute());
        &self.values[place]
    }
}

impl<T> core::fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(if self.get().is_some() { "Once(computed)" } else { "Once(not computed)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_computed_once() {
        let once = Once::new();
        assert!(once.get().is_none());
        assert_eq!(*once.get_or_init(|| 1), 1);
        assert_eq!(*once.get_or_init(|| unreachable!("it is there already")), 1);
    }
}
