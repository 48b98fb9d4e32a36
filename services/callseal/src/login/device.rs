//! Signing in on another device.

use domain::resources::{OneDriveTarget, UserLogin};
use reqwest::Client;
use targets::{
    TargetError,
    one_drive::sign_in::{DeviceLogin, Made},
};

pub(super) async fn sign_in(
    http: Client,
    drive: &OneDriveTarget,
    user: &UserLogin,
) -> Result<Made, TargetError> {
    let login = DeviceLogin::begin(http, drive, user).await?;
    println!("Open {} on any device and type the code {}", login.page(), login.code());
    login.finish().await
}
