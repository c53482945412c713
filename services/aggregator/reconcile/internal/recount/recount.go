// Package recount counts raw rows and compares the sums with rollups. It is the part of a reconciliation that does not know the
// database. It shares no code with the fold, which it checks, but the formats of sketches and sets of users.
package recount

// Part is what is recounted of the rows of a range of time. The zero value is all of it.
type Part struct {
	// Of is into how many parts the products and the users are divided; 0 if they are not.
	Of int64
	// N is the part: the products and users whose numbers, divided by Of, leave it as the remainder. When it is Of itself, the
	// part is what is about neither products nor users.
	N int64
}

// Totals reports whether the part has what is about neither a product nor a user.
func (p Part) Totals() bool { return p.N == p.Of }

// Whole reports whether the part is all of the rows.
func (p Part) Whole() bool { return p.Of == 0 }

// Covers reports whether the part has any rows about a subject.
func (p Part) Covers(subject Subject) bool {
	return p.Whole() || (subject == NoSubject) == p.Totals()
}

// nobody is the user of the rows of erased users. It counts in sums, and is no user.
const nobody = 0

// hasUser reports whether the part has a user.
func (p Part) hasUser(user int64) bool { return user != nobody && p.has(user) }

// has reports whether the part has a product or user.
func (p Part) has(number int64) bool { return p.Of == 0 || number%p.Of == p.N }

// Event is a raw event.
type Event struct {
	TS      Micros
	User    int64
	Product int32 // 0 for none
	Name    int16
	Folded  bool // it must be in the rollups
}

// Line is a line of an order or of a refund.
type Line struct {
	TS              Micros
	User            int64
	Product         int32
	Currency        int32 // see CurrencyOf
	Units, Amount   int64
	First, FirstFor bool // of its order; of those lines of its order with its product
	Folded          bool
}

// Recount is what was counted of a part of the rows of a range of time.
type Recount struct {
	Rows     int64              // how many rows must be in the rollups
	Products map[int32]struct{} // those of any row
	Names    map[int16]struct{}

	part                              Part
	clock                             *Clock
	userDays, userMoney               *Table
	productHours, productMoney        *Table
	productNames                      *Table
	hours, nameHours, money           *Table
	productUsers, nameUsers, dayUsers *Groups
	sets                              *Sets
}

// New returns the recount of no rows.
func New(part Part, clock *Clock) *Recount {
	return &Recount{
		Products: map[int32]struct{}{}, Names: map[int16]struct{}{}, part: part, clock: clock,
		userDays: newTable(), userMoney: newTable(), productHours: newTable(), productMoney: newTable(), productNames: newTable(),
		hours: newTable(), nameHours: newTable(), money: newTable(),
		productUsers: newGroups(), nameUsers: newGroups(), dayUsers: newGroups(), sets: newSets(),
	}
}

// Table returns the rows of a rollup of sums. The rollups must be asked for in their order, each once: what is not needed any more
// is given up.
func (r *Recount) Table(rollup Rollup) *Table { return rollup.rows(r) }

// Groups returns the users of a rollup of sketches, once. No rows may be added any more.
func (r *Recount) Groups(sketches Sketches) *Groups {
	groups := sketches.groups(r)
	groups.seal()
	return groups
}

// Sets returns the users of the days. They must be asked for before the rollups of sums. A part has them if it has the totals.
func (r *Recount) Sets() *Sets {
	if r.part.Whole() {
		for i := range r.userDays.rows {
			r.sets.add(Date(r.userDays.rows[i].Key.At), r.userDays.rows[i].Key.Subject)
		}
	}
	return r.sets
}

// addToSet adds a user of a day to its set, unless the rollup by user has it as well.
func (r *Recount) addToSet(day Date, user int64) {
	if user != nobody && !r.part.Whole() {
		r.sets.add(day, user)
	}
}

func take(table **Table) *Table {
	taken := *table
	*table = newTable()
	return taken
}

func takeGroups(groups **Groups) *Groups {
	taken := *groups
	*groups = newGroups()
	return taken
}

// Bytes returns about how much memory the recount takes.
func (r *Recount) Bytes() int {
	n := 0
	for _, t := range []*Table{r.userDays, r.userMoney, r.productHours, r.productMoney, r.productNames, r.hours, r.nameHours, r.money} {
		n += t.Bytes()
	}
	return n + r.productUsers.Bytes() + r.nameUsers.Bytes() + r.dayUsers.Bytes()
}

