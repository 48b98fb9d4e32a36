//! SIPREC bodies: multipart, SDP offers and answers, recording metadata; lenient parser, strict writer; no I/O.
