//! Apps and users that sign in.

use std::{fs, time::Duration};

use domain::resources::{AppLogin, Cloud, Drive, MicrosoftLogin, OneDriveTarget, UserLogin};
use harness::graph::{CLIENT, Instead, TENANT, USER, USER_DRIVE};
use jiff::{SignedDuration, Timestamp};
use targets::{
    ErrorKind, Target,
    one_drive::sign_in::{BrowserLogin, DeviceLogin, Login, LoginId, LoginStore as _},
};

use crate::{
    content::content_of,
    world::{World, described, of_user, user},
};

fn of_app(login: AppLogin) -> OneDriveTarget {
    described(MicrosoftLogin::App(login), Drive::User(USER.into()))
}

fn own() -> OneDriveTarget {
    described(MicrosoftLogin::User(user()), Drive::Own)
}

fn login_of(refresh_token: String, renewed: Timestamp) -> Login {
    Login { refresh_token: refresh_token.into(), made: Timestamp::now(), renewed }
}

async fn log_in(world: &World) {
    let login = login_of(world.graph.login(USER), Timestamp::now());
    world.logins().save(&LoginId::of(Cloud::Global, &user()), &login).await.unwrap();
}

#[tokio::test]
async fn an_app_signs_in_by_its_certificate_whose_end_is_known() {
    let world = World::start().await;
    let pem = world.graph.client_certificate().unwrap();
    let by = |pem: String| AppLogin::Certificate {
        tenant_id: TENANT.into(),
        client_id: CLIENT.into(),
        pem: pem.into(),
    };
    let target = world.open(of_app(by(pem.clone())));
    target.test().await.unwrap();
    assert_eq!(world.graph.signed_in(), ["certificate"]);
    let expiries = target.expiries().await.unwrap();
    assert_eq!(expiries.len(), 1);
    let left = expiries[0].at.duration_since(Timestamp::now());
    assert!(expiries[0].what.contains("certificate") && (39..=40).contains(&(left.as_hours() / 24)));
    // The key of the TLS server is no RSA key; a certificate without its key proves nothing.
    let ec = fs::read_to_string(world.data().join("microsoft/server.key")).unwrap();
    let certificate = &pem[pem.find("-----BEGIN CERTIFICATE").unwrap()..];
    for (pem, expected) in [
        (format!("{ec}{certificate}"), "RSA"),
        (certificate.to_owned(), "private key"),
        (pem[..pem.find("-----BEGIN CERTIFICATE").unwrap()].to_owned(), "no certificate"),
    ] {
        let error = world.open(of_app(by(pem))).test().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LoginRefused);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn an_app_that_is_refused_is_told_why() {
    let world = World::start().await;
    for (number, expected) in [
        (7_000_215, "secret's value"),
        (7_000_222, "expired"),
        (700_016, "clientId"),
        (90_002, "tenantId"),
        (53_003, "Conditional Access"),
        (1, "AADSTS1"),
    ] {
        world.graph.refuse_sign_in(Some(number));
        let error = world.recordings().test().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LoginRefused);
        assert!(error.to_string().contains(expected), "{error}");
    }
    world.graph.refuse_sign_in(None);
    let secret = AppLogin::Secret { tenant_id: TENANT.into(), client_id: CLIENT.into(), secret: "no".into() };
    assert_eq!(world.open(of_app(secret)).test().await.unwrap_err().kind(), ErrorKind::LoginRefused);
    for (status, wait, kind) in [(500, None, ErrorKind::Unreachable), (429, Some(4), ErrorKind::Busy)] {
        world.graph.instead("oauth2", Instead::Refuse(status, "x", wait));
        let error = world.recordings().test().await.unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (kind, wait.map(Duration::from_secs)), "{error}");
    }
}

#[tokio::test]
async fn the_end_of_a_secret_is_known_where_the_app_may_read_its_registration() {
    let world = World::start().await;
    let target = world.recordings();
    let expiries = target.expiries().await.unwrap();
    assert_eq!(expiries.len(), 1);
    assert_eq!(
        (expiries[0].what.as_str(), expiries[0].at.to_string().as_str()),
        ("the client secret", "2027-03-01T00:00:00Z")
    );
    world.graph.reads_registrations(false);
    assert!(target.expiries().await.unwrap().is_empty());
}

