package live

import (
	"context"
	"time"
)

// together is how many items a viewer takes at once.
const together = 256

// Viewer looks at the events of a project. It is used by one goroutine.
type Viewer struct {
	hub      *Hub
	project  int16
	filter   Filter
	feed     *feed
	position Position // behind what was taken
	next     int      // number of the item in the ring that comes next, if attached
	attached bool
	pages    []Item // read from the database and not taken yet
}

// Join adds a viewer to a project. It begins behind after, or now if that is nil. It waits until the poller has begun to look at the
// project, as long as ctx allows. The viewer has to leave.
func (h *Hub) Join(ctx context.Context, project int16, filter Filter, after *Position) (*Viewer, error) {
	f, err := h.enter(project)
	if err != nil {
		return nil, err
	}
	v := &Viewer{hub: h, project: project, filter: filter, feed: f}
	if err := v.begin(ctx, after); err != nil {
		v.Leave()
		return nil, err
	}
	return v, nil
}

// begin waits for the feed, and chooses the first position.
func (v *Viewer) begin(ctx context.Context, after *Position) error {
	for {
		v.hub.mu.Lock()
		started, failed, changed := v.feed.started, v.feed.failed, v.feed.changed
		if started {
			v.position = v.feed.head
			if after != nil {
				v.position = *after
			}
		}
		v.hub.mu.Unlock()
		switch {
		case failed != nil:
			return failed
		case started:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errUnavailable.Because(ctx.Err())
		}
	}
}

// Leave ends the look of the viewer.
func (v *Viewer) Leave() { v.hub.leave(v.project, v.feed) }

// Position is behind everything that the viewer has taken, and has not looked at because of its filter.
func (v *Viewer) Position() Position { return v.position }

// Take returns what there is. If that is nothing, changed is closed when there may be something.
func (v *Viewer) Take(ctx context.Context) (items []Item, changed <-chan struct{}, err error) {
	for len(items) == 0 {
		if !v.attached && len(v.pages) == 0 {
			if err := v.catchUp(ctx); err != nil {
				return nil, nil, err
			}
		}
		var more bool
		switch {
		case len(v.pages) > 0:
			items, more = v.fromPages(), true
		case v.attached:
			items, more, changed, err = v.fromRing()
		default:
			more = true // a part of the past without events
		}
		if err != nil || !more {
			break
		}
	}
	for _, item := range items {
		switch item.Kind {
		case Stored:
			v.hub.sent.Inc()
		case Gap:
			v.hub.dropped.Inc()
		case Omitted: // is told to the viewer, who can read them with GET /events and the exports
		}
	}
	return items, changed, err
}

// fromRing takes items that the poller has read. more says that there are others.
func (v *Viewer) fromRing() (items []Item, more bool, changed <-chan struct{}, err error) {
	v.hub.mu.Lock()
	defer v.hub.mu.Unlock()
	f := v.feed
	if f.failed != nil {
		return nil, false, nil, f.failed
	}
	if v.next < f.first {
		items = append(items, Item{Kind: Gap, Position: f.floor, Count: int64(f.first - v.next)})
		v.next, v.position = f.first, f.floor
	}
	end := min(f.next, v.next+together)
	for ; v.next < end; v.next++ {
		items = v.take(items, f.item(v.next))
	}
	if v.next == f.next && f.head.Compare(v.position) > 0 {
		v.position = f.head
	}
	return items, v.next < f.next, f.changed, nil
}

// take adds an item if the viewer looks at it and has not had it.
func (v *Viewer) take(items []Item, item Item) []Item {
	if item.Position.Compare(v.position) <= 0 {
		return items
	}
	v.position = item.Position
	if item.Kind != Stored || v.filter.passes(item) {
		items = append(items, item)
	}
	return items
}

// fromPages takes items that were read for this viewer.
func (v *Viewer) fromPages() (items []Item) {
	n := min(len(v.pages), together)
	for _, item := range v.pages[:n] {
		items = v.take(items, item)
	}
	v.pages = v.pages[n:]
	return items
}

// slice is how much of the past one read of a viewer covers. It bounds how many batches of other projects the read passes over.
const slice = 30 * time.Second

// catchUp continues in the ring if that has all items behind the position. Otherwise it reads the next ones from the database.
func (v *Viewer) catchUp(ctx context.Context) error {
	v.hub.mu.Lock()
	f := v.feed
	head, failed := f.head, f.failed
	if v.position.Compare(f.floor) >= 0 {
		v.attached, v.next = true, f.behind(v.position)
	} else if head.Received.Sub(v.position.Received) > memory {
		v.pages = []Item{{Kind: Gap, Position: f.floor, Count: -1}}
	}
	reads := !v.attached && len(v.pages) == 0
	v.hub.mu.Unlock()
	if failed != nil || !reads {
		return failed
	}
	select {
	case v.hub.reading <- struct{}{}:
		defer func() { <-v.hub.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	until := v.position.Received.Add(slice)
	if known := head.known(); known.Before(until) {
		until = known
	}
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	batches, complete, err := v.hub.source.Batches(ctx, []int16{v.project}, v.position, until)
	if err != nil {
		return errUnavailable.Because(err)
	}
	for _, b := range batches {
		v.pages = append(v.pages, itemsOf(b, v.position)...)
	}
	switch {
	case len(v.pages) > 0:
	case complete:
		v.position = at(until)
	default:
		v.position = endOf(batches[len(batches)-1])
	}
	return nil
}
