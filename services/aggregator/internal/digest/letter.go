package digest

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// lateness is how long after its time something may be sent without a word about it. Attempts after a failure take a few minutes.
const lateness = time.Hour

// figures are the counters of the text, in its order.
var figures = []struct {
	name    string
	counter stats.Counter
}{{"Events", stats.Events}, {"Views", stats.Views}, {"Orders", stats.Purchases}, {"Units sold", stats.Units}}

// text writes the numbers with how they changed, and says first when they are not complete.
func text(d *delivery, r Report, late bool, dashboard string) string {
	english := message.NewPrinter(language.English)
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(english.Sprintf(format, args...) + "\n") }
	row := func(name, value string, now, before int64) { line("%-20s %16s  %s", name, value, change(now, before)) }
	if d.test {
		line("This is a test of a digest. It has the numbers of the last period.\n")
	}
	line("%s: %s", d.title, r.Period.String())
	line("Days of %s, compared with %s.\n", r.Zone, r.Previous.String())
	if late {
		line("LATE: this was to be sent at %s and could not be.\n", utc(d.due))
	}
	if !r.Complete {
		line("NOT COMPLETE: %d events are stored and not counted yet. The dashboard shows the numbers with them in a while.\n", r.Pending)
	}
	if r.Failed > 0 {
		line("%d events of the project could not be counted. An admin can repair that.\n", r.Failed)
	}
	about := "≈ "
	if r.Now.Exact {
		about = ""
	}
	row("Users", about+english.Sprintf("%d", r.Now.Users), r.Now.Users, r.Before.Users)
	for _, f := range figures {
		row(f.name, english.Sprintf("%d", r.Now.Counts[f.counter]), r.Now.Counts[f.counter], r.Before.Counts[f.counter])
	}
	for _, a := range r.Now.Money {
		row("Net revenue, "+a.Currency, amount(english, a.NetMinor(), a.Currency), a.NetMinor(), r.Before.net(a.Currency))
	}
	if dashboard != "" {
		line("\n%s/?project=%s&from=%s&to=%s", strings.TrimRight(dashboard, "/"), d.slug, r.Period.First.String(), r.Period.Last.String())
	}
	return b.String()
}

// change writes how a number differs from the one before. There is no percentage of nothing.
func change(now, before int64) string {
	if before <= 0 {
		return ""
	}
	return fmt.Sprintf("%+.1f %%", (float64(now)-float64(before))/float64(before)*100)
}

// amount writes minor units with the decimals of their currency.
func amount(english *message.Printer, minor int64, code string) string {
	digits := 2
	if c, err := money.Parse(code); err == nil {
		digits = c.Digits()
	}
	unit, sign := int64(1), ""
	for range digits {
		unit *= 10
	}
	if minor < 0 {
		minor, sign = -minor, "−"
	}
	if digits == 0 {
		return sign + english.Sprintf("%d", minor)
	}
	return sign + english.Sprintf("%d", minor/unit) + fmt.Sprintf(".%0*d", digits, minor%unit)
}
