package rejections

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const (
	// kept is how long Redis keeps what it has of a sender after the last news of it.
	kept = 7 * 24 * time.Hour
	// keptOfSender is how many refusals of a sender are kept, and keptSenders how many senders of a project: of more, those that were refused
	// something last. An item takes about half a kilobyte, so a project takes some megabytes at most.
	keptOfSender = 200
	keptSenders  = 32
	// Most is how many refusals an answer has at most.
	Most = 1000
)

// ErrUnavailable says that Redis, which has the refusals, does not answer.
var ErrUnavailable = errs.New(errs.Unavailable, "unavailable", "What was refused cannot be read at the moment. Try again.").After(2 * time.Second)

// Fields of the hash of a sender. Those of counts have the prefix.
const (
	sinceField  = "since"
	validField  = "valid"
	countPrefix = "n:"
)

// keys are those of a project in Redis.
type keys struct{ project string }

func (j *Journal) keys(ctx context.Context, project int16) (keys, error) {
	prefix, err := j.redis.Key(ctx, "rejections:"+strconv.Itoa(int(project)))
	return keys{prefix}, err
}

func (k keys) senders() string          { return k.project + ":senders" }
func (k keys) items(key string) string  { return k.project + ":items:" + key }
func (k keys) sender(key string) string { return k.project + ":sender:" + key }

// write adds news in one round trip.
func (j *Journal) write(ctx context.Context, all map[Sender]*news) error {
	pipe := j.redis.Pipeline()
	now := time.Now()
	for by, of := range all {
		k, err := j.keys(ctx, by.Project)
		if err != nil {
			return err
		}
		pipe.HSetNX(ctx, k.sender(by.Key), sinceField, now.UnixMicro())
		if of.valid {
			pipe.HSet(ctx, k.sender(by.Key), validField, now.UnixMicro())
		} else if !of.validAt.IsZero() { // Redis may have been emptied since it was told
			pipe.HSetNX(ctx, k.sender(by.Key), validField, of.validAt.UnixMicro())
		}
		for code, n := range of.counts {
			pipe.HIncrBy(ctx, k.sender(by.Key), countPrefix+code, n)
		}
		pipe.Expire(ctx, k.sender(by.Key), kept)
		if len(of.refusals) == 0 {
			continue
		}
		items := make([]any, len(of.refusals))
		for i := range of.refusals {
			if items[i], err = json.Marshal(of.refusals[i]); err != nil {
				return fmt.Errorf("encode a refusal: %w", err)
			}
		}
		pipe.LPush(ctx, k.items(by.Key), items...)
		pipe.LTrim(ctx, k.items(by.Key), 0, keptOfSender-1)
		pipe.Expire(ctx, k.items(by.Key), kept)
		pipe.ZAdd(ctx, k.senders(), goredis.Z{Score: float64(now.UnixMicro()), Member: by.Key})
		pipe.ZRemRangeByRank(ctx, k.senders(), 0, -keptSenders-1)
		pipe.Expire(ctx, k.senders(), kept)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("write refusals: %w", err)
	}
	return nil
}

// Filter says which refusals are wanted. Empty fields let everything through.
type Filter struct {
	Key  *string // the id of an API key, or empty for accounts
	Code string
}

// Report is what was refused to a project.
type Report struct {
	Refusals []Entry  // the newest first
	Senders  []Record // those of whom something was refused or is asked for, the busiest first
}

// Entry is a refusal with its sender.
type Entry struct {
	Refusal

	Key string // empty for accounts
}

// Record is what is known of a sender.
type Record struct {
	Key     string    // empty for accounts
	Since   time.Time // when the record began; zero if there is none
	Valid   time.Time // when something valid was noted last; zero if nothing was
	Reasons []Count   // the most frequent first
}

// Count is how often a reason occurred.
type Count struct {
	Code string
	N    int64
}

// Read returns the last refusals of a project. If there are more than limit, each sender has its share of them.
func (j *Journal) Read(ctx context.Context, project int16, filter Filter, limit int) (Report, error) {
	k, err := j.keys(ctx, project)
	if err != nil {
		return Report{}, ErrUnavailable.Because(err)
	}
	var senders []string
	if filter.Key != nil {
		senders = []string{*filter.Key}
	} else if senders, err = j.redis.ZRevRange(ctx, k.senders(), 0, -1).Result(); err != nil {
		return Report{}, ErrUnavailable.Because(fmt.Errorf("read the senders of refusals: %w", err))
	}
	pipe := j.redis.Pipeline()
	items, records := make([]*goredis.StringSliceCmd, len(senders)), make([]*goredis.MapStringStringCmd, len(senders))
	for i, key := range senders {
		items[i] = pipe.LRange(ctx, k.items(key), 0, keptOfSender-1)
		records[i] = pipe.HGetAll(ctx, k.sender(key))
	}
	if len(senders) > 0 {
		if _, err := pipe.Exec(ctx); err != nil {
			return Report{}, ErrUnavailable.Because(fmt.Errorf("read refusals: %w", err))
		}
	}
	report := Report{Senders: make([]Record, len(senders))}
	lists := make([][]Entry, len(senders))
	for i, key := range senders {
		if lists[i], err = entriesOf(key, items[i].Val(), filter.Code); err != nil {
			return Report{}, err
		}
		report.Senders[i] = recordOf(key, records[i].Val())
	}
	report.Refusals = newest(lists, limit)
	slices.SortStableFunc(report.Senders, func(a, b Record) int { return cmp.Compare(b.Refused(), a.Refused()) })
	return report, nil
}

func entriesOf(key string, texts []string, code string) ([]Entry, error) {
	entries := make([]Entry, 0, len(texts))
	for _, text := range texts {
		e := Entry{Key: key}
		if err := json.Unmarshal([]byte(text), &e.Refusal); err != nil {
			return nil, fmt.Errorf("read a refusal: %w", err)
		}
		if code == "" || code == e.Reason.Code {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// newest takes the newest of each list in turn until there are limit of them, and sorts them by time.
func newest(lists [][]Entry, limit int) (all []Entry) {
	for n := range keptOfSender {
		for _, list := range lists {
			if n < len(list) && len(all) < limit {
				all = append(all, list[n])
			}
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(b.ID.String(), a.ID.String())) })
	return all
}

func recordOf(key string, fields map[string]string) Record {
	r := Record{Key: key, Since: timeOf(fields[sinceField]), Valid: timeOf(fields[validField])}
	for name, value := range fields {
		if code, ok := strings.CutPrefix(name, countPrefix); ok {
			n, _ := strconv.ParseInt(value, 10, 64) // nobody else writes the field
			r.Reasons = append(r.Reasons, Count{code, n})
		}
	}
	slices.SortFunc(r.Reasons, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Code, b.Code)) })
	return r
}

// timeOf reads a time in microseconds; an empty text is none.
func timeOf(text string) time.Time {
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Refused is how much was refused to the sender since its record began.
func (r Record) Refused() (sum int64) {
	for _, reason := range r.Reasons {
		sum += reason.N
	}
	return sum
}
