//! How much all patterns of a transfer may stand for together: what they are compiled to is kept in memory.

/// Of characters and what costs as much, about 16 bytes each. Patterns without `{n}`, `|` and `[]` stand for no more
/// than the bytes they are written in.
const MOST: usize = 2 << 20;

/// What is left of it.
#[derive(Debug)]
pub(in super::super) struct Room(usize);

impl Room {
    pub(in super::super) fn new() -> Self {
        Self(MOST)
    }

    /// How much was taken so far.
    pub(in super::super) fn taken(&self) -> usize {
        MOST - self.0
    }

    /// Takes as much as `characters` off, before anything is made of them.
    pub(super) fn take(&mut self, characters: usize) -> Result<(), String> {
        let left = self.0.checked_sub(characters);
        self.0 = left.ok_or_else(|| format!("with the others it stands for more than {MOST} characters"))?;
        Ok(())
    }
}
