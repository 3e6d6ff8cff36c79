//! Keeps the web client's types equal to the wire.
//!
//! `cargo xtask wire` writes the file anew.

#![cfg(feature = "ts")]

use std::collections::BTreeMap;

use conf_core::wire::{ClientMessage, ServerMessage, VERSION};
use ts_rs::{Config, TS, TypeVisitor};

const COMMITTED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../bins/conf-server/web/src/lib/wire.ts");

#[test]
fn the_typescript_of_the_wire_is_what_is_committed() {
    let generated = typescript();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(COMMITTED, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(committed == generated, "wire.ts is out of date: run this test with UPDATE=1");
}

fn typescript() -> String {
    let mut types =
        Declarations { config: Config::new().with_large_int("number"), found: BTreeMap::new() };
    types.visit::<ClientMessage>();
    types.visit::<ServerMessage>();
    let mut text = format!("{HEADER}export const VERSION = {VERSION};\n");
    for declaration in types.found.values() {
        text.push('\n');
        for line in declaration.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

struct Declarations {
    config: Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        let name = T::ident(&self.config);
        if T::output_path().is_none() || self.found.contains_key(&name) {
            return;
        }
        let docs = T::docs().unwrap_or_default();
        let declaration = format!("{docs}export {}", T::decl(&self.config));
        self.found.insert(name, declaration);
        T::visit_dependencies(self);
    }
}

const HEADER: &str =
    "// The meeting websocket's types, generated from conf-core/src/wire.rs. Do not edit.
// To write it anew: UPDATE=1 cargo test -p conf-core --features ts

/** Version of the protocol that `hello` carries. */
";
