//! From the texts of files to what is in force.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::{
    ResourceName, TenantId,
    resources::{Declared, FieldPath, Kind, LastGood, RawResource, ResourceKey, Resources},
};

use crate::{
    Loaded, Place, Problem,
    audio::{Library, Stamps},
    document::{Document, documents},
    located::Position,
    sealed::{KeyFile, Opener},
    source::Source,
};

/// What is kept from one reading to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    good: LastGood,
    /// Which file each resource came from.
    origins: BTreeMap<ResourceKey, PathBuf>,
    /// The files that announcements consist of, as they were.
    pub audio: Stamps,
}

/// A file and what could be read of it.
struct File {
    path: PathBuf,
    documents: Vec<Document>,
    /// Some of it could not be told: what else the file held before is still there.
    torn: bool,
}

/// Reads all documents and puts them together. Of `folder` nothing but the audio of announcements
/// is read. Sealed values are opened by `key`.
pub(crate) fn interpret(
    folder: &Path,
    sources: Vec<Source>,
    history: &History,
    key: &KeyFile,
) -> (Loaded, History) {
    let mut reading = Reading::default();
    let files: Vec<File> = sources.into_iter().map(|source| reading.file(source)).collect();
    reading.carry_over(&files, history);
    reading.declare(&files, &key.opener());
    reading.assemble(folder, &files, history)
}

#[derive(Default)]
struct Reading {
    problems: Vec<Problem>,
    declared: BTreeMap<ResourceKey, Declared>,
    origins: BTreeMap<ResourceKey, PathBuf>,
    /// Secrets with values in plain text.
    plain: BTreeSet<ResourceKey>,
    /// File and document, by position.
    places: BTreeMap<ResourceKey, (usize, usize)>,
}

impl Reading {
    fn file(&mut self, Source { path, text }: Source) -> File {
        let (documents, torn) = match text {
            Ok(text) => {
                let documents = documents(&text);
                let torn = documents.iter().any(|document| identity(document).is_none());
                (documents, torn)
            }
            Err(reason) => {
                let file = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.clone() };
                let (kind, name, field) = Default::default();
                self.problems.push(Problem { file, line: 0, column: 0, kind, name, field, reason });
                (vec![], true)
            }
        };
        let file = File { path, documents, torn };
        for document in &file.documents {
            for error in &document.errors {
                let field = error.path.to_string();
                self.problem(&file.path, document, error.position, field, error.reason.clone());
            }
        }
        file
    }

    /// A resource that was in a file that is now torn, and is not seen in it, is still declared.
    fn carry_over(&mut self, files: &[File], history: &History) {
        for (key, origin) in &history.origins {
            let torn = files.iter().find(|file| file.torn && origin.starts_with(&file.path));
            let seen = |file: &File| {
                file.documents
                    .iter()
                    .filter_map(identity)
                    .any(|(kind, name)| kind == key.kind && name == key.name)
            };
            if torn.is_some_and(|file| !seen(file)) {
                self.declared.insert(key.clone(), Declared::Unreadable);
                self.origins.insert(key.clone(), origin.clone());
            }
        }
    }

    fn declare(&mut self, files: &[File], opener: &Opener<'_>) {
        let tenants = self.tenants(files);
        for (file_index, file) in files.iter().enumerate() {
            for (index, document) in file.documents.iter().enumerate() {
                let Some((kind, name)) = self.named(file, document) else { continue };
                let tenant = match owner(kind, &name, document, &file.path, &tenants) {
                    Ok(tenant) => tenant,
                    Err((path, reason)) => {
                        self.problem(&file.path, document, document.find(&path), path.to_string(), reason);
                        continue;
                    }
                };
                let key = ResourceKey { tenant, kind, name };
                if let Some((file_of_first, first)) = self.places.get(&key) {
                    let first_file = &files[*file_of_first];
                    let line = first_file.documents[*first].find(&FieldPath::root()).line;
                    let reason = format!(
                        "is defined already in {}:{line}; that one counts",
                        first_file.path.display()
                    );
                    let path = FieldPath::root().key("metadata").key("name");
                    self.problem(&file.path, document, document.find(&path), path.to_string(), reason);
                    continue;
                }
                let mut content = document.content.clone();
                if let Some(RawResource::Secret(spec)) = &mut content {
                    if spec.has_plain_values() {
                        self.plain.insert(key.clone());
                    }
                    for error in opener.open(&key.tenant, &key.name, spec) {
                        let position = document.find(&error.path);
                        self.problem(&file.path, document, position, error.path.to_string(), error.reason);
                    }
                }
                let declared = content.map_or(Declared::Unreadable, |raw| Declared::Readable(Box::new(raw)));
                self.declared.insert(key.clone(), declared);
                self.origins.insert(key.clone(), file.path.clone());
                self.places.insert(key, (file_index, index));
            }
        }
    }

    /// The names of all tenants there are, readable or not.
    fn tenants(&self, files: &[File]) -> BTreeSet<TenantId> {
        let carried =
            self.declared.keys().filter(|key| key.kind == Kind::Tenant).map(|key| key.tenant.clone());
        let documents = files.iter().flat_map(|file| &file.documents).filter_map(identity);
        let named = documents.filter(|(kind, _)| *kind == Kind::Tenant);
        named.filter_map(|(_, name)| name.as_str().parse().ok()).chain(carried).collect()
    }

    /// Kind and name; a missing or wrong name is reported.
    fn named(&mut self, file: &File, document: &Document) -> Option<(Kind, ResourceName)> {
        let kind: Kind = document.header.kind.as_deref()?.parse().ok()?;
        let path = FieldPath::root().key("metadata").key("name");
        let reason = match document.header.metadata.name.as_deref().map(str::parse::<ResourceName>) {
            Some(Ok(name)) => return Some((kind, name)),
            Some(Err(error)) => error.to_string(),
            // What tore the document was reported.
            None if !document.errors.is_empty() => return None,
            None => "is missing".to_owned(),
        };
        self.problem(&file.path, document, document.find(&path), path.to_string(), reason);
        None
    }

    fn assemble(mut self, folder: &Path, files: &[File], history: &History) -> (Loaded, History) {
        let library = Library::new(folder, &self.origins);
        let assembled = Resources::assemble(&self.declared, &history.good, &library);
        let audio = library.into_stamps();
        for fault in assembled.faults {
            let Some((file, document)) = self.places.get(&fault.key) else { continue };
            let file = &files[*file];
            let document = &file.documents[*document];
            let position = document.find(&fault.error.path);
            self.problem(&file.path, document, position, fault.error.path.to_string(), fault.error.reason);
        }
        self.problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        let places = self.places.iter().map(|(key, (file, document))| {
            let File { path, documents, .. } = &files[*file];
            let line = documents[*document].find(&FieldPath::root()).line;
            let (alone, plain) = (documents.len() == 1, self.plain.contains(key));
            (key.clone(), Place { file: path.clone(), line, alone, plain })
        });
        let loaded = Loaded {
            resources: Arc::new(assembled.resources),
            places: Arc::new(places.collect()),
            problems: Arc::new(self.problems),
        };
        (loaded, History { good: assembled.good, origins: self.origins, audio })
    }

    fn problem(&mut self, file: &Path, document: &Document, at: Position, field: String, reason: String) {
        self.problems.push(Problem {
            file: file.to_owned(),
            line: at.line,
            column: at.column,
            kind: document.header.kind.clone().unwrap_or_default(),
            name: document.header.metadata.name.clone().unwrap_or_default(),
            field,
            reason,
        });
    }
}

