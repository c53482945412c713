package api

import (
	"context"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// EventNames implements GET /analytics/events.
func (s *Server) EventNames(ctx context.Context, request EventNamesRequestObject) (EventNamesResponseObject, error) {
	p := request.Params
	project, err := s.projectOf(ctx)
	if err != nil {
		return nil, err
	}
	q := report.Ranking{Limit: valueOr(p.Limit, defaultLimit)}
	if q.Range, err = s.dateRange(project, p.From, p.To, report.Daily); err != nil {
		return nil, err
	}
	asked := fmt.Sprintf("events:%d:%s", project.ID, q.Range)
	if q.After, err = readCursor(asked, p.Cursor); err != nil {
		return nil, err
	}
	ask := question{
		project: project, about: aboutProject(project.ID), today: endsToday(p.To, q.Range), key: fmt.Sprintf("%s:%v:%d", asked, q.After, q.Limit),
		cost: topWeight * q.Range.Days(),
	}
	return answer(ctx, s, ask, func(ctx context.Context) (EventNames, error) {
		names, err := s.Reports.EventNames(ctx, project.Project, q)
		page := toAPIEventNames(q, names)
		page.NextCursor = cursorAfter(asked, names.Next)
		return page, err
	})
}

// EventTimeseries implements GET /analytics/events/timeseries.
func (s *Server) EventTimeseries(ctx context.Context, request EventTimeseriesRequestObject) (EventTimeseriesResponseObject, error) {
	p := request.Params
	project, err := s.projectOf(ctx)
	if err != nil {
		return nil, err
	}
	name, err := eventName(p.Type)
	if err != nil {
		return nil, err
	}
	interval := report.Interval(valueOr(p.Interval, Interval(report.Daily)))
	r, err := s.dateRange(project, p.From, p.To, interval)
	if err != nil {
		return nil, err
	}
	q := question{
		project: project, about: aboutProject(project.ID), today: endsToday(p.To, r),
		key: fmt.Sprintf("event:%q:%s:%s:%s", name, r, interval, project.WeekStart), cost: seriesCost(r, interval),
	}
	return answer(ctx, s, q, func(ctx context.Context) (EventSeries, error) {
		series, err := s.Reports.EventSeries(ctx, project.Project, name, r, interval)
		return toAPIEventSeries(series), err
	})
}

func (n *EventNames) meta() *Meta  { return &n.Meta }
func (s *EventSeries) meta() *Meta { return &s.Meta }

func toAPIEventNames(q report.Ranking, n report.EventNames) EventNames {
	items := make([]EventNameCount, len(n.Items))
	for i, item := range n.Items {
		items[i] = EventNameCount{
			Rank: item.Place.Rank, Type: item.Name, Events: item.Place.Value,
			UniqueUsers: item.Users.Number, UniqueUsersExact: item.Users.Exact,
		}
	}
	return EventNames{From: toAPIDay(q.Range.From), To: toAPIDay(q.Range.To), Items: items, Meta: toAPIMeta(n.Meta)}
}

func toAPIEventSeries(s report.EventSeries) EventSeries {
	points := make([]EventPoint, len(s.Points))
	for i, p := range s.Points {
		points[i] = EventPoint{Start: p.Start, Complete: p.Complete, ZoneChanged: p.ZoneChanged, Events: p.Counts.Counts[stats.Events]}
		if users := p.Counts.Users; users.Known {
			points[i].UniqueUsers, points[i].UniqueUsersExact = &users.Number, &users.Exact
		}
	}
	totals := EventTotals{Events: s.Totals.Counts[stats.Events], UniqueUsers: s.Totals.Users.Number, UniqueUsersExact: s.Totals.Users.Exact}
	return EventSeries{Type: s.Name, Interval: Interval(s.Interval), Points: points, Totals: totals, Meta: toAPIMeta(s.Meta)}
}
