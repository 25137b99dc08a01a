// Publishes or logs records by franz-go: the rival of both programs from Go.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	made      = 4096
	letters   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	timestamp = "2006-01-02T15:04:05.000000Z"
)

type line struct {
	Timestamp       string      `json:"timestamp"`
	Event           string      `json:"event"`
	Topic           string      `json:"topic"`
	Partition       int32       `json:"partition"`
	Offset          int64       `json:"offset"`
	RecordTimestamp string      `json:"record_timestamp"`
	Key             string      `json:"key"`
	Value           string      `json:"value"`
	Headers         [][2]string `json:"headers"`
}

func main() {
	mode, servers, topic, last := os.Args[1], os.Args[2], os.Args[3], os.Args[5]
	count, err := strconv.Atoi(os.Args[4])
	check(err)
	if mode == "produce" {
		size, err := strconv.Atoi(last)
		check(err)
		produce(servers, topic, count, size)
	} else {
		consume(servers, topic, count, last)
	}
}

func produce(servers, topic string, count, size int) {
	values := make([][]byte, made)
	for nth := range values {
		values[nth] = make([]byte, size)
		for at := range values[nth] {
			values[nth][at] = letters[rand.IntN(len(letters))]
		}
	}
	// Idempotent and acks=all by default.
	client, err := kgo.NewClient(
		kgo.SeedBrokers(servers),
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(50000),
	)
	check(err)
	var failed atomic.Int64
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.Add(1)
		}
	}
	ctx := context.Background()
	for nth := range count {
		key := strconv.AppendInt(nil, int64(nth), 10)
		client.Produce(ctx, &kgo.Record{Key: key, Value: values[nth%made]}, promise)
	}
	check(client.Flush(ctx))
	client.Close()
	if failed.Load() > 0 {
		check(fmt.Errorf("%d messages failed", failed.Load()))
	}
}

func consume(servers, topic string, count int, group string) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(servers),
		kgo.ConsumeTopics(topic),
		kgo.ConsumerGroup(group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	check(err)
	out := bufio.NewWriterSize(os.Stdout, 64*1024)
	encoder := json.NewEncoder(out)
	for seen := 0; seen < count; {
		fetches := client.PollFetches(context.Background())
		for _, failure := range fetches.Errors() {
			check(failure.Err)
		}
		for records := fetches.RecordIter(); !records.Done() && seen < count; seen++ {
			record := records.Next()
			headers := make([][2]string, len(record.Headers))
			for nth, header := range record.Headers {
				headers[nth] = [2]string{header.Key, string(header.Value)}
			}
			check(encoder.Encode(line{
				Timestamp:       time.Now().UTC().Format(timestamp),
				Event:           "record",
				Topic:           record.Topic,
				Partition:       record.Partition,
				Offset:          record.Offset,
				RecordTimestamp: record.Timestamp.UTC().Format(timestamp),
				Key:             string(record.Key),
				Value:           string(record.Value),
				Headers:         headers,
			}))
		}
		check(out.Flush())
	}
	client.Close()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
