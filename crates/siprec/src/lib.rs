//! What a SIPREC recording client sends in its SIP bodies, and what the recorder answers.
//!
//! RFC 7866 (the recording session), RFC 7865 (the metadata), RFC 8866 (SDP), RFC 2046 (multipart).
//! The reading side is lenient, because vendors are not strict and a call that is not recorded
//! for a comma's sake is lost for good; the writing side is strict. Nothing here does I/O, reads a
//! clock or panics on input from outside; no error and no `Debug` text holds a number or a name.
//!
//! The way of an INVITE through this crate:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (content_type, body) = ("application/sdp", &b"v=0\r\nm=audio 4000 RTP/AVP 8\r\n"[..]);
//! use siprec::{Answer, Body, Offer, OwnOrigin, RecordingMetadata, SipIdentities, who_is_who};
//!
//! let body = Body::read(content_type, body);
//! let offer = Offer::parse(body.sdp.unwrap_or_default())?;
//! let mut metadata = RecordingMetadata::default();
//! if let Some(Ok(update)) = body.metadata.map(RecordingMetadata::parse) {
//!     metadata.apply(update);
//! }
//! let picture = who_is_who(&offer, &metadata, &SipIdentities::default());
//! let ports: Vec<Option<u16>> = offer.streams.iter().map(|s| s.refusal().is_none().then_some(40_000)).collect();
//! let answer = Answer::to(&offer, "192.0.2.1".parse()?, &ports, OwnOrigin { id: 1, version: 1 });
//! # let _ = (picture, answer.to_sdp());
//! # Ok(()) }
//! ```

pub mod address;
pub mod answer;
pub mod body;
pub mod metadata;
pub mod multipart;
pub mod offer;
pub mod picture;
mod sdp_lines;
pub mod writer;

pub use address::Address;
pub use answer::{Answer, AnsweredStream, OwnOrigin};
pub use body::Body;
pub use metadata::{DataMode, MetadataProblem, MetadataUpdate, RecordingMetadata};
pub use offer::{MediaDirection, Offer, OfferProblem, OfferedStream, Origin, Payload, Refusal, Transport};
pub use picture::{CallPicture, SipIdentities, StreamOwner, who_is_who};
