package api

import (
	"context"

	"github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/channel"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/digest"
)

// ListDigests implements StrictServerInterface.
func (s *Server) ListDigests(ctx context.Context, _ ListDigestsRequestObject) (ListDigestsResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Digests(ctx, caller.Project.ID)
	if err != nil {
		return nil, err
	}
	answer := ListDigests200JSONResponse{Items: make([]Digest, len(list))}
	for i, d := range list {
		answer.Items[i] = digestAnswer(d)
	}
	return answer, nil
}

// CreateDigest implements StrictServerInterface.
func (s *Server) CreateDigest(ctx context.Context, request CreateDigestRequestObject) (CreateDigestResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	content, err := digestOf(request.Body)
	if err != nil {
		return nil, err
	}
	secret := content.NewSecret()
	d, err := s.store(ctx).CreateDigest(ctx, caller.Project.ID, content, secret)
	if err != nil {
		return nil, err
	}
	return CreateDigest201JSONResponse{
		Body: DigestCreated{Digest: digestAnswer(d), Secret: secret}, Headers: CreateDigest201ResponseHeaders{CacheControl: noStore, Location: "/digests/" + d.ID.String()},
	}, nil
}

// ReplaceDigest implements StrictServerInterface.
func (s *Server) ReplaceDigest(ctx context.Context, request ReplaceDigestRequestObject) (ReplaceDigestResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	content, err := digestOf(request.Body)
	if err != nil {
		return nil, err
	}
	d, err := s.store(ctx).ReplaceDigest(ctx, caller.Project.ID, request.ID, content)
	if err != nil {
		return nil, err
	}
	return ReplaceDigest200JSONResponse(digestAnswer(d)), nil
}

// DeleteDigest implements StrictServerInterface.
func (s *Server) DeleteDigest(ctx context.Context, request DeleteDigestRequestObject) (DeleteDigestResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.store(ctx).DeleteDigest(ctx, caller.Project.ID, request.ID); err != nil {
		return nil, err
	}
	return DeleteDigest204Response{}, nil
}

// TestDigest implements StrictServerInterface. The aggregator sends the test.
func (s *Server) TestDigest(ctx context.Context, request TestDigestRequestObject) (TestDigestResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	v, err := s.store(ctx).TestDigest(ctx, caller.Project.ID, request.ID, s.TestLimit)
	if err != nil {
		return nil, err
	}
	return TestDigest202JSONResponse(deliveryAnswer(v)), nil
}

func digestOf(body *DigestRequest) (digest.Content, error) {
	content := digest.Content{
		Channel: channel.Of(body.Recipients, body.URL), Name: body.Name, Every: string(body.Every), Hour: body.Hour, Enabled: body.Enabled,
	}
	return content.Check()
}

func digestAnswer(d digest.Digest) Digest {
	answer := Digest{
		ID: d.ID, Name: d.Name, Every: DigestInterval(d.Every), Hour: d.Hour, Recipients: d.Recipients, URL: d.URL, Enabled: d.Enabled,
		CreatedAt: d.CreatedAt.UTC(), UpdatedAt: d.UpdatedAt.UTC(),
	}
	if d.Last != nil {
		last := deliveryAnswer(*d.Last)
		answer.Last = &last
	}
	return answer
}

func deliveryAnswer(v digest.Delivery) DigestDelivery {
	return DigestDelivery{
		Test: v.Test, From: types.Date{Time: v.First}, To: types.Date{Time: v.Last}, State: DigestState(v.State), Attempts: v.Attempts, Failure: v.Failure,
		Complete: v.Complete, At: v.At.UTC(),
	}
}
