package quantity_test

import (
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/quantity"
)

func TestOf(t *testing.T) {
	t.Parallel()
	got := strings.Join([]string{quantity.Of(1, "day"), quantity.Of(0, "day"), quantity.Of(2, "batch"), quantity.Of(1, "batch"), quantity.Of(int64(3), "row")}, ", ")
	if want := "1 day, 0 days, 2 batches, 1 batch, 3 rows"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