/// Kind and name of a document, if it says both.
fn identity(document: &Document) -> Option<(Kind, ResourceName)> {
    let kind = document.header.kind.as_deref()?.parse().ok()?;
    let name = document.header.metadata.name.as_deref()?.parse().ok()?;
    Some((kind, name))
}

/// Whose resource it is: by `metadata.namespace`, else by the outermost sub-folder called like a
/// tenant, else it is the only tenant's.
fn owner(
    kind: Kind,
    name: &ResourceName,
    document: &Document,
    file: &Path,
    tenants: &BTreeSet<TenantId>,
) -> Result<TenantId, (FieldPath, String)> {
    let namespace = FieldPath::root().key("metadata").key("namespace");
    let said = document.header.metadata.namespace.as_deref();
    if kind == Kind::Tenant {
        return match said {
            Some(said) if said != name.as_str() => {
                Err((namespace, "must be the tenant's own name, or be left out".to_owned()))
            }
            _ => Ok(name.as_str().parse().expect("tenant and resource names obey the same rule")),
        };
    }
    if let Some(said) = said {
        let known = said.parse().ok().filter(|tenant| tenants.contains(tenant));
        return known.ok_or_else(|| (namespace, format!("there is no Tenant {said:?}")));
    }
    let folders = file.parent().into_iter().flat_map(Path::iter);
    let by_folder = folders.filter_map(|folder| folder.to_str()?.parse().ok()).find(|t| tenants.contains(t));
    let mut all = tenants.iter();
    let reason = match (by_folder, all.next(), all.next()) {
        (Some(tenant), ..) => return Ok(tenant),
        (None, Some(only), None) => return Ok(only.clone()),
        (None, None, _) => "there is no Tenant yet",
        _ => "is missing; with several tenants it names the tenant, unless a sub-folder called like it does",
    };
    Err((namespace, reason.to_owned()))
}
