//! The requests that a person decided on recently.

use super::{StoreError, Tx, on_db, read, sql};
use crate::domain::id::{PersonId, RequestId};

sql! {
    DECIDED_BY = "SELECT request_id FROM decisions WHERE person = $1 ORDER BY at DESC LIMIT $2";
}

impl Tx {
    /// The requests that a person decided on, newest decision first.
    pub async fn decided_by(
        &mut self,
        person: &PersonId,
        limit: i64,
    ) -> Result<Vec<RequestId>, StoreError> {
        let rows: Vec<(String,)> = on_db!(self, |c| sqlx::query_as(DECIDED_BY)
            .bind(person.as_str())
            .bind(limit)
            .fetch_all(c)
            .await)?;
        rows.into_iter()
            .map(|(id,)| read("id", id.parse()))
            .collect()
    }
}
