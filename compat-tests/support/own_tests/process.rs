//! Children end with their test, however it ends, and say how they ended.

use crate::support::process::{Running, command, wait_until};

fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn shell(script: &str) -> Running {
    let mut shell = command("sh");
    shell.args(["-c", script]);
    Running::start(shell)
}

#[test]
fn code_and_output_are_kept() {
    let done = shell("echo out; echo err >&2; exit 3").finish();
    assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (3, "out\n", "err\n"));
}

#[test]
fn a_signal_shows_as_in_a_shell() {
    let running = shell("exec sleep 1000");
    running.signal("TERM");
    assert_eq!(running.finish().code, 143);
}

#[test]
fn a_dropped_child_takes_its_own_children_along() {
    let running = shell("sleep 1000 & echo $!; wait");
    wait_until("the pid", || running.stdout().ends_with('\n'));
    let grandchild: u32 = running.stdout().trim().parse().expect("a pid");
    assert!(alive(grandchild));
    drop(running);
    wait_until("the grandchild to die", || !alive(grandchild));
}

#[test]
fn a_child_outlives_the_thread_that_asked_for_it() {
    let start = || shell("exec sleep 1000");
    let mut running = std::thread::spawn(start).join().expect("a thread");
    assert!(running.is_running());
}

/// This test plays both parts: run again with a variable set, it starts a child and waits to be killed.
#[test]
fn a_child_dies_when_the_test_process_is_killed() {
    const PART: &str = "HANDOVER_TEST_PART";
    if std::env::var_os(PART).is_some() {
        let running = shell("exec sleep 1000");
        println!("child {}", running.pid());
        wait_until("the kill", || false);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut again = command(std::env::current_exe().expect("this test"));
    again.args([
        "--exact",
        "--nocapture",
        "support::own_tests::process::a_child_dies_when_the_test_process_is_killed",
    ]);
    let again = Running::start({
        // What a killed process leaves lying about goes with this directory.
        again.env(PART, "child").env("TMPDIR", dir.path());
        again
    });
    let child = || again.stdout().lines().find_map(|line| line.rsplit_once("child ")?.1.parse::<u32>().ok());
    wait_until("the child", || child().is_some());
    let child = child().expect("its pid");
    assert!(alive(child));
    again.signal("KILL");
    wait_until("the child to die", || !alive(child));
}
