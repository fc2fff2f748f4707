//! What the runner takes for granted of ThinkPHP and think-queue, and that it takes nothing else. The facts were read off
//! the sources of think-queue 3.0.5 to 3.0.9 on framework 6.1 and 8.0; each is checked by reflection against the packages
//! of THINK_APP, else against the stand-ins, which may not promise more than the real ones have. Never runs a job.

use std::collections::BTreeSet;

use super::*;
use crate::support::process::command;

/// A member that the runner calls, overrides or reads: class, member, how it is declared.
struct Needs(&'static str, &'static str, &'static str);

const NEEDS: &[Needs] = &[
    Needs("think\\App", "__construct", "public function 0"),
    Needs("think\\App", "make", "public function 1"),
    Needs("think\\Console", "doRun", "public function 2"),
    Needs("think\\console\\Input", "__construct", "public function 0"),
    Needs("think\\console\\Output", "__construct", "public function 0"),
    Needs("think\\Event", "listen", "public function 2"),
    Needs("think\\Cache", "get", "public function 1"),
    Needs("think\\Queue", "connection", "public function 0"),
    Needs("think\\queue\\Worker", "queue", "protected property"),
    Needs("think\\queue\\Worker", "cache", "protected property"),
    Needs("think\\queue\\Worker", "shouldQuit", "public property"),
    Needs("think\\queue\\Job", "delete", "public function 0"),
    Needs("think\\queue\\Job", "release", "public function 0"),
    Needs("think\\queue\\Job", "fire", "public function 0"),
    Needs("think\\queue\\Job", "maxTries", "public function 0"),
    Needs("think\\queue\\Job", "timeoutAt", "public function 0"),
    Needs("think\\queue\\Job", "markAsFailed", "public function 0"),
    Needs("think\\queue\\Job", "isDeletedOrReleased", "public function 0"),
    Needs("think\\queue\\Job", "deleted", "protected property"),
    Needs("think\\queue\\Job", "app", "protected property"),
    Needs("think\\queue\\Job", "connection", "protected property"),
    Needs("think\\queue\\job\\Redis", "__construct", "public function 6"),
    Needs("think\\queue\\job\\Redis", "delete", "public function 0"),
    Needs("think\\queue\\job\\Redis", "release", "public function 0"),
    Needs("think\\queue\\job\\Redis", "redis", "protected property"),
    Needs("think\\queue\\connector\\Redis", "__construct", "public function 1"),
    Needs("think\\queue\\InteractsWithTime", "availableAt", "protected function 0"),
    Needs("think\\queue\\event\\JobFailed", "job", "public property"),
    Needs("think\\queue\\event\\JobFailed", "exception", "public property"),
    Needs("think\\queue\\event\\JobExceptionOccurred", "job", "public property"),
    Needs("think\\queue\\event\\JobExceptionOccurred", "exception", "public property"),
    Needs("think\\queue\\event\\WorkerStopping", "status", "public property"),
    Needs("think\\queue\\exception\\MaxAttemptsExceededException", "getMessage", "public final function 0"),
];

/// The runner as a child is given it.
pub fn runner() -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/handler/php/runner");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    format!("{}?>{}", read("link.php"), read("think.php"))
}

#[test]
fn the_runner_names_no_class_that_the_table_does_not() {
    let mut named = BTreeSet::new();
    for line in runner().lines().filter(|line| !line.trim_start().starts_with("//")) {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '\\';
        let words = line.split(|c: char| !name(c)).map(|word| word.trim_start_matches('\\').to_owned());
        // Event classes stand behind an import of their namespace.
        let words = words.map(|word| match word.strip_prefix("event\\") {
            Some(event) => format!("think\\queue\\event\\{event}"),
            None => word,
        });
        named.extend(words.filter(|word| word.starts_with("think\\")));
    }
    assert!(named.remove("think\\queue\\event"));
    for class in &named {
        assert!(NEEDS.iter().any(|needs| needs.0 == class), "{class} is not in the table");
    }
    let classes: BTreeSet<String> = NEEDS.iter().map(|needs| needs.0.to_owned()).collect();
    // Those that it gets from others: the console and the events of the application, the cache of the worker.
    let given = ["think\\Console", "think\\Event", "think\\Cache"].map(str::to_owned);
    assert_eq!(classes.difference(&named).cloned().collect::<BTreeSet<_>>(), given.into());
}

#[test]
fn every_member_of_the_table_is_used() {
    let runner = runner();
    for Needs(class, member, _) in NEEDS {
        let name = if *member == "__construct" { class.rsplit('\\').next().unwrap() } else { member };
        assert!(runner.contains(name), "{class}::{member}");
    }
}

#[test]
fn the_packages_declare_what_the_runner_needs() {
    const SCRIPT: &str = r#"<?php require getcwd().'/vendor/autoload.php';
        while (($line = fgets(STDIN)) !== false) {
            [$class, $member] = explode(' ', trim($line));
            if (! class_exists($class) && ! trait_exists($class)) { echo "no class\n"; continue; }
            $c = new ReflectionClass($class);
            $m = $c->hasMethod($member) ? $c->getMethod($member) : ($c->hasProperty($member) ? $c->getProperty($member) : null);
            if ($m === null) { echo "absent\n"; continue; }
            $seen = implode(' ', array_reverse(Reflection::getModifierNames($m->getModifiers())));
            echo $m instanceof ReflectionProperty ? "$seen property\n"
                : "$seen function {$m->getNumberOfRequiredParameters()}\n";
        }"#;
    let app = App::new(&Redis::start());
    let asked: String = NEEDS.iter().map(|Needs(class, member, _)| format!("{class} {member}\n")).collect();
    std::fs::write(app.path("ask.php"), SCRIPT).unwrap();
    std::fs::write(app.path("asked"), asked).unwrap();
    let mut php = command("sh");
    php.args(["-c", "php ask.php < asked"]).current_dir(app.path("."));
    let said = Running::start(php).finish();
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert_eq!(said.stdout.lines().count(), NEEDS.len());
    for (Needs(class, member, declared), found) in NEEDS.iter().zip(said.stdout.lines()) {
        assert_eq!(found, *declared, "{class}::{member}");
    }
}
