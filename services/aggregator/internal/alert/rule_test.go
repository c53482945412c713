package alert

import (
	"math"
	"slices"
	"testing"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	sundays := []float64{40, 44, 38, 41, 43, 39, 42, 40} // median 40.5, deviations 0.5 0.5 0.5 1.5 1.5 2.5 2.5 3.5, MAD 1.5
	anomaly := Rule{Condition: "anomaly", Sensitivity: 3.5, Direction: "both", Baseline: "same_weekday"}
	down := anomaly
	down.Direction = "down"
	month := anomaly
	month.Baseline = lastDays
	none := math.NaN()
	for name, test := range map[string]struct {
		rule      Rule
		value     float64
		past      []float64
		counted   bool
		fired     bool
		low, high float64
		score     float64
		reason    bool
	}{
		"above":                      {Rule{Condition: "above", Threshold: 10}, 10.5, nil, true, true, none, 10, none, false},
		"the threshold is not above": {Rule{Condition: "above", Threshold: 10}, 10, nil, true, false, none, 10, none, false},
		"below":                      {Rule{Condition: "below", Threshold: 10}, 9, nil, true, true, 10, none, none, false},
		"change down":                {Rule{Condition: "change", Percent: 20, Direction: "both"}, 79, []float64{100}, true, true, 80, 120, -21, false},
		"change that is allowed":     {Rule{Condition: "change", Percent: 20, Direction: "both"}, 120, []float64{100}, true, false, 80, 120, 20, false},
		"change in the other way":    {Rule{Condition: "change", Percent: 20, Direction: "up"}, 10, []float64{100}, true, false, none, 120, -90, false},
		"change of nothing":          {Rule{Condition: "change", Percent: 20, Direction: "up"}, 10, []float64{0}, true, false, none, none, none, true},
		"change of a loss":           {Rule{Condition: "change", Percent: 20, Direction: "down"}, -130, []float64{-100}, false, true, -120, none, -30, false},
		"no past":                    {Rule{Condition: "change", Percent: 20, Direction: "up"}, 10, nil, true, false, none, none, none, true},
		// The floor of counts: √40.5 = 6.364, which is more than 1.4826 · 1.5 = 2.224.
		"a usual Sunday":             {anomaly, 44, sundays, true, false, 18.23, 62.77, 0.55, false},
		"a bad Sunday":               {down, 12, sundays, true, true, 18.23, none, -4.478, false},
		"money, without the floor":   {anomaly, 49, sundays, false, true, 32.72, 48.28, 3.82, false},
		"four weekdays":              {anomaly, 1, sundays[:4], true, false, none, none, none, true},
		"13 days":                    {month, 1, slices.Repeat([]float64{5}, 13), true, false, none, none, none, true},
		"a constant series":          {anomaly, 1001, slices.Repeat([]float64{1000}, 8), true, false, 889.32, 1110.68, 0.0316, false},
		"a drop of a constant":       {anomaly, 500, slices.Repeat([]float64{1000}, 8), true, true, 889.32, 1110.68, -15.81, false},
		"zeros":                      {anomaly, 3, slices.Repeat([]float64{0}, 8), true, false, -3.5, 3.5, 3, false},
		"money from nothing":         {anomaly, 3, slices.Repeat([]float64{0}, 8), false, true, 0, 0, maxScore, false},
		"nothing from nothing":       {anomaly, 0, slices.Repeat([]float64{0}, 8), false, false, 0, 0, 0, false},
		"half of the past is a peak": {anomaly, 400, []float64{100, 101, 99, 100, 100, 900, 950, 900}, true, true, 65, 135, 30, false},
	} {
		got := test.rule.judge(test.value, test.past, test.counted)
		same := func(p *float64, want float64) bool {
			if p == nil || math.IsNaN(want) {
				return p == nil && math.IsNaN(want)
			}
			return math.Abs(*p-want) < 0.01*max(math.Abs(want), 1)
		}
		if got.Fired != test.fired || !same(got.Low, test.low) || !same(got.High, test.high) || !same(got.Score, test.score) || (got.Reason != "") != test.reason {
			show := func(p *float64) float64 {
				if p == nil {
					return none
				}
				return *p
			}
			t.Errorf("%s: fired %t, low %g, high %g, score %g, reason %q", name, got.Fired, show(got.Low), show(got.High), show(got.Score), got.Reason)
		}
	}
}
