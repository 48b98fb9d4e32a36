//! The tables. Steps are known by position: append, never change a released one.

/// Schema steps for [`sql::Database::migrate`].
pub const STEPS: &[&str] = &["
-- Who may act on what. Names: partition-00 … partition-15, seal. The fence rises with each take-over.
CREATE TABLE lease (name TEXT PRIMARY KEY, owner TEXT NOT NULL, fence BIGINT NOT NULL, expires_ms BIGINT NOT NULL);
-- Replicas seen lately, to know everyone's fair share.
CREATE TABLE replica (name TEXT PRIMARY KEY, seen_ms BIGINT NOT NULL);
-- Everything up to this sequence of the stream CALLS is in this database and in staging.
CREATE TABLE mark (part BIGINT PRIMARY KEY, sequence BIGINT NOT NULL);
-- One row a recording. origin: the recording id and epoch that the messages name; section 0 is the
-- call itself, 1, 2, … hold what came later. state: open, headless, complete, sealed, empty.
CREATE TABLE recording (
  id TEXT PRIMARY KEY, origin TEXT NOT NULL, section BIGINT NOT NULL, part BIGINT NOT NULL,
  state TEXT NOT NULL, call_record {blob} NOT NULL, timeline {blob},
  UNIQUE (origin, section));
CREATE INDEX recording_open ON recording (part, state);
-- Finished audio in staging, in order of start_sample within a track.
CREATE TABLE segment (
  recording TEXT NOT NULL, track BIGINT NOT NULL, start_sample BIGINT NOT NULL, length BIGINT NOT NULL,
  object TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (recording, track, start_sample));
-- Complete recordings that wait for their signature, in order of completion.
CREATE TABLE seal_queue (
  ordinal {serial}, recording TEXT NOT NULL UNIQUE, lane TEXT NOT NULL, queued_ms BIGINT NOT NULL,
  not_before_ms BIGINT NOT NULL, prepared {blob});
-- The chains. The primary key makes a fork impossible, the unique recording a second sealing.
CREATE TABLE chain (
  lane TEXT NOT NULL, position BIGINT NOT NULL, recording TEXT NOT NULL UNIQUE, signature TEXT NOT NULL,
  previous TEXT NOT NULL, sealed_ms BIGINT NOT NULL, PRIMARY KEY (lane, position));
-- Sealed recordings to be announced. stage: 0 committed, 1 files in staging, 2 announced.
CREATE TABLE outbox (
  ordinal {serial}, recording TEXT NOT NULL UNIQUE, stage BIGINT NOT NULL, message {blob} NOT NULL,
  prepared {blob});
CREATE INDEX outbox_waiting ON outbox (stage, ordinal);
", "
-- A transparency log a tenant (RFC 6962). origin and salt are made once with it. size and frontier are
-- the tree's head: every entry below size is in log_entry. last_ms: time of the last entry, Unix
-- milliseconds. halted: why nothing may be added or signed; empty: all is well. key_id: the signing key
-- that the log names last (rows of old entries go); empty: none yet. halted_by: the witness that is the
-- reason, by its name in the tenant's configuration; empty: none is.
CREATE TABLE log (
  tenant TEXT PRIMARY KEY, origin TEXT NOT NULL, salt {blob} NOT NULL, size BIGINT NOT NULL,
  frontier {blob} NOT NULL, last_ms BIGINT NOT NULL, halted TEXT NOT NULL,
  halted_by TEXT NOT NULL, key_id TEXT NOT NULL);
-- Entries by number from 0. source tells where one comes from, so that it is written once.
CREATE TABLE log_entry (
  tenant TEXT NOT NULL, number BIGINT NOT NULL, entry {blob} NOT NULL, leaf {blob} NOT NULL,
  source TEXT NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (tenant, number), UNIQUE (source, tenant));
-- Signed checkpoints. note: the signed note with the cosignatures that came. stamp: 0 none is wanted,
-- 1 wanted, 2 it lies in staging.
CREATE TABLE log_checkpoint (
  tenant TEXT NOT NULL, size BIGINT NOT NULL, root {blob} NOT NULL, note {blob} NOT NULL,
  at_ms BIGINT NOT NULL, stamp BIGINT NOT NULL, PRIMARY KEY (tenant, size));
-- Keys that signed or sign: of a tenant, or of the installation (tenant ''). The latest from_ms is in
-- force. log_key: the verifier key of the log key; empty: there is none.
CREATE TABLE signing_key (
  tenant TEXT NOT NULL, label TEXT NOT NULL, key_id TEXT NOT NULL, certificate_pem TEXT NOT NULL,
  log_key TEXT NOT NULL, from_ms BIGINT NOT NULL, PRIMARY KEY (tenant, key_id));
", "
-- follows: name of the log whose place this one has taken; empty: none. halted_ms: when it was halted, or was
-- found to be so at a start, by the clock of the replica that seals.
ALTER TABLE log ADD COLUMN follows TEXT NOT NULL DEFAULT '';
ALTER TABLE log ADD COLUMN halted_ms BIGINT NOT NULL DEFAULT 0;
-- change: how the key came into force, for logs that are halted meanwhile, and take it in later (a ChangeKeyRequest).
ALTER TABLE signing_key ADD COLUMN change {blob};
-- What is announced has no row any more.
DELETE FROM outbox WHERE stage = 2;
"];
