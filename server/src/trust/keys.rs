//! The instance's signing key: made at the first start, encrypted with the master key.

use super::signing::{self, Signer};
use crate::app::App;
use crate::db::{self, rows};
use crate::error::{Error, Result};
use crate::secrets::{MasterKey, Place};
use uuid::Uuid;

fn place(row: Uuid) -> Place {
    Place { table: "signing_key", column: "private_encrypted", row }
}

/// Makes the instance's key if there is none, and checks that the present one can be used.
pub async fn ensure_key(app: &App) -> Result<()> {
    let tx = app.db.begin().await?;
    if db::keys::present(&tx).await?.is_none() {
        let (public_pem, private) = signing::generate()?;
        let id = Uuid::now_v7();
        let row = rows::SigningKey {
            id,
            scope: db::keys::INSTANCE.to_owned(),
            namespace_id: None,
            algorithm: signing::ALGORITHM.to_owned(),
            fingerprint: signing::fingerprint(&public_pem)?,
            public_pem,
            private_encrypted: app.master_key.seal_text(place(id), &private),
            created_at: app.clock.now(),
            retired_at: None,
        };
        tracing::info!("made the signing key {}", row.fingerprint);
        db::keys::insert(&tx, row).await?;
        tx.commit().await?;
    }
    present(app).await.map(|_| ())
}

/// The present key, ready to sign.
pub(super) async fn present(app: &App) -> Result<(rows::SigningKey, Signer)> {
    let row = present_row(app).await?;
    let private = app.master_key.open_text(place(row.id), &row.private_encrypted)?;
    let signer = Signer::new(&private)?;
    Ok((row, signer))
}

/// Whether this master key is the one that the key was encrypted with.
pub fn opens(master_key: &MasterKey, row: &rows::SigningKey) -> bool {
    master_key.open(place(row.id), &row.private_encrypted).is_ok()
}

/// What `cosign verify --key` takes. One key signs for all of the instance, so this says nothing about any repository.
pub async fn public_key(app: &App) -> Result<String> {
    Ok(present_row(app).await?.public_pem)
}

async fn present_row(app: &App) -> Result<rows::SigningKey> {
    db::keys::present(&app.db).await?.ok_or_else(|| {
        Error::internal("signing", "there is no signing key; restart the server to have one made".to_owned())
    })
}
