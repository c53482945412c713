package project_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/project"
)

func TestApply(t *testing.T) {
	t.Parallel()
	before := project.Defaults("Shop")
	before.EventsPerSecond = new(5)
	var none *int
	for name, test := range map[string]struct {
		change project.Change
		want   func(*project.Settings)
		bad    []string // "pointer code"
	}{
		"nothing":    {project.Change{}, func(*project.Settings) {}, nil},
		"name":       {project.Change{Name: new("  Größe 商品 ")}, func(s *project.Settings) { s.Name = "Größe 商品" }, nil},
		"zone":       {project.Change{TimeZone: new("Australia/Lord_Howe")}, func(s *project.Settings) { s.TimeZone = "Australia/Lord_Howe" }, nil},
		"currency":   {project.Change{Currency: new("KWD")}, func(s *project.Settings) { s.Currency = "KWD" }, nil},
		"sunday":     {project.Change{WeekStart: new(7)}, func(s *project.Settings) { s.WeekStart = 7 }, nil},
		"age":        {project.Change{MaxEventAgeDays: new(new(400))}, func(s *project.Settings) { s.MaxEventAgeDays = new(400) }, nil},
		"cleared":    {project.Change{EventsPerSecond: &none}, func(s *project.Settings) { s.EventsPerSecond = nil }, nil},
		"no name":    {project.Change{Name: new("  ")}, nil, []string{"/name invalid_value"}},
		"NUL":        {project.Change{Name: new("a\x00")}, nil, []string{"/name invalid_value"}},
		"local":      {project.Change{TimeZone: new("Local")}, nil, []string{"/time_zone unknown_time_zone"}},
		"empty zone": {project.Change{TimeZone: new("")}, nil, []string{"/time_zone unknown_time_zone"}},
		"offset":     {project.Change{TimeZone: new("+05:30")}, nil, []string{"/time_zone unknown_time_zone"}},
		"a path":     {project.Change{TimeZone: new("../../etc/passwd")}, nil, []string{"/time_zone unknown_time_zone"}},
		"no money":   {project.Change{Currency: new("ZZZ")}, nil, []string{"/currency unknown_currency"}},
		"lower case": {project.Change{Currency: new("eur")}, nil, []string{"/currency unknown_currency"}},
		"day 8":      {project.Change{WeekStart: new(8)}, nil, []string{"/week_start out_of_range"}},
		"numbers": {
			project.Change{MaxEventAgeDays: new(new(0)), EventsPerSecond: new(new(0))}, nil,
			[]string{"/max_event_age_days out_of_range", "/events_per_second out_of_range"},
		},
	} {
		got, err := before.Apply(test.change)
		if test.bad != nil {
			var bad []string
			if e, ok := errors.AsType[*errs.Error](err); ok {
				for _, f := range e.Fields {
					bad = append(bad, f.Pointer+" "+f.Code)
				}
			}
			if diff := cmp.Diff(test.bad, bad); diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
			continue
		}
		want := before
		test.want(&want)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestSlugs(t *testing.T) {
	t.Parallel()
	for slug, good := range map[string]bool{
		"default": true, "a": true, "7": true, "shop-eu-2": true,
		"": false, "-a": false, "a-": false, "Shop": false, "a b": false, "a/b": false, "größe": false, "a\n": false,
		"0123456789012345678901234567890123456789012345678901234567890123": false,
	} {
		if err := project.CheckSlug(slug); (err == nil) != good {
			t.Errorf("%q: %v", slug, err)
		}
	}
}
