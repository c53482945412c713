// Package commonpassword knows the passwords that attackers try first. SOURCE.md names the origin and the licence of the list.
package commonpassword

import (
	_ "embed" // for the list
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MinRunes is the length in characters of the shortest passwords in the list.
const MinRunes = 10

// list holds one password a line, as Fold returns them, in the order of their bytes. It is searched as it is: it lies in
// the read-only data of the program (0.25 MB) and takes no memory beyond that.
//
//go:embed passwords.txt
var list string

// Fold returns the form in which passwords are compared with the list: NFC, without regard to case.
func Fold(password string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(password)))
}

// Contains reports whether password is on the list, in any case and Unicode form. It takes time in proportion to the length
// of password, which the caller bounds.
func Contains(password string) bool { return find(Fold(password)) }

// find searches the list by bisection.
func find(folded string) bool {
	rest := list
	for rest != "" {
		line := strings.LastIndexByte(rest[:len(rest)/2], '\n') + 1 // start of the line in the middle
		entry, after, _ := strings.Cut(rest[line:], "\n")
		switch {
		case folded == entry:
			return true
		case folded < entry:
			rest = rest[:line]
		default:
			rest = after
		}
	}
	return false
}
