// Package redis opens Redis clients. Everything that HP Analytics stores in Redis can be lost at any time. Clients therefore
// use short timeouts, so that callers can fall back quickly during an outage.
package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
)

// Config describes the Redis of a service.
type Config struct {
	// URL is the connection URL: redis://user:password@host:6379/0, or rediss:// for TLS.
	URL config.URL `env:"REDIS_URL, required"`
	// PoolSize limits the connections of one process.
	PoolSize int `env:"REDIS_POOL_SIZE, default=10"`
	// Timeout limits one command. It is the longest delay of a request when Redis hangs.
	Timeout time.Duration `env:"REDIS_TIMEOUT, default=250ms"`
	// Namespace ends the names of the task queues (rollups.NAMESPACE), so that an autoscaler can name them. All services of an
	// installation need the same, and installations that share a Redis different ones. Empty: the identity of the database,
	// which keys contain in any case.
	Namespace string `env:"REDIS_NAMESPACE"`
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if c.URL != "" {
		if err := checkURL(c.URL); err != nil {
			problems = append(problems, fmt.Errorf("REDIS_URL: %w", err))
		}
	}
	if c.Namespace != "" && !namespacePattern.MatchString(c.Namespace) {
		problems = append(problems, errors.New("REDIS_NAMESPACE: must be at most 55 letters, digits, '-', '_' or '.', and begin and end with a letter or digit"))
	}
	if c.PoolSize < 1 {
		problems = append(problems, fmt.Errorf("REDIS_POOL_SIZE: must be at least 1, not %d", c.PoolSize))
	}
	if c.Timeout <= 0 {
		problems = append(problems, fmt.Errorf("REDIS_TIMEOUT: must be positive, not %s", c.Timeout))
	}
	return errors.Join(problems...)
}

// checkURL returns an error unless u is the URL of one Redis. The error contains nothing of the URL.
func checkURL(u config.URL) error {
	scheme, rest, _ := strings.Cut(string(u), "://")
	if strings.Contains(scheme, "sentinel") || strings.Contains(rest, "master_name=") {
		return errors.New("must not name a Sentinel: give the address of one Redis, such as a proxy or a Service that follows the master")
	}
	if scheme != "redis" && scheme != "rediss" {
		return errors.New("must begin with redis:// or rediss://")
	}
	if err := u.Ambiguous(); err != nil {
		return err
	}
	authority, _, _ := strings.Cut(rest, "/")
	if strings.Contains(authority[strings.LastIndex(authority, "@")+1:], ",") {
		return errors.New("names several hosts: give the address of one Redis")
	}
	if _, err := redis.ParseURL(string(u)); err != nil {
		return errors.New("is no valid Redis URL (redis://:password@host:6379/0); " +
			"write special characters of the password percent-encoded, such as % as %25 and a space as %20")
	}
	return nil
}

// Open returns a client that Redis lists under name. It does not connect. Redis refuses every connection with a name that
// has a space or anything else but printable ASCII, so Open refuses such a name.
func Open(cfg Config, name string) (*redis.Client, error) {
	if strings.ContainsFunc(name, func(r rune) bool { return r < '!' || r > '~' }) {
		return nil, fmt.Errorf("open a Redis client: the name %q has a space or another character that Redis refuses", name)
	}
	options, err := redis.ParseURL(string(cfg.URL))
	if err != nil {
		return nil, errors.New("parse REDIS_URL: not a valid Redis URL") // the library's error contains the URL
	}
	options.ClientName = name
	options.PoolSize = cfg.PoolSize
	options.DialTimeout = cfg.Timeout
	options.ReadTimeout = cfg.Timeout
	options.WriteTimeout = cfg.Timeout
	options.PoolTimeout = cfg.Timeout
	options.MaxRetries = 1
	options.ContextTimeoutEnabled = true
	return redis.NewClient(options), nil
}

// Ready returns a check that Redis answers. The result is informational, because every service is ready without Redis.
func Ready(client redis.UniversalClient) func(context.Context) error {
	return func(ctx context.Context) error { return client.Ping(ctx).Err() }
}

// NewPoolCollector returns a collector of the client's pool statistics.
func NewPoolCollector(client *redis.Client) prometheus.Collector {
	return &poolCollector{
		client: client,
		conns:  prometheus.NewDesc("hpa_redis_pool_connections", "Connections of the pool by state.", []string{"state"}, nil),
		misses: prometheus.NewDesc("hpa_redis_pool_misses_total", "Commands that found no idle connection.", nil, nil),
		waits:  prometheus.NewDesc("hpa_redis_pool_timeouts_total", "Commands that gave up waiting for a connection.", nil, nil),
	}
}

type poolCollector struct {
	client               *redis.Client
	conns, misses, waits *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.conns
	ch <- c.misses
	ch <- c.waits
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.client.PoolStats()
	ch <- prometheus.MustNewConstMetric(c.conns, prometheus.GaugeValue, float64(s.TotalConns-s.IdleConns), "in_use")
	ch <- prometheus.MustNewConstMetric(c.conns, prometheus.GaugeValue, float64(s.IdleConns), "idle")
	ch <- prometheus.MustNewConstMetric(c.misses, prometheus.CounterValue, float64(s.Misses))
	ch <- prometheus.MustNewConstMetric(c.waits, prometheus.CounterValue, float64(s.Timeouts))
}
