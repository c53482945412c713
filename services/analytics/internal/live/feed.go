package live

import "sort"

// ringItems is how many items of a project are in memory for all its viewers: at some 300 bytes each, about a megabyte.
const ringItems = 4096

// feed are the newest items of a project that is looked at. The hub's mutex guards it.
type feed struct {
	viewers int
	started bool          // floor and head are known
	floor   Position      // the items behind it, up to head, are in the ring
	head    Position      // how far the poller has read
	first   int           // number of the first item in the ring
	items   []Item        // the ring; item n is at n modulo its capacity
	next    int           // number of the item that comes next
	changed chan struct{} // closed when there is something new, and replaced
	failed  error         // why its viewers have to leave
}

func newFeed() *feed {
	return &feed{items: make([]Item, 0, 16), changed: make(chan struct{})}
}

// start begins the feed at a position.
func (f *feed) start(p Position) {
	f.started, f.floor, f.head = true, p, p
	f.announce()
}

// append adds an item, and forgets the oldest one if there is no place for it.
func (f *feed) append(item Item) {
	if len(f.items) < ringItems {
		f.items = append(f.items, item)
	} else {
		f.floor = f.items[f.first%ringItems].Position
		f.items[f.next%ringItems] = item
		f.first++
	}
	f.next++
}

func (f *feed) item(n int) Item { return f.items[n%ringItems] }

// behind returns the number of the first item behind a position, which must not be before floor.
func (f *feed) behind(p Position) int {
	return f.first + sort.Search(f.next-f.first, func(i int) bool { return f.item(f.first+i).Position.Compare(p) > 0 })
}

// announce wakes the viewers.
func (f *feed) announce() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// fail makes the viewers leave.
func (f *feed) fail(err error) {
	f.failed = err
	f.announce()
}
