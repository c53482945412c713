package rows

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// Format is the media type of an answer with rows.
type Format string

// The formats.
const (
	JSON   Format = "application/json"
	NDJSON Format = "application/x-ndjson"
	CSV    Format = "text/csv"
)

// ContentType returns the value of the header Content-Type.
func (f Format) ContentType() string {
	if f == CSV {
		return "text/csv; charset=utf-8; header=present"
	}
	return string(f)
}

// Negotiate returns the format that a request prefers among those offered, by its header Accept (RFC 9110, section 12.5.1). It is
// the first of those that are equally good, and the first of all if the header is missing or names none of them.
func Negotiate(header http.Header, offered ...Format) Format {
	ranges := parseAccept(strings.Join(header.Values("Accept"), ","))
	best, quality := offered[0], 0.0
	for _, f := range offered {
		if q := ranges.quality(f); q > quality {
			best, quality = f, q
		}
	}
	return best
}

// mediaRange is an element of the header Accept.
type mediaRange struct {
	name    string
	quality float64
}

type mediaRanges []mediaRange

// parseAccept skips elements that are malformed.
func parseAccept(value string) (ranges mediaRanges) {
	for element := range strings.SplitSeq(value, ",") {
		name, parameters, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		r := mediaRange{name: name, quality: 1}
		if text, given := parameters["q"]; given {
			if r.quality, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		ranges = append(ranges, r)
	}
	return ranges
}

// quality returns that of the most specific range that a format is in; 0 is not acceptable.
func (r mediaRanges) quality(f Format) float64 {
	kind, _, _ := strings.Cut(string(f), "/")
	for _, name := range []string{string(f), kind + "/*", "*/*"} {
		for _, each := range r {
			if each.name == name {
				return each.quality
			}
		}
	}
	return 0
}
