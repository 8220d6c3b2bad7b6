//! What listing a directory may cost: steps of work, and whether anybody still waits for it.

use super::failure::Failure;

/// Far above what a million files and a long `.dockerignore` take; some minutes of a processor.
const MOST_STEPS: u64 = 50_000_000_000;
/// Steps between two looks at whether somebody waits: some milliseconds.
const LOOK_EVERY: u64 = 1 << 20;

/// The work that one transfer may still do.
pub(super) struct Effort<'a> {
    left: u64,
    until_look: u64,
    is_wanted: &'a dyn Fn() -> bool,
    /// Sets of places in a pattern, kept so that no match has to make them.
    pub(super) places: [Vec<u64>; 2],
}

impl<'a> Effort<'a> {
    /// `is_wanted` says whether the receiver is still there.
    pub(super) fn new(is_wanted: &'a dyn Fn() -> bool) -> Self {
        Self { left: MOST_STEPS, until_look: LOOK_EVERY, is_wanted, places: Default::default() }
    }

    #[cfg(test)]
    pub(super) fn of_steps(steps: u64, is_wanted: &'a dyn Fn() -> bool) -> Self {
        Self { left: steps, ..Self::new(is_wanted) }
    }

    #[cfg(test)]
    pub(super) fn spent(&self) -> u64 {
        MOST_STEPS - self.left
    }

    /// Takes `steps` off; an error when none are left, or nobody waits.
    pub(super) fn spend(&mut self, steps: u64) -> Result<(), Failure> {
        self.left = self.left.checked_sub(steps).ok_or(Failure::TooMuchWork)?;
        match self.until_look.checked_sub(steps) {
            Some(left) => {
                self.until_look = left;
                Ok(())
            }
            None => self.look(),
        }
    }

    /// An error when nobody waits.
    pub(super) fn look(&mut self) -> Result<(), Failure> {
        self.until_look = LOOK_EVERY;
        if (self.is_wanted)() { Ok(()) } else { Err(Failure::Gone) }
    }
}
