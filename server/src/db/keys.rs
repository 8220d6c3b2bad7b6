//! Questions about keys.
