package order

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAllocateAgainstTheDefinition compares with exact fractions: the parts add up, and each is its exact value rounded, the
// largest fractions up.
func TestAllocateAgainstTheDefinition(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		shares := make([]int64, 1+random.IntN(8))
		var sum int64
		for i := range shares {
			shares[i] = random.Int64N([]int64{2, 10, 1000, maxAmountMinor}[random.IntN(4)])
			sum += shares[i]
		}
		amount := random.Int64N(sum + 1)
		got, want := allocate(amount, shares), naive(amount, shares)
		if !slices.Equal(got, want) {
			t.Fatalf("%d among %d: got %d, want %d", amount, shares, got, want)
		}
		for i, part := range got {
			if part < 0 || part > shares[i] {
				t.Fatalf("%d among %d: part %d is %d", amount, shares, i, part)
			}
		}
	}
}

// naive gives one unit after the other to whose exact part is furthest above what it has, as fractions.
func naive(amount int64, shares []int64) []int64 {
	sum := new(big.Int)
	for _, share := range shares {
		sum.Add(sum, big.NewInt(share))
	}
	parts := make([]int64, len(shares))
	if sum.Sign() == 0 {
		return parts
	}
	fractions, left := make([]*big.Rat, len(shares)), amount
	for i, share := range shares {
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(amount), big.NewInt(share)), sum)
		whole := new(big.Int).Quo(exact.Num(), exact.Denom())
		parts[i] = whole.Int64()
		left -= parts[i]
		fractions[i] = exact.Sub(exact, new(big.Rat).SetInt(whole))
	}
	for ; left > 0; left-- {
		most := 0
		for i := range fractions {
			if fractions[i].Cmp(fractions[most]) > 0 {
				most = i
			}
		}
		parts[most]++
		fractions[most].SetInt64(-1)
	}
	return parts
}
