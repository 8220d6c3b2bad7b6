//! The public key of a name that signs nothing: `cosign.pub` answers for every name, and tells nobody which ones exist.

use super::signing;
use crate::error::{Error, Result};
use crate::secrets::MasterKey;

/// Always the same for a name, and of the same look as a key that signs; whoever lacks the master key cannot tell.
pub(super) fn public_key(master_key: &MasterKey, namespace: &str) -> Result<String> {
    // Of 2^32 texts of 256 bits one is no scalar of P-256; two in a row are never seen.
    for round in 0..4 {
        let scalar = master_key.derive(&format!("public key of a name that signs nothing, {round}: {namespace}"));
        if let Ok(pem) = signing::public_of(&scalar) {
            return Ok(pem);
        }
    }
    Err(Error::internal("deriving a key", "no scalar of the curve".to_owned()))
}
