//! Disks and files as they should not be: the program says what is wrong, and changes nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, raw_sql};
use support::Folder;
use support::program::{program, run, start};

/// What the database of a server that ran and ended looks like.
fn used() -> (Folder, PathBuf) {
    let folder = Folder::new();
    start(&folder, &[]).terminate();
    let data = folder.0.join("data");
    (folder, data)
}

/// Everything in a folder.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

/// Runs the program, which must end with this code, say this, and leave all files as they are.
fn refuses(folder: &Folder, code: i32, words: &[&str]) {
    let before = contents(&folder.0.join("data"));
    let (ended, text) = run(folder, &[]);
    assert_eq!(ended, Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(contents(&folder.0.join("data")) == before, "something was changed: {text}");
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_damaged_database_ends_the_program_with_74() {
    let (folder, data) = used();
    let path = data.join("conf.db");
    let whole = fs::read(&path).unwrap();
    let noise: Vec<u8> = (0_u32..20_000).map(|i| ((i * i) >> 3).to_le_bytes()[0]).collect();
    let mut overwritten = whole.clone();
    overwritten[4096..].fill(0x5a);
    for bytes in [&noise, &overwritten, &whole[..50].to_vec(), &whole[..4096].to_vec()] {
        write(&path, bytes);
        refuses(&folder, 74, &["./data/conf.db", "damaged", "Restore a backup"]);
    }
    write(&path, &whole);
    start(&folder, &[]).terminate();
}

#[test]
fn a_database_of_another_program_or_a_newer_version_ends_it_with_78() {
    const USER_VERSION: usize = 60;
    const APPLICATION: usize = 68;
    let (folder, data) = used();
    let path = data.join("conf.db");
    let whole = fs::read(&path).unwrap();
    let mut newer = whole.clone();
    newer[USER_VERSION + 3] = 99;
    write(&path, &newer);
    refuses(&folder, 78, &["./data/conf.db", "version 99", "nothing was changed"]);
    let mut foreign = whole.clone();
    foreign[APPLICATION] ^= 1;
    write(&path, &foreign);
    refuses(&folder, 78, &["./data/conf.db", "another program"]);
}

#[test]
fn what_nobody_declared_is_listed_and_ends_it_with_78() {
    let (folder, data) = used();
    fs::write(data.join("chat.log"), "x").unwrap();
    fs::create_dir(data.join("old")).unwrap();
    fs::write(data.join("spool/kept"), "x").unwrap();
    refuses(&folder, 78, &["file chat.log", "directory old", "not declared"]);
    assert!(!data.join("spool/kept").exists(), "what a meeting left goes in any case");
    fs::remove_file(data.join("chat.log")).unwrap();
    fs::remove_dir(data.join("old")).unwrap();
    start(&folder, &[]).terminate();
}

#[tokio::test]
async fn a_table_that_nobody_declared_ends_it_with_78() {
    let (folder, data) = used();
    let mut db =
        SqliteConnectOptions::new().filename(data.join("conf.db")).connect().await.unwrap();
    let planted = "CREATE TABLE visits (who TEXT); ALTER TABLE accounts ADD COLUMN phone TEXT; \
                   DROP INDEX rooms_by_owner";
    raw_sql(planted).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let words = [
        "table visits is there and not declared",
        "column visits.who",
        "column accounts.phone",
        "index rooms.rooms_by_owner is declared and not there",
    ];
    refuses(&folder, 78, &words);
}

#[test]
fn files_that_others_can_use_end_it_with_77() {
    let (folder, data) = used();
    for (name, mode, allowed) in
        [("secrets.toml", 0o644, 0o600), ("conf.db", 0o660, 0o600), ("", 0o755, 0o700)]
    {
        let path = data.join(name);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let name = name.trim_start_matches("../");
        let words = format!("{name} has mode {mode:04o}, allowed is {allowed:04o}");
        refuses(&folder, 77, &["./data", &words]);
        fs::set_permissions(&path, Permissions::from_mode(allowed)).unwrap();
    }
    start(&folder, &[]).terminate();
}

#[test]
fn a_second_server_on_one_folder_ends_with_78_and_the_first_goes_on() {
    let folder = Folder::new();
    let first = start(&folder, &[]);
    let (code, text) = run(&folder, &[]);
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("is in use by another conf-server"), "{text}");
    let (_, status) = first.terminate();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_full_disk_ends_it_with_74_and_leaves_what_there_is() {
    let (folder, _) = used();
    // Nothing fits; then the secrets, but no database.
    for left in [0, 4, 12] {
        let (code, text) = on_a_disk(&folder, "80k", &fill_but(left));
        assert_eq!(code, Some(74), "{left}: {text}");
        assert!(text.contains("./data/"), "{left}: {text}");
    }
    let (code, text) = on_a_disk(&folder, "400k", &format!("cp -a saved/. data/; {}", fill_but(0)));
    assert_eq!(code, Some(74), "{text}");
    assert!(text.contains("./data/") && text.contains("UNCHANGED"), "{text}");
}

#[test]
fn a_disk_that_cannot_be_written_ends_it_with_74_and_leaves_what_there_is() {
    let (folder, _) = used();
    let (code, text) = on_a_disk(&folder, "1m", "cp -a saved/. data/; mount -o remount,ro data");
    assert_eq!(code, Some(74), "{text}");
    assert!(text.contains("data/") && text.contains("UNCHANGED"), "{text}");
    assert!(text.contains("Read-only file system"), "{text}");
}

/// Runs the program on a small disk of its own, prepared by a script in which `saved` is what the
/// folder had; says `UNCHANGED` if database and secrets are as in `saved`.
fn on_a_disk(folder: &Folder, size: &str, prepare: &str) -> (Option<i32>, String) {
    if !folder.0.join("saved").exists() {
        fs::rename(folder.0.join("data"), folder.0.join("saved")).unwrap();
        fs::create_dir(folder.0.join("data")).unwrap();
    }
    let script = format!(
        "mount -t tmpfs -o size={size},mode=700 none data || exit 99\n{prepare}\n\"$@\"; code=$?\n\
         cmp saved/conf.db data/conf.db >&2 && cmp saved/secrets.toml data/secrets.toml >&2 \
         && echo UNCHANGED >&2\nexit $code"
    );
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let inner = program(folder, &[]);
    let output = Command::new("unshare")
        .args(if root { &["--mount"][..] } else { &["--mount", "--map-root-user"] })
        .args(["--", "sh", "-c", &script, "sh"])
        .arg(inner.get_program())
        .current_dir(&folder.0)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdout(Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Takes all room but so many blocks of 4 KiB, where nobody minds a file.
fn fill_but(blocks: u32) -> String {
    let bytes = blocks * 4096;
    format!(
        "mkdir data/acme; head -c {bytes} /dev/zero > data/acme/a; \
         head -c 10000000 /dev/zero > data/acme/b 2> said; rm data/acme/a"
    )
}
