//! What the compatibility tests stand on, each test with parts of its own: no fixed port, no shared file, nothing left
//! running. In reading order: processes, a Redis, a Laravel or ThinkPHP application, the state they leave, and two workers compared.
//! Never holds a test of Handover itself.

pub mod certificates;
pub mod cluster;
pub mod compare;
pub mod database;
pub mod differential;
pub mod laravel;
pub mod original;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod recording;
pub mod redis;
pub mod sentinel;
pub mod site;
pub mod skeleton;
pub mod snapshot;
pub mod tally;
pub mod think;
pub mod tls;
pub mod wire;

mod own_tests;

use std::fs;
use std::path::{Path, PathBuf};

/// Where the PHP fixtures are.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("php-fixtures")
}

/// The worker under test: the example `compat-worker`, which cargo builds beside this very test.
pub fn worker_binary() -> PathBuf {
    let this = std::env::current_exe().expect("the path of this test");
    let profile = this.parent().and_then(Path::parent).expect("a test lives in target/<profile>/deps");
    profile.join("examples").join("compat-worker")
}

/// Copies a folder with all that is in it.
fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
