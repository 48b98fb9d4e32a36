//! The files of a configuration folder, as text.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

/// How deep sub-folders may lie; guards against links that lead back up.
const MAX_DEPTH: usize = 8;

/// A file larger than this is no configuration, bytes.
const MAX_SIZE: u64 = 16 << 20;

/// A file, or a folder that could not be listed.
#[derive(Clone, Hash)]
pub(crate) struct Source {
    /// Relative to the configuration folder.
    pub path: PathBuf,
    /// The text, or why it could not be read.
    pub text: Result<String, String>,
}

/// All YAML files below `dir`, sorted by path. Hidden ones are passed over: a mounted ConfigMap
/// keeps its generations in folders called `..2026_11_22…`, and the files proper are links.
pub(crate) fn read(dir: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    read_folder(dir, Path::new(""), MAX_DEPTH, &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// Changes whenever a name, a text or the key for sealed values changes.
pub(crate) fn fingerprint(sources: &[Source], key: Option<[i64; 4]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (sources, key).hash(&mut hasher);
    hasher.finish()
}

fn read_folder(dir: &Path, relative: &Path, depth: usize, sources: &mut Vec<Source>) {
    let failed = |error: &dyn std::fmt::Display| Source {
        path: relative.to_owned(),
        text: Err(format!("this folder cannot be read: {error}")),
    };
    if depth == 0 {
        sources.push(failed(&"it lies too deep, or a link leads in a circle"));
        return;
    }
    let entries = match fs::read_dir(dir.join(relative)).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => return sources.push(failed(&error)),
    };
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = relative.join(entry.file_name());
        // Follows links, unlike the entry's own file type.
        match fs::metadata(dir.join(&path)) {
            Ok(metadata) if metadata.is_dir() => read_folder(dir, &path, depth - 1, sources),
            Ok(metadata) if is_yaml(&path) => {
                let text = read_file(&dir.join(&path), metadata.len());
                sources.push(Source { path, text });
            }
            Ok(_) => {}
            Err(error) if is_yaml(&path) => {
                sources.push(Source { path, text: Err(format!("cannot be read: {error}")) });
            }
            Err(_) => {}
        }
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn read_file(path: &Path, size: u64) -> Result<String, String> {
    if size > MAX_SIZE {
        return Err(format!("is larger than {} MiB", MAX_SIZE >> 20));
    }
    let bytes = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}
