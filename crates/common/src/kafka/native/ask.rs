//! Questions to the brokers that nobody waits for: offsets, topics, a group. The answers come to a queue of their own, which
//! the loop looks at between batches, so that no question holds it up.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new, rd_kafka_AdminOptions_set_broker,
    rd_kafka_AdminOptions_set_include_authorized_operations, rd_kafka_AdminOptions_set_isolation_level,
    rd_kafka_AdminOptions_set_opaque, rd_kafka_AdminOptions_set_request_timeout,
    rd_kafka_AdminOptions_set_require_stable_offsets, rd_kafka_AdminOptions_t,
    rd_kafka_ConsumerGroupDescription_authorized_operations, rd_kafka_ConsumerGroupDescription_error,
    rd_kafka_ConsumerGroupDescription_member, rd_kafka_ConsumerGroupDescription_member_count,
    rd_kafka_ConsumerGroupDescription_state, rd_kafka_DescribeCluster,
    rd_kafka_DescribeCluster_result_authorized_operations, rd_kafka_DescribeCluster_result_cluster_id,
    rd_kafka_DescribeConsumerGroups, rd_kafka_DescribeConsumerGroups_result_groups, rd_kafka_DescribeTopics,
    rd_kafka_DescribeTopics_result_topics, rd_kafka_IsolationLevel_t, rd_kafka_ListConsumerGroupOffsets,
    rd_kafka_ListConsumerGroupOffsets_destroy, rd_kafka_ListConsumerGroupOffsets_new,
    rd_kafka_ListConsumerGroupOffsets_result_groups, rd_kafka_ListOffsets, rd_kafka_ListOffsets_result_infos,
    rd_kafka_ListOffsetsResultInfo_topic_partition, rd_kafka_MemberAssignment_partitions,
    rd_kafka_MemberDescription_assignment, rd_kafka_MemberDescription_consumer_id, rd_kafka_Node_id,
    rd_kafka_TopicCollection_destroy, rd_kafka_TopicCollection_of_topic_names,
    rd_kafka_TopicDescription_authorized_operations, rd_kafka_TopicDescription_error, rd_kafka_TopicDescription_name,
    rd_kafka_TopicDescription_partitions, rd_kafka_TopicDescription_topic_id, rd_kafka_TopicPartitionInfo_leader,
    rd_kafka_TopicPartitionInfo_partition, rd_kafka_Uuid_least_significant_bits, rd_kafka_Uuid_most_significant_bits,
    rd_kafka_admin_op_t, rd_kafka_consumer_group_state_name, rd_kafka_consumer_group_state_t, rd_kafka_error_destroy,
    rd_kafka_event_DescribeCluster_result, rd_kafka_event_DescribeConsumerGroups_result,
    rd_kafka_event_DescribeTopics_result, rd_kafka_event_ListConsumerGroupOffsets_result,
    rd_kafka_event_ListOffsets_result, rd_kafka_event_destroy, rd_kafka_event_error_string, rd_kafka_event_opaque,
    rd_kafka_event_t, rd_kafka_group_result_error, rd_kafka_group_result_partitions, rd_kafka_mem_free,
    rd_kafka_memberid, rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll, rd_kafka_queue_t,
    rd_kafka_topic_partition_t,
};
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::answers::{Answer, ClusterAnswer, GroupAnswer, Isolation, PartitionAnswer, TopicAnswer, TopicId};
use super::codes::{error_of, event_error, partition_error};
use super::{Operations, TopicPartition, elements, text};

/// librdkafka's `RD_KAFKA_OFFSET_INVALID`, a macro that the bindings lack.
const INVALID: i64 = -1001;
/// The error of a partition whose leader did not answer.
const UNANSWERED: RDKafkaErrorCode = RDKafkaErrorCode::OperationTimedOut;

/// The limit of a question to a coordinator: the longest that librdkafka takes. When one ends by its limit before a coordinator is
/// found, librdkafka still sends it when one is, with memory that it has freed, and an assertion ends the process
/// (<https://github.com/confluentinc/librdkafka/issues/4605>).
const COORDINATOR: Duration = Duration::from_secs(3600);

/// Asks on behalf of one client.
pub struct Questions<C: ClientContext> {
    /// Destroyed before the client, as librdkafka wants it.
    queue: *mut rd_kafka_queue_t,
    /// Keeps the client alive.
    owner: Arc<dyn AsClient<C>>,
    timeout: Duration,
    /// Whether it is asked what the login may do, too.
    with_rights: bool,
}

