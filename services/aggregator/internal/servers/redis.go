package servers

import (
	"context"
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// Redis measures the server of a client.
type Redis struct{ Client redis.UniversalClient }

// redisMetric is a metric of Redis with the field of INFO that has its value.
type redisMetric struct {
	metric
	section, field string
}

type redisList []redisMetric

// redisMetrics are fields of INFO, see https://redis.io/docs/latest/commands/info/. A server that does not tell a field has no metric
// of it.
var redisMetrics = redisList{
	{gauge("hpa_redis_server_memory_bytes", "Memory that the server uses for data."), "Memory", "used_memory"},
	{gauge("hpa_redis_server_memory_max_bytes", "Limit of that memory (maxmemory); 0 means none."), "Memory", "maxmemory"},
	{gauge("hpa_redis_server_clients", "Connections to the server."), "Clients", "connected_clients"},
	{gauge("hpa_redis_server_blocked_clients", "Connections that wait in a blocking command."), "Clients", "blocked_clients"},
	{counter("hpa_redis_server_commands_total", "Commands that the server has done."), "Stats", "total_commands_processed"},
	{counter("hpa_redis_server_evicted_keys_total", "Keys that were removed because memory was full. It must stay 0."), "Stats", "evicted_keys"},
	{counter("hpa_redis_server_rejected_connections_total", "Connections refused because there were too many (maxclients)."), "Stats", "rejected_connections"},
	{counter("hpa_redis_server_keyspace_hits_total", "Look-ups of keys that exist."), "Stats", "keyspace_hits"},
	{counter("hpa_redis_server_keyspace_misses_total", "Look-ups of keys that do not exist."), "Stats", "keyspace_misses"},
	{counter("hpa_redis_server_cpu_seconds_total", "CPU time of the server in user mode."), "CPU", "used_cpu_user"},
}

func (r Redis) measure(ctx context.Context) ([]prometheus.Metric, error) {
	info, err := r.Client.InfoMap(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("measure Redis: %w", err)
	}
	var metrics []prometheus.Metric
	for _, m := range redisMetrics {
		if value, err := strconv.ParseFloat(info[m.section][m.field], 64); err == nil {
			metrics = append(metrics, m.of(value))
		}
	}
	return metrics, nil
}

func (l redisList) descs() (all []*prometheus.Desc) {
	for _, m := range l {
		all = append(all, m.desc)
	}
	return all
}
