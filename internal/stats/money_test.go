package stats_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/stats"
)

func TestMoneyAddsUp(t *testing.T) {
	t.Parallel()
	var m stats.Money
	for _, part := range []stats.Money{
		stats.OfOrderLine(2, 900, true), stats.OfOrderLine(1, 100, false), stats.OfRefundLine(1, 450), stats.OfRefundLine(0, 50),
	} {
		if err := m.Add(part); err != nil {
			t.Error(err)
		}
	}
	want := stats.Money{GrossMinor: 1000, RefundedMinor: 500, Orders: 1, Units: 3, RefundedUnits: 1}
	if m != want || m.NetMinor() != 500 {
		t.Errorf("%+v, net %d, want %+v", m, m.NetMinor(), want)
	}
}

// Values, pointers and columns are in the same order.
func TestMoneyFieldsAreInTheOrderOfTheColumns(t *testing.T) {
	t.Parallel()
	var m stats.Money
	pointers := m.Pointers()
	for i := range stats.MoneyColumns() {
		*pointers[i].(*int64) = int64(i + 1) //nolint:forcetypeassert // a panic fails the test
	}
	if want := (stats.Money{GrossMinor: 1, RefundedMinor: 2, Orders: 3, Units: 4, RefundedUnits: 5}); m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
	if got := m.Values(); !slices.Equal(got, []int64{1, 2, 3, 4, 5}) {
		t.Errorf("values %v", got)
	}
}

// What is paid back is no negative income: on a day with refunds only the net is negative, and no field is.
func TestNetMayBeNegative(t *testing.T) {
	t.Parallel()
	m := stats.OfRefundLine(2, 700)
	if m.NetMinor() != -700 || m.GrossMinor != 0 || m.Orders != 0 {
		t.Errorf("%+v, net %d", m, m.NetMinor())
	}
}

func TestMoneyThatIsTooLargeIsNeverNegative(t *testing.T) {
	t.Parallel()
	m := stats.OfOrderLine(1, math.MaxInt64-1, true)
	if err := m.Add(stats.OfOrderLine(1, 1, true)); err != nil {
		t.Errorf("up to the largest value: %v", err)
	}
	err := m.Add(stats.OfOrderLine(1, 1, true))
	if want := (stats.Money{GrossMinor: math.MaxInt64, Orders: 3, Units: 3}); !errors.Is(err, stats.ErrTooLarge) || m != want {
		t.Errorf("%+v, %v; want %+v", m, err, want)
	}
}
