//! What the runner takes for granted of Laravel, version by version, and that it takes nothing else. The facts were read
//! off the sources of 8 to 13; against the installed version each is checked by reflection. Never runs a job.

use std::collections::BTreeSet;
use std::io::Write;

use crate::support::process::{Running, command};

/// A member that the runner calls, overrides or reads: class, member, how it is declared, and the versions it was seen in.
struct Needs(&'static str, &'static str, &'static str, std::ops::RangeInclusive<u32>);

const NEEDS: &[Needs] = &[
    Needs("Illuminate\\Contracts\\Queue\\Factory", "connection", "public function 0..1", 8..=13),
    Needs("Illuminate\\Queue\\Worker", "__construct", "public function 4..5", 8..=13),
    Needs("Illuminate\\Queue\\Worker", "setManager", "public function 1..1", 8..=13),
    Needs("Illuminate\\Queue\\Worker", "shouldQuit", "public property", 8..=13),
    Needs("Illuminate\\Queue\\Worker", "manager", "protected property", 8..=13),
    Needs("Illuminate\\Queue\\Worker", "events", "protected property", 8..=13),
    Needs("Illuminate\\Queue\\Worker", "exceptions", "protected property", 8..=13),
    Needs("Illuminate\\Queue\\Worker", "isDownForMaintenance", "protected property", 8..=13),
    Needs("Illuminate\\Queue\\Worker", "resetScope", "protected property", 8..=13),
    // Overridden where there is no switch: 8 to 11 and 12 before 12.41.
    Needs("Illuminate\\Queue\\Worker", "getTimestampOfLastQueueRestart", "protected function 0..0", 8..=13),
    Needs("Illuminate\\Queue\\Worker", "queueShouldRestart", "protected function 1..1", 8..=13),
    Needs("Illuminate\\Queue\\Worker", "restartable", "public static property", 12..=13),
    Needs("Illuminate\\Queue\\Worker", "pausable", "public static property", 12..=13),
    Needs("Illuminate\\Queue\\Jobs\\RedisJob", "__construct", "public function 6..6", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\RedisJob", "delete", "public function 0..0", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\RedisJob", "release", "public function 0..1", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\RedisJob", "redis", "protected property", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\RedisJob", "reserved", "protected property", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\RedisJob", "queue", "protected property", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\RedisJob", "connectionName", "protected property", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\RedisJob", "container", "protected property", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\Job", "delete", "public function 0..0", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\Job", "release", "public function 0..1", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\Job", "fail", "public function 0..1", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\Job", "isDeletedOrReleased", "public function 0..0", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\Job", "markAsFailed", "public function 0..0", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\Job", "deleted", "protected property", 8..=13),
    Needs("Illuminate\\Queue\\Jobs\\Job", "fire", "public function 0..0", 8..=13),
    Needs("Illuminate\\Queue\\RedisQueue", "availableAt", "protected function 0..1", 8..=13),
    Needs("Illuminate\\Queue\\RedisQueue", "deleteReserved", "public function 2..2", 8..=13),
    Needs("Illuminate\\Queue\\RedisQueue", "deleteAndRelease", "public function 3..3", 8..=13),
    Needs("Illuminate\\Queue\\MaxAttemptsExceededException", "__construct", "public function 0..3", 8..=13),
    Needs("Illuminate\\Queue\\Events\\JobFailed", "job", "public property", 8..=13),
    Needs("Illuminate\\Queue\\Events\\JobFailed", "exception", "public property", 8..=13),
    Needs("Illuminate\\Queue\\Events\\JobExceptionOccurred", "job", "public property", 8..=13),
    Needs("Illuminate\\Queue\\Events\\JobExceptionOccurred", "exception", "public property", 8..=13),
    Needs("Illuminate\\Queue\\Events\\WorkerStopping", "status", "public property", 8..=13),
    Needs("Illuminate\\Contracts\\Console\\Kernel", "handle", "public function 1..2", 8..=13),
    Needs("Illuminate\\Foundation\\Console\\Kernel", "terminate", "public function 2..2", 8..=13),
    Needs("Symfony\\Component\\Console\\Input\\ArgvInput", "__construct", "public function 0..2", 8..=13),
    Needs("Symfony\\Component\\Console\\Output\\Output", "doWrite", "protected function 2..2", 8..=13),
];

fn runner() -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/handler/php/runner");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    read("link.php") + &read("laravel.php")
}

#[test]
fn the_runner_names_no_class_that_the_table_does_not() {
    let mut named = BTreeSet::new();
    for line in runner().lines().filter(|line| !line.trim_start().starts_with("//")) {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '\\' || c == '_';
        let words = line.split(|c: char| !name(c)).map(|word| word.trim_matches('\\').replace("\\\\", "\\"));
        named.extend(words.filter(|word| word.starts_with("Illuminate\\") || word.starts_with("Symfony\\")));
    }
    // Imported as a whole; its classes are named behind it.
    assert!(named.remove("Illuminate\\Queue\\Events"));
    let events = ["JobFailed", "JobExceptionOccurred", "WorkerStopping", "JobTimedOut"];
    for event in runner().split("Events\\").skip(1).filter_map(|rest| rest.split("::").next()) {
        assert!(events.contains(&event) || event.contains('\''), "{event}");
    }
    for class in &named {
        assert!(NEEDS.iter().any(|needs| needs.0 == class), "{class} is not in the table");
    }
    assert!(named.len() >= 8, "{named:?}");
}

#[test]
fn every_member_of_the_table_is_used() {
    let runner = runner();
    for Needs(class, member, ..) in NEEDS {
        let name = if *member == "__construct" { class.rsplit('\\').next().unwrap() } else { member };
        assert!(runner.contains(name), "{class}::{member}");
    }
}

#[test]
fn the_installed_laravel_declares_what_the_runner_needs() {
    let script = r#"<?php require 'Illuminate/autoload.php';
        echo strtok(Illuminate\Foundation\Application::VERSION, '.'), "\n";
        while (($line = fgets(STDIN)) !== false) {
            [$class, $member] = explode(' ', trim($line));
            $c = new ReflectionClass($class);
            $m = $c->hasMethod($member) ? $c->getMethod($member) : ($c->hasProperty($member) ? $c->getProperty($member) : null);
            if ($m === null) { echo "absent\n"; continue; }
            $seen = implode(' ', Reflection::getModifierNames($m->getModifiers() & ~ReflectionMethod::IS_ABSTRACT));
            echo $m instanceof ReflectionProperty ? "$seen property\n"
                : "$seen function {$m->getNumberOfRequiredParameters()}..{$m->getNumberOfParameters()}\n";
        }"#;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(script.as_bytes()).unwrap();
    let asked: String = NEEDS.iter().map(|Needs(class, member, ..)| format!("{class} {member}\n")).collect();
    let mut questions = tempfile::NamedTempFile::new().unwrap();
    questions.write_all(asked.as_bytes()).unwrap();
    let mut php = command("sh");
    php.args(["-c", "php \"$0\" < \"$1\""]).arg(file.path()).arg(questions.path());
    let said = Running::start(php).finish();
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let mut lines = said.stdout.lines();
    let version: u32 = lines.next().unwrap().parse().unwrap();
    for (Needs(class, member, declared, versions), found) in NEEDS.iter().zip(lines) {
        let expected = if versions.contains(&version) { declared } else { &"absent" };
        assert_eq!(found, *expected, "{class}::{member} of Laravel {version}");
    }
}
