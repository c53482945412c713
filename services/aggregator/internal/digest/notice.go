package digest

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/alert"
)

// alertHook is the body of a request for an alert.
type alertHook struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"` // alert, alert.recovered or alert.test
	Alert     hookName  `json:"alert"`
	Project   hookName  `json:"project"`
	TimeZone  string    `json:"time_zone"`
	Metric    string    `json:"metric"`
	Currency  string    `json:"currency,omitempty"`
	Event     string    `json:"event,omitempty"`
	Product   string    `json:"product,omitempty"`
	Condition string    `json:"condition"`
	Period    hookDays  `json:"period"`
	Value     *float64  `json:"value"`
	Low       *float64  `json:"low"`
	High      *float64  `json:"high"`
	Score     *float64  `json:"score"`
	Fired     bool      `json:"fired"`
	Recovered bool      `json:"recovered"`
	Reason    string    `json:"reason"` // why a test has no verdict
	AsOf      time.Time `json:"as_of"`
	DueAt     time.Time `json:"due_at"`
	Late      bool      `json:"late"`
}

type hookDays struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// composeAlert writes the notification of an alert. What is sent is what its evaluation found; a test looks at the period now.
func (s *Sender) composeAlert(ctx context.Context, d *delivery, late bool) (composed, error) {
	find := s.options.Alerts.Stored
	if d.test {
		find = s.options.Alerts.Find
	}
	n, err := find(ctx, *d.alert, d.period)
	if err != nil {
		return composed{}, err //nolint:wrapcheck // it says what it is
	}
	kind, mark := "alert", "ALERT "
	switch {
	case d.test:
		kind, mark = "alert.test", "test of "
	case n.Recovered:
		kind, mark = "alert.recovered", "back to normal: "
	}
	body := alertHook{
		ID: d.id.String(), Type: kind, Alert: hookName{d.alert.String(), d.name}, Project: hookName{d.slug, d.title}, TimeZone: n.Zone,
		Metric: n.Kind, Currency: n.Currency, Event: n.Event, Condition: n.Rule.Condition, Period: hookDays{d.period.First.String(), d.period.Last.String()},
		Value: n.Value, Low: n.Low, High: n.High, Score: n.Score, Fired: n.Fired, Recovered: n.Recovered, Reason: n.Reason,
		AsOf: n.AsOf.UTC(), DueAt: d.due.UTC(), Late: late,
	}
	if n.Product != nil {
		body.Product = n.Product.String()
	}
	return composed{
		subject: fmt.Sprintf("%s: %s%s, %s", d.title, mark, d.name, d.period.String()), text: alertText(d, &n, late, s.options.Mail.Dashboard), body: body,
	}, nil
}

// alertText writes what an alert found.
func alertText(d *delivery, n *alert.Notice, late bool, dashboard string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if d.test {
		line("This is a test of an alert. It has what the alert finds of the last period now.\n")
	}
	line("%s: %s", d.title, d.period.String())
	line("Days of %s. As of %s; what is received later is not in these numbers.\n", n.Zone, utc(n.AsOf))
	if late {
		line("LATE: this was to be found from %s.\n", utc(d.due))
	}
	switch {
	case n.Reason != "":
		line("%s", n.Reason)
	case n.Fired:
		line("The condition of the alert holds.")
	case n.Recovered:
		line("Back to normal: the condition held in the period before, and holds no more.")
	default:
		line("The condition of the alert does not hold.")
	}
	line("\n%-12s %s", "Metric", metricName(&n.Metric))
	if n.Value != nil {
		line("%-12s %s", "Value", valueText(&n.Metric, *n.Value))
	}
	switch {
	case n.Low != nil && n.High != nil:
		line("%-12s %s to %s", "Expected", valueText(&n.Metric, *n.Low), valueText(&n.Metric, *n.High))
	case n.Low != nil:
		line("%-12s at least %s", "Expected", valueText(&n.Metric, *n.Low))
	case n.High != nil:
		line("%-12s at most %s", "Expected", valueText(&n.Metric, *n.High))
	}
	switch {
	case n.Score == nil:
	case n.Rule.Condition == "change":
		line("%-12s %+.1f %%", "Change", *n.Score)
	default:
		line("%-12s %+.1f (modified z-score)", "Score", *n.Score)
	}
	if dashboard != "" {
		line("\n%s/?project=%s&from=%s&to=%s", strings.TrimRight(dashboard, "/"), d.slug, d.period.First.String(), d.period.Last.String())
	}
	return b.String()
}

func metricName(m *alert.Metric) string {
	name := m.Kind
	if m.Currency != "" {
		name = "net revenue, " + m.Currency
	}
	if m.Event != "" {
		name += " of the event " + m.Event
	}
	if m.Product != nil {
		name += " of the product " + m.Product.String()
	}
	return name
}

// valueText writes a value of a metric; bounds of counts have one decimal.
func valueText(m *alert.Metric, value float64) string {
	english := message.NewPrinter(language.English)
	switch {
	case m.Kind == "revenue":
		return amount(english, int64(math.Round(value)), m.Currency)
	case m.Kind == "conversion":
		return english.Sprintf("%.2f %%", value*100) //nolint:mnd // percent
	case value == math.Trunc(value):
		return english.Sprintf("%.0f", value)
	}
	return english.Sprintf("%.1f", value)
}
