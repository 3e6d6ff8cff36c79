//! The web client's stage: install, types, unit tests, build, and the size of what a browser loads.

use crate::inputs::{npm, web, web_dist};
use crate::stage::Stage;

pub(crate) fn check(stage: &mut Stage) {
    stage.command(&mut npm(&["ci", "--no-audit", "--no-fund"]));
    stage.command(&mut npm(&["run", "--silent", "check"]));
    stage.command(&mut npm(&["run", "--silent", "test"]));
    let out = web_dist().to_string_lossy().into_owned();
    let build = ["exec", "--", "vite", "build", "--emptyOutDir", "--outDir", &out];
    stage.command(&mut npm(&build));
    // Budgets of the page: pre-join 90 kB, meeting 300 kB, both compressed.
    let mut sizes = std::process::Command::new("node");
    stage.command(sizes.current_dir(web()).args(["tests/sizes.mjs", &out]));
}
