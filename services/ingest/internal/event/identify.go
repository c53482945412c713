package event

import "context"

// Identify joins the anonymous ids that some orders name together with a user. A request that holds events and orders calls it before
// it records either, because they are recorded one after the other: so all of them count for the same users. Drafts are not changed;
// one whose ids are refused joins nothing.
func (r *Recorder) Identify(ctx context.Context, caller Caller, orders []FactDraft) error {
	var pairs []UserRef
	for _, d := range orders {
		if d.Refused() || !d.Has(FieldUserID) || !d.Has(FieldAnonymousID) {
			continue
		}
		d.Problems = nil // not to write into those of the caller
		if ref := Buyer(&d, caller); !d.Refused() {
			pairs = append(pairs, ref)
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	_, err := r.dictionary.Users(ctx, caller.Project.ID, pairs)
	return err
}
