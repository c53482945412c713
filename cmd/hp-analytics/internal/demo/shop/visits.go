package shop

import (
	"math/rand/v2"
	"time"
)

// The behaviour of visitors, as the probability of each step of the funnel after the one before.
const (
	searches     = 0.25 // before a view
	clicks       = 0.40 // after a view
	wishes       = 0.06 // after a click
	addsToCart   = 0.30 // after a click
	buys         = 0.35 // after adding to the cart
	looksFurther = 0.60 // at another product, after one
	buysSeveral  = 0.20
	hasDiscount  = 0.10
	signsUp      = 0.05 // before the first view
	sendsBack    = 0.15 // after buying
)

// Of so many users one pays in yen, the others in euros.
const yenEvery = 4

// longestReturn is the longest time between a purchase and its refund.
const longestReturn = 72 * time.Hour

// Popularity follows Zipf's law: views of the product of rank k are proportional to (zipfOffset+k)^-zipfExponent.
const (
	zipfExponent = 1.4
	zipfOffset   = 2
)

// meanPause is the mean time between two steps of a visit.
const meanPause = 25 * time.Second

var (
	queries   = []string{"waterproof", "light", "gift", "winter", "sale", "vegan", "xl"}
	referrers = []string{"search", "newsletter", "social", "partner", "direct"}
)

// visits simulates visitors and emits what they do until emit returns false.
type visits struct {
	shop    *Shop
	random  *rand.Rand
	ranks   *rand.Zipf
	product []int // by rank
	emit    func(Fact) bool
}

func newVisits(s *Shop, emit func(Fact) bool) *visits {
	random := s.random("visits")
	return &visits{
		shop:    s,
		random:  random,
		ranks:   rand.NewZipf(random, zipfExponent, zipfOffset, uint64(s.Config.Products-1)),
		product: random.Perm(s.Config.Products),
		emit:    emit,
	}
}

// walk is one visit.
type walk struct {
	*visits
	user    int
	at      time.Time
	stopped bool // by emit
}

// visit simulates one visitor from a random moment of the hour on. It emits at least one event, and returns false if emit
// did.
func (v *visits) visit(hour time.Time) bool {
	regular := v.random.Float64()
	w := &walk{
		visits: v,
		user:   int(regular * regular * float64(v.shop.Users)), // low numbers visit more often
		at:     hour.Add(time.Duration(v.random.IntN(int(time.Hour/time.Millisecond))) * time.Millisecond),
	}
	if w.chance(signsUp) && !w.event(NoProduct, v.shop.SignUp(), map[string]any{"referrer": pick(w.random, referrers)}) {
		return !w.stopped
	}
	for w.lookAt(v.product[v.ranks.Uint64()]) && w.chance(looksFurther) {
	}
	return !w.stopped
}

// lookAt simulates the visit of a product. It returns false when the visit is over.
func (w *walk) lookAt(product int) bool {
	if w.chance(searches) && !w.event(product, Search, map[string]any{"q": pick(w.random, queries)}) {
		return false
	}
	if !w.event(product, View, map[string]any{"referrer": pick(w.random, referrers)}) {
		return false
	}
	if !w.chance(clicks) {
		return true
	}
	if !w.event(product, Click, nil) {
		return false
	}
	if w.chance(wishes) && !w.event(product, Wishlist, nil) {
		return false
	}
	if !w.chance(addsToCart) {
		return true
	}
	return w.event(product, AddToCart, nil) && (!w.chance(buys) || w.buy(product))
}

func (w *walk) buy(product int) bool {
	f := Fact{Product: product, Quantity: 1, Currency: Euro}
	if w.user%yenEvery == 0 {
		f.Currency = Yen
	}
	if w.chance(buysSeveral) {
		f.Quantity += 1 + int64(w.random.IntN(3))
	}
	f.PaidMinor = f.Quantity * w.shop.Products[product].Price(f.Currency)
	if f.Discounted = w.chance(hasDiscount); f.Discounted {
		f.PaidMinor = f.PaidMinor * 9 / 10
	}
	if w.chance(sendsBack) {
		f.Refund = w.sendBack(f)
	}
	return w.happens(f)
}

// sendBack returns the refund of a purchase at the present moment of the walk: one unit of several, or all. It is nil if the refund
// would come after the end of the simulation.
func (w *walk) sendBack(f Fact) *Refund {
	at := w.at.Add(time.Minute + time.Duration(w.random.IntN(int(longestReturn/time.Millisecond)))*time.Millisecond)
	r := &Refund{ID: newID(w.random, at), At: at, Quantity: f.Quantity, PaidMinor: f.PaidMinor}
	if f.Quantity > 1 {
		r.Quantity, r.PaidMinor = 1, f.PaidMinor/f.Quantity
	}
	if !at.Before(w.shop.Until) {
		return nil
	}
	return r
}

func (w *walk) event(product int, kind string, properties map[string]any) bool {
	return w.happens(Fact{Product: product, Type: kind, Properties: properties})
}

// happens emits f and advances the time. It returns false when the visit is over.
func (w *walk) happens(f Fact) bool {
	if !w.at.Before(w.shop.Until) {
		return false
	}
	f.ID, f.At, f.User = newID(w.random, w.at), w.at, w.user
	if !w.emit(f) {
		w.stopped = true
		return false
	}
	pause := time.Second + time.Duration(w.random.ExpFloat64()*float64(meanPause))
	w.at = w.at.Add(pause.Truncate(time.Millisecond))
	return true
}

func (w *walk) chance(probability float64) bool { return w.random.Float64() < probability }
