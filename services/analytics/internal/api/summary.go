package api

import (
	"context"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// MySummary implements GET /analytics/users/me/summary.
func (s *Server) MySummary(ctx context.Context, request MySummaryRequestObject) (MySummaryResponseObject, error) {
	p, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	return s.summary(ctx, p.Subject, request.Params.From, request.Params.To)
}

// UserSummary implements GET /analytics/users/{id}/summary.
func (s *Server) UserSummary(ctx context.Context, request UserSummaryRequestObject) (UserSummaryResponseObject, error) {
	return s.summary(ctx, request.ID, request.Params.From, request.Params.To)
}

func (s *Server) summary(ctx context.Context, given string, from, to *From) (answered, error) {
	project, err := s.projectOf(ctx)
	if err != nil {
		return answered{}, err
	}
	userID, err := identifier.Text(given)
	if err != nil {
		detail := "The user id " + err.Error() + "."
		return answered{}, errs.New(errs.Invalid, "invalid_value", detail, errs.Field{Pointer: "/path/id", Code: "invalid_value", Detail: detail})
	}
	r, err := s.dateRange(project, from, to, report.Daily)
	if err != nil {
		return answered{}, err
	}
	about, err := s.Numbers.user(ctx, project.ID, userID)
	if err != nil {
		return answered{}, err
	}
	q := question{
		project: project, about: about, today: endsToday(to, r), key: fmt.Sprintf("user:%s:%s", r, userID), cost: r.Days(),
	}
	return answer(ctx, s, q, func(ctx context.Context) (UserSummary, error) {
		summary, err := s.Reports.Summary(ctx, project.Project, userID, r)
		return toAPISummary(summary), err
	})
}
