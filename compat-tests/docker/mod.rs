//! docker/: its images built step by step in directories, its example run on a private Redis, its samples for Supervisor
//! and systemd read and their command lines run. No engine is asked for; what only one could show (base images, apt's
//! installation itself, users in force) is not shown here.

mod image;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_yaml_ng::Value as Yaml;

use crate::support::ports;
use crate::support::process::{Finished, Running, wait_until};
use crate::support::redis::Redis;
use image::{Image, project};

/// Cargo's folder of the build stage is one.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(name: &str) -> String {
    fs::read_to_string(project().join("docker").join(name)).unwrap()
}

fn plain() -> Image {
    Image::build("Dockerfile", &[], &[])
}

/// The example's app, and the worker's image on top of it.
fn example() -> (Image, Image) {
    let app = Image::build("Dockerfile.app", &[], &[]);
    let worker = Image::build("Dockerfile.php", &[("PHP_IMAGE", "app")], &[("app", &app)]);
    (app, worker)
}

/// Runs what the image's health check runs.
fn check(image: &Image, health: &str) -> Finished {
    let mut command = image.command(&image.list("HEALTHCHECK"));
    command.env("HANDOVER_HEALTH", health);
    Running::start(command).finish()
}

/// Starts the image's entry point with these arguments, waits until it is healthy, and stops it as an engine does.
fn start_check_stop(
    image: &Image,
    arguments: &[String],
    more: &BTreeMap<String, String>,
    during: impl Fn(&Running),
) {
    let health = format!("127.0.0.1:{}", ports::free());
    let mut command = image.command(&[&image.list("ENTRYPOINT"), arguments].concat());
    command.envs(more).env("HANDOVER_HEALTH", &health);
    let mut worker = Running::start(command);
    wait_until("the health check to succeed", || {
        assert!(worker.is_running(), "{arguments:?}: {}", worker.stderr());
        check(image, &health).code == 0
    });
    assert!(check(image, &health).stdout.starts_with(r#"{"healthy":true,"#));
    during(&worker);
    worker.signal(image.says["STOPSIGNAL"].strip_prefix("SIG").unwrap());
    let end = worker.finish();
    assert_eq!(end.code, 0, "{arguments:?}: {}", end.stderr);
    let end = check(image, &health);
    assert_eq!((end.code, end.stdout.as_str()), (1, ""), "{}", end.stderr);
}

fn strings(list: &Yaml) -> Vec<String> {
    serde_yaml_ng::from_value(list.clone()).unwrap()
}

/// Seconds a `--grace` leaves, in a command line.
fn grace<'a>(mut words: impl Iterator<Item = &'a str>) -> u64 {
    words.find_map(|word| word.strip_prefix("--grace=")).expect("--grace").parse().unwrap()
}

#[test]
fn the_plain_image_builds_with_apt_simulated_and_its_user_is_nobody_else() {
    let _one = one_at_a_time();
    let image = plain();
    let users = fs::read_to_string(image.path("/etc/passwd")).unwrap();
    let groups = fs::read_to_string(image.path("/etc/group")).unwrap();
    let user = &image.says["USER"];
    let fields: Vec<&str> =
        users.lines().find(|line| line.starts_with(&format!("{user}:"))).unwrap().split(':').collect();
    assert_eq!(fields.len(), 7);
    assert!(fields[2].parse::<u32>().unwrap() >= 10_000, "{users}");
    assert!(groups.contains(&format!("{user}:x:{}:", fields[3])), "{groups}");
    let end = Running::start(image.command(&["handover".into(), "--version".into()])).finish();
    assert_eq!(end.stdout, format!("handover {}\n", env!("CARGO_PKG_VERSION")), "{}", end.stderr);
}

#[test]
fn the_php_image_runs_as_debians_unprivileged_user() {
    let _one = one_at_a_time();
    assert_eq!(example().1.says["USER"], "www-data");
}

#[test]
fn every_script_is_run_by_an_image() {
    let scripts = fs::read_dir(project().join("docker")).unwrap().map(|entry| entry.unwrap().file_name());
    let scripts: BTreeSet<String> =
        scripts.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".sh")).collect();
    let files: String = ["Dockerfile", "Dockerfile.php", "Dockerfile.app"].map(read).concat();
    let runs =
        files.lines().filter_map(|line| line.strip_prefix("RUN ")).map(|run| run.split(' ').next().unwrap());
    let runs: BTreeSet<String> = runs.map(|script| script.rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!(runs, scripts);
}

