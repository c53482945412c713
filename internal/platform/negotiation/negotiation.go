// Package negotiation reads from the header of a request which representation of an answer it takes (RFC 9110, section 12.5).
// An element with a malformed weight counts as one that is not there.
package negotiation

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// MediaType returns the media type that a request prefers among those offered, by its header Accept. Of equally good ones it is
// the first. Without the header it is the first of all. It returns false if the header allows none of them.
func MediaType(header http.Header, offered ...string) (string, bool) {
	accept := strings.Join(header["Accept"], ",")
	if strings.TrimSpace(accept) == "" {
		return offered[0], true
	}
	ranges := parseAccept(accept)
	best, quality := "", 0.0
	for _, name := range offered {
		if q := ranges.quality(name); q > quality {
			best, quality = name, q
		}
	}
	return best, quality > 0
}

// mediaRange is an element of the header Accept.
type mediaRange struct {
	name    string
	quality float64
}

type mediaRanges []mediaRange

func parseAccept(value string) (ranges mediaRanges) {
	for element := range strings.SplitSeq(value, ",") {
		name, parameters, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		r := mediaRange{name: name, quality: 1}
		if name == "*" { // Java sends that
			r.name = "*/*"
		}
		if text, given := parameters["q"]; given {
			if r.quality, given = weight(text); !given {
				continue
			}
		}
		ranges = append(ranges, r)
	}
	return ranges
}

// quality returns that of the most specific range that a media type is in; 0 is not acceptable.
func (r mediaRanges) quality(offered string) float64 {
	kind, _, _ := strings.Cut(offered, "/")
	for _, name := range []string{offered, kind + "/*", "*/*"} {
		for _, each := range r {
			if each.name == name {
				return each.quality
			}
		}
	}
	return 0
}

// Gzip reports whether Accept-Encoding names gzip, with a weight that is neither 0 nor below that of no encoding. It allocates
// nothing.
func Gzip(header http.Header) bool {
	var gzip, identity float64
	for _, line := range header["Accept-Encoding"] {
		for element := range strings.SplitSeq(line, ",") {
			name, parameters, weighted := strings.Cut(element, ";")
			name = strings.TrimSpace(name)
			zipped := strings.EqualFold(name, "gzip") || strings.EqualFold(name, "x-gzip")
			if !zipped && !strings.EqualFold(name, "identity") {
				continue
			}
			quality := 1.0
			if weighted {
				quality = weightOf(parameters)
			}
			if zipped {
				gzip = max(gzip, quality)
			} else {
				identity = quality
			}
		}
	}
	return gzip > 0 && gzip >= identity
}

// weightOf returns the weight in the parameters of an element that can have no others; 0 if they are malformed.
func weightOf(parameters string) float64 {
	name, text, _ := strings.Cut(strings.TrimSpace(parameters), "=")
	if !strings.EqualFold(name, "q") {
		return 0
	}
	quality, _ := weight(text)
	return quality
}

// weight parses a number from 0 to 1. It may have more decimals than the three of RFC 9110, and none before the point, as Java
// sends it.
func weight(text string) (float64, bool) {
	for _, c := range []byte(text) {
		if c != '.' && (c < '0' || c > '9') {
			return 0, false // ParseFloat takes signs, exponents, hexadecimals and names
		}
	}
	quality, err := strconv.ParseFloat(text, 64)
	if err != nil || quality > 1 {
		return 0, false
	}
	return quality, true
}
