//! What people type into a search field, as a condition of a question.

use sea_orm::prelude::*;
use sea_orm::sea_query::{ExprTrait as _, Func, LikeExpr, SimpleExpr};

/// `text` occurs in the column; upper and lower case are one, and no character of it means anything else.
pub fn contains(column: impl ColumnTrait, text: &str) -> SimpleExpr {
    like(column, &format!("%{}%", literal(text)))
}

/// The column begins with `text`, as `contains` compares.
pub fn begins(column: impl ColumnTrait, text: &str) -> SimpleExpr {
    like(column, &format!("{}%", literal(text)))
}

/// SQLite knows capitals of ASCII only, so what is written just as it stands there is looked for too.
fn like(column: impl ColumnTrait, pattern: &str) -> SimpleExpr {
    let lower = SimpleExpr::from(Func::lower(column.into_expr())).like(escaped(&pattern.to_lowercase()));
    lower.or(column.into_expr().like(escaped(pattern)))
}

fn escaped(pattern: &str) -> LikeExpr {
    LikeExpr::new(pattern).escape('\\')
}

fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
