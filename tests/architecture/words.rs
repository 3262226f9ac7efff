//! Columns hold words: each keeps the text of a newer version as it is, and none is a bare text.

use std::{collections::BTreeSet, fs, path::Path};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ColumnType, Database, DatabaseConnection, EntityTrait, FromQueryResult, Iden, Iterable,
    ModelTrait, Statement, Value,
};
use uuid::Uuid;

use crate::postgres::on_a_database;

/// A word that no version so far has for anything.
const NEWER: &str = "A_WORD_OF_TOMORROW";

/// The fields of the entities: table, name, type and documentation.
fn fields() -> Vec<(String, String, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("entity/src");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let table = path.file_stem().unwrap().to_string_lossy().into_owned();
            let fields = fields_in(&fs::read_to_string(&path).unwrap());
            found.extend(fields.into_iter().map(|(name, ty, docs)| (table.clone(), name, ty, docs)));
        }
    }
    found
}

fn fields_in(text: &str) -> Vec<(String, String, String)> {
    let (mut found, mut docs) = (Vec::new(), String::new());
    for line in text.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("/// ") {
            docs.push_str(doc);
            docs.push(' ');
        } else if !line.starts_with("#[") {
            let field =
                line.trim_start_matches("pub ").strip_suffix([',', ';']).and_then(|f| f.split_once(": "));
            let docs = std::mem::take(&mut docs);
            if let Some((name, ty)) =
                field.filter(|(name, _)| name.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()))
            {
                found.push((name.to_owned(), ty.to_owned(), docs));
            }
        }
    }
    found
}

/// The columns typed with a word.
fn declared() -> BTreeSet<(String, String)> {
    let is_word = |ty: &str| ty.contains("Stored<");
    fields().into_iter().filter(|field| is_word(&field.2)).map(|(table, name, ..)| (table, name)).collect()
}

/// Anything that fits a column; a newer version's word for text.
fn any(column: &ColumnType) -> Value {
    match column {
        ColumnType::Uuid => Uuid::nil().into(),
        ColumnType::Integer => 0_i32.into(),
        ColumnType::BigInteger => 0_i64.into(),
        ColumnType::Boolean => false.into(),
        ColumnType::TimestampWithTimeZone => DateTime::<Utc>::UNIX_EPOCH.into(),
        ColumnType::Json | ColumnType::JsonBinary => serde_json::json!([]).into(),
        ColumnType::VarBinary(_) | ColumnType::Blob => Vec::<u8>::new().into(),
        ColumnType::String(_) | ColumnType::Text => NEWER.into(),
        other => panic!("what fits {other:?}?"),
    }
}

/// Reads a row that holds a newer version's word in every text; returns the columns of words that kept it.
async fn kept<E: EntityTrait>(db: &DatabaseConnection, table: &str) -> BTreeSet<(String, String)>
where
    E::Model: FromQueryResult + ModelTrait<Entity = E>,
{
    let columns: Vec<E::Column> = E::Column::iter().collect();
    let selected =
        columns.iter().enumerate().map(|(at, column)| format!("${} AS {}", at + 1, column.unquoted()));
    let sql = format!("SELECT {}", selected.collect::<Vec<_>>().join(", "));
    let values = columns.iter().map(|column| any(column.def().get_column_type()));
    let row = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let row = E::Model::find_by_statement(row).one(db).await.unwrap().unwrap();
    let declared = declared();
    let names = columns.into_iter().map(|column| (column, (table.to_owned(), column.unquoted().to_owned())));
    let words = names.filter(|(_, name)| declared.contains(name));
    words.filter(|(column, _)| row.get(*column) == NEWER.into()).map(|(_, name)| name).collect()
}

macro_rules! kept_in {
    ($db:expr, $($table:ident),* $(,)?) => {{
        let mut all = BTreeSet::new();
        $(all.extend(kept::<entity::$table::Entity>($db, stringify!($table)).await);)*
        all
    }};
}

async fn every_word_is_kept(url: &str) {
    let db = Database::connect(url).await.unwrap();
    let kept = kept_in!(
        &db,
        booking,
        booking_change,
        booking_participant,
        busy_bitmap,
        calendar_event,
        campaign,
        campaign_item,
        connect_session,
        connection,
        consent_grant,
        event_log,
        external_binding,
        installation_secret,
        integration,
        openid_issuer,
        run,
        run_history,
        service_account,
        tenant,
        tenant_feature,
        tenant_lookup,
        terms_acceptance,
        verification,
    );
    db.close().await.unwrap();
    assert_eq!(
        kept,
        declared(),
        "a column of words is missing in the list, or changes what a newer version stored"
    );
}

#[tokio::test]
async fn every_column_of_words_keeps_the_word_of_a_newer_version_on_sqlite() {
    every_word_is_kept("sqlite::memory:").await;
}

#[tokio::test]
async fn every_column_of_words_keeps_the_word_of_a_newer_version_on_postgres() {
    on_a_database(async |url| every_word_is_kept(&url).await).await;
}

/// Whether a text is documented as one of several words: by saying so, or by spelling them.
fn is_a_word(name: &str, docs: &str) -> bool {
    let spelt = |part: &str| part.len() > 1 && part.bytes().all(|b| b == b'_' || b.is_ascii_uppercase());
    let spelt = docs.split('`').skip(1).step_by(2).any(spelt);
    spelt || docs.contains("stored word") || ["state", "status", "lane", "kind", "verdict"].contains(&name)
}

#[test]
fn no_text_of_an_entity_is_one_of_several_words() {
    let fields = fields();
    let texts = fields.iter().filter(|(.., ty, _)| ty == "String" || ty == "Option<String>");
    let (words, others): (Vec<_>, Vec<_>) = texts.partition(|(_, name, _, docs)| is_a_word(name, docs));
    assert_eq!(words, Vec::<&(String, String, String, String)>::new(), "give the column a type of words");
    assert!(others.len() > 50, "{} texts were looked at", others.len());
}

#[test]
fn a_text_that_is_a_word_is_found() {
    let text = "/// The stored word of a `domain::Plan`.\n pub plan: String,\n/// `ON` or `OFF`.\n switch: String;\n\
                /// A name.\nname: Option<String>,";
    let found = fields_in(text);
    let words: Vec<_> = found.iter().map(|(name, _, docs)| (name.as_str(), is_a_word(name, docs))).collect();
    assert_eq!(words, [("plan", true), ("switch", true), ("name", false)]);
}
