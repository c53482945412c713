package tail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"
)

// refused looks at what is refused again and again, and shows what is new. What was refused before the first look is not shown.
func (f *follower) refused(ctx context.Context) error {
	var seen map[uuid.UUID]struct{} // what the last look has found; nil before the first one
	for {
		items, err := f.rejections(ctx)
		if refused, ok := errors.AsType[refusal](err); ok {
			return refused
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			now := make(map[uuid.UUID]struct{}, len(items))
			for _, item := range slices.Backward(items) { // the oldest first
				var id struct{ ID uuid.UUID }
				if err := json.Unmarshal(item, &id); err != nil {
					return fmt.Errorf("read a refusal: %w", err)
				}
				now[id.ID] = struct{}{}
				if _, known := seen[id.ID]; known || seen == nil {
					continue
				}
				if err := f.show("refused", item); err != nil {
					return err
				}
			}
			seen = now
		}
		if err := pause(ctx, refusedEvery); err != nil {
			return err
		}
	}
}

// mostAnswer bounds an answer, in bytes: a thousand refusals have half a megabyte.
const mostAnswer = 16 << 20

func (f *follower) rejections(ctx context.Context) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := f.get(ctx, "/rejections?limit=1000", "")
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	var list struct{ Items []json.RawMessage }
	if err := json.NewDecoder(io.LimitReader(answer.Body, mostAnswer)).Decode(&list); err != nil {
		return nil, fmt.Errorf("read what was refused: %w", err)
	}
	return list.Items, nil
}
