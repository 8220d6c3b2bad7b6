//! How much all patterns of a transfer may stand for together: what they are compiled to is kept in memory.

/// Of characters and what costs as much, about 16 bytes each. Patterns without `{n}`, `|` and `[]` stand for no more
/// than the bytes they are written in.
const MOST: usize = 2 << 20;

/// What is left of it.
#[derive(Debug)]
pub(in super::super) struct Room {
    left: usize,
    is_full: bool,
}

impl Room {
    pub(in super::super) fn new() -> Self {
        Self { left: MOST, is_full: false }
    }

    /// How much was taken so far.
    pub(in super::super) fn taken(&self) -> usize {
        MOST - self.left
    }

    /// Whether something was refused.
    pub(in super::super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Takes as much as `characters` off, before anything is made of them.
    pub(super) fn take(&mut self, characters: usize) -> Result<(), String> {
        let left = self.left.checked_sub(characters);
        self.is_full |= left.is_none();
        self.left = left.ok_or_else(|| format!("with the others it stands for more than {MOST} characters"))?;
        Ok(())
    }
}
