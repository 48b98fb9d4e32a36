//! The mails that wait, in SQL: written in the transaction that changes what people were told.

use jiff::Timestamp;
use sql::Transaction;
use sqlx::{Row as _, any::AnyRow};

use super::{
    memory::{Memory, MemoryError, time},
    text::Letter,
};

/// Counts mails that nobody will get.
const DROPPED: &str = "INSERT INTO notify_dropped (audience, mails) VALUES ($1, $2) \
                       ON CONFLICT (audience) DO UPDATE SET mails = notify_dropped.mails + excluded.mails";

/// A mail that waits.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its place in the table.
    pub position: i64,
    /// Who gets it.
    pub audience: String,
    /// What it is about, for the metrics.
    pub about: String,
    /// What stands above it.
    pub subject: String,
    /// What stands in it.
    pub body: String,
    /// The left side of its Message-ID, the same at every attempt: a receiver sees that it is the same
    /// mail.
    pub message_id: String,
    /// When it was written.
    pub created: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// The server did not want this very one: those behind it need not wait for it.
    pub refused: bool,
    /// The addresses that have it, where the server takes it for others later, each on a line.
    got: String,
}

impl Waiting {
    /// Whether this address has it.
    pub fn has(&self, address: &str) -> bool {
        self.got.lines().any(|known| known == address)
    }
}

impl Memory {
    /// Puts a mail into the table of those that wait.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn write_mail(
        &self,
        tx: &mut Transaction,
        audience: &str,
        letter: &Letter,
        now: Timestamp,
    ) -> Result<(), MemoryError> {
        let message_id = format!("{:032x}", rand::random::<u128>());
        sqlx::query(
            "INSERT INTO notify_mails (audience, about, subject, body, message_id, created_at, next_attempt_at, attempts) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
        )
        .bind(audience)
        .bind(letter.about)
        .bind(letter.subject.as_str())
        .bind(letter.body.as_str())
        .bind(message_id)
        .bind(now.as_millisecond())
        .bind(now.as_millisecond())
        .execute(&mut **tx)
        .await?;
        let dropped = sqlx::query(
            "DELETE FROM notify_mails WHERE audience = $1 AND position NOT IN \
             (SELECT position FROM notify_mails WHERE audience = $2 ORDER BY position DESC LIMIT $3)",
        )
        .bind(audience)
        .bind(audience)
        .bind(i64::from(self.most_waiting))
        .execute(&mut **tx)
        .await?;
        if dropped.rows_affected() > 0 {
            let dropped = i64::try_from(dropped.rows_affected()).unwrap_or(i64::MAX);
            sqlx::query(DROPPED).bind(audience).bind(dropped).execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// How many mails `audience` never got, and was not told so.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn dropped(&self, audience: &str) -> Result<u64, MemoryError> {
        let row: Option<(i64,)> = sqlx::query_as("SELECT mails FROM notify_dropped WHERE audience = $1")
            .bind(audience)
            .fetch_optional(self.database().pool())
            .await?;
        Ok(row.map_or(0, |(mails,)| mails.unsigned_abs()))
    }

    /// Notes that it was told of so many.
    ///
    /// # Errors
    /// The database cannot be used: it is told again.
    pub async fn told_of_dropped(&self, audience: &str, mails: u64) -> Result<(), MemoryError> {
        let told = i64::try_from(mails).unwrap_or(i64::MAX);
        sqlx::query("UPDATE notify_dropped SET mails = mails - $1 WHERE audience = $2")
            .bind(told)
            .bind(audience)
            .execute(self.database().pool())
            .await?;
        sqlx::query("DELETE FROM notify_dropped WHERE audience = $1 AND mails <= 0")
            .bind(audience)
            .execute(self.database().pool())
            .await?;
        Ok(())
    }

    /// Gives a mail up that its server refuses again and again; the next one says so.
    ///
    /// # Errors
    /// The database cannot be used: it is tried once more.
    pub async fn give_up(&self, mail: &Waiting) -> Result<(), MemoryError> {
        let mut tx = self.database().begin_write().await?;
        sqlx::query("DELETE FROM notify_mails WHERE position = $1")
            .bind(mail.position)
            .execute(&mut *tx)
            .await?;
        sqlx::query(DROPPED).bind(mail.audience.as_str()).bind(1_i64).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// All mails that wait, in the order in which they were written.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, MemoryError> {
        let rows = sqlx::query(
            "SELECT position, audience, about, subject, body, message_id, created_at, attempts, refused, got FROM notify_mails \
             ORDER BY position",
        )
        .fetch_all(self.database().pool())
        .await?;
        Ok(rows.iter().map(waiting).collect::<Result<_, _>>()?)
    }

    /// Takes a mail that is due: nobody else sends it before `until`. Whether it was to be had.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn take(&self, mail: &Waiting, until: Timestamp, now: Timestamp) -> Result<bool, MemoryError> {
        let taken = sqlx::query(
            "UPDATE notify_mails SET next_attempt_at = $1, attempts = attempts + 1 \
             WHERE position = $2 AND next_attempt_at <= $3",
        )
        .bind(until.as_millisecond())
        .bind(mail.position)
        .bind(now.as_millisecond())
        .execute(self.database().pool())
        .await?;
        Ok(taken.rows_affected() > 0)
    }

    /// Notes that a mail failed, and when it is tried again; `refused`: the server does not want this very one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn put_back(&self, mail: &Waiting, next: Timestamp, refused: bool) -> Result<(), MemoryError> {
        sqlx::query("UPDATE notify_mails SET next_attempt_at = $1, refused = $2 WHERE position = $3")
            .bind(next.as_millisecond())
            .bind(i64::from(refused))
            .bind(mail.position)
            .execute(self.database().pool())
            .await?;
        Ok(())
    }

    /// Notes which addresses have a mail that others still wait for.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn note_got(&self, mail: &Waiting, addresses: &[&str]) -> Result<(), MemoryError> {
        sqlx::query("UPDATE notify_mails SET got = $1 WHERE position = $2")
            .bind(addresses.join("\n"))
            .bind(mail.position)
            .execute(self.database().pool())
            .await?;
        Ok(())
    }

    /// Forgets a mail: it was sent, or nobody is there to get it.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn forget(&self, mail: &Waiting) -> Result<(), MemoryError> {
        sqlx::query("DELETE FROM notify_mails WHERE position = $1")
            .bind(mail.position)
            .execute(self.database().pool())
            .await?;
        Ok(())
    }
}

fn waiting(row: &AnyRow) -> Result<Waiting, sqlx::Error> {
    Ok(Waiting {
        position: row.try_get("position")?,
        audience: row.try_get("audience")?,
        about: row.try_get("about")?,
        subject: row.try_get("subject")?,
        body: row.try_get("body")?,
        message_id: row.try_get("message_id")?,
        created: time(row.try_get("created_at")?),
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
        refused: row.try_get::<i64, _>("refused")? != 0,
        got: row.try_get("got")?,
    })
}
