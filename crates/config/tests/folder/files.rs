//! Files that the tests write.

use std::fs;

use tempfile::TempDir;

/// A configuration folder that disappears with the test.
pub struct Folder(pub TempDir);

impl Folder {
    pub fn new(files: &[(&str, String)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// In one step, as editors do: nobody reads half of it, however long this process is held up.
    pub fn replace(&self, name: &str, text: &str) {
        self.write(".new", text);
        fs::rename(self.0.path().join(".new"), self.0.path().join(name)).unwrap();
    }

    pub fn write_bytes(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.0.path().join(name)).unwrap();
    }
}

/// A document of our API; `spec` is one line of flow style, or lines that are indented by two.
pub fn document(kind: &str, metadata: &str, spec: &str) -> String {
    let separator = if spec.starts_with('\n') { "" } else { " " };
    format!(
        "---\napiVersion: callseal.io/v1alpha1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec:{separator}{spec}\n"
    )
}

pub fn tenant(name: &str) -> String {
    document("Tenant", &format!("name: {name}"), "{country: DE}")
}

pub fn rule(name: &str, spec: &str) -> String {
    document(
        "RecordingRule",
        &format!("name: {name}"),
        &format!("{{profile: legalDuty, scope: all, {spec}}}"),
    )
}

/// A rule of profile consent that needs no announcement: the PBX asks.
pub fn consent_rule(name: &str, spec: &str) -> String {
    rule(name, &format!("consent: {{mode: optIn, askedBy: pbx}}, {spec}")).replace("legalDuty", "consent")
}

pub fn folder_target(name: &str) -> String {
    document("StorageTarget", &format!("name: {name}"), "{folder: {path: archive}}")
}

/// A WAV file: a tone of one second in PCM, mono, 16 bits, 8 kHz.
pub fn wav(tone_hz: u32) -> Vec<u8> {
    let samples = (0..8_000_u32).map(|n| {
        let phase = f64::from(n * tone_hz) / 8_000.0 * std::f64::consts::TAU;
        (phase.sin() * 8_000.0) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let length = u32::try_from(data.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1_u16, 1].into_iter().flat_map(u16::to_le_bytes));
    file.extend([8_000_u32, 16_000].into_iter().flat_map(u32::to_le_bytes));
    file.extend([2_u16, 16].into_iter().flat_map(u16::to_le_bytes));
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(data);
    file
}