#[test]
fn the_images_build_the_binary_alike() {
    let stage = |file| {
        let text = read(file);
        let lines = text.lines().skip_while(|line| !line.ends_with(" AS build"));
        lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(stage("Dockerfile"), stage("Dockerfile.php"));
}

#[test]
fn what_an_image_copies_is_not_ignored() {
    let ignored = fs::read_to_string(project().join(".dockerignore")).unwrap();
    let ignored: Vec<&str> =
        ignored.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for file in ["Dockerfile", "Dockerfile.php", "Dockerfile.app"] {
        let text = read(file);
        let copies = text
            .lines()
            .filter_map(|line| line.strip_prefix("COPY "))
            .filter(|copy| !copy.starts_with("--from"));
        for word in copies.flat_map(|copy| copy.split(' ').filter(|word| !word.starts_with("--"))) {
            assert!(
                !ignored.iter().any(|pattern| word == *pattern || word.starts_with(&format!("{pattern}/"))),
                "{word}"
            );
        }
    }
}

#[test]
fn the_example_works_every_job_it_pushes_and_stops_in_its_grace_period() {
    let _one = one_at_a_time();
    let redis = Redis::start();
    let (app, image) = example();
    let compose: Yaml = serde_yaml_ng::from_str(&read("compose.yaml")).unwrap();
    let (producer, worker) = (&compose["services"]["producer"], &compose["services"]["worker"]);
    assert_eq!(producer["build"]["dockerfile"], "docker/Dockerfile.app");
    assert_eq!(worker["build"]["dockerfile"], "docker/Dockerfile.php");
    assert_eq!(worker["build"]["args"]["PHP_IMAGE"], "app");
    assert_eq!(worker["build"]["additional_contexts"]["app"], "service:producer");
    assert_eq!((&producer["build"]["context"], &worker["build"]["context"]), (&"..".into(), &"..".into()));
    let environment = |service: &Yaml| {
        let mut variables: BTreeMap<String, String> =
            serde_yaml_ng::from_value(service["environment"].clone()).unwrap();
        // The service `redis` is this test's own.
        assert_eq!(
            variables.insert("REDIS_HOST".into(), redis.socket().display().to_string()).unwrap(),
            "redis"
        );
        variables.insert("REDIS_PORT".into(), "0".into());
        variables
    };

    let mut push = app.command(&strings(&producer["command"]));
    push.envs(environment(producer));
    let end = Running::start(push).finish();
    assert_eq!((end.code, end.stdout.as_str()), (0, "303\n"), "{}", end.stderr);

    let arguments = strings(&worker["command"]);
    start_check_stop(&image, &arguments, &environment(worker), |running| {
        let count = |what: &str| running.stdout().lines().filter(|line| line.ends_with(what)).count();
        wait_until("every job to be worked", || count("DONE") == 300 && count("FAIL") == 3);
    });
    let left: Vec<String> = redis.query(&["KEYS", "example_database_queues:*"]);
    assert!(left.is_empty(), "{left:?}");

    let period: u64 =
        worker["stop_grace_period"].as_str().unwrap().strip_suffix('s').unwrap().parse().unwrap();
    assert!(period >= grace(arguments.iter().map(String::as_str)) + 10);
}

/// What a sample starts, in the directory of the example's app.
fn accepted(sample: &str, path: &str) {
    let _one = one_at_a_time();
    let redis = Redis::start();
    let (_app, image) = example();
    let words = sample.replace("/var/www/app", &image.path("/app").display().to_string());
    let mut words = words.split(' ').map(str::to_owned);
    assert_eq!(words.next().unwrap(), path);
    let variables =
        [("REDIS_HOST".to_owned(), redis.socket().display().to_string()), ("REDIS_PORT".into(), "0".into())];
    start_check_stop(&image, &words.collect::<Vec<_>>(), &variables.into(), |_| {});
}

#[test]
fn supervisors_sample_starts_a_worker_and_waits_for_its_grace() {
    let text = read("supervisor.conf");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with([';', '[']));
    let settings: BTreeMap<&str, &str> = lines.map(|line| line.split_once('=').unwrap()).collect();
    assert_eq!(
        (settings["stopsignal"], settings["stopasgroup"], settings["autorestart"]),
        ("TERM", "false", "true")
    );
    assert_ne!(settings["user"], "root");
    assert!(settings["stopwaitsecs"].parse::<u64>().unwrap() >= grace(settings["command"].split(' ')) + 10);
    accepted(settings["command"], "/usr/local/bin/handover");
}

#[test]
fn systemds_sample_starts_a_worker_and_waits_for_its_grace() {
    let text = read("handover.service");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
    let settings: BTreeMap<&str, &str> = lines.map(|line| line.split_once('=').unwrap()).collect();
    assert_eq!((settings["KillMode"], settings["Restart"]), ("mixed", "always"));
    assert_ne!(settings["User"], "root");
    assert!(
        settings["TimeoutStopSec"].parse::<u64>().unwrap() >= grace(settings["ExecStart"].split(' ')) + 10
    );
    accepted(settings["ExecStart"], "/usr/local/bin/handover");
}

/// systemd's own reading of it, on machines that have systemd; others have nothing to ask.
#[test]
fn systemd_where_it_is_here_finds_no_fault_in_its_sample() {
    let unit = read("handover.service").replace("/usr/local/bin/handover", env!("CARGO_BIN_EXE_handover"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("handover.service");
    fs::write(&path, unit).unwrap();
    if let Ok(end) = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output() {
        let said = String::from_utf8_lossy(&end.stderr);
        let about_it: Vec<&str> = said.lines().filter(|line| line.contains("handover.service")).collect();
        assert!(about_it.is_empty(), "{about_it:?}");
    }
}
