package order

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

var shoe, hat = uuid.MustParse("0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"), uuid.MustParse("0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a11")

// twoShoesAndAHat is an order of 3 lines: 3 shoes for 100.00, a hat for 0.01, and 2 more shoes for 50.00.
func twoShoesAndAHat() *Order {
	return &Order{Currency: "EUR", User: 7, Lines: []Line{
		{Product: 1, ProductID: shoe, SKU: "SHOE", Quantity: 3, AmountMinor: 10000},
		{Product: 2, ProductID: hat, SKU: "HAT", Quantity: 1, AmountMinor: 1},
		{Product: 1, ProductID: shoe, SKU: "SHOE", Quantity: 2, AmountMinor: 5000},
	}}
}

// TestRefunds plans one refund after the other of the same order.
func TestRefunds(t *testing.T) {
	t.Parallel()
	type back struct {
		Line          int16
		Units, Amount int64
	}
	for name, steps := range map[string][]struct {
		refund Refund
		want   []back
		code   string
	}{
		"two of three units, then the rest": {
			{Refund{Request: []RefundItem{{Line: 1, Quantity: new(int64(2))}}}, []back{{1, 2, 6666}}, ""},
			{Refund{Request: []RefundItem{{Line: 1, Quantity: new(int64(2))}}}, nil, CodeRefundTooLarge},
			{Refund{Request: []RefundItem{{Line: 1}}}, []back{{1, 1, 3334}}, ""},
			{Refund{Request: []RefundItem{{Line: 1}}}, nil, CodeRefundTooLarge},
			{Refund{}, []back{{2, 1, 1}, {3, 2, 5000}}, ""},
			{Refund{}, nil, CodeRefundTooLarge},
		},
		"an amount alone": {
			{Refund{AmountMinor: new(int64(15002))}, nil, CodeRefundTooLarge},
			{Refund{AmountMinor: new(int64(100))}, []back{{1, 0, 67}, {3, 0, 33}}, ""},
			{Refund{AmountMinor: new(int64(14901))}, []back{{1, 0, 9933}, {2, 0, 1}, {3, 0, 4967}}, ""},
			{Refund{AmountMinor: new(int64(1))}, nil, CodeRefundTooLarge},
			{Refund{}, []back{{1, 3, 0}, {2, 1, 0}, {3, 2, 0}}, ""},
		},
		"by product": {
			{Refund{Request: []RefundItem{{Product: event.Ref{SKU: "SHOE"}, Quantity: new(int64(4))}}}, []back{{1, 3, 10000}, {3, 1, 2500}}, ""},
			{Refund{Request: []RefundItem{{Product: event.Ref{ID: shoe}, AmountMinor: new(int64(2501))}}}, nil, CodeRefundTooLarge},
			{Refund{Request: []RefundItem{{Product: event.Ref{ID: shoe}, AmountMinor: new(int64(500))}}}, []back{{3, 0, 500}}, ""},
			{Refund{Request: []RefundItem{{Product: event.Ref{ID: shoe}, Quantity: new(int64(1)), AmountMinor: new(int64(0))}}}, []back{{3, 1, 0}}, ""},
			{Refund{Request: []RefundItem{{Product: event.Ref{SKU: "SCARF"}}}}, nil, CodeNotInOrder},
			{Refund{Request: []RefundItem{{Line: 4}}}, nil, CodeNotInOrder},
		},
		"a line twice in a refund": {
			{Refund{Request: []RefundItem{{Line: 1, Quantity: new(int64(1))}, {Line: 1, Quantity: new(int64(1))}}}, []back{{1, 2, 6666}}, ""},
			{Refund{Request: []RefundItem{{Line: 1, Quantity: new(int64(1))}, {Line: 1, Quantity: new(int64(1))}}}, nil, CodeRefundTooLarge},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := twoShoesAndAHat()
			for i, step := range steps {
				planned := *o
				planned.Lines = append([]Line(nil), o.Lines...)
				r := step.refund
				if err := r.Plan(&planned); err != nil {
					if step.code == "" || errs.CodeOf(err) != step.code {
						t.Fatalf("step %d: %v, want %q", i, err, step.code)
					}
					continue
				}
				var got []back
				for _, l := range r.Lines {
					got = append(got, back{l.Line, l.Units, l.AmountMinor})
				}
				if diff := cmp.Diff(step.want, got); diff != "" || step.code != "" {
					t.Fatalf("step %d (-want %s +got):\n%s", i, step.code, diff)
				}
				if r.User != o.User || r.Currency != o.Currency {
					t.Errorf("step %d: user %d, %s", i, r.User, r.Currency)
				}
				*o = planned
			}
		})
	}
}

