//! Builds the web client and lists its files for the binary.
//!
//! `npm ci` runs when `package-lock.json` changed, Vite when any input of the client did; both are
//! remembered by a hash of what they read, so that edits of the server never touch npm. The result
//! goes to OUT_DIR only. `CONF_WEB_DIST` names a client that was built elsewhere: no Node is needed
//! then. Without the feature `web` nothing is built and the binary carries no client.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CONF_WEB_DIST");
    let named = env::var_os("CONF_WEB_DIST").filter(|dist| !dist.is_empty());
    let result = match (env::var_os("CARGO_FEATURE_WEB"), named) {
        (None, _) => Ok(None),
        (Some(_), Some(dist)) => prebuilt(Path::new(&dist)).map(Some),
        (Some(_), None) => build(&out).map(Some),
    };
    let listed = result.and_then(|dist| list(dist.as_deref(), &out));
    if let Err(problem) = listed {
        println!("cargo::error={problem}");
    }
}

/// A client that was built elsewhere.
fn prebuilt(dist: &Path) -> Result<PathBuf, String> {
    println!("cargo::rerun-if-changed={}", dist.display());
    if !dist.join("index.html").is_file() {
        return Err(format!("CONF_WEB_DIST={} holds no index.html", dist.display()));
    }
    Ok(dist.to_owned())
}

/// Builds `web/` into OUT_DIR, as far as something changed.
fn build(out: &Path) -> Result<PathBuf, String> {
    let root = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let web = Path::new(&root).join("web");
    let dist = out.join("web");
    for input in INPUTS {
        println!("cargo::rerun-if-changed={}", web.join(input).display());
    }
    let lock = hash(&web, &["package-lock.json"])?;
    let all = hash(&web, INPUTS)?;
    if stamp(&dist.join(STAMP)) == Some(all) {
        return Ok(dist);
    }
    check_node()?;
    // Builds of other profiles share node_modules and wait here; closing the file lets them on.
    let lock_file = web.join("package-lock.json");
    let locked = fs::File::open(&lock_file).and_then(|file| file.lock().map(|()| file));
    let _locked = locked.map_err(|error| format!("{}: {error}", lock_file.display()))?;
    let installed = web.join("node_modules").join(STAMP);
    if stamp(&installed) != Some(lock) {
        run(&web, "npm", &["ci", "--no-audit", "--no-fund", "--include=dev", "--ignore-scripts"])?;
        write(&installed, lock.to_string().as_bytes())?;
    }
    let target = dist.display().to_string();
    let vite = "node_modules/vite/bin/vite.js";
    run(&web, "node", &[vite, "build", "--outDir", &target, "--emptyOutDir"])?;
    run(&dist, "node", &["-e", BROTLI])?;
    write(&dist.join(STAMP), all.to_string().as_bytes())?;
    Ok(dist)
}

fn check_node() -> Result<(), String> {
    let needed = format!(
        "the web client needs Node {}.{} or newer with npm to be built; install it, name a prebuilt client in CONF_WEB_DIST, or build with --no-default-features (no web client)",
        NODE.0, NODE.1
    );
    let output = Command::new("node").arg("--version").output();
    let output = output.map_err(|error| format!("{needed}: node cannot be run ({error})"))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut parts = text.trim_start_matches('v').split('.').map_while(|part| part.parse().ok());
    let found: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < NODE { Err(format!("{needed}: found {text}")) } else { Ok(()) }
}

/// Runs a step; its output is shown only if it fails.
fn run(folder: &Path, program: &str, words: &[&str]) -> Result<(), String> {
    let step = format!("{program} {}", words.first().copied().unwrap_or_default());
    let output = Command::new(program).current_dir(folder).args(words).output();
    let output = output.map_err(|error| format!("{step} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let shown = [output.stdout, output.stderr].concat();
    for line in String::from_utf8_lossy(&shown).lines() {
        println!("cargo::warning={line}");
    }
    Err(format!("building the web client failed at {step} ({})", output.status))
}

/// Writes the table of files that `src/http/assets.rs` includes.
fn list(dist: Option<&Path>, out: &Path) -> Result<(), String> {
    let mut files = BTreeMap::new();
    if let Some(dist) = dist {
        collect(dist, dist, &mut files)?;
    }
    let packed = out.join("packed");
    let _none_yet = fs::remove_dir_all(&packed);
    let mut table = "&[\n".to_owned();
    for (name, path) in &files {
        if name.ends_with(".br") || name.ends_with(".gz") {
            continue;
        }
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let gzip = if compressible(name) { gzip(&bytes, &packed, name)? } else { None };
        let brotli = files.get(&format!("{name}.br"));
        let _ = writeln!(
            table,
            "    Asset {{ path: {name:?}, etag: \"\\\"{:016x}\\\"\", plain: include_bytes!({path:?}), gzip: {}, brotli: {} }},",
            hash_of(&bytes),
            included(gzip.as_deref()),
            included(brotli.map(PathBuf::as_path)),
        );
    }
    table.push_str("]\n");
    write(&out.join("assets.rs"), table.as_bytes())
}

fn included(path: Option<&Path>) -> String {
    path.map_or_else(|| "None".to_owned(), |path| format!("Some(include_bytes!({path:?}))"))
}

/// All files below `folder` that are served, by their path in the client.
fn collect(
    root: &Path,
    folder: &Path,
    files: &mut BTreeMap<String, PathBuf>,
) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            files.insert(name.to_owned(), path.clone());
        }
    }
    Ok(())
}

/// The file compressed, where that makes it smaller.
fn gzip(bytes: &[u8], packed: &Path, name: &str) -> Result<Option<PathBuf>, String> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let small = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let small = small.map_err(|error| format!("{name}: {error}"))?;
    if small.len() >= bytes.len() {
        return Ok(None);
    }
    let path = packed.join(format!("{name}.gz"));
    fs::create_dir_all(path.parent().unwrap_or(packed)).map_err(|error| error.to_string())?;
    write(&path, &small).map(|()| Some(path))
}

fn compressible(name: &str) -> bool {
    Path::new(name)
        .extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| COMPRESSIBLE.contains(&extension))
}

/// One number for names and contents of files and folders below `root`.
fn hash(root: &Path, names: &[&str]) -> Result<u64, String> {
    let mut files = BTreeMap::new();
    for name in names {
        let path = root.join(name);
        if path.is_dir() {
            collect(root, &path, &mut files)?;
        } else if path.is_file() {
            files.insert((*name).to_owned(), path);
        }
    }
    let mut hasher = DefaultHasher::new();
    for (name, path) in files {
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        (name, bytes).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn stamp(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.parse().ok()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// What the built client depends on.
const INPUTS: &[&str] = &[
    "index.html",
    "package.json",
    "package-lock.json",
    "public",
    "src",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
];
const STAMP: &str = ".conf-stamp";
const NODE: (u32, u32) = (20, 19);
const COMPRESSIBLE: [&str; 8] = ["css", "html", "js", "json", "map", "svg", "txt", "webmanifest"];
/// Node brings Brotli, so building needs no crate for it.
const BROTLI: &str = r"
const fs = require('fs'), path = require('path'), zlib = require('zlib');
for (const name of fs.readdirSync('.', { recursive: true })) {
  if (!/\.(css|html|js|json|map|svg|txt|webmanifest)$/.test(name)) continue;
  const plain = fs.readFileSync(name), small = zlib.brotliCompressSync(plain);
  if (small.length < plain.length) fs.writeFileSync(name + '.br', small);
}";
