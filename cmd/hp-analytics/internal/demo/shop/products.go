package shop

import (
	"fmt"
	"math/rand/v2"
)

// The currencies in which every product has a price. The first is its main one and has cents, the other one has no minor unit.
const (
	Euro = "EUR"
	Yen  = "JPY"
)

// Currencies returns the currencies.
func Currencies() []string { return []string{Euro, Yen} }

// yenPerEuro is close to what a shop would take.
const yenPerEuro = 160

// Product is a product of the shop.
type Product struct {
	SKU         string
	Name        string
	Description string
	Category    string
	Color       string
	PriceMinor  int64 // in euro cents
	PriceYen    int64
}

// Price returns the price of a unit in a currency, in its minor units.
func (p Product) Price(currency string) int64 {
	if currency == Yen {
		return p.PriceYen
	}
	return p.PriceMinor
}

// shelf is a category with its articles and their range of prices, in whole euros.
type shelf struct {
	category        string
	things          []string
	cheapest, dear  int
	careInstruction string
}

var (
	shelves = []shelf{
		{"shoes", []string{"trail runner", "hiking boot", "sneaker", "sandal"}, 49, 189, "Wipe with a damp cloth."},
		{"jackets", []string{"rain jacket", "down jacket", "softshell", "vest"}, 79, 349, "Wash at 30 °C."},
		{"backpacks", []string{"day pack", "trekking pack", "bike bag", "duffel"}, 39, 219, "Clean by hand."},
		{"tents", []string{"dome tent", "tunnel tent", "tarp"}, 99, 599, "Dry before storing."},
		{"cooking", []string{"gas stove", "titanium pot", "thermos flask", "spork"}, 5, 89, "Keep away from children."},
		{"socks", []string{"wool socks", "running socks", "liner socks"}, 9, 29, "Wash at 40 °C."},
	}
	colors = []string{"green", "slate", "ochre", "black", "red", "sand", "teal", "plum"}
)

func (s *Shop) makeProducts() []Product {
	random := s.random("products")
	products := make([]Product, s.Config.Products)
	for i := range products {
		products[i] = makeProduct(random, i)
		products[i].SKU = fmt.Sprintf("DEMO-%s-P%05d", s.Tag(), i)
	}
	return products
}

func makeProduct(random *rand.Rand, number int) Product {
	from := shelves[random.IntN(len(shelves))]
	thing, color := pick(random, from.things), pick(random, colors)
	euros := from.cheapest + random.IntN(from.dear-from.cheapest+1)
	cents := int64(euros)*100 - int64(random.IntN(2)*5) // 49.00 or 48.95
	return Product{
		Name:        fmt.Sprintf("%s %s %d", color, thing, number+1),
		Description: fmt.Sprintf("A %s in %s. %s", thing, color, from.careInstruction),
		Category:    from.category,
		Color:       color,
		PriceMinor:  cents,
		PriceYen:    int64(euros) * yenPerEuro,
	}
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }
