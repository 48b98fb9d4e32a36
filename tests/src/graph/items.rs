//! Microsoft Graph: drives, and items by path and by id.

use serde_json::{Value, json};

use super::{
    LABEL, State,
    answers::Asked,
    uploads::{self, Begun},
    words::Answer,
};

/// Items in one page of a list.
const PAGE: usize = 1000;

/// What a path leads to: an item that is there, or a name in a folder that is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) drive: String,
    pub(super) item: Option<u64>,
    /// The folder, if it is there, and the last name.
    pub(super) parent: Option<u64>,
    pub(super) name: String,
}

pub(super) fn answer(state: &mut State, asked: &Asked) -> Answer {
    let user = match asked.token.as_ref().and_then(|token| state.entra.access.get(token)) {
        Some(user) => user.clone(),
        None => return Answer::refuse(401, "InvalidAuthenticationToken"),
    };
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    let ["v1.0", ref rest @ ..] = path[..] else { return Answer::refuse(400, "BadRequest") };
    match *rest {
        ["me", "drive"] => found(user.and_then(|user| Some(state.drives.of_user(&user)?.json()))),
        ["users", user, "drive"] => found(state.drives.of_user(user).map(super::drives::Drive::json)),
        ["drives", id] => found(state.drives.get(id).map(super::drives::Drive::json)),
        ["sites", "contoso.sharepoint.com:", "sites", "archive"] => {
            Answer::json(200, json!({ "id": "contoso.sharepoint.com,1,2", "displayName": "Archive" }))
        }
        ["sites", "contoso.sharepoint.com,1,2", "drive"] => {
            found(state.drives.of_site().next().map(super::drives::Drive::json))
        }
        ["sites", "contoso.sharepoint.com,1,2", "drives"] => {
            let drives: Vec<Value> = state.drives.of_site().map(super::drives::Drive::json).collect();
            Answer::json(200, json!({ "value": drives }))
        }
        [application] if application.starts_with("applications(") => registration(state),
        ["drives", drive, ref rest @ ..] => match place(state, drive, rest) {
            Some((place, action)) => on_item(state, asked, &place, action.as_deref()),
            None => Answer::refuse(404, "itemNotFound"),
        },
        _ => Answer::refuse(404, "itemNotFound"),
    }
}

fn found(json: Option<Value>) -> Answer {
    json.map_or_else(|| Answer::refuse(404, "itemNotFound"), |json| Answer::json(200, json))
}

fn registration(state: &State) -> Answer {
    if !state.reads_registrations {
        return Answer::refuse(403, "Authorization_RequestDenied");
    }
    let secrets = state.secrets_end.iter().map(|(hint, end)| json!({ "hint": hint, "endDateTime": end }));
    Answer::json(200, json!({ "passwordCredentials": secrets.collect::<Vec<_>>() }))
}

/// `root`, `root:/a/b`, `root:/a/b:/action`, `items/{id}`, `items/{id}/action`, `items/{id}:/a:/action`.
fn place(state: &State, drive: &str, rest: &[&str]) -> Option<(Place, Option<String>)> {
    let (begin, mut rest) = match rest {
        ["items", id, rest @ ..] => (*id, rest),
        [root @ ("root" | "root:"), rest @ ..] => (*root, rest),
        _ => return None,
    };
    let mut names = Vec::new();
    let by_path = begin.ends_with(':');
    while let ([level, more @ ..], true) = (rest, by_path) {
        rest = more;
        let name = level.trim_end_matches(':');
        names.extend((!name.is_empty()).then(|| name.to_owned()));
        if level.ends_with(':') {
            break;
        }
    }
    let in_drive = state.drives.get(drive)?;
    let begin = in_drive.by_id(begin.trim_end_matches(':'))?;
    let (last, above) = names.split_last().map_or((None, &[][..]), |(last, above)| (Some(last), above));
    let place = Place {
        drive: drive.to_owned(),
        item: in_drive.walk(begin, &names),
        parent: in_drive.walk(begin, above),
        name: last.cloned().unwrap_or_default(),
    };
    Some((place, rest.first().map(|action| (*action).to_owned())))
}

fn on_item(state: &mut State, asked: &Asked, place: &Place, action: Option<&str>) -> Answer {
    let hashes = state.drives.tells_hashes;
    let method = asked.method.as_str();
    // What is to be made need not be there.
    match (method, action) {
        ("PUT", Some("content")) => return put(state, asked, place),
        ("POST", Some("createUploadSession")) => return begin_upload(state, asked, place),
        _ => {}
    }
    let Some(id) = place.item else { return Answer::refuse(404, "itemNotFound") };
    let Some(drive) = state.drives.get_mut(&place.drive) else { return Answer::refuse(404, "itemNotFound") };
    match (method, action) {
        ("GET", None) => Answer::json(200, drive.item_json(id, hashes)),
        ("GET", Some("content")) if drive.is_folder(id) => Answer::refuse(400, "invalidRequest"),
        ("GET", Some("content")) => Answer::redirect(format!(
            "https://contoso.sharepoint.com/download/{}/{id}?tempauth=t",
            place.drive
        )),
        ("GET", Some("children")) => children(drive, id, asked, hashes),
        ("POST", Some("children")) => {
            let json = asked.json();
            let name = json["name"].as_str().unwrap_or_default();
            if let Err(refusal) = check_name(name) {
                return refusal;
            }
            match drive.child(id, name) {
                Some(_) if json["@microsoft.graph.conflictBehavior"] != "replace" => {
                    Answer::refuse(409, "nameAlreadyExists")
                }
                Some(child) => Answer::json(200, drive.item_json(child, hashes)),
                None => {
                    let made = drive.make_folder(id, name);
                    Answer::json(201, drive.item_json(made, hashes))
                }
            }
        }
        ("DELETE", None) if drive.is_kept(id) => Answer::refuse(403, "accessDenied"),
        ("DELETE", None) => {
            drive.remove(id);
            Answer::nothing(204)
        }
        ("PATCH", None) => {
            if let Some(name) = asked.json()["name"].as_str() {
                drive.rename(id, name);
            }
            Answer::json(200, drive.item_json(id, hashes))
        }
        ("GET", Some("retentionLabel")) => {
            let label = drive.file(id).and_then(|file| file.label.clone());
            let settings = json!({ "isDeleteAllowed": label.is_none(), "isRecordLocked": label.is_some() });
            Answer::json(200, json!({ "name": label, "retentionSettings": settings }))
        }
        ("PATCH", Some("retentionLabel")) => match (asked.json()["name"].as_str(), drive.label(id)) {
            (Some(LABEL), Some(label)) => {
                *label = Some(LABEL.to_owned());
                Answer::json(200, json!({ "name": LABEL }))
            }
            _ => Answer::refuse(404, "itemNotFound"),
        },
        _ => Answer::refuse(405, "methodNotAllowed"),
    }
}

