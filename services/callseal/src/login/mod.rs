//! `callseal login`: a user signs in to Microsoft for a OneDrive target; the login is kept sealed in the
//! data folder, where the shipper finds and renews it (F-76).

mod browser;
mod device;

use std::process::ExitCode;

use anyhow::{bail, ensure};
use domain::resources::{MicrosoftLogin, OneDriveTarget, StorageKind, StorageTarget, UserLogin};
use targets::one_drive::{
    http_client,
    sign_in::{LoginId, LoginStore as _, Made, SealedLogins},
};

use crate::one_resource::OneResourceArgs;

/// Which target, and how to sign in.
#[derive(Debug, clap::Args)]
pub struct LoginArgs {
    #[command(flatten)]
    which: OneResourceArgs,
    /// Sign in with a code on any other device, where this machine has no browser.
    #[arg(long)]
    device: bool,
    /// Port of this machine that the browser is sent back to; 0: any that is free.
    #[arg(long, default_value_t = 0, value_name = "PORT", conflicts_with = "device")]
    port: u16,
}

/// Exit code 0: the login is kept, 1: nobody has signed in (why is said), 2: there is no such target.
pub async fn run(args: LoginArgs) -> ExitCode {
    let target = match args.which.find("StorageTarget", |tenant| &tenant.storage_targets) {
        Ok(target) => target,
        Err(code) => return code,
    };
    match log_in(&args, &target).await {
        Ok(()) => {
            println!("{}: the login is kept, and renewed from now on", args.which.name);
            println!(
                "  callseal test-target shows whether it reaches the drive; callseal retry spares the wait"
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}: {error}", args.which.name);
            for cause in error.chain().skip(1) {
                println!("  cause: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn log_in(args: &LoginArgs, target: &StorageTarget) -> anyhow::Result<()> {
    let (drive, user) = user_of(target)?;
    let http = http_client()?;
    let made = if args.device {
        device::sign_in(http, drive, user).await?
    } else {
        browser::sign_in(http, drive, user, args.port).await?
    };
    check_account(&made, user)?;
    let logins = SealedLogins::in_folder(&args.which.data);
    Ok(logins.save(&LoginId::of(drive.cloud, user), &made.login).await?)
}

fn user_of(target: &StorageTarget) -> anyhow::Result<(&OneDriveTarget, &UserLogin)> {
    let StorageKind::OneDrive(drive) = &target.kind else {
        bail!("is no OneDrive target: nobody logs in to it");
    };
    match &drive.login {
        MicrosoftLogin::User(user) => Ok((drive, user)),
        MicrosoftLogin::App(_) => {
            bail!("an app signs in to it by itself; callseal test-target shows whether it can")
        }
    }
}

/// Whoever has another account open in the browser signs in as somebody else without noticing.
fn check_account(made: &Made, user: &UserLogin) -> anyhow::Result<()> {
    let (wanted, chosen) = (user.account.expose(), made.account.as_ref());
    let same = chosen.is_none_or(|chosen| chosen.expose().to_lowercase() == wanted.to_lowercase());
    ensure!(same, "somebody else than login.user.account has signed in; choose that account, or change it");
    Ok(())
}
