//! Questions about manifests.
