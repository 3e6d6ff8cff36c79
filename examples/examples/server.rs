//! The reference server inside another program: start it, use its link, stop it.
#![allow(clippy::print_stdout, reason = "an example prints what happens")]

use conf_server::{Config, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("conf-example-{}", std::process::id()));
    let config = Config {
        http_listen: "127.0.0.1:0".parse()?,
        media_listen: vec!["127.0.0.1:0".parse()?],
        metrics_listen: None,
        data_dir: folder.clone(),
        ..Config::built_in()
    };
    let server = Server::start(config).await?;
    println!("listening on {}", server.http());
    let link = server.open_room_link().unwrap_or_default();
    println!("people meet at a link of {} characters", link.len());
    server.stop().await;
    std::fs::remove_dir_all(folder)?;
    println!("stopped");
    Ok(())
}
