# A stand-in for apache/kafka: Debian's Java, Maven's jars, and the same user, paths, variables and entry point.
# Unlike there the log goes through slf4j-simple: levels are honoured, a log4j2.yaml is not.
# The build context holds `broker`, the scripts beside this file, and `jars`.
FROM localhost/stand-in/debian:13
# The release's newest: this image is never released.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends openjdk-21-jre-headless \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --create-home --shell /bin/bash appuser \
 && install -d -o appuser -g appuser /opt/kafka /opt/kafka/bin /opt/kafka/config /opt/kafka/logs /mnt/shared/config /usr/logs \
 && install -d -o appuser -g root -m 775 /etc/kafka /etc/kafka/docker /etc/kafka/secrets /var/lib/kafka /var/lib/kafka/data
COPY jars /opt/kafka/libs
COPY broker/server.properties broker/run /etc/kafka/docker/
COPY broker/bin /opt/kafka/bin
# Each tool is a link: its name says what to run.
RUN for tool in acls broker-api-versions cluster configs console-consumer console-producer consumer-groups get-offsets \
      leader-election metadata-quorum producer-perf-test server-start storage topics; do \
      ln -s kafka-run-class.sh /opt/kafka/bin/kafka-$tool.sh || exit 1; \
    done
EXPOSE 9092
# As the official one.
# hadolint ignore=DL3066
USER appuser
VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]
CMD ["/etc/kafka/docker/run"]
