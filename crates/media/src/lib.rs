//! From datagrams to archive files: RTP packets are laid on a [`timeline`], and what stands there
//! is written as [`wav`]. What the people on the telephone press comes out of [`dtmf`], what they
//! are told goes in as [`announcement`].
//!
//! Sans-I/O: bytes and arrival times go in, samples and a report come out. There is no clock, no
//! socket and no task in this crate; files are `Read` and `Write`.

pub mod announcement;
pub mod codec;
pub mod dtmf;
pub mod g711;
pub mod rtp;
pub mod timeline;
pub mod wav;

pub use announcement::{Announcement, AnnouncementError};
pub use codec::{Codec, PayloadKind, PayloadMap};
pub use timeline::{Timeline, TimelineConfig};
