package webhook

import (
	"encoding/json"
	"errors"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// Lines are the elements of an array of lines, refunds or corrections. It decodes one more than an order may have lines, so that a body with
// more can be refused: the millions of {} that fit into a body would take thirty times its bytes.
type Lines[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *Lines[T]) UnmarshalJSON(data []byte) (err error) {
	*l, err = first[T](data, order.MaxLines+1)
	return err
}

// MaxParts is how many parts, such as discounts, a line has at most; services allow fewer.
const MaxParts = 50

// Parts are the parts of a line. As Lines it decodes one more than there may be.
type Parts[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (p *Parts[T]) UnmarshalJSON(data []byte) (err error) {
	*p, err = first[T](data, MaxParts+1)
	return err
}

var errEnough = errors.New("the elements beyond are not read")

// first decodes the first elements of an array, or nothing of null.
func first[T any](data []byte, most int) (all []T, _ error) {
	if data[0] == 'n' {
		return nil, nil
	}
	err := decode.Array(data, func(value []byte) error {
		if len(all) == most {
			return errEnough
		}
		var one T
		err := json.Unmarshal(value, &one)
		all = append(all, one)
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return all, err
}
