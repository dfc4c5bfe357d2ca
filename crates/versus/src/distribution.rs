//! The distribution of many times of the same thing.

/// Sorted times.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    sorted: Vec<f64>,
}

impl Distribution {
    /// Of these times, one at least.
    pub(crate) fn new(mut times: Vec<f64>) -> Self {
        assert!(!times.is_empty(), "nothing was timed");
        times.sort_by(f64::total_cmp);
        Self { sorted: times }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The time that this part of all times does not exceed.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let rank = (self.sorted.len() as f64 * part).ceil() as usize;
        self.sorted[rank.clamp(1, self.sorted.len()) - 1]
    }

    pub(crate) fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    pub(crate) fn mean(&self) -> f64 {
        self.sorted.iter().sum::<f64>() / self.sorted.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_least_time_that_so_many_do_not_exceed() {
        let times = Distribution::new((1..=1000).rev().map(f64::from).collect());
        assert_eq!([0.0, 0.5, 0.999, 1.0].map(|part| times.quantile(part)), [1.0, 500.0, 999.0, 1000.0]);
        assert_eq!((times.max(), times.mean(), times.len()), (1000.0, 500.5, 1000));
    }
}
