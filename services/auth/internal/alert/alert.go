// Package alert has the rules of alerts: which metric of a project is watched, when, and who is told. The aggregator evaluates and sends them.
package alert

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/channel"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/digest"
)

// MaxPerProject is how many alerts a project has at most.
const MaxPerProject = 50

// MaxEvaluations is how many evaluations are listed.
const MaxEvaluations = 90

// Content is what members choose. What does not belong to the metric and the condition is empty.
type Content struct {
	channel.Channel

	Name           string
	Metric         string
	Currency       string
	Event          string
	Product        *uuid.UUID
	Every          string // day or week
	Hour           int
	Condition      string // above, below, change or anomaly
	Threshold      *float64
	Percent        *float64
	Sensitivity    *float64
	Direction      string
	Baseline       string
	NotifyRecovery bool
	Enabled        bool
}

// Alert is an alert as it is read, without its secret.
type Alert struct {
	Content

	ID        uuid.UUID
	Last      *Evaluation // nil until one was planned
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Evaluation is what an alert found of a period.
type Evaluation struct {
	ID               uuid.UUID
	First, Last      time.Time // dates in UTC
	State            string    // waiting, evaluated or skipped
	Reason           string
	Value, Low, High *float64
	Score            *float64
	Fired, Recovered bool
	AsOf             *time.Time
	DueAt            time.Time
	Delivery         *digest.Delivery // nil without a notification
}

// Check returns the content without space around its texts, or an Invalid error that names each member that is missing or of no use.
func (c Content) Check() (Content, error) {
	c.Name = strings.TrimSpace(c.Name)
	problems := append(channel.NameProblems(c.Name), c.Problems()...)
	member := func(pointer string, there, wanted, possible bool) {
		switch {
		case wanted && !there:
			problems = append(problems, errs.Field{Pointer: pointer, Code: "required", Detail: "The metric or the condition needs this."})
		case there && !possible:
			problems = append(problems, errs.Field{Pointer: pointer, Code: "not_used", Detail: "The metric and the condition do not use this. Leave it out."})
		}
	}
	compared := c.Condition == "change" || c.Condition == "anomaly"
	fixed := c.Condition == "above" || c.Condition == "below"
	named := c.Metric == "events" || c.Metric == "users"
	member("/currency", c.Currency != "", c.Metric == "revenue", c.Metric == "revenue")
	member("/event", c.Event != "", false, named && c.Product == nil)
	member("/threshold", c.Threshold != nil, fixed, fixed)
	member("/percent", c.Percent != nil, c.Condition == "change", c.Condition == "change")
	member("/sensitivity", c.Sensitivity != nil, c.Condition == "anomaly", c.Condition == "anomaly")
	member("/direction", c.Direction != "", compared, compared)
	member("/baseline", c.Baseline != "", compared, compared)
	if c.Condition == "anomaly" && c.Every != "day" {
		problems = append(problems, errs.Field{Pointer: "/every", Code: "invalid_value", Detail: "Unusual values are looked for by day."})
	}
	if c.Baseline != "" && compared && !slices.Contains(c.baselines(), c.Baseline) {
		problems = append(problems, errs.Field{Pointer: "/baseline", Code: "invalid_value", Detail: "Enter one of: " + strings.Join(c.baselines(), ", ") + "."})
	}
	if len(problems) > 0 {
		return Content{}, errs.New(errs.Invalid, "validation_failed", "The alert cannot be like this.", problems...)
	}
	return c, nil
}

// baselines returns what values can be compared with.
func (c *Content) baselines() []string {
	switch {
	case c.Condition == "anomaly":
		return []string{"same_weekday", "last_28_days"}
	case c.Every == "week":
		return []string{"previous"}
	}
	return []string{"previous", "same_weekday"}
}
