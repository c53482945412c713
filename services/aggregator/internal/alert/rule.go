package alert

import (
	"fmt"
	"math"
	"slices"
)

// Rule says for which values an alert fires.
type Rule struct {
	Condition   string  // above, below, change or anomaly
	Threshold   float64 // of above and below
	Percent     float64 // of change
	Sensitivity float64 // of anomaly: the modified z-score beyond which a value is unusual
	Direction   string  // of change and anomaly: up, down or both
	Baseline    string  // of change and anomaly: previous, same_weekday or last_28_days
}

// Verdict is what a rule says of a value.
type Verdict struct {
	Value     *float64
	Low, High *float64 // the values between do not fire; nil for no bound
	Score     *float64 // the change in percent, or the modified z-score
	Fired     bool
	Reason    string // why nothing can be said; empty if something can
}

const (
	// How many days of the baselines need to have data: five of eight weekdays, and half of 28 days. With fewer values, half of which may be
	// unusual themselves, a median says little.
	leastWeekdays = 5
	leastDays     = 14
	// maxScore bounds scores, which have no bound when a series is constant.
	maxScore = 1000
	// Both factors make a deviation comparable with the standard deviation of a normal distribution: 1/Φ⁻¹(3/4), and √(π/2).
	madFactor  = 1.482602
	meanFactor = 1.253314
	// leastShare is the least scale of money and of conversion, as a share of their median.
	leastShare = 0.05
	hundred    = 100
)

// judge compares a value with those of the past that the baseline names. counted tells that the values are counts.
func (r Rule) judge(value float64, past []float64, counted bool) Verdict {
	v := Verdict{Value: &value}
	switch r.Condition {
	case "above":
		v.High, v.Fired = &r.Threshold, value > r.Threshold
	case "below":
		v.Low, v.Fired = &r.Threshold, value < r.Threshold
	case "change":
		r.compare(&v, value, past)
	default:
		r.rate(&v, value, past, counted)
	}
	return v
}

// compare fires when a value differs from the one of the past by more than some percent of it.
func (r Rule) compare(v *Verdict, value float64, past []float64) {
	if len(past) == 0 {
		v.Reason = "There is no value to compare with."
		return
	}
	before := past[0]
	size := math.Abs(before)
	if size == 0 {
		v.Reason = "The value to compare with is 0, so there is no change in percent."
		return
	}
	change := (value - before) / size * hundred
	r.bound(v, before, size*r.Percent/hundred)
	v.Score = &change
	v.Fired = r.fires(change, r.Percent)
}

// rate fires when the modified z-score of a value, M = (x − median) / s, is beyond the sensitivity, with s = 1.4826 · MAD, the median of the
// absolute deviations from the median. It is that of Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (ASQC, 1993), who advise 3.5
// (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.17). Up to half of the values may be unusual without an effect on it.
//
// When more than half of the values are equal, MAD is 0. Then s = 1.2533 · the mean absolute deviation, as Iglewicz and Hoaglin do. A series that is
// nearly constant would still make each difference unusual, so s is at least √median for counts, the standard deviation of a Poisson
// distribution, and 5 % of the median for money and conversion. Of a series of zeros, counts have s = 1, and other values are unusual unless they
// are 0.
func (r Rule) rate(v *Verdict, value float64, past []float64, counted bool) {
	least := leastWeekdays
	if r.Baseline == lastDays {
		least = leastDays
	}
	if len(past) < least {
		v.Reason = fmt.Sprintf("There are %d days with data to compare with, and %d are needed.", len(past), least)
		return
	}
	center := median(past)
	deviations := make([]float64, len(past))
	sum := 0.0
	for i, x := range past {
		deviations[i] = math.Abs(x - center)
		sum += deviations[i]
	}
	scale := madFactor * median(deviations)
	if scale == 0 {
		scale = meanFactor * sum / float64(len(past))
	}
	if counted {
		scale = max(scale, math.Sqrt(max(center, 1)))
	} else {
		scale = max(scale, leastShare*math.Abs(center))
	}
	score := 0.0
	if value != center { // not 0/0
		score = min(max((value-center)/scale, -maxScore), maxScore)
	}
	r.bound(v, center, r.Sensitivity*scale)
	v.Score = &score
	v.Fired = r.fires(score, r.Sensitivity)
}

// bound sets the range of a verdict, on the sides on which the rule fires.
func (r Rule) bound(v *Verdict, center, distance float64) {
	low, high := center-distance, center+distance
	if r.Direction != "up" {
		v.Low = &low
	}
	if r.Direction != "down" {
		v.High = &high
	}
}

func (r Rule) fires(score, limit float64) bool {
	return score > limit && r.Direction != "down" || score < -limit && r.Direction != "up"
}

// median returns the middle of values, or the mean of the two in the middle. It needs at least one.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