// TestRandomRefunds refunds random orders until nothing is left, and keeps the sums of each line in an independent way.
func TestRandomRefunds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		o := randomOrder(random)
		units, amounts := make([]int64, len(o.Lines)), make([]int64, len(o.Lines))
		for step := 0; ; step++ {
			var left int64
			for i := range o.Lines {
				left += o.Lines[i].AmountMinor - amounts[i]
			}
			r, wantTotal := randomRefund(random, o, units, amounts, left)
			planned := *o
			planned.Lines = append([]Line(nil), o.Lines...)
			err := r.Plan(&planned)
			if (err != nil) != (wantTotal == nil) {
				t.Fatalf("seed %d, step %d: %+v of %+v: %v, want a total of %v", seed, step, r, o, err, wantTotal)
			}
			if err == nil {
				*o = planned
				if r.TotalMinor() != *wantTotal {
					t.Fatalf("seed %d, step %d: %+v: %d in all, want %d", seed, step, r, r.TotalMinor(), *wantTotal)
				}
				for _, l := range r.Lines {
					units[l.Line-1] += l.Units
					amounts[l.Line-1] += l.AmountMinor
				}
			}
			for i, l := range o.Lines {
				if l.RefundedMinor != amounts[i] || l.RefundedUnits != units[i] || amounts[i] > l.AmountMinor || units[i] > l.Quantity {
					t.Fatalf("seed %d, step %d: line %d is %+v, want %d units and %d back", seed, step, i, l, units[i], amounts[i])
				}
			}
			if step > 6 {
				break
			}
		}
	}
}

func randomOrder(random *rand.Rand) *Order {
	o := &Order{Currency: "KWD"}
	for range 1 + random.IntN(6) {
		product := int32(1 + random.IntN(3))
		o.Lines = append(o.Lines, Line{
			Product: product, ProductID: uuid.UUID{15: byte(product)}, Quantity: 1 + random.Int64N(9), AmountMinor: random.Int64N(3000),
		})
	}
	return o
}

// randomRefund also returns what it has to pay back in all; nil if it must be refused.
func randomRefund(random *rand.Rand, o *Order, units, amounts []int64, left int64) (Refund, *int64) {
	switch random.IntN(3) {
	case 0:
		amount := 1 + random.Int64N(1+left+left/8)
		if amount > left {
			return Refund{AmountMinor: &amount}, nil
		}
		return Refund{AmountMinor: &amount}, &amount
	case 1:
		i := random.IntN(len(o.Lines))
		line := &o.Lines[i]
		quantity := 1 + random.Int64N(line.Quantity)
		r := Refund{Request: []RefundItem{{Line: int64(i + 1), Quantity: &quantity}}}
		leftUnits := line.Quantity - units[i]
		if quantity > leftUnits {
			return r, nil
		}
		part := new(big.Int).Mul(big.NewInt(line.AmountMinor-amounts[i]), big.NewInt(quantity))
		return r, new(part.Quo(part, big.NewInt(leftUnits)).Int64())
	default:
		i := random.IntN(len(o.Lines))
		line := &o.Lines[i]
		r := Refund{Request: []RefundItem{{Line: int64(i + 1)}}}
		if line.Quantity == units[i] && line.AmountMinor == amounts[i] {
			return r, nil
		}
		return r, new(line.AmountMinor - amounts[i])
	}
}
