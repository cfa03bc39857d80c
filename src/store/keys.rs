//! A list of texts as a parameter: JSON on `SQLite`, a typed array on Postgres. For a JSON list, Postgres would estimate a hundred
//! rows and scan whole tables.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Encode, Postgres, Sqlite, Type};

/// Ids, or other texts that a statement looks rows up by.
#[derive(Debug, Clone)]
pub(super) struct Keys(Vec<String>);

impl Keys {
    /// The texts of these keys.
    pub(super) fn of<T: ToString>(keys: impl IntoIterator<Item = T>) -> Self {
        Self(keys.into_iter().map(|key| key.to_string()).collect())
    }
}

impl Type<Sqlite> for Keys {
    fn type_info() -> <Sqlite as Database>::TypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Keys {
    fn encode_by_ref(
        &self,
        buffer: &mut <Sqlite as Database>::ArgumentBuffer,
    ) -> Result<IsNull, BoxDynError> {
        let text = serde_json::to_string(&self.0)?;
        <String as Encode<'_, Sqlite>>::encode(text, buffer)
    }
}

impl Type<Postgres> for Keys {
    fn type_info() -> <Postgres as Database>::TypeInfo {
        <Vec<String> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Keys {
    fn encode_by_ref(
        &self,
        buffer: &mut <Postgres as Database>::ArgumentBuffer,
    ) -> Result<IsNull, BoxDynError> {
        <Vec<String> as Encode<'_, Postgres>>::encode_by_ref(&self.0, buffer)
    }
}
