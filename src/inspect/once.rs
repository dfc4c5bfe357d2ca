//! A value that is computed at its first use, through a shared reference, with or without std.

/// A value computed at first use. If two threads come at the same time, both may compute it; one result is
/// kept for both. No lock: no thread waits, and a panic of the computation leaves nothing behind.
pub(crate) struct Once<T> {
    /// The first complete one counts. Without std there is no `OnceLock`, and `boxcar` is a dependency
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
