//! Where the files of a sealed recording lie in staging.

use crate::recording_v1::RecordingSealed;

impl RecordingSealed {
    /// The key of one of [`files`](Self::files) in staging. Its own name begins with time, direction
    /// and numbers; in staging the recording's id stands for all of that, since keys get into logs.
    pub fn staging_key(&self, file_name: &str) -> String {
        let ending = file_name.strip_prefix(&self.base_name).unwrap_or(file_name);
        format!("{}/{}{ending}", self.staging_prefix, self.recording_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staging_key_holds_no_number() {
        let sealed = RecordingSealed {
            recording_id: "01949c3e-7a5b-7000-8000-000000000001".into(),
            base_name: "20261122-091530.123Z_in_+4970311234_22_01949c3e-7a5b-7000-8000-000000000001".into(),
            staging_prefix: "sealed/acme/01949c3e-7a5b-7000-8000-000000000001".into(),
            ..Default::default()
        };
        let key = sealed.staging_key(&format!("{}_info.txt", sealed.base_name));
        let folder = "sealed/acme/01949c3e-7a5b-7000-8000-000000000001";
        assert_eq!(key, format!("{folder}/01949c3e-7a5b-7000-8000-000000000001_info.txt"));
    }
}
