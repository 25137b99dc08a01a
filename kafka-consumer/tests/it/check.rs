//! `check` of the consumer: the layers are those of the producer's; here is what only it has.

use testbed::records::NewRecord;

use crate::support::*;

#[test]
fn it_needs_no_group_and_takes_several_topics() {
    let cluster = Cluster::new(2);
    cluster.mock.create_topic("other", 1, 1).unwrap();
    let servers = cluster.mock.bootstrap_servers();
    let outcome = consumer().args(["check", "-b", &servers, "-t", "test,other"]).run(SOON).unwrap();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    for wanted in ["PASS  topic test: 2 partitions", "PASS  topic other: 1 partitions", "rights Read on topic other"] {
        assert!(outcome.stdout.contains(wanted), "{wanted:?} is not said\n{outcome}");
    }
    assert!(!outcome.stdout.contains("group test"), "nobody asked for a group\n{outcome}");
}

#[test]
fn where_a_group_stands_is_said_partition_by_partition() {
    let cluster = Cluster::new(1);
    cluster.produce(&(0..7).map(|number| NewRecord::value(number.to_string()).partition(0)).collect::<Vec<_>>());
    let outcome = cluster.member("billing").args(["--max-records", "5", "--timeout", "30s"]).run(SOON).unwrap();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let servers = cluster.mock.bootstrap_servers();
    let outcome = consumer().args(["check", "-b", &servers, "-g", "billing", "--timeout", "10s"]).run(SOON).unwrap();
    assert!(outcome.stdout.contains("group test[0]: committed 5, end 7, lag 2"), "{outcome}");
}

#[test]
fn an_expression_is_no_topic_to_check() {
    let outcome = consumer().args(["check", "-b", "127.0.0.1:1", "-t", "^orders"]).run(SOON).unwrap();
    assert_eq!(outcome.code(), Some(2), "{outcome}");
}