/// Anything that holds a client.
pub trait AsClient<C: ClientContext> {
    /// The client.
    fn as_client(&self) -> &Client<C>;
}

impl<C: rdkafka::consumer::ConsumerContext> AsClient<C> for rdkafka::consumer::BaseConsumer<C> {
    fn as_client(&self) -> &Client<C> {
        rdkafka::consumer::Consumer::client(self)
    }
}

impl<C: rdkafka::producer::ProducerContext> AsClient<C> for rdkafka::producer::BaseProducer<C> {
    fn as_client(&self) -> &Client<C> {
        rdkafka::producer::Producer::client(self)
    }
}

/// Options of one question, destroyed when they were used.
struct Options(*mut rd_kafka_AdminOptions_t);

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: they were made in `options`, and are destroyed once.
        unsafe { rd_kafka_AdminOptions_destroy(self.0) };
    }
}

impl<C: ClientContext> Questions<C> {
    /// Asks for the client of `owner`; a question that is not answered within `timeout` has failed. One to a coordinator has that
    /// limit only once it was sent, and it is `socket.timeout.ms`: ask it once, not again before its answer.
    pub fn new(owner: Arc<dyn AsClient<C>>, timeout: Duration) -> Self {
        // SAFETY: the client is alive. Never null: librdkafka ends the process when memory runs out, as Rust does.
        let queue = unsafe { rd_kafka_queue_new(owner.as_client().native_ptr()) };
        Self { queue, owner, timeout, with_rights: false }
    }

    /// The same, and with each description it is asked what the login may do.
    #[must_use]
    pub fn with_rights(mut self) -> Self {
        self.with_rights = true;
        self
    }

    /// Asks for the first offset at or after a time in milliseconds since 1970, or, as `Offset` names them, for the beginning or
    /// the end. `token` comes back with the answer.
    ///
    /// # Errors
    /// When librdkafka cannot make a list of the partitions.
    pub fn offsets(
        &self,
        token: usize,
        partitions: &[TopicPartition],
        spec: i64,
        isolation: Isolation,
    ) -> KafkaResult<()> {
        let list = list(partitions, Offset::Offset(0))?;
        let options = self.options(token, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, self.timeout);
        let isolation = match isolation {
            Isolation::ReadCommitted => rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
            Isolation::ReadUncommitted => rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
        };
        // SAFETY: list, options and queue are alive; librdkafka copies the list. What is asked for stands in the offset of each
        // entry, where `Offset` has no form for it.
        unsafe {
            for index in 0..list.count() {
                (*(*list.ptr()).elems.add(index)).offset = spec;
            }
            rd_kafka_AdminOptions_set_isolation_level(options.0, isolation);
            rd_kafka_ListOffsets(self.client(), list.ptr(), options.0, self.queue);
        }
        Ok(())
    }

