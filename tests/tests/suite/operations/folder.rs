//! One server for each data folder.

use slipway_tests::Server;

#[tokio::test]
async fn a_second_server_on_one_folder_is_told_of_the_first() {
    let server = Server::start().await;
    for command in ["serve", "migrate"] {
        let second = server.command(&[command]).await.fails();
        let folder = server.data_dir().display().to_string();
        for part in ["another slipway runs on", &folder, "stop it first"] {
            assert!(second.stderr.contains(part), "{second}");
        }
        assert!(!second.stderr.contains("os error"), "{second}");
    }
    assert!(reqwest::get(server.url("/healthz")).await.expect("an answer").status().is_success());
}
