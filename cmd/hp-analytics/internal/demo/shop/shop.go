// Package shop simulates a web shop: a few products are popular and most are not; visitors look, click, fill a cart and
// sometimes buy, and more of them come in the evening and at weekends.
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
	From     time.Time // midnight (UTC) at the beginning of the first day
	Until    time.Time // the last full hour before Now: everything happens before it
	Products []Product

	identity [sha256.Size]byte
}

// New returns the shop of c. The simulated period ends at a full hour, so that the same c yields the same shop within that
// hour. The last day is the day of the last full hour: in the first hour after midnight that is yesterday.
func New(c Config) (*Shop, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	until := c.Now.UTC().Truncate(time.Hour)
	lastDay := until.Add(-time.Nanosecond).Truncate(24 * time.Hour)
	s := &Shop{Config: c, From: lastDay.AddDate(0, 0, 1-c.Days), Until: until}
	s.identity = sha256.Sum256(fmt.Appendf(nil, "hp-analytics demo 1: seed %d, %s to %s, %d events, %d products, %d users",
		c.Seed, s.From.Format(time.RFC3339), s.Until.Format(time.RFC3339), c.Events, c.Products, c.Users))
	s.Products = s.makeProducts()
	return s, nil
}

// Tag is part of every SKU and user id. It identifies the whole Config: shops that differ in anything share neither products
// nor users, so each has its own numbers on the same platform.
func (s *Shop) Tag() string { return fmt.Sprintf("%d-%s", s.Seed, hex.EncodeToString(s.identity[:4])) }

// LastDay is the day of the last events, at midnight.
func (s *Shop) LastDay() time.Time { return s.From.AddDate(0, 0, s.Days-1) }

// UserID returns the id of a user from 0 to Users-1.
func (s *Shop) UserID(user int) string { return fmt.Sprintf("demo-%s-u%05d", s.Tag(), user) }

// random returns a repeatable source of random numbers. Each stream has its own, so that a change to one part of the
// simulation does not affect the others.
func (s *Shop) random(stream string) *rand.Rand {
	seed := sha256.Sum256(append(s.identity[:], stream...))
	return rand.New(rand.NewChaCha8(seed)) //nolint:gosec // G404: must be repeatable and keeps no secret
}
