package dictionary

import (
	"context"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Users implements event.Dictionary.
func (c *Cache) Users(ctx context.Context, project int16, refs []event.UserRef) ([]event.User, error) {
	if users, known := c.known(project, refs); known {
		c.ofUsers.count(len(refs), 0)
		return users, nil
	}
	known, err := c.entries(ctx, project, refs)
	if err != nil {
		return nil, err
	}
	if err := c.identify(ctx, project, refs, known); err != nil {
		return nil, err
	}
	users := make([]event.User, len(refs))
	for i, ref := range refs {
		users[i] = known[i].user(ref)
	}
	return users, nil
}

// known returns the users if all of them are in memory and none is to be joined, as is usual.
func (c *Cache) known(project int16, refs []event.UserRef) ([]event.User, bool) {
	users := make([]event.User, len(refs))
	for i, ref := range refs {
		var p pair
		ok := true
		if ref.UserID != "" {
			p.person, ok = c.get(Key{Project: project, ID: ref.UserID})
		}
		if ok && ref.AnonymousID != "" {
			p.anonymous, ok = c.get(Key{Project: project, Anonymous: true, ID: ref.AnonymousID})
			ok = ok && (ref.UserID == "" || p.anonymous.Person != 0)
		}
		if !ok {
			return nil, false
		}
		users[i] = p.user(ref)
	}
	return users, true
}

// pair is what the dictionary has for the two ids of a ref; zero for an id that is not there.
type pair struct{ person, anonymous Entry }

func (p pair) user(ref event.UserRef) event.User {
	switch {
	case ref.UserID != "":
		return event.User{N: p.person.N, Epoch: p.person.Epoch}
	case p.anonymous.Person != 0:
		return event.User{N: p.anonymous.Person, Anonymous: p.anonymous.N, Epoch: p.anonymous.Epoch}
	default:
		return event.User{N: p.anonymous.N, Anonymous: p.anonymous.N, Epoch: p.anonymous.Epoch}
	}
}

// entries returns the entries of the ids of refs.
func (c *Cache) entries(ctx context.Context, project int16, refs []event.UserRef) ([]pair, error) {
	pairs := make([]pair, len(refs))
	var unknown []Key
	seen := map[Key]struct{}{}
	asked := 0
	look := func(id string, anonymous bool) (e Entry) {
		if id == "" {
			return Entry{}
		}
		asked++
		key := Key{Project: project, Anonymous: anonymous, ID: id}
		e, ok := c.get(key)
		if _, again := seen[key]; !ok && !again {
			seen[key] = struct{}{}
			unknown = append(unknown, key)
		}
		return e
	}
	for i, ref := range refs {
		pairs[i] = pair{person: look(ref.UserID, false), anonymous: look(ref.AnonymousID, true)}
	}
	c.ofUsers.count(asked, len(unknown))
	if len(unknown) == 0 {
		return pairs, nil
	}
	loaded, err := c.numbers.Load(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for _, key := range unknown {
		c.users.Set(key, loaded[key])
	}
	for i, ref := range refs {
		if p := &pairs[i]; p.person.N == 0 && ref.UserID != "" {
			p.person = loaded[Key{Project: project, ID: ref.UserID}]
		}
		if p := &pairs[i]; p.anonymous.N == 0 && ref.AnonymousID != "" {
			p.anonymous = loaded[Key{Project: project, Anonymous: true, ID: ref.AnonymousID}]
		}
	}
	return pairs, nil
}

// identify joins the anonymous ids that have no person to the user ids that came with them. Of several user ids for one the first
// wins. Refs with the anonymous id alone, of the same call, are of its person, too: the order within a request says nothing.
func (c *Cache) identify(ctx context.Context, project int16, refs []event.UserRef, pairs []pair) error {
	var joins []Join
	persons := map[int64]int64{} // by the number of the anonymous id
	for i, ref := range refs {
		p := pairs[i]
		if ref.UserID == "" || ref.AnonymousID == "" || p.anonymous.Person != 0 {
			continue
		}
		if _, again := persons[p.anonymous.N]; !again {
			persons[p.anonymous.N] = 0
			joins = append(joins, Join{Project: project, Anonymous: p.anonymous.N, Person: p.person.N})
		}
	}
	if len(joins) == 0 {
		return nil
	}
	joined, err := c.joins.Load(ctx, joins)
	if err != nil {
		return err
	}
	for _, j := range joins {
		persons[j.Anonymous] = joined[j]
	}
	for i, ref := range refs {
		p := &pairs[i]
		if person := persons[p.anonymous.N]; person != 0 {
			p.anonymous.Person = person
			c.users.Set(Key{Project: project, Anonymous: true, ID: ref.AnonymousID}, p.anonymous)
		}
	}
	return nil
}
