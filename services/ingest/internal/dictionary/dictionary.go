// Package dictionary caches the numbers of users and of names of events, so that facts of known ones cost no query.
//
// A number never changes, so a cached one is right until its user is erased. The statement that stores a fact notices that by
// the epoch at which the user was looked up, and Expire makes the cache forget. What can change besides is that an anonymous id gets a person: until a
// replica learns of it, within AnonymousTTL, it stores facts with this id alone for the anonymous user, as if they had come
// before.
package dictionary

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/lookup"
)

// AnonymousTTL is how long a replica believes that an anonymous id belongs to nobody.
const AnonymousTTL = 4 * time.Second

const (
	// maxUsers and maxNames bound the memory: about 40 MB and 4 MB.
	maxUsers = 200_000
	maxNames = 20_000
	// keep is how long what never changes stays in memory. It bounds what a database restored from a backup can do to us.
	keep = time.Hour
	// recent is how many names before one are looked at, because most requests have few different ones.
	recent = 6
)

// Key identifies a user id or an anonymous id. Equal texts of the two kinds are different users.
type Key struct {
	Project   int16
	Anonymous bool
	ID        string
}

// Entry is a user of the dictionary.
type Entry struct {
	N      int64
	Person int64 // of an anonymous id: the number of the user that it belongs to; 0 for none
	Epoch  int64 // of the project, in the snapshot that the entry was read in
}

// Join gives an anonymous id a person. Both are numbers of users of the project.
type Join struct {
	Project           int16
	Anonymous, Person int64
}

// Name is a name with who sends it.
type Name struct {
	event.NameRef

	Sender string
}

// Source is the dictionary itself.
type Source interface {
	// NumberUsers returns the entries of all keys. It inserts unknown ones.
	NumberUsers(ctx context.Context, keys []Key) (map[Key]Entry, error)
	// JoinUsers records the joins of anonymous ids that have no person yet. It returns the person that each has then: 0 for
	// none, because one of the two was erased.
	JoinUsers(ctx context.Context, joins []Join) (map[Join]int64, error)
	// NumberNames returns the numbers of names, as event.Dictionary does, and inserts unknown ones.
	NumberNames(ctx context.Context, names []Name) (map[Name]int16, error)
}

// Cache implements event.Dictionary. It is safe for concurrent use.
type Cache struct {
	users   *otter.Cache[Key, Entry]
	names   *otter.Cache[event.NameRef, int16]
	numbers *lookup.Loader[Key, Entry]
	joins   *lookup.Loader[Join, int64]
	epochs  sync.Map // by project, the epoch that entries must have at least
	words   *lookup.Loader[Name, int16]
	ofUsers sources
	ofNames sources
}

// sources count the look-ups of a dictionary by where the answer came from.
type sources struct{ process, postgres prometheus.Counter }

var _ event.Dictionary = (*Cache)(nil)

// New returns an empty cache in front of source.
func New(source Source, registerer prometheus.Registerer) *Cache {
	lookups := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hpa_ingest_dictionary_lookups_total", Help: "Look-ups of users and names of events by where the answer came from.",
	}, []string{"dictionary", "source"})
	registerer.MustRegister(lookups)
	of := func(dictionary string) sources {
		return sources{lookups.WithLabelValues(dictionary, "process"), lookups.WithLabelValues(dictionary, "postgres")}
	}
	return &Cache{
		users: otter.Must(&otter.Options[Key, Entry]{
			MaximumSize: maxUsers,
			ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[Key, Entry]) time.Duration {
				if e.Key.Anonymous && e.Value.Person == 0 {
					return AnonymousTTL
				}
				return keep
			}),
		}),
		names: otter.Must(&otter.Options[event.NameRef, int16]{
			MaximumSize: maxNames, ExpiryCalculator: otter.ExpiryWriting[event.NameRef, int16](keep),
		}),
		numbers: lookup.NewLoader(source.NumberUsers),
		joins:   lookup.NewLoader(source.JoinUsers),
		words:   lookup.NewLoader(source.NumberNames),
		ofUsers: of("users"),
		ofNames: of("names"),
	}
}

// Close waits for the queries in flight and stops the goroutines that remove expired entries.
func (c *Cache) Close() {
	c.numbers.Close()
	c.joins.Close()
	c.words.Close()
	c.users.StopAllGoroutines()
	c.names.StopAllGoroutines()
}

// Expire implements event.Dictionary.
func (c *Cache) Expire(project int16, epoch int64) {
	for {
		known := c.epoch(project)
		if known >= epoch {
			return
		}
		if known == 0 {
			if _, raced := c.epochs.LoadOrStore(project, epoch); !raced {
				return
			}
		} else if c.epochs.CompareAndSwap(project, known, epoch) {
			return
		}
	}
}

// epoch returns the epoch that entries of a project must have at least.
func (c *Cache) epoch(project int16) int64 {
	value, _ := c.epochs.Load(project)
	epoch, some := value.(int64)
	if !some {
		return 0
	}
	return epoch
}

// get returns the entry of a key that is in memory and has not expired.
func (c *Cache) get(key Key) (Entry, bool) {
	e, ok := c.users.GetIfPresent(key)
	if !ok {
		return Entry{}, false
	}
	if e.Epoch < c.epoch(key.Project) {
		return Entry{}, false
	}
	return e, true
}

// Names implements event.Dictionary.
func (c *Cache) Names(ctx context.Context, project int16, sender string, names []string) ([]int16, error) {
	found := make([]int16, len(names))
	var unknown []Name
	seen := map[event.NameRef]struct{}{}
	for i, name := range names {
		if before := slices.Index(names[max(0, i-recent):i], name); before >= 0 && found[max(0, i-recent)+before] != 0 {
			found[i] = found[max(0, i-recent)+before]
			continue
		}
		ref := event.NameRef{Project: project, Name: name}
		if n, ok := c.names.GetIfPresent(ref); ok {
			found[i] = n
			continue
		}
		if _, again := seen[ref]; !again && name != "" {
			seen[ref] = struct{}{}
			unknown = append(unknown, Name{ref, sender})
		}
	}
	c.ofNames.count(len(names), len(unknown))
	if len(unknown) == 0 {
		return found, nil
	}
	loaded, err := c.words.Load(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for _, name := range unknown {
		if n := loaded[name]; n > 0 {
			c.names.Set(name.NameRef, n)
		}
	}
	for i, name := range names {
		if found[i] == 0 {
			found[i] = loaded[Name{event.NameRef{Project: project, Name: name}, sender}]
		}
	}
	return found, nil
}

func (s sources) count(asked, missed int) {
	s.process.Add(float64(asked - missed))
	if missed > 0 {
		s.postgres.Add(float64(missed))
	}
}
