//! Keys that sign, and those before them.

use super::super::cut::Cut;
use super::super::signing_key::{KeyFacts, KeyRow, RunFacts};
use super::data::ago;

pub(super) fn key_row(revoked: bool) -> KeyRow {
    let fingerprint = format!("SHA256:{}", "3f9a1c07".repeat(8));
    KeyRow { url: format!("/acme/api/-/cosign.pub?key={fingerprint}"), fingerprint, made: ago(9_000), revoked }
}

pub(super) fn key() -> KeyFacts {
    let run =
        RunFacts { looked: 120, total: 3_400, signed: 88, skipped: 1, published: false, finished: None, held: false };
    KeyFacts {
        present: Some(key_row(false)),
        old: Cut { shown: vec![key_row(false), key_row(true)], more: 3 },
        run: Some(run),
    }
}
