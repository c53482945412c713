// Package rollup folds facts into deltas of the rollups. It only counts: package postgres reads the facts and stores the
// deltas. Tables lists what is counted.
package rollup

import (
	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// Deltas are what a set of facts adds to the rollups.
type Deltas struct {
	days  map[dayKey]*day
	hours map[hourKey]*hour
	last  struct { // of the last fact: those of the next are usually the same
		dayKey  dayKey
		day     *day
		hourKey hourKey
		hour    *hour
	}
	bytes int // see Bytes
	err   error
}

type (
	dayKey struct {
		project int16
		day     localtime.Day
	}
	hourKey struct {
		project int16
		hour    int64 // its start, in seconds since 1970
	}
)

// Nobody is the user of rows whose user was erased. It counts in all sums but in those of users, and is no unique user.
const Nobody int64 = 0

// day is what is counted of a day of a project. Its users are in the sketch and the sets of the day.
type day struct {
	counts       stats.Counts
	products     map[int32]*productDay
	names        map[stats.Name]*nameDay
	users        map[int64]*userDay
	productNames map[productName]int64
	money        map[currency]*stats.Money
	productMoney map[productCurrency]*stats.Money
	userMoney    map[userCurrency]*stats.Money
	sorted       []int64 // see sortedUsers
	nobody       userDay // is counted in no rollup
}

// hour is what is counted of an hour of a project.
type hour struct {
	counts       stats.Counts
	products     map[int32]*stats.Counts
	names        map[stats.Name]int64
	money        map[currency]*stats.Money
	productMoney map[productCurrency]*stats.Money
}

type productDay struct {
	counts stats.Counts
	users  *sketch.Sketch // nil for none
}

type nameDay struct {
	events int64
	users  *sketch.Sketch // nil for none
}

// userDay also remembers what the user is already part of: most facts of a user are about the product and have a name of an
// earlier one, and need not be added to their sketches again.
type userDay struct {
	counts  stats.Counts
	names   uint64 // has a bit for each name with a number below 64 whose sketch has the user
	product int32  // the last one whose sketch was given the user
}

// New returns the deltas of no facts.
func New() *Deltas {
	return &Deltas{days: map[dayKey]*day{}, hours: map[hourKey]*hour{}}
}

// Err returns stats.ErrTooLarge when a sum does not fit into 64 bits. The deltas are wrong then and must not be stored.
func (d *Deltas) Err() error { return d.err }

// Bytes returns an upper estimate of the memory that the deltas take.
func (d *Deltas) Bytes() int { return d.bytes }

// Empty reports whether there is nothing to add.
func (d *Deltas) Empty() bool { return len(d.days) == 0 }

// AddEvent counts an event of a project, on the day and in the hour that the project's clock tells.
func (d *Deltas) AddEvent(project int16, clock *Clock, e facts.Event) {
	day, hour := d.at(project, clock, e.TS)
	counts, custom := stats.OfEvent(e.Name)
	d.add(&hour.counts, &counts)
	d.add(&day.counts, &counts)
	user := d.user(day, e.User)
	d.add(&user.counts, &counts)
	var hash uint64
	if e.Product != 0 {
		hash = d.addToProduct(day, hour, e.Product, user, e.User, &counts)
		if custom {
			d.addProductName(day, productName{e.Product, e.Name})
		}
	}
	d.addName(day, hour, e.Name, user, e.User, hash)
}

// AddOrderLine counts a line of an order.
func (d *Deltas) AddOrderLine(project int16, clock *Clock, l facts.Line) {
	day, hour := d.at(project, clock, l.TS)
	counts := stats.OfLine(l.Units, l.First)
	d.add(&hour.counts, &counts)
	d.add(&day.counts, &counts)
	user := d.user(day, l.User)
	d.add(&user.counts, &counts)
	ofProduct := stats.OfLine(l.Units, l.FirstOf)
	d.addToProduct(day, hour, l.Product, user, l.User, &ofProduct)
	d.addMoney(day, hour, l, stats.OfOrderLine(l.Units, l.AmountMinor, l.First), stats.OfOrderLine(l.Units, l.AmountMinor, l.FirstOf))
}

// AddRefundLine counts a line of a refund: what is paid back, and nothing else.
func (d *Deltas) AddRefundLine(project int16, clock *Clock, l facts.Line) {
	day, hour := d.at(project, clock, l.TS)
	money := stats.OfRefundLine(l.Units, l.AmountMinor)
	d.addMoney(day, hour, l, money, money)
}

func (d *Deltas) add(sum, counts *stats.Counts) {
	if err := sum.Add(counts); err != nil {
		d.err = err
	}
}

// addToProduct adds counts to a product and the user to its sketch. It returns the hash of the user, or 0 if it is not known.
func (d *Deltas) addToProduct(day *day, hour *hour, product int32, user *userDay, n int64, counts *stats.Counts) (hash uint64) {
	ofHour, ok := hour.products[product]
	if !ok {
		ofHour = &stats.Counts{}
		hour.products[product] = ofHour
		d.bytes += hourProductBytes
	}
	d.add(ofHour, counts)
	ofDay, ok := day.products[product]
	if !ok {
		ofDay = &productDay{}
		day.products[product] = ofDay
		d.bytes += productBytes
	}
	d.add(&ofDay.counts, counts)
	if n == Nobody || user.product == product {
		return 0
	}
	user.product = product
	if ofDay.users == nil {
		ofDay.users = sketch.New()
	}
	if rows := ofDay.counts[stats.Events] + ofDay.counts[stats.Purchases]; rows <= sketchRows {
		d.bytes += sketchBytes / sketchRows
	}
	hash = sketch.Hash(n)
	ofDay.users.InsertHash(hash)
	return hash
}

// addName counts an event by its name and adds the user to the sketch of the name. hash is that of the user, or 0.
func (d *Deltas) addName(day *day, hour *hour, name stats.Name, user *userDay, n int64, hash uint64) {
	before := len(hour.names)
	hour.names[name]++
	if len(hour.names) > before {
		d.bytes += hourNameBytes
	}
	ofDay, ok := day.names[name]
	if !ok {
		ofDay = &nameDay{}
		day.names[name] = ofDay
		d.bytes += nameBytes
	}
	ofDay.events++
	if n == Nobody {
		return
	}
	if ofDay.users == nil {
		ofDay.users = sketch.New()
	}
	if name < 64 {
		if user.names&(1<<name) != 0 {
			return
		}
		user.names |= 1 << name
	}
	if ofDay.events <= sketchRows {
		d.bytes += sketchBytes / sketchRows
	}
	if hash == 0 {
		hash = sketch.Hash(n)
	}
	ofDay.users.InsertHash(hash)
}

func (d *Deltas) addProductName(day *day, key productName) {
	before := len(day.productNames)
	day.productNames[key]++
	if len(day.productNames) > before {
		d.bytes += productNameBytes
	}
}

// addMoney adds the money of a line. What a product earns may differ: an order counts once for each of its products.
func (d *Deltas) addMoney(day *day, hour *hour, l facts.Line, money, ofProduct stats.Money) {
	product := productCurrency{l.Product, l.Currency}
	addTo(d, day.money, l.Currency, money)
	addTo(d, hour.money, l.Currency, money)
	if l.User != Nobody {
		addTo(d, day.userMoney, userCurrency{l.User, l.Currency}, money)
	}
	addTo(d, day.productMoney, product, ofProduct)
	addTo(d, hour.productMoney, product, ofProduct)
}

func addTo[K comparable](d *Deltas, sums map[K]*stats.Money, key K, money stats.Money) {
	sum, ok := sums[key]
	if !ok {
		sum = &stats.Money{}
		sums[key] = sum
		d.bytes += moneyBytes
	}
	if err := sum.Add(money); err != nil {
		d.err = err
	}
}