    /// Asks which offsets the group has committed.
    ///
    /// # Errors
    /// When librdkafka cannot make a list of the partitions.
    pub fn committed(&self, token: usize, group: &str, partitions: &[TopicPartition]) -> KafkaResult<()> {
        let list = list(partitions, Offset::Invalid)?;
        let options = self.options(token, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, COORDINATOR);
        let group = CString::new(group)?;
        // SAFETY: all arguments are alive for the call, which copies them; the request is destroyed once.
        unsafe {
            rd_kafka_AdminOptions_set_require_stable_offsets(options.0, 1);
            let mut request = rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), list.ptr());
            rd_kafka_ListConsumerGroupOffsets(self.client(), &mut request, 1, options.0, self.queue);
            rd_kafka_ListConsumerGroupOffsets_destroy(request);
        }
        Ok(())
    }

    /// Asks about topics by their names, this broker or, with `None`, the controller, which librdkafka's mock cluster lacks.
    /// Creates none.
    ///
    /// # Errors
    /// When a name holds a NUL character.
    pub fn topics(&self, token: usize, broker: Option<i32>, names: &[String]) -> KafkaResult<()> {
        let names = names.iter().map(|name| CString::new(name.as_str())).collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        let options = self.options(token, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, self.timeout);
        self.ask_for_rights(&options);
        // SAFETY: all arguments are alive for the call, which copies them; the collection is destroyed once.
        unsafe {
            if let Some(broker) = broker {
                rd_kafka_AdminOptions_set_broker(options.0, broker, std::ptr::null_mut(), 0);
            }
            let topics = rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            rd_kafka_DescribeTopics(self.client(), topics, options.0, self.queue);
            rd_kafka_TopicCollection_destroy(topics);
        }
        Ok(())
    }

    /// Asks about the cluster.
    pub fn cluster(&self, token: usize) {
        let options = self.options(token, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER, self.timeout);
        self.ask_for_rights(&options);
        // SAFETY: all arguments are alive for the call, which copies them.
        unsafe { rd_kafka_DescribeCluster(self.client(), options.0, self.queue) };
    }

    fn ask_for_rights(&self, options: &Options) {
        if self.with_rights {
            // SAFETY: the options are alive. It fails for other kinds of questions only, and then nothing is told.
            unsafe {
                let error = rd_kafka_AdminOptions_set_include_authorized_operations(options.0, 1);
                if !error.is_null() {
                    rd_kafka_error_destroy(error);
                }
            }
        }
    }

    /// Asks the coordinator about a group.
    ///
    /// # Errors
    /// When the name holds a NUL character.
    pub fn group(&self, token: usize, group: &str) -> KafkaResult<()> {
        let group = CString::new(group)?;
        let mut groups = [group.as_ptr()];
        let options = self.options(token, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, COORDINATOR);
        self.ask_for_rights(&options);
        // SAFETY: all arguments are alive for the call, which copies them.
        unsafe { rd_kafka_DescribeConsumerGroups(self.client(), groups.as_mut_ptr(), 1, options.0, self.queue) };
        Ok(())
    }

    /// The next answer with the token of its question, if one comes within `wait`.
    pub fn answer(&self, wait: Duration) -> Option<(usize, Answer)> {
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; the event is ours and destroyed once; nothing that is returned borrows from it.
        unsafe {
            let event = rd_kafka_queue_poll(self.queue, wait);
            if event.is_null() {
                return None;
            }
            let token = rd_kafka_event_opaque(event) as usize;
            let answer = match event_error(event) {
                Some(code) => Answer::Failed(code, text(rd_kafka_event_error_string(event))),
                None => self.read(event),
            };
            rd_kafka_event_destroy(event);
            Some((token, answer))
        }
    }

    /// # Safety
    /// The event is alive, and no error.
    unsafe fn read(&self, event: *mut rd_kafka_event_t) -> Answer {
        let mut count = 0;
        // SAFETY: each accessor returns null for an event of another type, and else arrays of `count` elements that live as
        // long as the event.
        unsafe {
            let result = rd_kafka_event_ListOffsets_result(event);
            if !result.is_null() {
                let infos = rd_kafka_ListOffsets_result_infos(result, &mut count);
                let infos = elements(infos, count);
                let entries = infos.iter().map(|info| entry(&*rd_kafka_ListOffsetsResultInfo_topic_partition(*info)));
                // What a leader did not answer stays as librdkafka made it: no error, and no offset.
                let answered = |offset: Result<i64, _>| {
                    offset.and_then(|offset| if offset == INVALID { Err(UNANSWERED) } else { Ok(offset) })
                };
                return Answer::Offsets(entries.map(|(place, offset)| (place, answered(offset))).collect());
            }
            let result = rd_kafka_event_ListConsumerGroupOffsets_result(event);
            if !result.is_null() {
                let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count);
                let Some(group) = elements(groups, count).first() else { return Answer::Offsets(Vec::new()) };
                if let Some(code) = error_of(rd_kafka_group_result_error(*group)) {
                    return Answer::Failed(code, String::new());
                }
                let list = rd_kafka_group_result_partitions(*group);
                let entries = elements((*list).elems, usize::try_from((*list).cnt).unwrap_or(0));
                return Answer::Offsets(entries.iter().map(|place| entry(place)).collect());
            }
            let result = rd_kafka_event_DescribeTopics_result(event);
            if !result.is_null() {
                let topics = rd_kafka_DescribeTopics_result_topics(result, &mut count);
                return Answer::Topics(elements(topics, count).iter().map(|topic| self::topic(*topic)).collect());
            }
            let result = rd_kafka_event_DescribeCluster_result(event);
            if !result.is_null() {
                let allowed = rd_kafka_DescribeCluster_result_authorized_operations(result, &mut count);
                let allowed = Operations::read(allowed, count);
                return Answer::Cluster(ClusterAnswer {
                    id: text(rd_kafka_DescribeCluster_result_cluster_id(result)),
                    allowed,
                });
            }
            let result = rd_kafka_event_DescribeConsumerGroups_result(event);
            if result.is_null() {
                return Answer::Failed(RDKafkaErrorCode::NotImplemented, String::new());
            }
            let groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            let Some(group) = elements(groups, count).first().copied() else {
                return Answer::Group(Err(RDKafkaErrorCode::UnknownGroup));
            };
            if let Some(code) = error_of(rd_kafka_ConsumerGroupDescription_error(group)) {
                return Answer::Group(Err(code));
            }
            let own = self.member_id();
            let members = rd_kafka_ConsumerGroupDescription_member_count(group);
            let own = (0..members)
                .map(|index| rd_kafka_ConsumerGroupDescription_member(group, index))
                .find(|member| own.as_deref() == Some(&text(rd_kafka_MemberDescription_consumer_id(*member))));
            let own_partitions = own.map(|member| {
                let list = rd_kafka_MemberAssignment_partitions(rd_kafka_MemberDescription_assignment(member));
                if list.is_null() { 0 } else { usize::try_from((*list).cnt).unwrap_or(0) }
            });
            let stable = rd_kafka_consumer_group_state_t::RD_KAFKA_CONSUMER_GROUP_STATE_STABLE;
            let state = rd_kafka_ConsumerGroupDescription_state(group);
            let allowed = rd_kafka_ConsumerGroupDescription_authorized_operations(group, &mut count);
            let allowed = Operations::read(allowed, count);
            let (is_stable, state) = (state == stable, text(rd_kafka_consumer_group_state_name(state)));
            Answer::Group(Ok(GroupAnswer { is_stable, own_partitions, members, state, allowed }))
        }
    }

    /// The id that the coordinator gave this client as a member.
    fn member_id(&self) -> Option<String> {
        // SAFETY: the client is alive; the string is ours, or null, and given back once.
        unsafe {
            let id = rd_kafka_memberid(self.client());
            (!id.is_null()).then(|| {
                let member = text(id);
                rd_kafka_mem_free(self.client(), id.cast());
                member
            })
        }
    }

    fn options(&self, token: usize, operation: rd_kafka_admin_op_t, timeout: Duration) -> Options {
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the client is alive; the token is a number and never followed.
        unsafe {
            let options = rd_kafka_AdminOptions_new(self.client(), operation);
            rd_kafka_AdminOptions_set_request_timeout(options, timeout, std::ptr::null_mut(), 0);
            rd_kafka_AdminOptions_set_opaque(options, token as *mut c_void);
            Options(options)
        }
    }

    fn client(&self) -> *mut rdkafka::types::RDKafka {
        self.owner.as_client().native_ptr()
    }
}

