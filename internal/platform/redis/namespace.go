package redis

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// identifyTimeout limits one attempt to learn the identity of the installation.
const identifyTimeout = 5 * time.Second

// namespacePattern is that of a Kubernetes label, which names the queue in the metrics of an autoscaler, less the name of the queue.
var namespacePattern = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,53}[A-Za-z0-9])?$`)

// Client is the Redis client of one installation. Installations may share a Redis: each has its own keys and queues, which
// contain the identity of its database. Without that, one would answer with the cached numbers of the other.
type Client struct {
	redis.UniversalClient
	queues   string
	identify func(ctx context.Context) (string, error)
	learning sync.Mutex // held while the identity is asked for, so that one caller asks
	identity atomic.Pointer[string]
	outage   Outage
}

// NewClient returns a client on client. identify returns the identity of the installation; it is called until it succeeds.
func NewClient(client redis.UniversalClient, cfg Config, identify func(ctx context.Context) (string, error)) *Client {
	return &Client{UniversalClient: client, queues: cfg.Namespace, identify: identify}
}

// Key returns the key for name. Callers treat an error, which means that the identity is not known yet, as an outage of Redis.
func (c *Client) Key(ctx context.Context, name string) (string, error) {
	id, err := c.id(ctx)
	return "hpa:" + id + ":" + name, err
}

// Queue returns the name in Asynq of the queue called name. Asynq keeps everything of a queue under its name, so it is the
// namespace of the tasks. An error is as for Key.
func (c *Client) Queue(ctx context.Context, name string) (string, error) {
	if c.queues != "" {
		return name + "." + c.queues, nil
	}
	id, err := c.id(ctx)
	return name + "." + id, err
}

func (c *Client) id(ctx context.Context) (string, error) {
	if id := c.identity.Load(); id != nil {
		return *id, nil
	}
	c.learning.Lock()
	defer c.learning.Unlock()
	if id := c.identity.Load(); id != nil {
		return *id, nil
	}
	if c.outage.Ongoing() {
		return "", errUnidentified
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), identifyTimeout)
	defer cancel()
	id, err := c.identify(ctx)
	if err != nil {
		c.outage.Begin()
		return "", fmt.Errorf("%w: %w", errUnidentified, err)
	}
	c.identity.Store(&id)
	return id, nil
}

var errUnidentified = errors.New("redis is not used before the identity of the database is known")
