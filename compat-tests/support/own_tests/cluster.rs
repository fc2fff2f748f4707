//! Three nodes share the slots; a slot moves with its keys, and in the middle of it both nodes answer as they must.

use redis::RedisResult;

use crate::support::cluster::Cluster;
use crate::support::process::wait_until;

fn get(cluster: &Cluster, node: usize, key: &str) -> RedisResult<Option<String>> {
    redis::cmd("GET").arg(key).query(&mut cluster.node(node).connect(0))
}

fn code(answer: RedisResult<Option<String>>) -> String {
    answer.expect_err("a redirection").code().expect("a code").to_owned()
}

#[test]
fn the_slots_are_shared_and_every_node_knows_whose_they_are() {
    let cluster = Cluster::start();
    let owners = ["{b}", "{default}", "{a}"].map(|key| cluster.owner(cluster.slot(key)));
    assert_eq!(owners, [Some(0), Some(1), Some(2)]);
    let _: () = cluster.query(&["SET", "{a}", "value"]);
    assert_eq!(code(get(&cluster, 0, "{a}")), "MOVED");
    assert_eq!(cluster.query::<String>(&["GET", "{a}"]), "value");
}

#[test]
fn a_slot_moves_in_steps() {
    let cluster = Cluster::start();
    for n in 0..10 {
        let _: () = cluster.query(&["SET", &format!("{{default}}:{n}"), "value"]);
    }
    let slot = cluster.slot("{default}");
    let moving = cluster.begin_move(slot, 0);
    assert_eq!(moving.keys(4), 6);
    let (mut here, mut there) = (0, 0);
    for n in 0..10 {
        match get(&cluster, 1, &format!("{{default}}:{n}")) {
            Ok(_) => here += 1,
            asks => {
                assert_eq!(code(asks), "ASK");
                there += 1;
            }
        }
    }
    assert_eq!((here, there), (6, 4));
    moving.finish();
    assert_eq!(cluster.owner(slot), Some(0));
    assert_eq!(cluster.query::<String>(&["GET", "{default}:9"]), "value");
    assert_eq!(code(get(&cluster, 1, "{default}:9")), "MOVED");
}

#[test]
fn a_node_that_is_away_takes_only_its_own_slots_with_it() {
    let mut cluster = Cluster::start();
    cluster.node_mut(1).kill();
    wait_until("the others to miss it", || {
        cluster.node(0).query::<String>(&["CLUSTER", "NODES"]).contains("fail ")
    });
    let _: () = cluster.node(0).query(&["SET", "{b}", "value"]);
    cluster.node_mut(1).restart();
    wait_until("all agree again", || cluster.owner(cluster.slot("{default}")) == Some(1));
}
