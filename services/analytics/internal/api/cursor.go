package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// A cursor is the base64url of: format, rank, value and key of the last place of a page, digest of the question.
const (
	cursorFormat = 1
	digestBytes  = 8
	cursorBytes  = 1 + 4 + 8 + 8 + digestBytes
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// cursorAfter returns the cursor of the page that follows last in the answer to question; nil if last is.
func cursorAfter(question string, last *report.Place) *string {
	if last == nil {
		return nil
	}
	raw := make([]byte, 0, cursorBytes)
	raw = append(raw, cursorFormat)
	raw = binary.BigEndian.AppendUint32(raw, uint32(last.Rank))
	raw = binary.BigEndian.AppendUint64(raw, uint64(last.Value))
	raw = binary.BigEndian.AppendUint64(raw, uint64(last.Key))
	raw = append(raw, questionDigest(question)...)
	cursor := cursorEncoding.EncodeToString(raw)
	return &cursor
}

// readCursor returns the place after which a page begins; without a cursor it is the beginning. It refuses a cursor of another
// question, whose pages would silently skip places.
func readCursor(question string, cursor *string) (report.Place, error) {
	if cursor == nil {
		return report.Place{}, nil
	}
	raw, err := cursorEncoding.DecodeString(*cursor)
	if err != nil || len(raw) != cursorBytes || raw[0] != cursorFormat {
		return report.Place{}, queryError("cursor", "invalid_cursor", "The cursor is not one that this ranking returned.")
	}
	if string(raw[cursorBytes-digestBytes:]) != string(questionDigest(question)) {
		return report.Place{}, queryError("cursor", "cursor_mismatch",
			"The cursor belongs to another ranking. Repeat the parameters of the first page, from and to included, or start again without a cursor.")
	}
	place := report.Place{
		Rank:  int(binary.BigEndian.Uint32(raw[1:])),
		Value: int64(binary.BigEndian.Uint64(raw[5:])),
		Key:   int64(binary.BigEndian.Uint64(raw[13:])),
	}
	if place.Rank < 1 || place.Rank > maxRank {
		return report.Place{}, queryError("cursor", "invalid_cursor", "The cursor is not one that this ranking returned.")
	}
	return place, nil
}

// maxRank bounds what a cursor that somebody made up can ask for: there are not more products.
const maxRank = 1 << 30

func questionDigest(question string) []byte {
	sum := sha256.Sum256([]byte(question))
	return sum[:digestBytes]
}

// queryError is the answer to a query parameter that is not acceptable.
func queryError(parameter, code, detail string) error {
	return errs.New(errs.Invalid, code, detail, errs.Field{Pointer: "/query/" + parameter, Code: code, Detail: detail})
}
