package rollup

import (
	"iter"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
)

// Column is a column of the key of a rollup table.
type Column string

// The columns of keys, as they are called in SQL.
const (
	Product  Column = "product"
	User     Column = "user_n"
	Name     Column = "name"
	Day      Column = "day"
	Hour     Column = "hour"
	Currency Column = "currency"
	Chunk    Column = "chunk"
)

// Key is the key of a rollup row, apart from the lane. Fields that are no columns of its table are 0.
type Key struct {
	Project  int16
	Name     stats.Name
	Product  int32
	User     int64
	At       int64 // a localtime.Day, or the start of an hour in seconds since 1970
	Currency [3]byte
	Chunk    int32
}

// Blob is a value that is stored as bytes and merged with what is stored.
type Blob interface {
	// Merge returns the stored value (nil for none) with this one added to it, or nil if that changes nothing.
	Merge(stored []byte) (merged []byte, err error)
}

// Table describes a rollup table. Each has either sums or blobs.
type Table struct {
	Name   string
	Key    []Column // between the project and the lane, in the order of the primary key
	Values []string // the columns of its values
	// Segments are the same numbers in columns, for rankings. nil if there are none.
	Segments *segment.Table

	sums  func(*Deltas, func(Key, []int64) bool)
	blobs func(*Deltas, func(Key, Blob) bool)
	same  func(counted []byte, lanes [][]byte) bool // of blobs
}

// Blobs reports whether the table has blobs, and not sums.
func (t *Table) Blobs() bool { return t.blobs != nil }

// SameUsers reports whether the blobs of some lanes together represent the users of a blob that was counted. Bytes that cannot be
// read represent nobody's users.
func (t *Table) SameUsers(counted []byte, lanes [][]byte) bool { return t.same(counted, lanes) }

// SumsOf yields what deltas add to the rows of a table of sums, with a value for each column. The order of the rows is the same
// for all deltas, so transactions that write them cannot deadlock. A slice of values is valid until the next one.
func (t *Table) SumsOf(d *Deltas) iter.Seq2[Key, []int64] {
	return func(yield func(Key, []int64) bool) { t.sums(d, yield) }
}

// BlobsOf yields what deltas add to the rows of a table of blobs.
func (t *Table) BlobsOf(d *Deltas) iter.Seq2[Key, Blob] {
	return func(yield func(Key, Blob) bool) { t.blobs(d, yield) }
}

// Tables are all rollup tables, in the order in which they are written and locked. A fold, a rebuild and the version tokens
// know them from here.
var Tables = []*Table{
	{Name: "product_daily_stats", Key: []Column{Product, Day}, Values: stats.Columns(), Segments: segment.Counts, sums: productDays},
	{Name: "product_hourly_stats", Key: []Column{Product, Hour}, Values: stats.Columns(), sums: productHours},
	{Name: "product_name_daily_stats", Key: []Column{Product, Name, Day}, Values: []string{stats.Events.Column()}, sums: productNameDays},
	{Name: "name_daily_stats", Key: []Column{Name, Day}, Values: []string{stats.Events.Column()}, sums: nameDays},
	{Name: "name_hourly_stats", Key: []Column{Name, Hour}, Values: []string{stats.Events.Column()}, sums: nameHours},
	{Name: "user_daily_stats", Key: []Column{User, Day}, Values: stats.Columns(), sums: userDays},
	{Name: "hourly_stats", Key: []Column{Hour}, Values: stats.Columns(), sums: hours},
	{Name: "daily_stats", Key: []Column{Day}, Values: stats.Columns(), sums: days},
	{Name: "product_daily_revenue", Key: []Column{Product, Day, Currency}, Values: stats.MoneyColumns(), Segments: segment.Money, sums: productDayMoney},
	{Name: "product_hourly_revenue", Key: []Column{Product, Hour, Currency}, Values: stats.MoneyColumns(), sums: productHourMoney},
	{Name: "user_daily_revenue", Key: []Column{User, Day, Currency}, Values: stats.MoneyColumns(), sums: userDayMoney},
	{Name: "hourly_revenue", Key: []Column{Hour, Currency}, Values: stats.MoneyColumns(), sums: hourMoney},
	{Name: "daily_revenue", Key: []Column{Day, Currency}, Values: stats.MoneyColumns(), sums: dayMoney},
	{Name: "product_daily_users", Key: []Column{Product, Day}, Values: []string{"sketch"}, blobs: productDayUsers, same: sameSketch},
	{Name: "name_daily_users", Key: []Column{Name, Day}, Values: []string{"sketch"}, blobs: nameDayUsers, same: sameSketch},
	{Name: "daily_users", Key: []Column{Day}, Values: []string{"sketch"}, blobs: dayUsers, same: sameSketch},
	{Name: "daily_user_sets", Key: []Column{Day, Chunk}, Values: []string{"users"}, blobs: dayUserSets, same: sameSet},
}
