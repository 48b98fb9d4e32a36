//! Which partition of the stream CALLS a recording's messages go to.

use crate::{RecordingId, TenantId};

/// How many partitions the stream CALLS has. Fixed: changing it would re-route live calls.
pub const PARTITIONS: u16 = 16;

/// The partition of a recording: FNV-1a (64 bit) over tenant and id, so that every process and
/// every release computes the same.
pub fn partition_of(tenant: &TenantId, recording: &RecordingId) -> u16 {
    let id = recording.as_uuid();
    let bytes = tenant.as_str().bytes().chain([b'/']).chain(id.as_bytes().iter().copied());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    // FNV's low bits mix poorly for short inputs: fold the high half in.
    ((hash ^ (hash >> 32)) % u64::from(PARTITIONS)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_a_known_recording_never_changes() {
        let tenant = "acme".parse().unwrap();
        let id = "01949c3e-7a5b-7000-8000-000000000001".parse().unwrap();
        assert_eq!(partition_of(&tenant, &id), partition_of(&tenant, &id));
    }

    #[test]
    fn recordings_spread_over_all_partitions() {
        let tenant: TenantId = "acme".parse().unwrap();
        let mut seen = [0_u32; PARTITIONS as usize];
        (0..4_000).for_each(|_| seen[partition_of(&tenant, &RecordingId::new()) as usize] += 1);
        assert!(seen.iter().all(|n| (125..500).contains(n)), "{seen:?}");
    }
}
