package rollup

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// The functions below yield the rows of one table each. All of them go through the days or hours in order, and through what
// each has in order.

func days(d *Deltas, yield func(Key, []int64) bool) {
	for key, of := range d.eachDay {
		if of.counts != (stats.Counts{}) && !yield(key, of.counts[:]) {
			return
		}
	}
}

func hours(d *Deltas, yield func(Key, []int64) bool) {
	for key, of := range d.eachHour {
		if of.counts != (stats.Counts{}) && !yield(key, of.counts[:]) {
			return
		}
	}
}

func productDays(d *Deltas, yield func(Key, []int64) bool) {
	eachIn(d.eachDay, func(of *day) map[int32]*productDay { return of.products }, cmp.Compare[int32],
		func(key Key, product int32, of *productDay) bool {
			key.Product = product
			return yield(key, of.counts[:])
		})
}

func productHours(d *Deltas, yield func(Key, []int64) bool) {
	eachIn(d.eachHour, func(of *hour) map[int32]*stats.Counts { return of.products }, cmp.Compare[int32],
		func(key Key, product int32, counts *stats.Counts) bool {
			key.Product = product
			return yield(key, counts[:])
		})
}

func productNameDays(d *Deltas, yield func(Key, []int64) bool) {
	eachIn(d.eachDay, func(of *day) map[productName]int64 { return of.productNames }, compareProductNames,
		func(key Key, of productName, events int64) bool {
			key.Product, key.Name = of.product, of.name
			return yield(key, []int64{events})
		})
}

func nameDays(d *Deltas, yield func(Key, []int64) bool) {
	eachIn(d.eachDay, func(of *day) map[stats.Name]*nameDay { return of.names }, cmp.Compare[stats.Name],
		func(key Key, name stats.Name, of *nameDay) bool {
			key.Name = name
			return yield(key, []int64{of.events})
		})
}

func nameHours(d *Deltas, yield func(Key, []int64) bool) {
	eachIn(d.eachHour, func(of *hour) map[stats.Name]int64 { return of.names }, cmp.Compare[stats.Name],
		func(key Key, name stats.Name, events int64) bool {
			key.Name = name
			return yield(key, []int64{events})
		})
}

func userDays(d *Deltas, yield func(Key, []int64) bool) {
	for key, of := range d.eachDay {
		for _, user := range of.sortedUsers() {
			key.User = user
			if !yield(key, of.users[user].counts[:]) {
				return
			}
		}
	}
}

// sortedUsers returns the numbers of the users in ascending order. Three tables need them.
func (of *day) sortedUsers() []int64 {
	if len(of.sorted) != len(of.users) {
		of.sorted = slices.Sorted(maps.Keys(of.users))
	}
	return of.sorted
}

func dayMoney(d *Deltas, yield func(Key, []int64) bool) {
	eachIn(d.eachDay, func(of *day) map[currency]*stats.Money { return of.money }, compareCurrencies, ofCurrency(yield))
}

func hourMoney(d *Deltas, yield func(Key, []int64) bool) {
	eachIn(d.eachHour, func(of *hour) map[currency]*stats.Money { return of.money }, compareCurrencies, ofCurrency(yield))
}

func productDayMoney(d *Deltas, yield func(Key, []int64) bool) {
	eachIn(d.eachDay, func(of *day) map[productCurrency]*stats.Money { return of.productMoney }, compareProductCurrencies, ofProductCurrency(yield))
}

func productHourMoney(d *Deltas, yield func(Key, []int64) bool) {
	eachIn(d.eachHour, func(of *hour) map[productCurrency]*stats.Money { return of.productMoney }, compareProductCurrencies, ofProductCurrency(yield))
}

func userDayMoney(d *Deltas, yield func(Key, []int64) bool) {
	eachIn(d.eachDay, func(of *day) map[userCurrency]*stats.Money { return of.userMoney }, compareUserCurrencies,
		func(key Key, of userCurrency, money *stats.Money) bool {
			key.User, key.Currency = of.user, of.currency
			return yield(key, money.Values())
		})
}

func ofCurrency(yield func(Key, []int64) bool) func(Key, currency, *stats.Money) bool {
	return func(key Key, of currency, money *stats.Money) bool {
		key.Currency = of
		return yield(key, money.Values())
	}
}

func ofProductCurrency(yield func(Key, []int64) bool) func(Key, productCurrency, *stats.Money) bool {
	return func(key Key, of productCurrency, money *stats.Money) bool {
		key.Product, key.Currency = of.product, of.currency
		return yield(key, money.Values())
	}
}

// eachDay yields the days in order, each with the key of a row without more columns.
func (d *Deltas) eachDay(yield func(Key, *day) bool) {
	for _, key := range slices.SortedFunc(maps.Keys(d.days), compareDays) {
		if !yield(Key{Project: key.project, At: int64(key.day)}, d.days[key]) {
			return
		}
	}
}

// eachHour yields the hours in order.
func (d *Deltas) eachHour(yield func(Key, *hour) bool) {
	for _, key := range slices.SortedFunc(maps.Keys(d.hours), compareHours) {
		if !yield(Key{Project: key.project, At: key.hour}, d.hours[key]) {
			return
		}
	}
}

// eachIn yields the entries of a map of each day or hour, in order, until yield returns false.
func eachIn[B any, K comparable, V any](
	buckets func(func(Key, *B) bool), of func(*B) map[K]V, compare func(a, b K) int, yield func(Key, K, V) bool,
) {
	for key, bucket := range buckets {
		entries := of(bucket)
		for _, k := range slices.SortedFunc(maps.Keys(entries), compare) {
			if !yield(key, k, entries[k]) {
				return
			}
		}
	}
}
