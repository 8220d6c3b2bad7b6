//! Reading a JSON body of bounded size, after its sender was checked.

use crate::error::{Error, Result};
use actix_web::web::Payload;
use serde::de::DeserializeOwned;

pub(super) async fn read<T: DeserializeOwned>(payload: Payload, limit: usize) -> Result<T> {
    let bytes = payload
        .to_bytes_limited(limit)
        .await
        .map_err(|_over| Error::TooLarge(format!("the message is larger than {limit} bytes")))?
        .map_err(|e| Error::Invalid(format!("the message broke off: {e}")))?;
    serde_json::from_slice(&bytes).map_err(|e| Error::Invalid(format!("the message cannot be read: {e}")))
}
