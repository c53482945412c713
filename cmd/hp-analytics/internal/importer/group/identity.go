package group

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// namespace is that of the ids of rows without one, for version 5 (RFC 9562, section 5.5).
var namespace = uuid.MustParse("b9c7a4de-51a0-4a62-8f5c-2f3f0f3f7a10")

// Identities gives ids to facts without a number: by what they say and how often the same was said before in the file. So the
// ids of a file are the same in each run and whatever the order of its rows.
type Identities struct {
	seen map[uint64]uint32 // how often; only of what the file says repeatedly
}

// NewIdentities returns the identities of a file of which Repeats knows what it says repeatedly.
func NewIdentities(r *Repeats) (*Identities, error) {
	repeated, err := r.repeated()
	return &Identities{seen: repeated}, err
}

// Of returns the id of a fact without a number, or of a row with an Err, which says no more than its text. A row that was mended
// has the id that it was refused with.
func (i *Identities) Of(row *source.Row, f mapping.Fact) (string, error) {
	content, err := contentOf(row, f)
	if err != nil {
		return "", err
	}
	hash := xxhash.Sum64(content)
	before, repeated := i.seen[hash]
	if repeated {
		i.seen[hash]++
	}
	if row.Origin != "" {
		return row.Origin, nil
	}
	return uuid.NewSHA1(namespace, strconv.AppendUint(append(content, '\n'), uint64(before), 10)).String(), nil
}

// contentOf returns what a fact says. Equal facts have equal contents, however the row is written.
func contentOf(row *source.Row, f mapping.Fact) ([]byte, error) {
	if row.Err != nil {
		return []byte(row.Text), nil //nolint:nilerr // a row that cannot be read is known by its text
	}
	content, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode a fact: %w", err)
	}
	return content, nil
}
