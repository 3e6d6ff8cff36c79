//! Builds, tests and measures the workspace. `cargo xtask` lists the commands.

mod bench;
mod dist;
mod e2e;
mod fuzz;
mod inputs;
mod instructions;
mod namespace;
mod peers;
mod rules;
mod rust;
mod setup;
mod soak;
mod stage;
mod web;

use std::process::ExitCode;

use anyhow::Result;
use stage::Run;

const HELP: &str = "\
cargo xtask <command>

  setup            install what is missing (names each package; asks for root only for that)
  test [STAGE…]    all that must pass before a merge; with names only those stages
  bench [GROUP]    criterion groups with figures: times, allocations, bytes copied
  bench --save     all of them into benches/results/criterion.md
  bench --limits   the limits of the stage `instructions` anew; --ratios: the engine beside its floor
  peers [OPTION…]  our server beside Janus and the floor, into benches/results
                   (--rounds 5 --seconds 10 --only CASE; root on Debian, about half an hour)
  fuzz [SECONDS [TARGET]]  mutate every corpus, or one, on the stable toolchain (60 a target)
  soak [OPTION…]   what takes long: a hundred kills in mid-meeting, then half an hour of media while
                   people come and go, into benches/results (--minutes 30 --only kills|media; root)
  record           what Chromium's camera sends, for conf-load's shape `browser`
  dist             the Debian package, in target/dist
  wire             write the TypeScript of the meeting websocket anew

stages of test: format rules web lint unit docs bench examples release instructions dist e2e";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = words.split_first().map_or(("", &[][..]), |(c, r)| (c.as_str(), r));
    let outcome = match command {
        "setup" => setup::install(),
        "test" => test(rest),
        "bench" => bench::run(rest),
        "peers" => peers::run(rest),
        "fuzz" => fuzz::run(rest),
        "soak" => soak::run(rest),
        "record" => e2e::record(),
        "dist" => dist::make(),
        "wire" => rust::wire(),
        _ => {
            stage::say(HELP);
            return ExitCode::from(u8::from(!command.is_empty()) * 2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stage::say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs the stages in order of cost; a failed one does not hide what the later ones find.
fn test(only: &[String]) -> Result<()> {
    let mut run = Run::new(only);
    run.always("setup", setup::install)?;
    run.stage("format", rust::format);
    run.stage("rules", rules::check);
    run.stage("web", web::check);
    run.stage("lint", rust::lint);
    run.stage("unit", rust::unit);
    run.stage("docs", rust::docs);
    run.stage("bench", rust::benches_once);
    run.stage("examples", rust::examples);
    run.stage("release", rust::release);
    run.stage("instructions", instructions::check);
    run.stage("dist", dist::check);
    run.stage("e2e", e2e::run);
    run.finish()
}