#[tokio::test]
async fn each_cloud_has_its_own_servers() {
    let world = World::start().await;
    for (cloud, graph, login) in [
        (Cloud::Global, "graph.microsoft.com", "login.microsoftonline.com"),
        (Cloud::UsGov, "graph.microsoft.us", "login.microsoftonline.us"),
        (Cloud::UsGovDod, "dod-graph.microsoft.us", "login.microsoftonline.us"),
        (Cloud::China, "microsoftgraph.chinacloudapi.cn", "login.chinacloudapi.cn"),
    ] {
        world.open(OneDriveTarget { cloud, ..of_user() }).test().await.unwrap();
        let seen = world.graph.seen();
        let known = |host: &str| [graph, login].contains(&host) || host.ends_with(".sharepoint.com");
        assert!(seen.iter().all(|seen| known(&seen.host)) && seen[0].host == login, "{cloud:?}: {seen:?}");
    }
}

#[tokio::test]
async fn a_user_has_to_log_in_once_and_the_login_is_renewed_for_ever() {
    let world = World::start().await;
    let target = world.open(own());
    let error = target.test().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.to_string().contains("callseal login --config DIR vault"), "{error}");
    log_in(&world).await;
    let id = LoginId::of(Cloud::Global, &user());
    let before = world.logins().load(&id).await.unwrap().unwrap();
    target.test().await.unwrap();
    let after = world.logins().load(&id).await.unwrap().unwrap();
    assert_ne!(after.refresh_token, before.refresh_token, "Entra ID gives another one each time");
    assert_eq!(after.made, before.made);
    target.put("", "a.wav", &content_of(9)).await.unwrap();
    assert!(world.graph.file(USER_DRIVE, "Recordings/a.wav").is_some());
    assert_eq!(world.graph.signed_in(), ["refresh token"]);
    for entry in fs::read_dir(world.data().join("logins")).unwrap() {
        let text = String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned();
        assert!(!text.contains("refresh") && !text.contains(USER));
    }
}

#[tokio::test]
async fn a_login_that_was_revoked_says_which_command_mends_it_and_a_new_one_is_used_at_once() {
    let world = World::start().await;
    log_in(&world).await;
    let target = world.open(own());
    target.test().await.unwrap();
    world.graph.end_tokens();
    for (number, expected) in [(50_173, "revoked"), (700_082, "not used"), (50_076, "second factor")] {
        world.graph.refuse_sign_in(Some(number));
        let error = target.test().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LoginRefused);
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains("callseal login --config DIR vault"), "{text}");
        assert!(!text.contains(USER));
    }
    world.graph.refuse_sign_in(None);
    log_in(&world).await;
    target.test().await.unwrap();
}

#[tokio::test]
async fn several_logins_stand_beside_each_other_and_case_makes_no_second_one() {
    let world = World::start().await;
    log_in(&world).await;
    let other = UserLogin { account: "bob@contoso.example".into(), ..user() };
    let (ann, bob) = (LoginId::of(Cloud::Global, &user()), LoginId::of(Cloud::Global, &other));
    assert_eq!(world.logins().load(&bob).await.unwrap(), None);
    world.logins().save(&bob, &login_of("bobs".into(), Timestamp::now())).await.unwrap();
    assert_eq!(world.logins().load(&bob).await.unwrap().unwrap().refresh_token.expose(), "bobs");
    assert_ne!(world.logins().load(&ann).await.unwrap().unwrap().refresh_token.expose(), "bobs");
    let upper = UserLogin { account: USER.to_uppercase().into(), ..user() };
    assert_eq!(LoginId::of(Cloud::Global, &upper), ann);
    assert_ne!(LoginId::of(Cloud::China, &user()), ann);
}

