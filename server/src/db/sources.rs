//! Questions about sources.
