//! A server that has the certificate itself: people and docker come by https, builds by a port on loopback.

use slipway_forge::ForgeConfig;
use slipway_tests::{BuilderProgram, Certificate, Client, Docker, Stage};

/// A forge whose OAuth App has an https callback.
fn forge() -> ForgeConfig {
    ForgeConfig { callback_urls: vec!["https://localhost/".to_owned()], ..ForgeConfig::default() }
}

const HELLO: &str = "CMD [\"echo\", \"built behind a certificate\"]\n";

#[tokio::test]
async fn with_a_certificate_for_the_public_name_builds_run_and_images_are_pulled() {
    let certificate = Certificate::for_localhost().await;
    let stage = Stage::with(forge(), |server| server.tls(&certificate)).await;
    let repo = stage.repository("sealed", HELLO);
    let project = stage.import(&repo).await;
    let build = project.built(1).await;
    build.page.assert_says("signature: verified");
    stage.server.visibility(&project.name, "public").await;

    // crane checks the certificate; the engine of docker speaks TLS to localhost without looking.
    let image = project.image("main");
    let file = certificate.authority();
    let digest = Client::crane().command(&["digest", &image]).env("SSL_CERT_FILE", file).output().await.ok();
    assert_eq!(Some(digest.text()), project.digest("main").await.as_deref());
    let unknown = Client::crane().command(&["digest", &image]).env("SSL_CERT_FILE", "/dev/null").output().await;
    assert!(unknown.fails().stderr.contains("certificate"), "crane does not look at the certificate");
    let docker = Docker::start().await;
    docker.run(&["pull", &image]).await.ok();
    let said = docker.run(&["run", "--rm", "--net=none", &image]).await.ok();
    assert_eq!(said.text(), "built behind a certificate");
}

#[tokio::test]
async fn cookies_and_links_are_those_of_https_on_the_port_of_builders_too() {
    let certificate = Certificate::for_localhost().await;
    let stage = Stage::signed_out(forge(), |server| server.tls(&certificate)).await;
    let port = internal_port(&stage.server.log());
    let people = stage.server.http().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    for base in [stage.server.url(""), format!("http://127.0.0.1:{port}")] {
        let begin = format!("{base}/login/github?purpose=sign-in");
        let answer = people.get(&begin).send().await.expect("an answer");
        let cookie = answer.headers()["set-cookie"].to_str().expect("ASCII").to_owned();
        assert!(cookie.starts_with("__Host-slipway-") && cookie.contains("; Secure"), "{base}: {cookie}");
        let location = answer.headers()["location"].to_str().expect("ASCII").to_owned();
        let back = format!("redirect_uri=https%3A%2F%2Flocalhost%3A{}%2F", stage.server.port());
        assert!(location.contains(&back), "{base}: {location}");
    }
    // Nobody comes to the public port without TLS.
    let plain = format!("http://127.0.0.1:{}/healthz", stage.server.port());
    assert!(people.get(plain).send().await.is_err());
}

#[tokio::test]
async fn a_builder_elsewhere_fetches_and_pushes_by_tls_with_the_operators_authority() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let certificate = Certificate::for_localhost().await;
    let stage = Stage::with(forge(), |server| {
        let server = server.tls(&certificate).env("SLIPWAY_BUILDER_EMBEDDED", "false");
        server.env("SLIPWAY_BUILDER_TOKENS", TOKEN)
    })
    .await;
    let address = stage.server.url("");
    let authority = certificate.authority().to_string_lossy().into_owned();
    let settings = [("SLIPWAY_BUILDER_SERVER", address.as_str()), ("SLIPWAY_BUILDER_CA_FILES", &authority)];
    let _builder = BuilderProgram::start_with(&stage.server, TOKEN, &settings);
    let repo = stage.private_repository("afar", HELLO);
    stage.import(&repo).await.built(1).await.page.assert_says("signature: verified");
}

fn internal_port(log: &str) -> u16 {
    let rest = log.split("builders use http://127.0.0.1:").nth(1).unwrap_or_else(|| panic!("no port in {log}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}
