//! Consumer groups as their coordinator knows them: who is a member, and of what.

use std::ffi::{CStr, CString};
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rdkafka::bindings as native;
use rdkafka::types::RDKafkaRespErr;

use super::cluster::Cluster;

/// One question to the coordinator.
const QUESTION: Duration = Duration::from_secs(10);

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id, given by the coordinator or by itself.
    pub id: String,
    /// Its `client.id`.
    pub client: String,
    /// Topics and partitions that are assigned to it.
    pub partitions: Vec<(String, i32)>,
}

impl Cluster {
    /// The members that the coordinator counts at this moment, whichever protocol the group has. A group that does not exist
    /// has none.
    pub fn members(&self, group: &str) -> Result<Vec<Member>> {
        describe(self, group)
    }

    /// Waits until the members satisfy `wanted`, and returns how long that took. The error has the last members.
    pub fn wait_for_members(
        &self,
        group: &str,
        timeout: Duration,
        wanted: impl Fn(&[Member]) -> bool,
    ) -> Result<Duration> {
        let began = Instant::now();
        loop {
            let members = self.members(group)?;
            if wanted(&members) {
                return Ok(began.elapsed());
            }
            ensure!(began.elapsed() < timeout, "group {group} has these members after {timeout:?}: {members:#?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[allow(unsafe_code, reason = "rdkafka does not offer DescribeConsumerGroups")]
fn describe(cluster: &Cluster, group: &str) -> Result<Vec<Member>> {
    let name = CString::new(group)?;
    let limit = i32::try_from(QUESTION.as_millis())?;
    let client = cluster.admin.client.inner().native_ptr();
    // SAFETY: the client outlives the call. Queue, options and event are ours and freed once, after the last use of what
    // belongs to them; strings and lists are copied before.
    unsafe {
        let queue = native::rd_kafka_queue_new(client);
        let kind = native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        let options = native::rd_kafka_AdminOptions_new(client, kind);
        native::rd_kafka_AdminOptions_set_request_timeout(options, limit, ptr::null_mut(), 0);
        let mut names = [name.as_ptr()];
        native::rd_kafka_DescribeConsumerGroups(client, names.as_mut_ptr(), names.len(), options, queue);
        let event = native::rd_kafka_queue_poll(queue, limit * 2);
        let members = members(event);
        if !event.is_null() {
            native::rd_kafka_event_destroy(event);
        }
        native::rd_kafka_AdminOptions_destroy(options);
        native::rd_kafka_queue_destroy(queue);
        members
    }
}

/// # Safety
/// The event is null or alive.
#[allow(unsafe_code, reason = "rdkafka does not offer DescribeConsumerGroups")]
unsafe fn members(event: *mut native::rd_kafka_event_t) -> Result<Vec<Member>> {
    // SAFETY: all that is read belongs to the event, which the caller keeps.
    unsafe {
        let result = native::rd_kafka_event_DescribeConsumerGroups_result(event);
        ensure!(!event.is_null() && !result.is_null(), "the coordinator did not answer");
        let mut count = 0;
        let groups = native::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        ensure!(count == 1, "the answer is about {count} groups, asked was one");
        let group = *groups;
        let error = native::rd_kafka_ConsumerGroupDescription_error(group);
        if !error.is_null() {
            let code = native::rd_kafka_error_code(error);
            if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND {
                return Ok(Vec::new());
            }
            bail!("the group could not be described: {}", text(native::rd_kafka_error_string(error)));
        }
        let members = native::rd_kafka_ConsumerGroupDescription_member_count(group);
        Ok((0..members).map(|index| member(native::rd_kafka_ConsumerGroupDescription_member(group, index))).collect())
    }
}

/// # Safety
/// The member is alive.
#[allow(unsafe_code, reason = "rdkafka does not offer DescribeConsumerGroups")]
unsafe fn member(member: *const native::rd_kafka_MemberDescription_t) -> Member {
    // SAFETY: all that is read belongs to the member, and is copied.
    unsafe {
        let assignment = native::rd_kafka_MemberDescription_assignment(member);
        let list =
            if assignment.is_null() { ptr::null() } else { native::rd_kafka_MemberAssignment_partitions(assignment) };
        let mut partitions = Vec::new();
        if let Some(list) = list.as_ref() {
            for index in 0..usize::try_from(list.cnt).unwrap_or(0) {
                let element = &*list.elems.add(index);
                partitions.push((text(element.topic), element.partition));
            }
        }
        Member {
            id: text(native::rd_kafka_MemberDescription_consumer_id(member)),
            client: text(native::rd_kafka_MemberDescription_client_id(member)),
            partitions,
        }
    }
}

/// # Safety
/// The string is null or ends by a NUL.
#[allow(unsafe_code, reason = "rdkafka does not offer DescribeConsumerGroups")]
unsafe fn text(string: *const std::ffi::c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: not null, and by the caller's word it ends.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}
