//! What a question about signatures may cost.

/// Manifests and blobs that are read for one question; one manifest with all its layers fits. The rest is for the next time.
const MOST_READS: usize = 300;
/// Signatures that are held against a key for one question: some tenths of a second of one processor.
const MOST_TRIES: usize = 4_000;
/// Of one image while others wait: what the server signed is found with two reads, among as many others as a manifest takes.
const SHARE: (usize, usize) = (6, 600);

/// What is left of it.
pub(super) struct Effort {
    reads: usize,
    tries: usize,
    /// Something was not looked at for want of it.
    pub(super) is_short: bool,
}

impl Effort {
    pub(super) fn new() -> Self {
        Self { reads: MOST_READS, tries: MOST_TRIES, is_short: false }
    }

    /// Takes the share of one image.
    pub(super) fn share(&mut self) -> Self {
        let share = Self { reads: SHARE.0.min(self.reads), tries: SHARE.1.min(self.tries), is_short: false };
        self.reads -= share.reads;
        self.tries -= share.tries;
        share
    }

    pub(super) fn give_back(&mut self, share: &Self) {
        self.reads += share.reads;
        self.tries += share.tries;
    }

    /// Whether one more may be read.
    pub(super) fn read(&mut self) -> bool {
        let is_left = self.reads > 0;
        self.reads = self.reads.saturating_sub(1);
        self.is_short |= !is_left;
        is_left
    }

    /// How many signatures may be held against a key yet.
    pub(super) fn tries(&self) -> usize {
        self.tries
    }

    pub(super) fn tried(&mut self, number: usize, is_whole: bool) {
        self.tries = self.tries.saturating_sub(number);
        self.is_short |= !is_whole;
    }
}
