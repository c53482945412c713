package api

import (
	"context"
	"fmt"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// TopUsers implements GET /analytics/users/top.
func (s *Server) TopUsers(ctx context.Context, request TopUsersRequestObject) (TopUsersResponseObject, error) {
	p := request.Params
	project, err := s.projectOf(ctx)
	if err != nil {
		return nil, err
	}
	q := report.Ranking{Metric: report.Metric(valueOr(p.Metric, UserMetric(report.Events))), Limit: valueOr(p.Limit, defaultLimit)}
	if q.Range, err = s.dateRange(project, p.From, p.To, report.Daily); err != nil {
		return nil, err
	}
	if q.Currency, err = currencyOf(project.Project, q.Metric, p.Currency); err != nil {
		return nil, err
	}
	asked := fmt.Sprintf("users:%d:%s:%s:%s", project.ID, q.Metric, q.Currency, q.Range)
	if q.After, err = readCursor(asked, p.Cursor); err != nil {
		return nil, err
	}
	ask := question{
		project: project, about: aboutProject(project.ID), today: endsToday(p.To, q.Range), key: fmt.Sprintf("%s:%v:%d", asked, q.After, q.Limit),
		cost: usersWeight * q.Range.Days(),
	}
	return answer(ctx, s, ask, func(ctx context.Context) (TopUsers, error) {
		top, err := s.Reports.TopUsers(ctx, project.Project, q)
		page := toAPITopUsers(q, top)
		page.NextCursor = cursorAfter(asked, top.Next)
		return page, err
	})
}

func (t *TopUsers) meta() *Meta { return &t.Meta }

func toAPITopUsers(q report.Ranking, t report.TopUsers) TopUsers {
	items := make([]TopUser, len(t.Items))
	for i, item := range t.Items {
		items[i] = TopUser{Rank: item.Place.Rank, Value: item.Place.Value, Counts: toAPICounts(item.Counts)}
		if item.Anonymous {
			items[i].AnonymousID = optional(item.ID)
		} else {
			items[i].UserID = optional(item.ID)
		}
	}
	return TopUsers{
		Metric: UserMetric(q.Metric), Currency: optional(q.Currency), From: toAPIDay(q.Range.From), To: toAPIDay(q.Range.To), Items: items,
		Meta: toAPIMeta(t.Meta),
	}
}
