//! Questions about uploads.
