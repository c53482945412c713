package api

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
)

// Every report has rows, and CSV has a column for each member of a row.
func TestColumnsAreTheMembersOfRows(t *testing.T) {
	t.Parallel()
	answers := map[string]reflect.Type{
		"TopProducts": reflect.TypeFor[TopProducts](), "TopUsers": reflect.TypeFor[TopUsers](), "EventNames": reflect.TypeFor[EventNames](),
		"EventTimeseries": reflect.TypeFor[EventSeries](), "ProductTimeseries": reflect.TypeFor[Series](), "ProductTimeseriesBySKU": reflect.TypeFor[Series](),
		"Overview": reflect.TypeFor[Overview](), "MySummary": reflect.TypeFor[UserSummary](), "UserSummary": reflect.TypeFor[UserSummary](),
	}
	for _, id := range openapitest.Operations(t, "analytics") {
		if id == "liveEvents" || id == "getSystem" || strings.HasPrefix(id, "shared") {
			continue // a stream; and what is read in JSON alone
		}
		operation := strings.ToUpper(id[:1]) + id[1:]
		answer, listed := answers[operation]
		if !listed {
			t.Errorf("%s is not compared", operation)
			continue
		}
		var want []string
		for field := range answer.Fields() {
			if name(field) == tables[operation].list {
				want = memberPaths(field.Type.Elem(), "")
			}
		}
		got := slices.Sorted(slices.Values(tables[operation].columns))
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-members +columns):\n%s", operation, diff)
		}
	}
	if len(answers) != len(tables) {
		t.Errorf("%d answers and %d tables", len(answers), len(tables))
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(append([]string{"currency"}, money...))), slices.Sorted(slices.Values(memberPaths(reflect.TypeFor[Revenue](), "")))); diff != "" {
		t.Errorf("money (-columns +members):\n%s", diff)
	}
}

func name(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// memberPaths returns the paths of the members of an object, of those that are objects in the contract too.
func memberPaths(of reflect.Type, prefix string) (paths []string) {
	for field := range of.Fields() {
		switch field.Type {
		case reflect.TypeFor[Counts](), reflect.TypeFor[ProductRef]():
			paths = append(paths, memberPaths(field.Type, prefix+name(field)+".")...)
		default:
			paths = append(paths, prefix+name(field))
		}
	}
	return paths
}
