package recount

// Subject is what the rows of a rollup are about, besides a time.
type Subject string

// The subjects, by their columns.
const (
	NoSubject Subject = ""
	Product   Subject = "product"
	User      Subject = "user_n"
)

// Attribute divides the rows of a rollup further.
type Attribute string

// The attributes, by their columns.
const (
	NoAttribute Attribute = ""
	Name        Attribute = "name"
	Currency    Attribute = "currency"
)

// Rollup is a rollup of sums.
type Rollup struct {
	Table   string // in the schema stats
	View    string // as readers know it
	Hourly  bool   // its rows are of hours, or else of days
	Subject Subject
	Of      Attribute
	Values  []string // the columns
	rows    func(*Recount) *Table
}

// The values of rollups. The lists are repeated here, and not taken from what the fold uses, so that a mistake there is found.
var (
	counters = []string{"events", "views", "clicks", "add_to_carts", "purchases", "units"}
	money    = []string{"gross_minor", "refunded_minor", "orders", "units", "refunded_units"}
	events   = []string{"events"}
)

// Rollups are all rollups of sums, in the order in which they can be compared: those by hour are given up after those by day were
// summed from them.
var Rollups = []Rollup{
	{"user_daily_stats", "user_daily", false, User, NoAttribute, counters, func(r *Recount) *Table { return take(&r.userDays) }},
	{"product_daily_stats", "product_daily", false, Product, NoAttribute, counters, func(r *Recount) *Table { return r.productHours.days(r.clock) }},
	{"product_hourly_stats", "product_hourly", true, Product, NoAttribute, counters, func(r *Recount) *Table { return take(&r.productHours) }},
	{"product_name_daily_stats", "product_name_daily", false, Product, Name, events, func(r *Recount) *Table { return take(&r.productNames) }},
	{"name_daily_stats", "name_daily", false, NoSubject, Name, events, func(r *Recount) *Table { return r.nameHours.days(r.clock) }},
	{"name_hourly_stats", "name_hourly", true, NoSubject, Name, events, func(r *Recount) *Table { return take(&r.nameHours) }},
	{"daily_stats", "daily", false, NoSubject, NoAttribute, counters, func(r *Recount) *Table { return r.hours.days(r.clock) }},
	{"hourly_stats", "hourly", true, NoSubject, NoAttribute, counters, func(r *Recount) *Table { return take(&r.hours) }},
	{"user_daily_revenue", "user_daily_money", false, User, Currency, money, func(r *Recount) *Table { return take(&r.userMoney) }},
	{"product_daily_revenue", "product_daily_money", false, Product, Currency, money, func(r *Recount) *Table { return r.productMoney.days(r.clock) }},
	{"product_hourly_revenue", "product_hourly_money", true, Product, Currency, money, func(r *Recount) *Table { return take(&r.productMoney) }},
	{"daily_revenue", "daily_money", false, NoSubject, Currency, money, func(r *Recount) *Table { return r.money.days(r.clock) }},
	{"hourly_revenue", "hourly_money", true, NoSubject, Currency, money, func(r *Recount) *Table { return take(&r.money) }},
}

// The places of the values in the rows of counters and of money.
const (
	eventsCount = iota
	views
	clicks
	addToCarts
	purchases
	units
)

const (
	gross = iota
	refunded
	orders
	soldUnits
	refundedUnits
)

// The names that have a counter of their own in all projects.
const (
	nameView      = 1
	nameClick     = 2
	nameAddToCart = 3
)

// Sketches is a rollup of unique users as sketches.
type Sketches struct {
	Table   string // in the schema stats
	Subject Subject
	Of      Attribute
	groups  func(*Recount) *Groups
}

// AllSketches are all rollups of sketches.
var AllSketches = []Sketches{
	{"product_daily_users", Product, NoAttribute, func(r *Recount) *Groups { return takeGroups(&r.productUsers) }},
	{"name_daily_users", NoSubject, Name, func(r *Recount) *Groups { return takeGroups(&r.nameUsers) }},
	{"daily_users", NoSubject, NoAttribute, func(r *Recount) *Groups { return takeGroups(&r.dayUsers) }},
}
