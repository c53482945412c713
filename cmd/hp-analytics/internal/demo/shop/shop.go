// Package shop simulates a web shop: a few products are popular and most are not; visitors look, click, fill a cart and
// sometimes buy, in one of two currencies, and some of them sign up or send something back. More of them come in the evening and
// at weekends, by the clocks where the shop is.
//
// It is deterministic: a Config yields the same shop on every machine, byte for byte. Facts are generated lazily, so a shop
// of ten million events needs no more memory than one of a thousand.
package shop

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

const (
	// MaxDays keeps the first day within the 90 days for which the platform accepts events, even if a demo runs past
	// midnight.
	MaxDays = 89
	// MaxProducts bounds the number of products that a demo adds to the catalog.
	MaxProducts = 10_000
	// MaxUsers bounds the user ids of a demo.
	MaxUsers = 1_000_000
	// maxPairs bounds products × users, because package tally needs a bit for each pair.
	maxPairs = 1 << 31
)

// Config says how large a shop is and when it was open.
type Config struct {
	Seed     uint64
	Events   int       // different events; purchases come on top of them
	Days     int       // whole days, except that the last one may not have ended
	Products int       // of which a few are popular
	Users    int       // possible visitors; with few events not all of them visit
	Now      time.Time // the current time, after which nothing happens
	// Zone is where the shop is: its days are those of the clocks there. Nil is UTC.
	Zone *time.Location
}

// Validate returns every problem at once.
func (c Config) Validate() error {
	var problems []error
	within := func(name string, value, most int) {
		if value < 1 || value > most {
			problems = append(problems, fmt.Errorf("%s: must be between 1 and %d, not %d", name, most, value))
		}
	}
	within("events", c.Events, 1_000_000_000)
	within("days", c.Days, MaxDays)
	within("products", c.Products, MaxProducts)
	within("users", c.Users, MaxUsers)
	if len(problems) == 0 && c.Products*c.Users > maxPairs {
		problems = append(problems, fmt.Errorf("products × users: must be at most %d, not %d", maxPairs, c.Products*c.Users))
	}
	return errors.Join(problems...)
}

// Shop is a shop and the period that is simulated.
type Shop struct {
	Config
	From     time.Time // the beginning of the first day, in the zone of the shop
	Until    time.Time // the last full hour before Now: everything happens before it
	Products []Product

	firstDay localtime.Day
	identity [sha256.Size]byte
}

// New returns the shop of c. The simulated period ends at a full hour, so that the same c yields the same shop within that
// hour. The last day is the day of the last full hour: in the first hour after midnight that is yesterday.
func New(c Config) (*Shop, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	until := c.Now.UTC().Truncate(time.Hour).In(c.Zone)
	lastDay := localtime.DayOf(until.Add(-time.Nanosecond), c.Zone)
	s := &Shop{Config: c, Until: until, firstDay: lastDay - localtime.Day(c.Days) + 1}
	s.From = s.firstDay.Start(c.Zone)
	s.identity = sha256.Sum256(fmt.Appendf(nil, "hp-analytics demo 2: seed %d, %s to %s in %s, %d events, %d products, %d users",
		c.Seed, s.From.Format(time.RFC3339), s.Until.Format(time.RFC3339), c.Zone, c.Events, c.Products, c.Users))
	s.Products = s.makeProducts()
	return s, nil
}

// Tag is part of every SKU and user id. It identifies the whole Config: shops that differ in anything share neither products
// nor users, so each has its own numbers on the same platform.
func (s *Shop) Tag() string { return fmt.Sprintf("%d-%s", s.Seed, hex.EncodeToString(s.identity[:4])) }

// Day returns the calendar day with this index, from 0 to Days-1, as midnight in UTC.
func (s *Shop) Day(index int) time.Time { return (s.firstDay + localtime.Day(index)).Date() }

// DayStart returns when the day with this index begins where the shop is. Days is the index of the day after the last.
func (s *Shop) DayStart(index int) time.Time {
	return (s.firstDay + localtime.Day(index)).Start(s.Zone)
}

// DayOf returns the index of the day of t.
func (s *Shop) DayOf(t time.Time) int { return int(localtime.DayOf(t, s.Zone) - s.firstDay) }

// SignUp is the name of the event with which a user signs up. It concerns no product, and has the tag of the shop, because events
// are counted by name for the whole project.
func (s *Shop) SignUp() string { return "Signed Up (demo " + s.Tag() + ")" }

// UserID returns the id of a user from 0 to Users-1.
func (s *Shop) UserID(user int) string { return fmt.Sprintf("demo-%s-u%05d", s.Tag(), user) }

// random returns a repeatable source of random numbers. Each stream has its own, so that a change to one part of the
// simulation does not affect the others.
func (s *Shop) random(stream string) *rand.Rand {
	seed := sha256.Sum256(append(s.identity[:], stream...))
	return rand.New(rand.NewChaCha8(seed)) //nolint:gosec // G404: must be repeatable and keeps no secret
}
