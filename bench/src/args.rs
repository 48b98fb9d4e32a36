//! What is measured, as the command line says it.

use clap::Parser;

/// Puts calls through the whole system on this machine.
#[derive(Debug, Parser)]
pub enum Args {
    /// Recorded calls: packets, CPU, delays, memory.
    Capacity {
        /// Calls at once, two streams each.
        #[arg(long, default_value_t = 100)]
        calls: u32,
        /// Length of each call.
        #[arg(long, default_value_t = 30)]
        seconds: u32,
        /// How often, one after the other, into the same installation.
        #[arg(long, default_value_t = 1)]
        rounds: u32,
    },
    /// Callers of the consent endpoint: is what they hear unaltered and in step?
    Announcements {
        /// Callers at once.
        #[arg(long, default_value_t = 200)]
        calls: usize,
    },
    /// Rows into PostgreSQL, MariaDB, SQLite and Derby, beside what each one's own client needs for the same.
    Journal {
        /// Rows in batches.
        #[arg(long, default_value_t = 20_000)]
        rows: usize,
        /// Rows one at a time.
        #[arg(long, default_value_t = 1_000)]
        singly: usize,
    },
    /// Recordings sealed a second in one lane, beside the signatures of one session, and CPU.
    Seal {
        /// How many.
        #[arg(long, default_value_t = 2_000)]
        recordings: u64,
    },
    /// Recordings to three targets at once, while operations fail: time and memory.
    Ship {
        /// How many.
        #[arg(long, default_value_t = 2_000)]
        recordings: usize,
        /// Of so many thousand bytes each.
        #[arg(long, default_value_t = 100)]
        kilobytes: usize,
        /// Which share of operations on targets fails.
        #[arg(long, default_value_t = 0.05)]
        faults: f64,
    },
    /// Signatures a second in SoftHSM, beside those of a program that does nothing else.
    Sign {
        /// How long each way signs.
        #[arg(long, default_value_t = 12)]
        seconds: u32,
    },
    /// Verification of an archive, and of one ten times as large: time and memory.
    Verify {
        /// How many in the large one.
        #[arg(long, default_value_t = 100_000)]
        recordings: u64,
    },
    /// Files over SFTP, beside what sftp and rclone need for the same.
    Sftp {
        /// Files at once.
        #[arg(long, default_value_t = 16)]
        at_once: usize,
        /// What is added to each round trip in the second half, milliseconds.
        #[arg(long, default_value_t = 30)]
        delay: u64,
        /// Which of the loads (one large file, many, both again with the delay); all unless given.
        #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=4))]
        loads: Vec<u8>,
    },
    /// Files to a share, beside what smbclient and rclone need for the same.
    Smb {
        /// Files at once.
        #[arg(long, default_value_t = 16)]
        at_once: usize,
        /// What is added to each round trip in the second half, milliseconds.
        #[arg(long, default_value_t = 30)]
        delay: u64,
        /// Which of the loads (one large file, many, both again with the delay); all unless given.
        #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=4))]
        loads: Vec<u8>,
    },
}