impl<C: ClientContext> Drop for Questions<C> {
    fn drop(&mut self) {
        // SAFETY: it was made in `new`, is destroyed once, and before the client that this value keeps alive.
        unsafe { rd_kafka_queue_destroy(self.queue) };
    }
}

fn list(partitions: &[TopicPartition], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for TopicPartition { topic, partition } in partitions {
        list.add_partition_offset(topic, *partition, offset)?;
    }
    Ok(list)
}

/// # Safety
/// The strings of the entry are alive.
unsafe fn entry(place: &rd_kafka_topic_partition_t) -> (TopicPartition, Result<i64, RDKafkaErrorCode>) {
    // SAFETY: the caller's promise.
    let partition = TopicPartition::new(unsafe { text(place.topic) }, place.partition);
    (partition, partition_error(place).map_or(Ok(place.offset), Err))
}

/// # Safety
/// The description is alive.
unsafe fn topic(topic: *const rdkafka::bindings::rd_kafka_TopicDescription_t) -> TopicAnswer {
    // SAFETY: the caller's promise; all that is returned is copied.
    unsafe {
        let name = text(rd_kafka_TopicDescription_name(topic));
        if let Some(code) = error_of(rd_kafka_TopicDescription_error(topic)) {
            return TopicAnswer { name, found: Err(code), allowed: None };
        }
        let id = rd_kafka_TopicDescription_topic_id(topic);
        let id = if id.is_null() {
            [0, 0]
        } else {
            [rd_kafka_Uuid_most_significant_bits(id), rd_kafka_Uuid_least_significant_bits(id)]
        };
        let mut count = 0;
        let infos = rd_kafka_TopicDescription_partitions(topic, &mut count);
        let partitions = elements(infos, count).iter().map(|info| {
            let leader = rd_kafka_TopicPartitionInfo_leader(*info);
            PartitionAnswer {
                partition: rd_kafka_TopicPartitionInfo_partition(*info),
                leader: (!leader.is_null()).then(|| rd_kafka_Node_id(leader)).filter(|node| *node >= 0),
            }
        });
        let found = Ok((TopicId(id), partitions.collect()));
        let allowed = rd_kafka_TopicDescription_authorized_operations(topic, &mut count);
        TopicAnswer { name, found, allowed: Operations::read(allowed, count) }
    }
}
