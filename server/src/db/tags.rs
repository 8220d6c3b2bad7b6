//! Questions about tags.
