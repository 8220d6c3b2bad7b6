//! The tables as sea-orm sees them, one module each. Only `db` names them; others get their `Model`s.

/// One table: `pub(crate) mod <table>` with `Model`, `Entity`, `Column`, `ActiveModel`. Each has a UUID as `id`.
macro_rules! entity {
    ($table:ident $name:literal { $($column:ident: $kind:ty,)* }) => {
        pub(crate) mod $table {
            #[allow(unused_imports, clippy::allow_attributes, reason = "not every table uses every type")]
            use super::*;
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $name)]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub id: Uuid,
                $(pub $column: $kind,)*
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

pub(crate) mod accounts;
pub(crate) mod builds;
pub(crate) mod operations;
pub(crate) mod registry;
pub(crate) mod sources;
pub(crate) mod values;
