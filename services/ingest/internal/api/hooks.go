package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/rejections"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

// hookGrace is how long the refund of an unknown order is sent back, so that the service sends it again: webhooks overtake each other.
// Services give up later, and some then drop the subscription, so after it the refund is stored without the order.
const hookGrace = time.Hour

var (
	errOtherHook = errs.New(errs.Forbidden, "forbidden", "The key is of the webhooks of another service.")
	errUnsigned  = errs.New(errs.Unavailable, "signing_secret_missing",
		"The secret is not set with which the service signs. Set it with PUT /auth/api-keys/{id}/signing-secret; the service sends the webhook again.")
	errOrderToCome error = errs.New(errs.Conflict, "order_to_come", "The order is not known yet. Send the webhook again.").After(time.Minute)
)

// hook is what an adapter knows of the webhooks of a service.
type hook struct {
	service string
	format  format[[]byte]
	// verify returns an error for a body that the service did not sign with the secret.
	verify func(secret string, body []byte) error
	// parse reads a body. An error refuses it as a whole.
	parse func(body []byte) (webhook.Delivery, error)
}

// signedBody is the format of webhooks: they are read after their signatures are checked.
func signedBody(bytes int64, tooLarge error) format[[]byte] {
	return format[[]byte]{
		bytes: bytes, tooLarge: tooLarge, signed: true,
		parse: func(body []byte, _ authn.Principal) ([]byte, int, error) { return body, 0, nil },
	}
}

// answerHook answers with success when everything is decided: services send again after every other answer.
func (s *Server) answerHook(w http.ResponseWriter, r *http.Request, key string, h hook) {
	var result HookResult
	err := body.RequireJSON(r)
	if err == nil {
		err = receive(s, w, r, key, h.format, func(k *keyed, data []byte) (err error) {
			result, err = k.hook(h, data)
			return err
		})
	}
	if err == nil {
		err = respond(w, http.StatusOK, result)
	}
	if err != nil {
		problem.Write(w, r, err)
	}
}

// hook stores what a webhook says.
func (k *keyed) hook(h hook, data []byte) (HookResult, error) {
	of := k.caller.Hook
	switch {
	case of == nil || of.Service != h.service:
		return HookResult{}, errOtherHook
	case of.Secret == "":
		return HookResult{}, k.noted(errUnsigned)
	}
	if err := h.verify(of.Secret, data); err != nil {
		return HookResult{}, k.noted(err)
	}
	if err := k.prove(len(data)); err != nil {
		return HookResult{}, err
	}
	delivery, err := h.parse(data)
	switch {
	case err != nil:
		return HookResult{}, k.unreadable(err)
	case delivery.Order != nil:
		return k.hookOrder(delivery.Order)
	case delivery.Refund != nil:
		return k.hookRefund(delivery.Refund)
	}
	return HookResult{Result: HookResultResultIgnored, Detail: delivery.Ignored}, nil
}

// noted notes why a webhook is sent back that only the owner of the key can set right.
func (k *keyed) noted(err error) error {
	if refusal, ok := errors.AsType[*errs.Error](err); ok {
		k.rejections.Refused(senderOf(callerOf(k.caller)), rejections.Request, errs.Field{Code: refusal.Code, Detail: refusal.Detail}, nil)
	}
	return err
}

// decided returns the result of what was stored or refused for good, or the error after which the same is sent again.
func decided(replayed bool, err error) (HookResult, error) {
	switch {
	case again(err):
		return HookResult{}, err
	case err != nil:
		detail := err.Error()
		if refusal, ok := errors.AsType[*errs.Error](err); ok {
			detail = refusal.Detail
			if len(refusal.Fields) > 0 {
				detail = refusal.Fields[0].Pointer + ": " + refusal.Fields[0].Detail
			}
		}
		return HookResult{Result: HookResultResultRefused, Detail: detail}, nil
	case replayed:
		return HookResult{Result: HookResultResultReplayed}, nil
	}
	return HookResult{Result: HookResultResultStored}, nil
}

