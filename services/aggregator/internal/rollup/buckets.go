package rollup

import (
	"cmp"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// The approximate bytes of what a fact can add to deltas: key, value and the map's overhead. A sketch grows with the rows of its
// product or name, from a short list of users to sketchBytes.
const (
	dayBytes         = 2000
	hourBytes        = 1500
	productBytes     = 600
	hourProductBytes = 130
	nameBytes        = 600
	hourNameBytes    = 60
	productNameBytes = 60
	userBytes        = 250
	moneyBytes       = 150
	sketchBytes      = 4096
	sketchRows       = 256 // after which a sketch is taken to have its full size
)

// MaxRowBytes is what one fact adds to Bytes at most.
const MaxRowBytes = dayBytes + hourBytes + productBytes + hourProductBytes + nameBytes + hourNameBytes + productNameBytes +
	userBytes + 5*moneyBytes + 2*sketchBytes/sketchRows

// currency is an ISO 4217 code.
type currency = [3]byte

type (
	productName struct {
		product int32
		name    stats.Name
	}
	productCurrency struct {
		product  int32
		currency currency
	}
	userCurrency struct {
		user     int64
		currency currency
	}
)

// at returns the day and the hour of an instant.
func (d *Deltas) at(project int16, clock *Clock, ts time.Time) (*day, *hour) {
	localDay, start := clock.At(ts)
	if key := (dayKey{project, localDay}); d.last.day == nil || key != d.last.dayKey {
		d.last.dayKey, d.last.day = key, d.dayOf(key)
	}
	if key := (hourKey{project, start}); d.last.hour == nil || key != d.last.hourKey {
		d.last.hourKey, d.last.hour = key, d.hourOf(key)
	}
	return d.last.day, d.last.hour
}

func (d *Deltas) dayOf(key dayKey) *day {
	of, ok := d.days[key]
	if !ok {
		of = &day{
			products: map[int32]*productDay{}, names: map[stats.Name]*nameDay{}, users: map[int64]*userDay{},
			productNames: map[productName]int64{}, money: map[currency]*stats.Money{},
			productMoney: map[productCurrency]*stats.Money{}, userMoney: map[userCurrency]*stats.Money{},
		}
		d.days[key] = of
		d.bytes += dayBytes
	}
	return of
}

func (d *Deltas) hourOf(key hourKey) *hour {
	of, ok := d.hours[key]
	if !ok {
		of = &hour{
			products: map[int32]*stats.Counts{}, names: map[stats.Name]int64{},
			money: map[currency]*stats.Money{}, productMoney: map[productCurrency]*stats.Money{},
		}
		d.hours[key] = of
		d.bytes += hourBytes
	}
	return of
}

// user returns what is counted of a user on a day.
func (d *Deltas) user(day *day, n int64) *userDay {
	if n == Nobody {
		return &day.nobody
	}
	of, ok := day.users[n]
	if !ok {
		of = &userDay{}
		day.users[n] = of
		d.bytes += userBytes
	}
	return of
}

func compareDays(a, b dayKey) int {
	return cmp.Or(cmp.Compare(a.project, b.project), cmp.Compare(a.day, b.day))
}

func compareHours(a, b hourKey) int {
	return cmp.Or(cmp.Compare(a.project, b.project), cmp.Compare(a.hour, b.hour))
}

func compareProductNames(a, b productName) int {
	return cmp.Or(cmp.Compare(a.product, b.product), cmp.Compare(a.name, b.name))
}

func compareCurrencies(a, b currency) int { return slices.Compare(a[:], b[:]) }

func compareProductCurrencies(a, b productCurrency) int {
	return cmp.Or(cmp.Compare(a.product, b.product), compareCurrencies(a.currency, b.currency))
}

func compareUserCurrencies(a, b userCurrency) int {
	return cmp.Or(cmp.Compare(a.user, b.user), compareCurrencies(a.currency, b.currency))
}
