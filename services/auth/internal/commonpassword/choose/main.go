// Command choose makes the list of package commonpassword. It prints the most frequent passwords of the file that its first
// argument names, which is sorted by frequency, and all of the second: those that are long enough, folded, sorted.
package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hp-analytics/hp-analytics/services/auth/internal/commonpassword"
)

// size is how many passwords of the first file are chosen.
const size = 20_000

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: choose FREQUENT EXTRA")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "choose:", err)
		os.Exit(1)
	}
}

func run(frequent, extra string) error {
	chosen := make(map[string]bool, size)
	for _, source := range []struct {
		path string
		size int
	}{{frequent, size}, {extra, 2 * size}} {
		content, err := os.ReadFile(source.path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(content)) {
			password := commonpassword.Fold(strings.TrimRight(line, "\r\n"))
			if len(chosen) < source.size && utf8.ValidString(password) && utf8.RuneCountInString(password) >= commonpassword.MinRunes {
				chosen[password] = true
			}
		}
	}
	out := bufio.NewWriter(os.Stdout)
	for _, password := range slices.Sorted(maps.Keys(chosen)) {
		_, _ = fmt.Fprintln(out, password) // Flush returns the error
	}
	return out.Flush()
}
