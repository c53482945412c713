package api

import (
	"cmp"
	"context"
	"time"

	"github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/share"
)

// maxShareLinks is how many links of a project are listed.
const maxShareLinks = 1000

var (
	errShareExpired          = errs.New(errs.Forbidden, "share_link_expired", "This link has expired. Ask whoever sent it for a new one.")
	errSharePasswordRequired = errs.New(errs.Unauthenticated, "share_password_required", "This link has a password. Ask whoever sent it.")
	errSharePassword         = errs.New(errs.Unauthenticated, "wrong_share_password", "The password of the link is wrong.")
)

// ListShareLinks implements StrictServerInterface.
func (s *Server) ListShareLinks(ctx context.Context, _ ListShareLinksRequestObject) (ListShareLinksResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	links, err := s.Store.ShareLinks(ctx, caller.Project.ID, maxShareLinks)
	if err != nil {
		return nil, err
	}
	answer := ListShareLinks200JSONResponse{Items: make([]ShareLink, len(links))}
	for i, l := range links {
		answer.Items[i] = ShareLink{
			ID: l.ID, Name: l.Name, Report: pinnedReport(l.Report), Password: l.PasswordHash != "", Account: l.Account, Works: l.Works(time.Now()),
			CreatedAt: l.CreatedAt.UTC(), ExpiresAt: l.ExpiresAt.UTC(), RevokedAt: utc(l.RevokedAt),
		}
	}
	return answer, nil
}

// CreateShareLink implements StrictServerInterface.
func (s *Server) CreateShareLink(ctx context.Context, request CreateShareLinkRequestObject) (CreateShareLinkResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	body := request.Body
	l, err := share.New(share.Request{Name: body.Name, Report: reportOf(body.Report), ExpiresAt: body.ExpiresAt}, time.Now())
	if err != nil {
		return nil, err
	}
	if body.Password != nil {
		if l.PasswordHash, err = s.Hasher.Hash(ctx, *body.Password); err != nil {
			return nil, err
		}
	}
	secret := authn.NewLinkSecret()
	if l, err = s.store(ctx).CreateShareLink(ctx, secret, caller, l); err != nil {
		return nil, err
	}
	return CreateShareLink201JSONResponse{
		Body: ShareLinkCreated{
			ID: l.ID, Name: l.Name, Report: pinnedReport(l.Report), Password: l.PasswordHash != "", CreatedAt: l.CreatedAt.UTC(), ExpiresAt: l.ExpiresAt.UTC(),
			Secret: secret, Path: "/app/shared#" + secret,
		},
		Headers: CreateShareLink201ResponseHeaders{CacheControl: noStore, Location: "/auth/share-links/" + l.ID.String()},
	}, nil
}

// RevokeShareLink implements StrictServerInterface.
func (s *Server) RevokeShareLink(ctx context.Context, request RevokeShareLinkRequestObject) (RevokeShareLinkResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.store(ctx).RevokeShareLink(ctx, caller.Project.ID, request.ID); err != nil {
		return nil, err
	}
	return RevokeShareLink204Response{}, nil
}

// OpenShareLink implements StrictServerInterface. Attempts limits wrong passwords.
func (s *Server) OpenShareLink(ctx context.Context, request OpenShareLinkRequestObject) (OpenShareLinkResponseObject, error) {
	secret := request.Body.Secret
	l, err := s.Store.ShareLink(ctx, secret)
	if err != nil {
		return nil, err
	}
	if !l.ExpiresAt.After(time.Now()) {
		return nil, errShareExpired
	}
	if l.PasswordHash != "" {
		if request.Body.Password == nil {
			return nil, errSharePasswordRequired
		}
		if ok, _, err := s.Hasher.Verify(ctx, *request.Body.Password, l.PasswordHash); err != nil {
			return nil, err
		} else if !ok {
			return nil, errSharePassword
		}
	}
	return OpenShareLink200JSONResponse{
		Body: SharedReport{
			Name: l.Name, ProjectName: l.ProjectName, Report: pinnedReport(l.Report), ExpiresAt: l.ExpiresAt.UTC(), Key: authn.LinkKey(secret, l.PasswordHash),
		},
		Headers: OpenShareLink200ResponseHeaders{CacheControl: noStore},
	}, nil
}

func reportOf(r PinnedReport) share.Report {
	report := share.Report{Kind: share.Kind(r.Kind), ProductID: r.ProductID, Interval: string(cmp.Or(r.Interval, PinnedIntervalDay))}
	if r.From != nil {
		report.From = r.From.Format(time.DateOnly)
	}
	if r.To != nil {
		report.To = r.To.Format(time.DateOnly)
	}
	if r.Days != nil {
		report.Days = *r.Days
	}
	return report
}

func pinnedReport(r share.Report) PinnedReport {
	report := PinnedReport{Kind: PinnedReportKind(r.Kind), ProductID: r.ProductID, Interval: PinnedInterval(r.Interval), From: date(r.From), To: date(r.To)}
	if r.Days != 0 {
		report.Days = &r.Days
	}
	return report
}

// date returns nil for a report that has no such date.
func date(text string) *types.Date {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil
	}
	return &types.Date{Time: day}
}
