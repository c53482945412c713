package order

import (
	"cmp"
	"math/bits"
	"slices"
)

// allocate divides amount among shares in proportion to them, by the method of the largest remainder: each part is the exact
// one, rounded down or up, and the parts add up to amount. No part is larger than its share. amount is at most the sum of the
// shares, which is at most 2^63-1. Of equal remainders the earlier is rounded up.
func allocate(amount int64, shares []int64) []int64 {
	var sum uint64
	for _, share := range shares {
		sum += uint64(share)
	}
	parts := make([]int64, len(shares))
	if sum == 0 {
		return parts
	}
	remainders, order, left := make([]uint64, len(shares)), make([]int, len(shares)), amount
	for i, share := range shares {
		high, low := bits.Mul64(uint64(amount), uint64(share))
		part, remainder := bits.Div64(high, low, sum) // part <= share, so it does not overflow
		parts[i], remainders[i], order[i] = int64(part), remainder, i
		left -= int64(part)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainders[b], remainders[a]) })
	for _, i := range order[:left] {
		parts[i]++
	}
	return parts
}