fn children(drive: &super::drives::Drive, id: u64, asked: &Asked, hashes: bool) -> Answer {
    let number = |name: &str| asked.parameter(name).and_then(|text| text.parse::<usize>().ok());
    let (top, skip) = (number("$top").unwrap_or(200).min(PAGE), number("$skiptoken").unwrap_or(0));
    let all = drive.children(id);
    let page: Vec<Value> = all.iter().skip(skip).take(top).map(|id| drive.item_json(*id, hashes)).collect();
    let mut json = json!({ "value": page });
    if skip + top < all.len() {
        let path = asked.path.join("/").replace(' ', "%20").replace('#', "%23");
        let next = format!("https://{}/{path}?$top={top}&$skiptoken={}", asked.host, skip + top);
        json["@odata.nextLink"] = json!(next);
    }
    Answer::json(200, json)
}

/// Simple upload: at most 250 MB.
fn put(state: &mut State, asked: &Asked, place: &Place) -> Answer {
    let replace = match asked.parameter("@microsoft.graph.conflictBehavior").as_deref() {
        None | Some("replace") => true,
        Some("fail") => false,
        Some(_) => return Answer::refuse(400, "invalidRequest"),
    };
    if asked.body.len() > 250_000_000 {
        return Answer::refuse(413, "maxFileSizeExceeded");
    }
    if let Err(refusal) = may_write(state, place, replace, asked.body.len() as u64) {
        return refusal;
    }
    store(state, place, asked.body.clone())
}

/// Writes a file where [`may_write`] has said that it may stand.
pub(super) fn store(state: &mut State, place: &Place, content: Vec<u8>) -> Answer {
    let hashes = state.drives.tells_hashes;
    let (Some(parent), Some(drive)) = (place.parent, state.drives.get_mut(&place.drive)) else {
        return Answer::refuse(404, "itemNotFound");
    };
    let status = if drive.child(parent, &place.name).is_some() { 200 } else { 201 };
    let id = drive.write(parent, &place.name, content);
    Answer::json(status, drive.item_json(id, hashes))
}

fn begin_upload(state: &mut State, asked: &Asked, place: &Place) -> Answer {
    let json = asked.json();
    let replace = json["item"]["@microsoft.graph.conflictBehavior"] == "replace";
    if let Err(refusal) = may_write(state, place, replace, 0) {
        return refusal;
    }
    uploads::begin(state, Begun { place: place.clone(), replace, total: None, content: Vec::new() })
}

/// Whether a file may get this name and has its place.
pub(super) fn may_write(state: &State, place: &Place, replace: bool, bytes: u64) -> Result<(), Answer> {
    let missing = || Answer::refuse(404, "itemNotFound");
    let drive = state.drives.get(&place.drive).ok_or_else(missing)?;
    let parent = place.parent.filter(|parent| drive.is_folder(*parent)).ok_or_else(missing)?;
    check_name(&place.name)?;
    let above = drive.web_url.splitn(4, '/').nth(3).unwrap_or_default();
    let whole = format!("{}/{}/{}", super::words::decoded(above, false), drive.path(parent), place.name);
    if whole.encode_utf16().count() > 400 {
        return Err(Answer::refuse_because(400, "invalidRequest", "pathIsTooLong"));
    }
    match drive.child(parent, &place.name) {
        Some(id) if !replace || drive.is_folder(id) => return Err(Answer::refuse(409, "nameAlreadyExists")),
        Some(id) if drive.is_kept(id) => return Err(Answer::refuse(423, "resourceLocked")),
        _ => {}
    }
    if state.drives.have_room_for(bytes) { Ok(()) } else { Err(Answer::refuse(507, "insufficientStorage")) }
}

fn check_name(name: &str) -> Result<(), Answer> {
    let bad = name.is_empty()
        || name.contains(|c: char| c.is_control() || "\"*:<>?/\\|".contains(c))
        || name.trim() != name
        || name.ends_with('.')
        || name.starts_with("~$")
        || name.encode_utf16().count() > 255;
    if bad { Err(Answer::refuse_because(400, "invalidRequest", "invalidFileName")) } else { Ok(()) }
}
