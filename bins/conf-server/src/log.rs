//! The application log: standard output, our own crates only.
//!
//! Nothing personal is logged at any level: no names, addresses, tokens, codes or content. Other
//! crates promise no such thing, so what they log is left out, and a panic is reported by its
//! place in the code, without its message.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging for the whole process. Later calls change nothing.
pub fn start(level: tracing::Level) {
    let ours = Targets::new()
        .with_target("conf_server", level)
        .with_target("conf_media", level)
        .with_target("conf_core", level)
        .with_target("conf_privacy", level)
        .with_target("conf_store", level);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false);
    let _already_set = tracing_subscriber::registry().with(lines).with(ours).try_init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "panic");
    }));
}