// AddEvent counts an event.
func (r *Recount) AddEvent(e *Event) {
	if e.Product != 0 {
		r.Products[e.Product] = struct{}{}
	}
	r.Names[e.Name] = struct{}{}
	if !e.Folded {
		return
	}
	hour, day := r.clock.At(e.TS)
	counter := counterOf(e.Name)
	user := userOf(e.User)
	if r.part.hasUser(e.User) {
		countEvent(r.userDays, Key{At: int64(day), Subject: e.User}, counter)
	}
	if e.Product != 0 && r.part.has(int64(e.Product)) {
		countEvent(r.productHours, Key{At: int64(hour), Subject: int64(e.Product)}, counter)
		r.productUsers.add(Key{At: int64(day), Subject: int64(e.Product)}, user)
		if counter == 0 {
			countEvent(r.productNames, Key{At: int64(day), Subject: int64(e.Product), Of: int32(e.Name)}, 0)
		}
	}
	if !r.part.Totals() {
		return
	}
	r.Rows++
	countEvent(r.hours, Key{At: int64(hour)}, counter)
	countEvent(r.nameHours, Key{At: int64(hour), Of: int32(e.Name)}, 0)
	r.nameUsers.add(Key{At: int64(day), Of: int32(e.Name)}, user)
	r.dayUsers.add(Key{At: int64(day)}, user)
	r.addToSet(day, e.User)
}

// counterOf returns the counter that an event of a name adds to, besides that of all events; 0 for none.
func counterOf(name int16) int {
	switch name {
	case nameView:
		return views
	case nameClick:
		return clicks
	case nameAddToCart:
		return addToCarts
	default:
		return 0
	}
}

func countEvent(t *Table, key Key, counter int) {
	row := t.row(key)
	row.Recounted[eventsCount]++
	if counter != 0 {
		row.Recounted[counter]++
	}
}

// AddOrderLine counts a line of an order.
func (r *Recount) AddOrderLine(l *Line) {
	r.Products[l.Product] = struct{}{}
	if !l.Folded {
		return
	}
	hour, day := r.clock.At(l.TS)
	user := userOf(l.User)
	counts := Values{purchases: one(l.First), units: l.Units}
	sold := Values{gross: l.Amount, orders: one(l.First), soldUnits: l.Units}
	if r.part.hasUser(l.User) {
		add(r.userDays, Key{At: int64(day), Subject: l.User}, &counts)
		add(r.userMoney, Key{At: int64(day), Subject: l.User, Of: l.Currency}, &sold)
	}
	if r.part.has(int64(l.Product)) {
		add(r.productHours, Key{At: int64(hour), Subject: int64(l.Product)}, &Values{purchases: one(l.FirstFor), units: l.Units})
		add(r.productMoney, Key{At: int64(hour), Subject: int64(l.Product), Of: l.Currency},
			&Values{gross: l.Amount, orders: one(l.FirstFor), soldUnits: l.Units})
		r.productUsers.add(Key{At: int64(day), Subject: int64(l.Product)}, user)
	}
	if !r.part.Totals() {
		return
	}
	r.Rows++
	add(r.hours, Key{At: int64(hour)}, &counts)
	add(r.money, Key{At: int64(hour), Of: l.Currency}, &sold)
	r.dayUsers.add(Key{At: int64(day)}, user)
	r.addToSet(day, l.User)
}

// AddRefundLine counts a line of a refund: what is paid back, and nothing else.
func (r *Recount) AddRefundLine(l *Line) {
	r.Products[l.Product] = struct{}{}
	if !l.Folded {
		return
	}
	hour, day := r.clock.At(l.TS)
	paid := Values{refunded: l.Amount, refundedUnits: l.Units}
	if r.part.hasUser(l.User) {
		add(r.userMoney, Key{At: int64(day), Subject: l.User, Of: l.Currency}, &paid)
	}
	if r.part.has(int64(l.Product)) {
		add(r.productMoney, Key{At: int64(hour), Subject: int64(l.Product), Of: l.Currency}, &paid)
	}
	if r.part.Totals() {
		r.Rows++
		add(r.money, Key{At: int64(hour), Of: l.Currency}, &paid)
	}
}

func add(t *Table, key Key, values *Values) {
	row := t.row(key)
	row.Recounted.add(values)
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
