//! Who a request names: users by their name or any of their identities, groups by name.

use super::ApiError;
use crate::in_force::TenantInForce;

impl TenantInForce {
    /// The name of the user whom `text` names. Errors, without the text: nobody, or several.
    pub fn user_named(&self, text: &str) -> Result<String, ApiError> {
        if text.is_empty() {
            return Err(ApiError::Invalid("a user has to be named".to_owned()));
        }
        match self.policy().user_names(text).as_slice() {
            [name] => Ok((*name).to_owned()),
            [] => Err(ApiError::NotFound(
                "the tenant's Directory has no user with this name or identity".to_owned(),
            )),
            _ => Err(ApiError::Invalid(
                "several users of the Directory have this identity; give the user's name".to_owned(),
            )),
        }
    }

    /// The name of the group whom `text` names, or one of whose numbers it is. Error: none.
    pub fn group_named(&self, text: &str) -> Result<String, ApiError> {
        let unknown = || ApiError::NotFound("the tenant's Directory has no group of this name".to_owned());
        self.policy().group_name(text).map(str::to_owned).ok_or_else(unknown)
    }
}

/// Error: the id is empty, or no PBX would write it.
pub(super) fn call_id(id: &str) -> Result<&str, ApiError> {
    match id.len() {
        0 => Err(ApiError::Invalid("a call has to be named by the PBX's id of it".to_owned())),
        1..=1024 => Ok(id),
        _ => Err(ApiError::Invalid("the id of a call has at most 1024 bytes".to_owned())),
    }
}
