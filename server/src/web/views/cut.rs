//! Lists that a page shows in part.

/// The first entries of a list, and how many more there are.
#[derive(Debug, Clone)]
pub struct Cut<T> {
    pub shown: Vec<T>,
    pub more: u64,
}

impl<T> Cut<T> {
    /// At most so many of them.
    pub fn first(mut all: Vec<T>, most: usize) -> Self {
        let more = all.len().saturating_sub(most) as u64;
        all.truncate(most);
        Self { shown: all, more }
    }

    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    pub fn is_one(&self) -> bool {
        self.shown.len() == 1 && self.more == 0
    }

    /// `and 2,990 more`, or nothing when all are shown.
    pub fn rest(&self) -> Option<String> {
        (self.more > 0).then(|| format!("and {} more", super::filters::number_text(self.more)))
    }
}

impl<T> Default for Cut<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T> From<Vec<T>> for Cut<T> {
    fn from(shown: Vec<T>) -> Self {
        Self { shown, more: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let cut = Cut::first(vec![0; 3_000], 10);
        assert_eq!((cut.shown.len(), cut.rest().as_deref()), (10, Some("and 2,990 more")));
        assert_eq!(Cut::first(vec![1, 2], 2).rest(), None);
    }
}
