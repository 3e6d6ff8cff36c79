//! `cargo xtask dist`: the Debian package, made by dpkg-deb; and its test in a clean Debian.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::inputs::{cargo, root, target};
use crate::rust::succeed;
use crate::stage::{Stage, say};

/// Builds the program, then the package; says where it is.
pub(crate) fn make() -> Result<()> {
    succeed(&mut cargo(&["build", "--release", "--locked", "--bin", "conf-server"]))?;
    let package = package()?;
    say(&format!("made {}", package.display()));
    Ok(())
}

/// Makes the package from the release program, installs it in a clean Debian and starts it there.
pub(crate) fn check(stage: &mut Stage) {
    let package = match package() {
        Ok(package) => package,
        Err(error) => return stage.check(&format!("the package is made: {error:#}"), false),
    };
    stage.check("the package holds what it should, with sane modes", is_sane(&package));
    let script = root().join("bins/conf-server/packaging/test.sh");
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--"]).arg("sh").arg(script).arg(&package).arg(folder());
    // Downloads once; the namespace of the test has no network.
    match base() {
        Ok(()) => stage.command(&mut command),
        Err(error) => stage.check(&format!("a clean Debian is there: {error:#}"), false),
    }
}

/// Where everything of this stage is.
fn folder() -> PathBuf {
    target().join("dist")
}

fn package() -> Result<PathBuf> {
    let tree = folder().join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    let version = env!("CARGO_PKG_VERSION");
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let program = target().join("release/conf-server");
    put(&program, &tree.join("usr/bin/conf-server"), 0o755)
        .context("no release program: run the stage `release` first")?;
    let ours = root().join("bins/conf-server");
    let doc = tree.join("usr/share/doc/conf-server");
    for (from, to, mode) in [
        (
            ours.join("packaging/conf-server.service"),
            "lib/systemd/system/conf-server.service",
            0o644,
        ),
        (ours.join("packaging/conf.toml"), "etc/conf/conf.toml", 0o644),
        (ours.join("packaging/policy.toml"), "etc/conf/policy.toml", 0o644),
        (ours.join("packaging/conffiles"), "DEBIAN/conffiles", 0o644),
        (ours.join("packaging/postinst"), "DEBIAN/postinst", 0o755),
        (ours.join("packaging/prerm"), "DEBIAN/prerm", 0o755),
        (ours.join("packaging/postrm"), "DEBIAN/postrm", 0o755),
    ] {
        put(&from, &tree.join(to), mode)?;
    }
    put(&ours.join("docs/operating.md"), &doc.join("operating.md"), 0o644)?;
    put(&root().join("CHANGELOG.md"), &doc.join("CHANGELOG.md"), 0o644)?;
    put(&root().join("LICENSE-MIT"), &doc.join("copyright"), 0o644)?;
    put(&root().join("LICENSE-APACHE"), &doc.join("LICENSE-APACHE"), 0o644)?;
    let size = fs::metadata(&program)?.len().div_ceil(1024).to_string();
    let control = fs::read_to_string(ours.join("packaging/control"))?
        .replace("{version}", version)
        .replace("{architecture}", &architecture)
        .replace("{kibibytes}", &size);
    fs::write(tree.join("DEBIAN/control"), control)?;
    let package = folder().join(format!("conf-server_{version}_{architecture}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--build", "--root-owner-group", "-Zxz"]).arg(&tree).arg(&package);
    output(&mut build)?;
    Ok(package)
}

fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| from.display().to_string())?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}

/// What lintian would look at first: owners, modes, no stray files.
fn is_sane(package: &Path) -> bool {
    let list = output(Command::new("dpkg-deb").arg("--contents").arg(package)).unwrap_or_default();
    let sane = |line: &str| {
        let program = line.ends_with("./usr/bin/conf-server");
        let mode = line.get(..10).unwrap_or_default();
        line.contains(" root/root ")
            && match mode.as_bytes().first() {
                Some(b'd') => mode == "drwxr-xr-x",
                _ if program => mode == "-rwxr-xr-x",
                _ => mode == "-rw-r--r--",
            }
    };
    let wrong: Vec<_> = list.lines().filter(|line| !sane(line)).collect();
    for line in &wrong {
        say(line);
    }
    list.contains("./usr/bin/conf-server") && wrong.is_empty()
}

/// A clean Debian, made once.
fn base() -> Result<()> {
    let base = folder().join("base");
    if base.join("usr/bin/adduser").exists() || base.join("usr/sbin/adduser").exists() {
        return Ok(());
    }
    let mut make = Command::new("debootstrap");
    make.args(["--variant=minbase", "--include=adduser,ca-certificates", "bookworm"]).arg(base);
    succeed(&mut make)
}

fn output(command: &mut Command) -> Result<String> {
    let out = command.output().with_context(|| format!("{command:?}"))?;
    let words = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "{command:?}: {words}");
    Ok(String::from_utf8_lossy(&out.stdout).trim_end().to_owned())
}
