// Package quantity writes numbers of things.
package quantity

import "fmt"

// Of formats a number of things, whose plural ends in s or es: 1 day, 2 days, 3 batches.
func Of[N int | int64](n N, thing string) string {
	switch {
	case n == 1:
	case thing[len(thing)-1] == 'h':
		thing += "es"
	default:
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
