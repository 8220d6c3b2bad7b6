//! Short words for the columns that our tables are made of.
//!
//! Ids are UUIDs (version 7), times are UTC milliseconds, sizes are bytes, JSON is text.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

/// Statements that both databases understand, one after the other.
pub(crate) async fn execute(m: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for one in statements {
        m.get_connection().execute_unprepared(one).await?;
    }
    Ok(())
}

/// Makes indexes that are not there yet, each with its name and place, outside of a transaction: on PostgreSQL a server that
/// is at work reads and writes on meanwhile. One that broke off there, and answers nothing, is made anew.
pub(crate) async fn create_indexes(m: &SchemaManager<'_>, indexes: &[(&str, &str)]) -> Result<(), DbErr> {
    let is_postgres = m.get_database_backend() == DbBackend::Postgres;
    let concurrently = if is_postgres { "CONCURRENTLY" } else { "" };
    for (name, place) in indexes {
        if is_postgres && is_broken(m, name).await? {
            execute(m, &[&format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")]).await?;
        }
        execute(m, &[&format!("CREATE INDEX {concurrently} IF NOT EXISTS {name} ON {place}")]).await?;
    }
    Ok(())
}

/// Whether an index of PostgreSQL is what a `CREATE INDEX CONCURRENTLY` left that did not end.
async fn is_broken(m: &SchemaManager<'_>, name: &str) -> Result<bool, DbErr> {
    let sql = format!(
        "SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE c.relname = '{name}' AND NOT i.indisvalid
            AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
    );
    let found = m.get_connection().query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    Ok(found.is_some())
}

pub(crate) async fn drop_indexes(m: &SchemaManager<'_>, indexes: &[(&str, &str)]) -> Result<(), DbErr> {
    for (name, _) in indexes {
        execute(m, &[&format!("DROP INDEX IF EXISTS {name}")]).await?;
    }
    Ok(())
}

/// A table in the making; `create` sends it and its indexes.
pub(crate) struct NewTable<'a> {
    manager: &'a SchemaManager<'a>,
    name: &'static str,
    table: TableCreateStatement,
    indexes: Vec<IndexCreateStatement>,
}

pub(crate) fn table<'a>(manager: &'a SchemaManager<'a>, name: &'static str) -> NewTable<'a> {
    let mut table = Table::create();
    table.table(Alias::new(name));
    NewTable { manager, name, table, indexes: Vec::new() }
}

impl NewTable<'_> {
    fn add(mut self, column: &'static str, null: bool, kind: impl FnOnce(&mut ColumnDef)) -> Self {
        let mut def = ColumnDef::new(Alias::new(column));
        kind(&mut def);
        if null {
            def.null();
        } else {
            def.not_null();
        }
        self.table.col(&mut def);
        self
    }

    /// The primary key `id`.
    pub(crate) fn id(self) -> Self {
        self.add("id", false, |c| {
            c.uuid().primary_key();
        })
    }

    // Names and tags sort by bytes on both databases, or paging differs.
    fn collated(&self) -> impl Fn(&mut ColumnDef) + use<> {
        let postgres = self.manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Postgres;
        move |c| {
            c.text();
            if postgres {
                c.extra(r#"COLLATE "C""#);
            }
        }
    }

    pub(crate) fn text(self, column: &'static str) -> Self {
        let kind = self.collated();
        self.add(column, false, kind)
    }

    pub(crate) fn text_null(self, column: &'static str) -> Self {
        let kind = self.collated();
        self.add(column, true, kind)
    }

    /// A time, size or number.
    pub(crate) fn int(self, column: &'static str) -> Self {
        self.add(column, false, |c| {
            c.big_integer();
        })
    }

    pub(crate) fn int_null(self, column: &'static str) -> Self {
        self.add(column, true, |c| {
            c.big_integer();
        })
    }

    pub(crate) fn flag(self, column: &'static str) -> Self {
        self.add(column, false, |c| {
            c.boolean();
        })
    }

    pub(crate) fn bytes(self, column: &'static str) -> Self {
        self.add(column, false, |c| {
            c.blob();
        })
    }

    /// An id of another kind of thing, without a foreign key.
    pub(crate) fn uuid_null(self, column: &'static str) -> Self {
        self.add(column, true, |c| {
            c.uuid();
        })
    }

    /// A reference that dies with what it refers to.
    pub(crate) fn child_of(mut self, column: &'static str, parent: &'static str) -> Self {
        self = self.add(column, false, |c| {
            c.uuid();
        });
        self.foreign(column, parent, ForeignKeyAction::Cascade)
    }

    /// A reference that keeps what it refers to from being deleted.
    pub(crate) fn needs(mut self, column: &'static str, parent: &'static str) -> Self {
        self = self.add(column, false, |c| {
            c.uuid();
        });
        self.foreign(column, parent, ForeignKeyAction::Restrict)
    }

    /// A reference that is forgotten when what it refers to goes.
    pub(crate) fn may_name(mut self, column: &'static str, parent: &'static str) -> Self {
        self = self.uuid_null(column);
        self.foreign(column, parent, ForeignKeyAction::SetNull)
    }

    fn foreign(mut self, column: &'static str, parent: &'static str, action: ForeignKeyAction) -> Self {
        self.table.foreign_key(
            ForeignKey::create()
                .name(format!("{}_{column}_fkey", self.name))
                .from(Alias::new(self.name), Alias::new(column))
                .to(Alias::new(parent), Alias::new("id"))
                .on_delete(action),
        );
        self.index(&[column])
    }

    pub(crate) fn unique(self, columns: &[&'static str]) -> Self {
        self.indexed(columns, true)
    }

    pub(crate) fn index(self, columns: &[&'static str]) -> Self {
        self.indexed(columns, false)
    }

    fn indexed(mut self, columns: &[&'static str], unique: bool) -> Self {
        let mut index = Index::create();
        let suffix = if unique { "key" } else { "idx" };
        index.name(format!("{}_{}_{suffix}", self.name, columns.join("_"))).table(Alias::new(self.name));
        for column in columns {
            index.col(Alias::new(*column));
        }
        if unique {
            index.unique();
        }
        self.indexes.push(index);
        self
    }

    pub(crate) async fn create(self) -> Result<(), DbErr> {
        self.manager.create_table(self.table).await?;
        for index in self.indexes {
            self.manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// Drops tables, children first.
pub(crate) async fn drop_all(manager: &SchemaManager<'_>, names: &[&'static str]) -> Result<(), DbErr> {
    for name in names {
        manager.drop_table(Table::drop().table(Alias::new(*name)).to_owned()).await?;
    }
    Ok(())
}
