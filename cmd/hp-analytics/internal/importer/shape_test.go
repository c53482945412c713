package importer_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"
)

// retailShop writes a file in the shape of a published retail data set, with its quirks, and counts what is in it on its own: in
// integers, from what it writes, without anything of the import or the platform.
type retailShop struct {
	random *rand.Rand
	out    *csv.Writer
	left   int // rows
	number int
	clock  time.Time // of walls in London: a time in UTC that shows what they show

	products, units, customers, months map[string]int64 // pence or units, by name
	countries                          map[string]int64 // pence of sales
	orders, refunds                    int64
}

func newRetailShop(seed uint64, rows int, out io.Writer) *retailShop {
	s := &retailShop{
		random: rand.New(rand.NewPCG(seed, seed)), out: csv.NewWriter(out), left: rows, number: 536365,
		clock: time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC), products: map[string]int64{}, units: map[string]int64{}, customers: map[string]int64{},
		months: map[string]int64{}, countries: map[string]int64{},
	}
	s.out.UseCRLF = true
	return s
}

// oddProducts are SKUs with spaces, lower-case twins and characters beyond ASCII, with what is written about them.
var oddProducts = [][2]string{
	{"POST", "POSTAGE"}, {"M", "Manual"}, {"DOT", "DOTCOM POSTAGE"}, {"BANK CHARGES", "Bank Charges"}, {"85123A", `WHITE HANGING "HEART", T-LIGHT`},
	{"85123a", "white hanging heart"}, {"gift_0001_20", "Gift Voucher £20.00"}, {"CAFÉ 12", "TASSE CAFÉ CRÈME"}, {"22111", ""}, {"22112", "?"},
	{"22113", "damages?\nsee \"notes\""},
}

func (s *retailShop) product() (sku, description string) {
	if s.random.IntN(6) == 0 {
		odd := oddProducts[s.random.IntN(len(oddProducts))]
		return odd[0], odd[1]
	}
	n := s.random.IntN(900)
	return strconv.Itoa(20000 + n), fmt.Sprintf("PRODUCT %d", n)
}

// run writes the file. The clock goes through a year and a bit, so through both changes of the clocks, whatever the number of rows.
func (s *retailShop) run() error {
	if err := s.out.Write([]string{"InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"}); err != nil {
		return err
	}
	step := 375 * 24 * time.Hour / time.Duration(max(1, s.left/12))
	for turn := 0; s.left > 0; turn++ {
		s.number++
		s.clock = s.clock.Add(step)
		switch kind := s.random.IntN(100); {
		case turn == 3:
			s.sale(1114)
		case turn == 5:
			s.clock = time.Date(2011, 3, 27, 1, 30, 0, 0, time.UTC) // shown by no clock
			s.sale(3)
		case turn == 6:
			s.clock = time.Date(2011, 10, 30, 1, 30, 0, 0, time.UTC) // shown twice
			s.sale(3)
			s.clock = time.Date(2011, 1, 31, 23, 59, 59, 0, time.UTC)
			s.overMidnight()
		case kind < 12:
			s.cancellation()
		case kind < 16:
			s.stock()
		case kind < 17:
			s.badDebt()
		default:
			s.sale(1 + s.random.IntN(25))
		}
	}
	s.out.Flush()
	return s.out.Error()
}

// customer returns who buys, and where; some lines name no customer.
func (s *retailShop) customer() (id, country string) {
	n := s.random.IntN(400)
	country = []string{"United Kingdom", "United Kingdom", "United Kingdom", "EIRE", "France", "Côte d'Ivoire", "Unspecified"}[n%7]
	if s.random.IntN(4) == 0 {
		return "", country
	}
	return strconv.Itoa(12346 + n), country
}

func (s *retailShop) sale(lines int) {
	id, country := s.customer()
	invoice := strconv.Itoa(s.number)
	for range lines {
		sku, description := s.product()
		price := []int64{0, 29, 42, 85, 125, 255, 1695, 16717}[s.random.IntN(8)]
		quantity := 1 + s.random.Int64N(48)
		s.line(invoice, sku, description, quantity, price, id, country)
		if s.random.IntN(20) == 0 {
			s.line(invoice, sku, description, quantity, price, id, country) // a line that is equal
		}
	}
	s.orders++
}

// overMidnight writes a sale whose lines are of two months. The second day's lines count as an order of their own.
func (s *retailShop) overMidnight() {
	s.number++
	s.line(strconv.Itoa(s.number), "POST", "POSTAGE", 1, 1800, "12346", "France")
	s.clock = s.clock.Add(time.Second)
	s.line(strconv.Itoa(s.number), "POST", "POSTAGE", 2, 1800, "12346", "France")
	s.orders += 2
}

func (s *retailShop) cancellation() {
	id, country := s.customer()
	for range 1 + s.random.IntN(3) {
		sku, description := s.product()
		s.line("C"+strconv.Itoa(s.number), sku, description, -1-s.random.Int64N(30), 255, id, country)
	}
	s.refunds++
}

// stock writes an adjustment: goods go, at no price and of nobody.
func (s *retailShop) stock() {
	s.line(strconv.Itoa(s.number), "22112", "?", -1-s.random.Int64N(500), 0, "", "United Kingdom")
	s.refunds++
}

func (s *retailShop) badDebt() {
	s.line("A"+strconv.Itoa(s.number), "B", "Adjust bad debt", 1, -1106206, "", "United Kingdom")
	s.refunds++
}

func (s *retailShop) line(invoice, sku, description string, quantity, price int64, customer, country string) {
	s.left--
	sign, pence := "", price
	if price < 0 {
		sign, pence = "-", -price
	}
	_ = s.out.Write([]string{ // Error tells at the end
		invoice, sku, description, strconv.FormatInt(quantity, 10), s.clock.Format(time.DateTime), fmt.Sprintf("%s%d.%02d", sign, pence/100, pence%100),
		customer, country,
	})
	amount := quantity * price
	s.products[sku] += amount
	s.months[s.clock.Format("2006-01")] += amount
	units := quantity
	if price < 0 {
		units = 0 // money went back, and no goods
	}
	s.units[sku] += units
	if quantity > 0 && price >= 0 {
		s.countries[country] += amount
	}
	if customer == "" {
		customer = "order " + invoice
	}
	s.customers[customer] += amount
}
