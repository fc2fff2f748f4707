//! Which packages an app has, read off what Composer and the packages themselves left.
//!
//! Never runs PHP. Counterpart in PHP: `Illuminate\Foundation\Application::version`, `Composer\InstalledVersions`.

use std::path::Path;

use serde_json::Value;

/// The framework's version and where it was read; nothing where no file tells.
pub(super) fn framework(directory: &Path) -> Option<(String, &'static str)> {
    const SOURCE: &str = "vendor/laravel/framework/src/Illuminate/Foundation/Application.php";
    const INSTALLED: &str = "vendor/composer/installed.json";
    const LOCK: &str = "composer.lock";
    let of_source = || {
        let source = std::fs::read_to_string(directory.join(SOURCE)).ok()?;
        let after = source.split("const VERSION = '").nth(1)?;
        Some((after.split('\'').next()?.to_owned(), SOURCE))
    };
    let listed = |file| Some((listed(directory, file, "laravel/framework")?, file));
    of_source().or_else(|| listed(INSTALLED)).or_else(|| listed(LOCK))
}

/// The version of any package; nothing where no file tells.
pub(in crate::config) fn package(directory: &Path, name: &str) -> Option<String> {
    let of = |file| listed(directory, file, name);
    of("vendor/composer/installed.json")
        .or_else(|| of_runtime(directory, name))
        .or_else(|| of("composer.lock"))
}

/// In the list that Composer's own class reads, and that some images keep alone.
fn of_runtime(directory: &Path, name: &str) -> Option<String> {
    let list = std::fs::read_to_string(directory.join("vendor/composer/installed.php")).ok()?;
    let entry = list.split_once(&format!("'{name}' => array("))?.1;
    let version = entry.split_once("'pretty_version' => '")?.1.split('\'').next()?;
    numbered(version)
}

/// Horizon is among the packages.
pub(super) fn horizon(directory: &Path) -> bool {
    directory.join("vendor/laravel/horizon/src/HorizonServiceProvider.php").is_file()
        || ["vendor/composer/installed.json", "composer.lock"]
            .iter()
            .any(|file| listed(directory, file, "laravel/horizon").is_some())
}

/// The version of a package in one of Composer's lists.
fn listed(directory: &Path, file: &str, name: &str) -> Option<String> {
    let list: Value = serde_json::from_slice(&std::fs::read(directory.join(file)).ok()?).ok()?;
    // Composer 1 had no level above the list.
    let packages = list.get("packages").unwrap_or(&list).as_array()?;
    let found = packages.iter().find(|package| package["name"] == name)?;
    numbered(found["version"].as_str()?)
}

/// Without its `v`; nothing for a branch.
fn numbered(version: &str) -> Option<String> {
    let version = version.trim_start_matches('v');
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}
