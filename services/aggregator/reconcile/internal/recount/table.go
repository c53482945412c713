package recount

import (
	"cmp"
	"slices"
)

// Key is the key of a row of a rollup, apart from the project.
type Key struct {
	At      int64 // a Date, or the Micros at which an hour begins
	Subject int64 // the number of the product or user; 0 for none
	Of      int32 // the number of the name, or the CurrencyOf; 0 for neither
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Of, b.Of))
}

// CurrencyOf returns the ISO 4217 code of a currency as a number.
func CurrencyOf(code []byte) (n int32) {
	for _, letter := range code[:min(3, len(code))] {
		n = n<<8 | int32(letter)
	}
	return n
}

// CodeOf returns the code that a CurrencyOf stands for.
func CodeOf(currency int32) string {
	return string([]byte{byte(currency >> 16), byte(currency >> 8), byte(currency)})
}

// Values are the values of a row, in the order of the columns of its rollup.
type Values [6]int64

func (v *Values) add(other *Values) {
	for i := range v {
		v[i] += other[i]
	}
}

// Row is a row of a rollup, as it is stored, summed over the lanes, and as it was recounted.
type Row struct {
	Key               Key
	Stored, Recounted Values
}

// Table compares the rows of a rollup.
type Table struct {
	index map[Key]int32
	rows  []Row
}

// rowBytes is about what a row of a table takes, with its place in the index.
const rowBytes = 200

func newTable() *Table { return &Table{index: map[Key]int32{}} }

// row returns the row of a key until the next call.
func (t *Table) row(key Key) *Row {
	n, ok := t.index[key]
	if !ok {
		n = int32(len(t.rows))
		t.index[key] = n
		t.rows = append(t.rows, Row{Key: key})
	}
	return &t.rows[n]
}

// AddStored adds a stored row of a lane.
func (t *Table) AddStored(key Key, values *Values) {
	row := t.row(key)
	row.Stored.add(values)
}

// Len returns how many rows either side has.
func (t *Table) Len() int { return len(t.rows) }

// Bytes returns about how much memory the table takes.
func (t *Table) Bytes() int { return len(t.rows) * rowBytes }

// Differences returns the rows whose sides differ, in the order of their keys.
func (t *Table) Differences() []Row {
	var wrong []Row
	for i := range t.rows {
		if t.rows[i].Stored != t.rows[i].Recounted {
			wrong = append(wrong, t.rows[i])
		}
	}
	slices.SortFunc(wrong, func(a, b Row) int { return compareKeys(a.Key, b.Key) })
	return wrong
}

// days returns the rows of an hourly table, summed over the hours of each day.
func (t *Table) days(clock *Clock) *Table {
	days := newTable()
	for i := range t.rows {
		key := t.rows[i].Key
		day, _ := clock.DayOf(Micros(key.At)) // what was recounted is of the clock
		key.At = int64(day)
		row := days.row(key)
		row.Recounted.add(&t.rows[i].Recounted)
	}
	return days
}
