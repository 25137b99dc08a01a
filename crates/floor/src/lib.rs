//! What both floor programs share: the settings of the program that each is compared with, read by that program's own code.
//!
//! A floor takes the flags of `kafka-producer` or `kafka-consumer`, so it cannot run with other settings of librdkafka. It
//! uses librdkafka's C interface alone: no metrics, no health, no checks, and a failure is only told.
#![allow(unsafe_code, reason = "librdkafka's C interface is what is measured here")]

use std::ffi::CStr;

use anyhow::{Context, Result, anyhow, bail};
use clap::FromArgMatches;
use common::args::Given;
use common::config::Properties;
use common::kafka::{self, client_config};
use common::life::{self, Said};
use rdkafka::bindings::{
    rd_kafka_conf_dup, rd_kafka_conf_t, rd_kafka_err2str, rd_kafka_new, rd_kafka_t, rd_kafka_type_t,
};
use rdkafka::types::RDKafkaRespErr;

/// The settings that `kafka-producer` has with the same arguments.
pub fn producer_settings() -> Result<kafka_producer::config::Config> {
    let program = kafka::program("floor-produce", "");
    let Said { matches, layers, mut problems } =
        life::said(&kafka_producer::args::command(life::version(&program))).map_err(|not_run| anyhow!("{not_run}"))?;
    let args = kafka_producer::args::Args::from_arg_matches(&matches)?;
    let config = kafka_producer::config::Config::new(&args.run, Given(&matches), &layers, &mut problems);
    problems.into_result().map_err(|problems| anyhow!("{problems}"))?;
    Ok(config)
}

/// The settings that `kafka-consumer` has with the same arguments.
pub fn consumer_settings() -> Result<kafka_consumer::config::Config> {
    let program = kafka::program("floor-consume", "");
    let Said { matches, layers, mut problems } =
        life::said(&kafka_consumer::args::command(life::version(&program))).map_err(|not_run| anyhow!("{not_run}"))?;
    let args = kafka_consumer::args::Args::from_arg_matches(&matches)?;
    let config = kafka_consumer::config::Config::new(&args.run, Given(&matches), &layers, &mut problems);
    problems.into_result().map_err(|problems| anyhow!("{problems}"))?;
    Ok(config)
}

/// A client with these settings; `prepare` may add callbacks. It lives as long as the process.
pub fn client(
    kind: rd_kafka_type_t,
    properties: &Properties,
    prepare: impl FnOnce(*mut rd_kafka_conf_t),
) -> Result<*mut rd_kafka_t> {
    let config = client_config(properties).create_native_config()?;
    let mut reason = [0; 512];
    // SAFETY: the configuration is alive and its copy goes to the client; `reason` is as long as is said.
    let client = unsafe {
        let copy = rd_kafka_conf_dup(config.ptr());
        prepare(copy);
        rd_kafka_new(kind, copy, reason.as_mut_ptr(), reason.len())
    };
    if client.is_null() {
        // SAFETY: librdkafka ends the reason with a NUL.
        let reason = unsafe { CStr::from_ptr(reason.as_ptr()) };
        bail!("librdkafka makes no client: {}", reason.to_string_lossy());
    }
    Ok(client)
}

/// An error code of librdkafka as a result.
pub fn check(code: RDKafkaRespErr, what: &'static str) -> Result<()> {
    if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    // SAFETY: a static text for each code.
    let text = unsafe { CStr::from_ptr(rd_kafka_err2str(code)) };
    Err(anyhow!("{}", text.to_string_lossy())).context(what)
}
