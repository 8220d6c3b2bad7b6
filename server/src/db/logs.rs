//! Questions about logs.