// hookOrder stores an order. One whose id is stored with other content is the same order: it was changed since, or another webhook says
// more of it. The first one counts.
func (k *keyed) hookOrder(d *order.Draft) (HookResult, error) {
	drafts := []order.Draft{*d}
	if err := k.quota.lines(drafts); err != nil {
		return HookResult{}, err
	}
	sender := callerOf(k.caller)
	outcomes, err := k.orders.Orders(k.ctx, sender, drafts, nil)
	if err != nil {
		return HookResult{}, err
	}
	stored := outcomes[0]
	if errs.Is(stored.Err, errs.Conflict) {
		stored = order.Outcome{Replayed: true}
	}
	k.orderDone(sender, &drafts[0], stored.Replayed, stored.Err)
	return decided(stored.Replayed, stored.Err)
}

// hookRefund stores a refund, and like hookOrder what the first webhook says of it.
func (k *keyed) hookRefund(r *webhook.Refund) (HookResult, error) {
	if err := k.quota.events(max(1, len(r.Draft.Lines))); err != nil {
		return HookResult{}, err
	}
	sender := callerOf(k.caller)
	replayed, err := k.storeHookRefund(sender, r)
	switch {
	case errors.Is(err, errOrderToCome):
		return HookResult{}, err
	case errors.Is(err, errOrderUnneeded):
		return HookResult{Result: HookResultResultIgnored, Detail: "The order is not known, so there is nothing to give back."}, nil
	case errs.Is(err, errs.Conflict):
		replayed, err = true, nil
	}
	k.refundDone(sender, replayed, err, func() json.RawMessage { return rejections.RefundItem(&r.Draft) })
	return decided(replayed, err)
}

var errOrderUnneeded = errors.New("nothing is known of the order, and nothing is to be stored without it")

func (k *keyed) storeHookRefund(sender event.Caller, r *webhook.Refund) (replayed bool, _ error) {
	id, err := identifier.ID(sender.Project.ID, "", r.Order)
	if err != nil || id == uuid.Nil {
		return false, event.Refusal([]errs.Field{{Pointer: "/order_id", Code: event.CodeInvalidValue, Detail: "This is no id of an order."}})
	}
	of, _, err := k.Server.store.Order(k.ctx, order.Key{Project: sender.Project.ID, ID: id})
	switch {
	case errs.Is(err, errs.NotFound):
		return k.refundWithoutOrder(sender, r)
	case err != nil:
		return false, err
	case r.Currency != "" && of.Currency != r.Currency:
		r.Draft.Refuse("/currency", event.CodeInvalidValue, "The order is in "+of.Currency+".")
	}
	draft := &r.Draft
	if all := draft.Has(event.FieldAmount) && draft.AmountMinor >= of.AmountMinor()-of.RefundedMinor(); all && !draft.Refused() {
		draft = &r.Rest // units come back, too
	}
	outcome, err := k.orders.Refund(k.ctx, sender, id, draft)
	if code := errs.CodeOf(err); code == order.CodeRefundTooLarge || code == order.CodeNotInOrder {
		if rest, some := r.Fit(&of); some {
			outcome, err = k.orders.Refund(k.ctx, sender, id, &rest)
		}
	}
	return outcome.Replayed, err
}

// refundWithoutOrder stores the refund of an order that is not known, unless that may still come.
func (k *keyed) refundWithoutOrder(sender event.Caller, r *webhook.Refund) (replayed bool, _ error) {
	switch {
	case r.Draft.Refused():
		return false, event.Refusal(r.Draft.Problems)
	case time.Since(r.At) < hookGrace:
		return false, errOrderToCome
	case r.Alone == nil:
		return false, errOrderUnneeded
	}
	outcomes, err := k.orders.Refunds(k.ctx, sender, []order.Draft{*r.Alone})
	if err != nil {
		return false, err
	}
	return outcomes[0].Replayed, outcomes[0].Err
}
