package demo

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// shownDifferences bounds the list of differences in a report.
const shownDifferences = 20

// printIntro says what the demo is going to do.
func printIntro(out io.Writer, s *shop.Shop, url string) {
	_, _ = fmt.Fprintf(out, "Demo %s on %s: %s events by %s users with %s products, %s to %s in %s\n",
		s.Tag(), url, grouped(int64(s.Events)), grouped(int64(s.Users)), grouped(int64(len(s.Products))),
		s.Day(0).Format(time.DateOnly), s.Day(s.Days-1).Format(time.DateOnly), s.Zone)
}

// report prints what was sent, the platform's numbers, and their differences. complete is the time from the first request
// until the numbers included everything.
func (d *demo) report(out io.Writer, sent *sent, found *findings, complete time.Duration) {
	var text strings.Builder
	text.WriteString("\n")
	d.writeTable(&text, found)
	writeSent(&text, sent, complete)
	fmt.Fprintf(&text, "compared  %s products in all and by day, %d rankings, %d users; %s sign-ups (events without a product) by day and by hour\n\n",
		grouped(int64(len(d.ids))), found.rankings, found.users, grouped(found.signUps))
	writeDifferences(&text, found.differences)
	_, _ = io.WriteString(out, text.String())
}

// writeTable prints the sums over all products of the demo.
func (d *demo) writeTable(out io.Writer, found *findings) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "all products\tplatform\tdemo\t\t")
	for _, m := range tally.Measures() {
		platform, own := m.Of(found.totals), m.Of(d.own.Totals)
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t\n", m, grouped(platform), grouped(own), verdict(m, platform, own))
	}
	_ = table.Flush() // writes to memory
	_, _ = fmt.Fprintf(out, "unique_users adds up the unique users of each product. Up to %d of a product are exact; more are an estimate, which counts as equal up to %.1f %% off.\n\n", exactUsers, 100*tolerance)
}

func verdict(m tally.Measure, platform, own int64) string {
	switch {
	case platform == own:
		return "equal"
	case closely(m, platform, own):
		return fmt.Sprintf("%.2f %% off", 100*math.Abs(float64(platform-own))/float64(own))
	default:
		return "DIFFERENT"
	}
}

func writeSent(out io.Writer, s *sent, complete time.Duration) {
	_, _ = fmt.Fprintf(out, "sent      %s events in %s batches and %s single requests; %s purchases, %s of them twice; %s refunds; %s retries\n",
		grouped(int64(s.events)), grouped(int64(s.batches)), grouped(int64(s.single)),
		grouped(int64(s.purchases)), grouped(int64(s.repeated)), grouped(int64(s.refunds)), grouped(s.retries))
	_, _ = fmt.Fprintf(out, "answered  %s events accepted, %s duplicates, %s rejected\n",
		grouped(int64(s.results.Accepted)), grouped(int64(s.results.Duplicates)), grouped(int64(s.results.Rejected)))
	_, _ = fmt.Fprintf(out, "time      %s, %s events/s; all in the numbers after %s\n",
		rounded(s.took), grouped(int64(float64(s.events)/max(s.took.Seconds(), 0.001))), rounded(complete))
}

func writeDifferences(out io.Writer, differences []Difference) {
	switch len(differences) {
	case 0:
		_, _ = fmt.Fprintln(out, "All numbers are equal.")
		return
	case 1:
		_, _ = fmt.Fprintln(out, "1 number differs:")
	default:
		_, _ = fmt.Fprintf(out, "%s numbers differ:\n", grouped(int64(len(differences))))
	}
	for _, difference := range differences[:min(len(differences), shownDifferences)] {
		_, _ = fmt.Fprintf(out, "  %s\n", difference)
	}
	if more := len(differences) - shownDifferences; more > 0 {
		_, _ = fmt.Fprintf(out, "  and %s more\n", grouped(int64(more)))
	}
}

// grouped formats n with a comma between groups of three digits.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// rounded keeps the significant digits of d.
func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}
