// Package rejections keeps what was refused lately, so that the people of a project see why something is missing. A refusal is noted in
// memory and written to Redis by a loop, so it costs a request no more than a short lock. Each sender has a share of what is noted and
// of what is kept: one that sends garbage pushes out its own refusals only. Refusals are lost when Redis is away or is emptied; the
// answers to the requests, which had the same reasons, do not depend on it.
package rejections

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

const (
	// pause is the time between two writes.
	pause = 500 * time.Millisecond
	// writeTimeout bounds one of them.
	writeTimeout = time.Second
	// share is how many refusals of a sender one write has. Further ones are counted only.
	share = 20
	// maxSenders bounds the senders of one write, and the labels of the metric are those of the first mostLabels senders.
	maxSenders = 256
	mostLabels = 20
	// validFor is how long a process remembers that a sender has sent something valid, before it says so again. With each refusal it says so
	// anyway.
	validFor = time.Minute
	// maxValid bounds the senders of whom it remembers that.
	maxValid = 4096
)

// Sender is who sent something: an API key, or the accounts of a project together.
type Sender struct {
	Project int16
	Key     string // the id of the API key; empty for accounts
}

// Kind says what was refused.
type Kind string

// The kinds.
const (
	Event   Kind = "event"
	Order   Kind = "order"
	Refund  Kind = "refund"
	Request Kind = "request" // the whole body
)

// Refusal is something that was refused.
type Refusal struct {
	ID     uuid.UUID       `json:"id"`
	At     time.Time       `json:"at"`
	Kind   Kind            `json:"kind"`
	Reason errs.Field      `json:"reason"`
	Item   json.RawMessage `json:"item,omitempty"` // what was sent, redacted; empty if nothing of it could be read
}

// news is what is to be written of a sender.
type news struct {
	refusals []Refusal // the oldest first
	counts   map[string]int64
	valid    bool      // it has sent something valid
	validAt  time.Time // when this process has said so last; zero if it has not
}

// Journal notes refusals. It writes them while Run runs, and is safe for concurrent use.
type Journal struct {
	redis  *redis.Client
	logger *slog.Logger
	outage redis.Outage
	wanted chan struct{} // holds a signal while there is something to write

	mu     sync.Mutex
	news   map[Sender]*news
	valid  map[Sender]time.Time // when it was last noted that a sender has sent something valid
	labels map[Sender]struct{}

	refused *prometheus.CounterVec
	left    prometheus.Counter
}

// New returns a journal.
func New(client *redis.Client, logger *slog.Logger, registerer prometheus.Registerer) *Journal {
	j := &Journal{
		redis: client, logger: logger, wanted: make(chan struct{}, 1),
		news: map[Sender]*news{}, valid: map[Sender]time.Time{}, labels: map[Sender]struct{}{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hpa_ingest_rejections_total",
			Help: "Refused items and requests, by the code of their first problem and the id of the API key; the key is accounts for people, and other beyond the first 20 keys of a process.",
		}, []string{"key", "code"}),
		left: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_ingest_rejections_left_out_total", Help: "Refusals that GET /rejections does not show, because their sender had used up its share or Redis was away.",
		}),
	}
	registerer.MustRegister(j.refused, j.left)
	return j
}

// Valid notes that a sender has sent something valid.
func (j *Journal) Valid(by Sender) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if at, known := j.valid[by]; known && time.Since(at) < validFor {
		return
	}
	of := j.of(by)
	if of == nil {
		return
	}
	if len(j.valid) >= maxValid {
		clear(j.valid)
	}
	j.valid[by], of.valid = time.Now(), true
	j.want()
}

// Refused notes a refusal with its first problem. item returns what was sent, redacted; it is only called if the refusal is kept.
func (j *Journal) Refused(by Sender, kind Kind, reason errs.Field, item func() json.RawMessage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.refused.WithLabelValues(j.label(by), reason.Code).Inc()
	of := j.of(by)
	if of == nil {
		j.left.Inc()
		return
	}
	of.counts[reason.Code]++
	if len(of.refusals) == share {
		j.left.Inc()
		return
	}
	refusal := Refusal{ID: uuid.New(), At: time.Now().UTC().Truncate(time.Microsecond), Kind: kind, Reason: errs.Field{
		Pointer: cut(reason.Pointer, mostPointer), Code: reason.Code, Detail: cut(reason.Detail, mostDetail),
	}}
	if item != nil {
		refusal.Item = item()
	}
	of.refusals = append(of.refusals, refusal)
	j.want()
}

// of returns the news of a sender, or nil if there are too many senders.
func (j *Journal) of(by Sender) *news {
	found := j.news[by]
	if found == nil && len(j.news) < maxSenders {
		found = &news{counts: map[string]int64{}}
		j.news[by] = found
	}
	return found
}

func (j *Journal) label(by Sender) string {
	if by.Key == "" {
		return "accounts"
	}
	if _, known := j.labels[by]; !known {
		if len(j.labels) == mostLabels {
			return "other"
		}
		j.labels[by] = struct{}{}
	}
	return by.Key
}

func (j *Journal) want() {
	select {
	case j.wanted <- struct{}{}:
	default: // the write that is wanted already has this, too
	}
}

// Run writes what is noted until ctx ends, and then what is left.
func (j *Journal) Run(ctx context.Context) {
	for {
		select {
		case <-j.wanted:
			j.flush(ctx)
		case <-ctx.Done():
			j.flush(context.WithoutCancel(ctx))
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func (j *Journal) flush(ctx context.Context) {
	j.mu.Lock()
	all := j.news
	j.news = map[Sender]*news{}
	for by, of := range all {
		of.validAt = j.valid[by]
	}
	j.mu.Unlock()
	if len(all) == 0 {
		return
	}
	if !j.outage.Ongoing() {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		err := j.write(ctx, all)
		if err == nil {
			return
		}
		j.outage.Begin()
		j.logger.WarnContext(ctx, "refusals are not kept, because Redis does not answer", "err", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for by, of := range all {
		j.left.Add(float64(len(of.refusals)))
		delete(j.valid, by) // is noted again by the next valid item
	}
}