#[tokio::test]
async fn what_an_older_login_was_renewed_to_does_not_take_the_place_of_a_newer_one() {
    let world = World::start().await;
    let (logins, id) = (world.logins(), LoginId::of(Cloud::Global, &user()));
    let older = login_of("older".into(), Timestamp::now());
    let newer = Login {
        made: older.made + SignedDuration::from_secs(1),
        ..login_of("newer".into(), Timestamp::now())
    };
    logins.save(&id, &newer).await.unwrap();
    logins.renew(&id, older.made, &older).await.unwrap();
    assert_eq!(logins.load(&id).await.unwrap(), Some(newer));
}

#[tokio::test]
async fn a_login_that_nobody_uses_is_renewed_once_a_day_by_looking_when_it_ends() {
    let world = World::start().await;
    let id = LoginId::of(Cloud::Global, &user());
    let month_ago = Timestamp::now() - SignedDuration::from_hours(30 * 24);
    world.logins().save(&id, &login_of(world.graph.login(USER), month_ago)).await.unwrap();
    let target = world.open(own());
    for _ in 0..3 {
        let expiries = target.expiries().await.unwrap();
        let left = expiries[0].at.duration_since(Timestamp::now());
        assert!((89..=90).contains(&(left.as_hours() / 24)), "{left}");
    }
    assert_eq!(world.graph.signed_in(), ["refresh token"]);
    // One that cannot be renewed is not announced for some day: it is a fault now.
    world.logins().save(&id, &login_of("gone".into(), month_ago)).await.unwrap();
    assert_eq!(world.open(own()).expiries().await.unwrap_err().kind(), ErrorKind::LoginRefused);
}

#[tokio::test]
async fn a_user_logs_in_with_a_code_on_another_device() {
    let world = World::start().await;
    let (target, login) = (own(), user());
    let begin = || DeviceLogin::begin(world.http(), &target, &login);
    let device = begin().await.unwrap();
    assert!(device.page().starts_with("https://"));
    let code = device.code().to_owned();
    let finishing = tokio::spawn(device.finish());
    // It asks at least once before the user is there.
    harness::wait::until("a question", Duration::from_secs(30), async || {
        world.graph.seen().into_iter().find(|seen| seen.request.ends_with("/token") && seen.status == 400)
    })
    .await
    .unwrap();
    world.graph.on_device(&code, Some(USER));
    let made = finishing.await.unwrap().unwrap();
    assert_eq!(made.account.unwrap().expose(), USER);
    world.logins().save(&LoginId::of(Cloud::Global, &user()), &made.login).await.unwrap();
    world.open(own()).test().await.unwrap();

    let device = begin().await.unwrap();
    world.graph.on_device(device.code(), None);
    let error = device.finish().await.unwrap_err();
    assert!(error.to_string().contains("declined"), "{error}");
}

#[tokio::test]
async fn a_user_logs_in_in_a_browser_and_nobody_else_can_finish_it() {
    let world = World::start().await;
    let begin = || BrowserLogin::begin(world.http(), &own(), &user(), 50_123).unwrap();
    let (browser, other) = (begin(), begin());
    let back = world.graph.in_browser(browser.page().as_str(), USER).unwrap();
    let query = back.split_once('?').unwrap().1;
    assert!(back.starts_with("http://localhost:50123/"));
    assert!(other.finish(query).await.unwrap().is_none(), "the state is another's");
    assert!(browser.finish("code=x").await.unwrap().is_none());
    // Who has stolen the code has not the verifier.
    let stolen = query.replace(&state(query), &state(other.page().query().unwrap()));
    assert_eq!(other.finish(&stolen).await.unwrap_err().kind(), ErrorKind::LoginRefused);

    let browser = begin();
    let back = world.graph.in_browser(browser.page().as_str(), USER).unwrap();
    let made = browser.finish(back.split_once('?').unwrap().1).await.unwrap().unwrap();
    assert_eq!(made.account.unwrap().expose(), USER);
    assert_eq!(world.graph.signed_in(), ["authorization code"]);
    let declined = format!(
        "error=access_denied&error_description=AADSTS65004&state={}",
        state(browser.page().query().unwrap())
    );
    assert!(browser.finish(&declined).await.unwrap_err().to_string().contains("declined"));
}

fn state(query: &str) -> String {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("state="));
    value.unwrap().to_owned()
}
